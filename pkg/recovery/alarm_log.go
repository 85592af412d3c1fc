package recovery

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

const (
	// maxLogLine bounds a line that is judged: the rest of it is passed over. The longest line that says something is some
	// hundred bytes.
	maxLogLine = 16 << 10
	// maxLogRead bounds what is read of one log in one look. The kubelet keeps 10 MiB of a container by default.
	maxLogRead = 32 << 20
	// logTimeout bounds one look at one log: its kubelet may be gone.
	logTimeout = 20 * time.Second
)

// podLog is how far the log of a pod's Kafka container was read, by the clock of its node.
type podLog struct {
	last time.Time
	// atLast is how many lines of that very time were read.
	atLast   int
	restarts int32
	// blind tells that the pod was there before, and that nobody knows how far its log went: what it has until it is read
	// for the first time is not judged.
	blind bool
}

// logFrom begins where a mark says that a log went to.
func logFrom(m LogMark) *podLog {
	return &podLog{last: m.Last, atLast: math.MaxInt, restarts: m.Restarts, blind: m.Last.IsZero()}
}

// LogMark is how far the log of a pod's Kafka container went at a time.
type LogMark struct {
	// Last is the time of its last line, by the clock of its node; zero where it could not be read.
	Last     time.Time `json:"last,omitzero"`
	Restarts int32     `json:"restarts,omitempty"`
}

// read judges what a container has logged since the last time, and what the one before it had logged that was not read.
func (w *watch) read(ctx context.Context, c containerSeen, at *podLog) error {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	if missed := c.restarts - at.restarts; missed > 0 && !at.blind {
		if missed > 1 {
			w.notWatched(fmt.Sprintf("what %d containers of pod/%s logged that ended between two looks", missed-1, c.pod))
		}
		if err := w.readOne(ctx, c.pod, at, true); err != nil && !kube.IsNotFound(err) {
			w.notWatched(fmt.Sprintf("what the last container of pod/%s logged: %v", c.pod, err))
		}
	}
	if err := w.readOne(ctx, c.pod, at, false); err != nil {
		return err
	}
	if at.blind {
		w.notWatched("what pod/" + c.pod + " logged until it could be read for the first time")
	}
	at.restarts, at.blind = c.restarts, false
	return nil
}

func (w *watch) readOne(ctx context.Context, pod string, at *podLog, previous bool) error {
	return w.kube.StreamLogs(ctx, w.namespace, pod, kube.LogOptions{
		Container: strimzi.KafkaContainer, Previous: previous, Since: at.last, Timestamps: true, Limit: maxLogRead,
	}, func(stream io.Reader) error {
		skip, blind := at.atLast, at.blind
		from := at.last
		return eachLine(stream, func(line string) {
			said, text, dated := datedLine(line)
			if dated {
				switch {
				case said.Before(from):
					return
				case said.Equal(from) && skip > 0:
					skip--
					return
				case said.Equal(at.last):
					at.atLast++
				case said.After(at.last):
					at.last, at.atLast = said, 1
				}
			}
			if blind {
				return
			}
			if a := w.judge.Line(pod, text); a != nil {
				w.raise(a)
			}
		})
	})
}

// datedLine takes the time that the kubelet puts before a line off it.
func datedLine(line string) (said time.Time, text string, dated bool) {
	first, rest, _ := strings.Cut(line, " ")
	said, err := time.Parse(time.RFC3339Nano, first)
	if err != nil {
		return time.Time{}, line, false
	}
	return said, rest, true
}

// eachLine reads lines of any length with bounded memory: what a line has beyond maxLogLine is passed over.
func eachLine(r io.Reader, each func(line string)) error {
	in := bufio.NewReaderSize(r, maxLogLine)
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 {
			each(strings.TrimRight(string(line), "\r\n"))
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// markLogs notes how far the logs of the containers that run go before the cluster is un-paused: what they have said
// until then is not what the start does. The journal has it for a run that goes on.
func (r *run) markLogs(ctx context.Context) error {
	if r.noLogs != "" {
		return nil
	}
	pods, err := r.Kube.List(ctx, kube.Pods(), r.Namespace, kube.ListOptions{
		LabelSelector: strimzi.SelectKafka(r.Name),
	})
	if err != nil {
		return err
	}
	r.logs = map[string]LogMark{}
	for i := range pods.Items {
		if c, started := kafkaContainer(&pods.Items[i]); started {
			r.logs[string(c.uid)] = LogMark{Last: r.lastLine(ctx, c), Restarts: c.restarts}
		}
	}
	if len(r.logs) == 0 {
		return ctx.Err()
	}
	return r.write.journal.add(ctx, Entry{Phase: PhaseNote, Logs: r.logs, Note: fmt.Sprintf(
		"%d containers had logged something before the cluster was un-paused", len(r.logs))})
}

// lastLine is the time of the last line of a log; zero where there is none or it cannot be read.
func (r *run) lastLine(ctx context.Context, c containerSeen) time.Time {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	var last time.Time
	err := r.Kube.StreamLogs(ctx, r.Namespace, c.pod, kube.LogOptions{
		Container: strimzi.KafkaContainer, TailLines: 1, Timestamps: true,
	}, func(stream io.Reader) error {
		return eachLine(stream, func(line string) {
			if said, _, dated := datedLine(line); dated {
				last = said
			}
		})
	})
	if err != nil {
		return time.Time{}
	}
	return last
}

// logMarks are how far logs went before the cluster was un-paused for the last time, as the journal says.
func (r *Recorded) logMarks() map[string]LogMark {
	for i := len(r.Entries) - 1; i >= 0; i-- {
		if m := r.Entries[i].Logs; m != nil {
			return m
		}
	}
	return nil
}
