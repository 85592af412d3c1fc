package show_test

import (
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/finding/show"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

func text(s output.Section) string {
	var b strings.Builder
	for _, line := range s.Lines {
		for _, cell := range line.Cells {
			b.WriteString(cell.Text)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestFindingsThatDifferInTheirSubjectAloneAreOne(t *testing.T) {
	t.Parallel()
	same := finding.Finding{Rule: "volume-unread", Severity: finding.Critical, Message: "was not read", Remedy: "read it"}
	a, b, other := same, same, same
	a.Subject, b.Subject, other.Subject = "pvc/a", "pvc/b", "pvc/c"
	other.Evidence = []string{"taint"}
	got := text(show.Section("Findings", []finding.Finding{a, b, other}, true))
	want := `critical volume-unread  2 subjects
pvc/a pvc/b
was not read
→ read it
critical volume-unread  pvc/c
was not read
· taint
→ read it
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	a.Evidence, b.Evidence = []string{"pvc/a: taint", "pvc/a:kafka-log0: gone"}, []string{"pvc/b: taint"}
	got = text(show.Section("Findings", []finding.Finding{a, b, other}, true))
	want = `critical volume-unread  2 subjects
pvc/a pvc/b
was not read
· pvc/a: taint
· pvc/a:kafka-log0: gone
· pvc/b: taint
→ read it
critical volume-unread  pvc/c
was not read
· taint
→ read it
`
	if got != want {
		t.Errorf("evidence that names its subject: got\n%s\nwant\n%s", got, want)
	}
	if plain := text(show.Section("Findings", []finding.Finding{a}, false)); strings.Contains(plain, "read it") {
		t.Errorf("remedies were not asked for:\n%s", plain)
	}
}

func TestEverySeverityButInfoStandsOut(t *testing.T) {
	t.Parallel()
	plain := show.Style(finding.Info)
	for _, s := range []finding.Severity{finding.Critical, finding.Error, finding.Warning} {
		if show.Style(s) == plain {
			t.Errorf("%s looks like info", s)
		}
	}
}
