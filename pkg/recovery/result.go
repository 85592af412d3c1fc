package recovery

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/handover"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// Outcome is how a restore ended.
type Outcome string

// The outcomes of a restore.
const (
	OutcomeRestored     Outcome = "restored"      // un-paused, and everything verified
	OutcomeAlreadyRight Outcome = "already-right" // nothing was wrong and nothing was touched
	OutcomePlanned      Outcome = "planned"       // a dry run
	OutcomeRefused      Outcome = "refused"       // a rule refuses
	OutcomeDeclined     Outcome = "declined"      // the person did not confirm
	OutcomeLeftPaused   Outcome = "left-paused"   // stopped before un-pausing
	OutcomeUnverified   Outcome = "unverified"    // un-paused; not everything could be verified in time
	OutcomeWrong        Outcome = "wrong"         // un-paused; a check failed
	OutcomeUndone       Outcome = "undone"        // taken back; the start is as it was, but for Retain
	OutcomePartlyUndone Outcome = "partly-undone" // what somebody else changed since was left
	OutcomeStopped      Outcome = "stopped"       // paused, and no Kafka pod runs
	OutcomeAlarmed      Outcome = "alarmed"       // as stopped, because of what the cluster did while it started
	OutcomeBound        Outcome = "bound"         // a StatefulSet's claims hold their volumes; it was not scaled
	OutcomeUnfinished   Outcome = "unfinished"    // stopped before all of a StatefulSet's claims were made
)

// Result is what a restore returns, whatever its outcome.
type Result struct {
	output.TypeMeta
	Operation string `json:"operation,omitempty"`
	Folder    string `json:"folder,omitempty"`
	Namespace string `json:"namespace"`
	Cluster   string `json:"cluster"`
	// Resource is the type of what Cluster names, "kafka" where it is empty.
	Resource  string            `json:"resource,omitempty"`
	ClusterID string            `json:"clusterId,omitempty"`
	Outcome   Outcome           `json:"outcome"`
	Reason    string            `json:"reason,omitempty"`
	Plan      *Plan             `json:"plan,omitempty"`
	Refusals  []finding.Finding `json:"refusals,omitempty"`
	Findings  []finding.Finding `json:"findings,omitempty"`
	Checks    []Check           `json:"checks,omitempty"`
	// Differences say in what the world is another than the one a saved or recorded plan was made for.
	Differences []string `json:"differences,omitempty"`
	// Alarms are what was observed while the cluster started and not predicted; NotWatched says what was not seen.
	Alarms     []alarm.Alarm `json:"alarms,omitempty"`
	NotWatched []string      `json:"notWatched,omitempty"`
	// Next are commands or sentences: what the person can do now.
	Next []string `json:"next,omitempty"`
}

// Code is the exit code of the outcome (safety contract, line 11).
func (r *Result) Code() exitcode.Code {
	switch r.Outcome {
	case OutcomeRestored, OutcomeAlreadyRight, OutcomePlanned, OutcomeUndone, OutcomeStopped,
		OutcomeBound:
		return exitcode.OK
	case OutcomeRefused, OutcomeWrong, OutcomePartlyUndone:
		return exitcode.Refused
	case OutcomeDeclined:
		return exitcode.Error
	case OutcomeLeftPaused, OutcomeUnverified, OutcomeAlarmed, OutcomeUnfinished:
		return exitcode.Incomplete
	}
	return exitcode.Error
}

// AccessError lists what the user may not do, with the Role that would grant it. Nothing was touched.
type AccessError struct {
	Missing []kube.Access
	Roles   string
}

// Error lists the missing permissions.
func (e *AccessError) Error() string {
	lines := make([]string, 0, len(e.Missing))
	for _, a := range e.Missing {
		lines = append(lines, a.String())
	}
	text := fmt.Sprintf("check permissions: you may not %s", strings.Join(lines, "; nor "))
	if !slices.ContainsFunc(e.Missing, func(a kube.Access) bool { return !handover.Handable(a) }) {
		text += "; --handover FILE has somebody who may do it"
	}
	return text + "; the roles that grant it:\n" + e.Roles
}

// NotFoundError says that there is no such Kafka resource.
type NotFoundError struct {
	Namespace, Name string
	// Volumes is how many volumes of such a cluster there are all the same.
	Volumes int
}

// Error names the resource and what to do.
func (e *NotFoundError) Error() string {
	text := fmt.Sprintf("there is no Kafka resource %q", e.Namespace+"/"+e.Name)
	if e.Volumes > 0 {
		text += ", but " + wording.Count(e.Volumes, "volume of it", "volumes of it")
	}
	text += fmt.Sprintf(": give its manifests with -f, those of its pools among them; where they are lost, "+
		"`kafkarecover export manifests kafka/%s -n %s --released` writes them from the volumes", e.Name, e.Namespace)
	if e.Volumes == 0 {
		text += "; where this Kubernetes cluster has never had its volumes, --volumes declares them from an earlier scan"
	}
	return text
}

// NoVolumesError says that nothing is left of a cluster that is to be made from manifests.
type NoVolumesError struct{ Namespace, Name string }

// Error says what was looked for.
func (e *NoVolumesError) Error() string {
	return fmt.Sprintf("there is no volume of kafka %q: no claim of it, and no volume that names one; where this "+
		"Kubernetes cluster has never had its volumes, --volumes declares them from an earlier scan", e.Namespace+"/"+e.Name)
}
