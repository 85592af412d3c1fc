package recovery

import (
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// refusing is why a run ends at findings.
func refusing(refusals []finding.Finding) string {
	return wording.Count(len(refusals), "finding refuses; it says what to do", "findings refuse; each says what to do")
}

// madeTooEarly says what most of the findings come of where a cluster was made again on new volumes: each of them would
// have a volume given up or chosen, and one command answers all.
func madeTooEarly(refusals []finding.Finding) []string {
	i := slices.IndexFunc(refusals, func(f finding.Finding) bool { return f.Rule == "shadowed-by-new-volume" })
	if i < 0 {
		return nil
	}
	return []string{"most of this comes of two volumes for one claim: " + refusals[i].Remedy}
}

func replicasText[N ~int32 | ~int64](n N) string { return wording.Count(n, "replica", "replicas") }
