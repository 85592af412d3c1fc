package recovery

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// State tells how things stand with an operation, by its journal.
type State string

// The states of an operation. Whether one that has not ended still runs is told by its Lease, not by its journal.
const (
	StateOpen       State = "open"        // its last run has not ended: it runs, or has died
	StateLeftPaused State = "left-paused" // stopped before un-pausing
	StateUnverified State = "unverified"  // un-paused, and not seen to be right
	StateWrong      State = "wrong"       // un-paused, and a check failed
	StateHalfUndone State = "half-undone" // an undo left what somebody else had changed
	StateEnded      State = "ended"       // there is nothing to go on with
)

// State tells how things stand.
func (r *Recorded) State() State {
	if r.Ended == nil {
		return StateOpen
	}
	switch r.Ended.Outcome {
	case OutcomeLeftPaused, OutcomeUnfinished:
		return StateLeftPaused
	case OutcomeUnverified:
		return StateUnverified
	case OutcomeWrong:
		return StateWrong
	case OutcomePartlyUndone:
		return StateHalfUndone
	case OutcomeRefused, OutcomeDeclined:
		if r.Decision != nil || r.recordedHold() != nil {
			return StateLeftPaused
		}
	case OutcomeRestored, OutcomeAlreadyRight, OutcomePlanned, OutcomeUndone, OutcomeStopped, OutcomeAlarmed,
		OutcomeBound:
	}
	return StateEnded
}

// Announced tells whether the journal says that the point of no return was about to be passed. Whether it was is told
// by the objects, where the journal does not say it.
func (r *Recorded) Announced() bool {
	return slices.ContainsFunc(r.Entries, func(e Entry) bool {
		return e.Phase == PhaseIntent && r.noReturn(e.Step) &&
			slices.ContainsFunc(e.Changes, func(c Change) bool { return !isMarker(&c) })
	})
}

// Next are the commands that make sense now, for an operation that no run holds, and what its journal says that it has
// left elsewhere.
func (r *Recorded) Next() []string {
	next := r.commands()
	if h := r.recordedHold(); h != nil {
		next = append(next, h.left())
	}
	return next
}

func (r *Recorded) commands() []string {
	command := func(verb string) string {
		return fmt.Sprintf("kafkarecover %s %s -n %s", verb, r.Operation, r.Began.Kafka.Namespace)
	}
	halt := command("stop")
	if r.ofSet() {
		halt = haltSet(r.Began.Kafka.Namespace, r.Began.Kafka.Name)
	}
	switch r.State() {
	case StateEnded:
		return []string{command("report")}
	case StateHalfUndone:
		return []string{command("undo")}
	case StateUnverified, StateWrong:
		return []string{command("resume"), halt}
	case StateOpen, StateLeftPaused:
	}
	if r.Announced() {
		return []string{command("resume"), halt}
	}
	return []string{command("resume"), command("undo")}
}

// Last is when the journal was last written.
func (r *Recorded) Last() time.Time { return r.Entries[len(r.Entries)-1].Time }

// OperationsHere lists the operations that have a folder on this machine, the newest last.
func OperationsHere(stateDir string) ([]string, error) {
	entries, err := os.ReadDir(stateDir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the operations of this machine: %w", err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && ValidOperationID(e.Name()) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}
