package recovery

import (
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// refusing is why a run ends at findings.
func refusing(refusals []finding.Finding) string {
	return wording.Count(len(refusals), "finding refuses; it says what to do", "findings refuse; each says what to do")
}

func replicasText[N ~int32 | ~int64](n N) string { return wording.Count(n, "replica", "replicas") }
