package cmd

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

// A person is asked, unless there is none, or the command line has answered.
func TestWhoDecidesOnAnAlarm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		args     []string
		terminal bool
		typed    string
		want     recovery.AlarmAction
		asks     bool
	}{
		{name: "nobody is there", want: recovery.AlarmHold},
		{name: "nobody is there, and it says stop", args: []string{"--on-alarm", "stop"}, want: recovery.AlarmStop},
		{name: "stop", terminal: true, typed: "stop\n", want: recovery.AlarmStop, asks: true},
		{name: "go on", terminal: true, typed: "\n", want: recovery.AlarmHold, asks: true},
		{name: "anything", terminal: true, typed: "stop it\n", want: recovery.AlarmHold, asks: true},
		{name: "answered", args: []string{"--on-alarm=stop"}, terminal: true, typed: "no\n", want: recovery.AlarmStop},
		{name: "answered with hold", args: []string{"--on-alarm=hold"}, terminal: true, typed: "stop\n",
			want: recovery.AlarmHold},
		{name: "unattended", args: []string{"--yes"}, terminal: true, typed: "stop\n", want: recovery.AlarmHold},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			streams, in, _, errOut := iostreams.Test()
			streams.InTTY, streams.ErrTTY = c.terminal, c.terminal
			in.WriteString(c.typed)
			f := NewFactory([]string{"kafkarecover"}, streams, func(string) string { return "" })
			o := &restoreOptions{factory: f, dryRun: newChoice("none")}
			cmd := newResumeCmd(f)
			cmd.ResetFlags()
			o.addRepeatedFlags(cmd)
			o.alarm.addFlag(cmd)
			if err := cmd.ParseFlags(c.args); err != nil {
				t.Fatal(err)
			}
			got, err := o.onAlarm(t.Context(), []alarm.Alarm{{Kind: alarm.OtherClusterID, Pod: "a-pod"}})
			if err != nil || got != c.want {
				t.Errorf("want %s, got %s, %v", c.want, got, err)
			}
			if asked := strings.Contains(errOut.String(), "other-cluster-id (pod/a-pod)"); asked != c.asks {
				t.Errorf("asks %v: %q", c.asks, errOut)
			}
		})
	}
}

// What ends the question while nobody answers is not an answer.
func TestAnAlarmThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	streams, _, _, _ := iostreams.Test()
	streams.InTTY, streams.ErrTTY = true, true
	f := NewFactory([]string{"kafkarecover"}, streams, func(string) string { return "" })
	o := &restoreOptions{factory: f}
	o.alarm.addFlag(newStopCmd(f))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	streams.In = blocking{}
	if _, err := o.onAlarm(ctx, []alarm.Alarm{{Kind: alarm.StrayPartition}}); !errors.Is(err, context.Canceled) {
		t.Errorf("want what ended it: %v", err)
	}
}

// blocking is a terminal at which nobody types.
type blocking struct{}

func (blocking) Read([]byte) (int, error) { select {} }
