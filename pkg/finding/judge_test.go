package finding_test

import (
	"slices"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
)

// texts shows findings in failures.
func texts(findings []finding.Finding) string {
	out := ""
	for _, f := range findings {
		out += "\n  " + string(f.Severity) + " " + f.Rule + "=" + f.Subject + ": " + f.Message
		for _, e := range f.Evidence {
			out += "\n    · " + e
		}
	}
	return out
}

func TestNothingRefusesWhereNothingIsWrong(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]*world{
		"a healthy running cluster": healthy(t), "retained, paused and never started": retained(t),
		"looked at without reading the volumes": recorded(t),
	} {
		findings := finding.Judge(w.Input)
		refusing := slices.DeleteFunc(slices.Clone(findings), func(f finding.Finding) bool { return !f.Refuses })
		if len(refusing) > 0 {
			t.Errorf("%s: nothing may refuse:%s", name, texts(refusing))
		}
		if finding.Fails(findings, finding.Error) || finding.Incomplete(findings) {
			t.Errorf("%s: a scan is to end with 0:%s", name, texts(findings))
		}
	}
}

func TestFoldersAreJudgedWithoutObjects(t *testing.T) {
	t.Parallel()
	w := retained(t)
	w.folders()
	if findings := finding.Judge(w.Input); len(findings) > 0 {
		t.Errorf("nine good volumes in a folder, no finding expected:%s", texts(findings))
	}
}
