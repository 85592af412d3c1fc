package recovery

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// AlarmAction is what is done about an alarm.
type AlarmAction string

// The actions. Holding does nothing more to the cluster, and goes on watching.
const (
	AlarmStop AlarmAction = "stop"
	AlarmHold AlarmAction = "hold"
)

// Alarmed is what a journal says of alarms, and of what was decided about them.
type Alarmed struct {
	Action AlarmAction   `json:"action"`
	Alarms []alarm.Alarm `json:"alarms"`
}

// AlarmError says that what the cluster did while it started is not what was predicted, and that it is to be halted.
type AlarmError struct{ Alarms []alarm.Alarm }

// Error says what was seen, and where; the alarms themselves say the rest.
func (e *AlarmError) Error() string {
	if len(e.Alarms) == 0 {
		return "alarm"
	}
	return fmt.Sprintf("alarm: %s (%s)", e.Alarms[0].Kind, e.Alarms[0].Where())
}

// HeldBackError says that nothing more was done to the cluster because of alarms, however it looks otherwise.
type HeldBackError struct{ Alarms []alarm.Alarm }

// Error says what was seen.
func (e *HeldBackError) Error() string {
	return alarmText(e.Alarms) + "; nothing more was done to the cluster because of it"
}

func alarmText(alarms []alarm.Alarm) string {
	if len(alarms) == 0 {
		return "alarm: an earlier run of this operation was halting the cluster"
	}
	text := "alarm: " + alarms[0].String()
	if n := len(alarms) - 1; n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return text
}

func isAlarm(err error) bool {
	var a *AlarmError
	return errors.As(err, &a)
}

// heedBefore heeds what was seen before a step begins. The last step takes away what guards the start: everything that
// was logged until then is read first, and the watch ends.
func (r *run) heedBefore(ctx context.Context, step StepID) error {
	if r.watch == nil {
		return nil
	}
	if step == StepRelease {
		r.watch.finish(ctx)
	}
	if err := r.heed(ctx); err != nil {
		return err
	}
	if len(r.heldFor) > 0 && step != StepVerify {
		return &HeldBackError{Alarms: r.heldFor}
	}
	return nil
}

// endWatch ends the watch, and tells what it has seen that nothing has heeded any more: something else ended the run.
func (r *run) endWatch() {
	if r.watch == nil {
		return
	}
	r.watch.close()
	r.sayNotWatched()
	r.say(r.watch.take())
}

func (r *run) sayNotWatched() {
	for _, text := range r.watch.takeNotWatched() {
		r.result.NotWatched = append(r.result.NotWatched, text)
		r.Report.Warn("not watched: " + text)
	}
}

// heed says what the watch has seen since the last time, and has it decided what is not grave. An error says that the
// cluster is to be halted, or that this run is interrupted.
func (r *run) heed(ctx context.Context) error {
	if r.watch == nil {
		return nil
	}
	r.sayNotWatched()
	alarms := r.watch.take()
	if len(alarms) == 0 {
		return ctx.Err()
	}
	if slices.ContainsFunc(alarms, func(a alarm.Alarm) bool { return a.Grave }) {
		return &AlarmError{Alarms: alarms}
	}
	r.say(alarms)
	action, err := r.decideAlarm(ctx, alarms)
	if err != nil {
		return err
	}
	if action == AlarmStop {
		return &AlarmError{Alarms: alarms}
	}
	r.heldFor = append(r.heldFor, alarms...)
	return r.write.journal.add(ctx, Entry{Phase: PhaseAlarm, Alarmed: &Alarmed{Action: AlarmHold, Alarms: alarms}})
}

// say tells of alarms, each once, as they come and in the result.
func (r *run) say(alarms []alarm.Alarm) {
	known := len(r.result.Alarms)
	r.result.Alarms = distinct(slices.Concat(r.result.Alarms, alarms))
	for i := range r.result.Alarms[known:] {
		r.Report.Warn("alarm: " + r.result.Alarms[known+i].String())
	}
}

// decideAlarm asks what to do. More of a kind that was to be held for is not asked about again.
func (r *run) decideAlarm(ctx context.Context, alarms []alarm.Alarm) (AlarmAction, error) {
	known := func(a alarm.Alarm) bool {
		return slices.ContainsFunc(r.heldFor, func(h alarm.Alarm) bool { return h.Kind == a.Kind })
	}
	if r.OnAlarm == nil || !slices.ContainsFunc(alarms, func(a alarm.Alarm) bool { return !known(a) }) {
		return AlarmHold, nil
	}
	return r.OnAlarm(ctx, alarms)
}

