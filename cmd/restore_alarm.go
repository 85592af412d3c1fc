package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

const alarmFlagName = "on-alarm"

// alarmFlag is what is done about what a starting cluster does and nobody predicted, where nobody is asked.
type alarmFlag struct {
	action *choice
	cmd    *cobra.Command
}

func (f *alarmFlag) addFlag(cmd *cobra.Command) {
	f.action, f.cmd = newChoice(string(recovery.AlarmHold), string(recovery.AlarmStop)), cmd
	cmd.Flags().Var(f.action, alarmFlagName, "What to do when the cluster does what was not predicted while it starts, "+
		"where there is no terminal to ask on, or with --yes: hold does nothing more to it, watches on and ends with exit "+
		"5; stop pauses it and stops its pods. What loses data for certain stops it in any case")
	completeFlag(cmd, alarmFlagName, f.action.allowed...)
}

// given tells whether the flag was set, so that nobody needs to be asked.
func (f *alarmFlag) given() bool { return f.cmd.Flags().Changed(alarmFlagName) }

const stopWord = "stop"

// onAlarm asks a person what to do about alarms that are not grave; where nobody can be asked the flag decides.
func (o *restoreOptions) onAlarm(ctx context.Context, alarms []alarm.Alarm) (recovery.AlarmAction, error) {
	if o.yes || o.alarm.given() || !o.factory.IO.CanPrompt() {
		return recovery.AlarmAction(o.alarm.action.value), nil
	}
	o.factory.Progress().Close() // nothing may repaint over the question
	more := ""
	if n := len(alarms) - 1; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	stop, err := o.factory.IO.ConfirmByTyping(ctx, fmt.Sprintf("\nThe cluster did what was not predicted: %s (%s)%s.\n"+
		"Type %s to pause it and stop its pods; anything else does nothing more to it and watches on: ", alarms[0].Kind,
		alarms[0].Where(), more, stopWord), stopWord)
	if err != nil || !stop {
		return recovery.AlarmHold, err
	}
	return recovery.AlarmStop, nil
}