// haltsOn tells whether the cluster is to be halted, and for what.
func (r *run) haltsOn(err error) ([]alarm.Alarm, bool) {
	var a *AlarmError
	if errors.As(err, &a) {
		return distinct(slices.Concat(a.Alarms, r.watch.take())), true
	}
	if r.watch.isGrave() { // whatever else ended the step
		return r.watch.take(), true
	}
	return nil, false
}

// distinct leaves out what was said before.
func distinct(alarms []alarm.Alarm) []alarm.Alarm {
	var out []alarm.Alarm
	seen := map[string]bool{}
	for i := range alarms {
		if key := alarms[i].Key(); !seen[key] {
			seen[key] = true
			out = append(out, alarms[i])
		}
	}
	return out
}

// haltOn pauses and halts a cluster because of alarms, as stop does: the annotation first, and only then anything else.
func (r *run) haltOn(ctx context.Context, alarms []alarm.Alarm) error {
	r.pause.say = func(text string) { r.Report.Waiting(StepStop, text) }
	err := r.pauseAgain(ctx)
	r.watch.end()
	r.say(alarms)
	var deleted int
	if err == nil {
		// That it could not be written down is told at the end: the cluster is halted first.
		journaled := r.write.journal.add(ctx, Entry{Phase: PhaseAlarm, Alarmed: &Alarmed{Action: AlarmStop, Alarms: alarms}})
		deleted, err = r.haltSeen(ctx)
		err = errors.Join(err, journaled)
	}
	text := alarmText(alarms)
	if err != nil {
		r.result.Outcome = OutcomeUnverified
		r.result.Reason = fmt.Sprintf("%s; it could not be halted: %v", text, err)
		r.result.Next = append(r.result.Next, fmt.Sprintf("at once: kafkarecover stop %s -n %s", r.operation, r.Namespace))
		return fmt.Errorf("halt the cluster on an alarm: %w", err)
	}
	r.result.Outcome = OutcomeAlarmed
	r.result.Reason = text + "; it was halted: " + haltedText(deleted)
	r.result.Next = append(r.result.Next, r.afterAlarm(alarms)...)
	return nil
}

func (r *run) haltSeen(ctx context.Context) (int, error) {
	seen, err := r.lookAgain(ctx)
	if err != nil {
		return 0, err
	}
	return r.haltCluster(ctx, seen)
}

// afterAlarm says what is left to the person.
func (r *run) afterAlarm(alarms []alarm.Alarm) []string {
	out := []string{"look at what the volumes hold now: kafkarecover scan kafka/" + r.Name + " -n " + r.Namespace}
	for i := range alarms {
		if a := &alarms[i]; a.Kind == alarm.UnplannedClaim {
			out = append(out, "pvc/"+a.Claim+" was made by the operator, and stays; a restore refuses until it is gone or "+
				"its pool's node IDs and storage are those of the volumes")
		}
	}
	if r.result.Folder != "" {
		out = append(out, "the controllers' metadata logs as they were before the start are in "+
			filepath.Join(r.result.Folder, copiesDir))
	}
	return append(out, r.startAnew())
}

// halting tells whether an earlier run was halting the cluster because of alarms, and because of which: the journal
// says so, or what was written first does.
func (r *Recorded) halting() (alarms []alarm.Alarm, halting bool) {
	var kind Phase
	for i := range r.Entries {
		e := &r.Entries[i]
		switch e.Phase {
		case PhaseBegin, PhaseResume, PhaseUndo, PhaseStop:
			kind = e.Phase
		case PhaseAlarm:
			if e.Alarmed.Action == AlarmStop {
				alarms, halting = append(alarms, e.Alarmed.Alarms...), true
			}
		case PhaseIntent:
			halting = halting || e.Step == string(StepStop) && kind != PhaseStop &&
				slices.ContainsFunc(e.Changes, func(c Change) bool { return c.Object.Kind == strimzi.KafkaKind })
		case PhaseDone, PhaseFailed, PhaseNote, PhaseDecide, PhaseEnd:
		}
	}
	return distinct(alarms), halting
}

// Alarms are all that the journal says were seen.
func (r *Recorded) Alarms() []alarm.Alarm {
	var out []alarm.Alarm
	for i := range r.Entries {
		if a := r.Entries[i].Alarmed; a != nil {
			out = append(out, a.Alarms...)
		}
	}
	return distinct(out)
}

// watchRisk says what of the start is not watched, or not acted on.
func (r *run) watchRisk() string {
	var parts []string
	if r.noLogs != "" {
		parts = append(parts, "not watched is "+r.noLogs)
	}
	if r.noHalt != "" {
		parts = append(parts, r.noHalt)
	}
	return strings.Join(parts, "; ")
}
