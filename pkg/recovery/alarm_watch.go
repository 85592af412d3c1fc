package recovery

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

const (
	// maxAlarms bounds what is kept: a cluster with other metadata can set thousands of partitions aside. Grave ones end
	// the watch, so that they are always kept.
	maxAlarms = 50
	// logsAtOnce bounds how many logs are read side by side, and podsPerRound the pods for which a round's time is enough:
	// the client sends fifty requests a second, and the rest of the run needs some of them.
	logsAtOnce   = 8
	podsPerRound = 40
	// failuresSaid is after how many rounds that failed it is said that something is not watched: a container that has
	// just started has no log for a moment.
	failuresSaid = 3
)

// watch sees what a cluster does to its volumes while it starts. Everything it fails to see is said, and ends nothing.
type watch struct {
	kube      *kube.Client
	clock     clock.WithTicker
	namespace string
	cluster   string
	judge     *alarm.Judge
	readsLogs bool
	// watched is what steps run under, grave ends it.
	watched context.Context
	grave   context.CancelCauseFunc
	stop    context.CancelFunc
	done    chan struct{}

	// looking lets one round at a time through; logs are how far each pod's log was read.
	looking sync.Mutex
	logs    map[types.UID]*podLog

	mu       sync.Mutex
	fresh    []alarm.Alarm
	known    map[string]bool
	isAlarm  bool
	failures map[string]int
	unsaid   []string
	said     map[string]bool
}

// beginWatch watches until the run ends or a grave alarm is raised.
func (r *run) beginWatch(ctx context.Context) {
	watched, grave := context.WithCancelCause(ctx)
	looking, stop := context.WithCancel(ctx)
	w := &watch{
		kube: r.Kube, clock: r.Clock, namespace: r.Namespace, cluster: r.Name, judge: alarm.New(r.base.prediction(r.Name)),
		readsLogs: r.noLogs == "", watched: watched, grave: grave, stop: stop, done: make(chan struct{}),
		logs: map[types.UID]*podLog{}, known: map[string]bool{}, failures: map[string]int{}, said: map[string]bool{},
	}
	marks := r.logs
	if marks == nil && r.recorded != nil {
		marks = r.recorded.logMarks()
	}
	for uid, m := range marks {
		w.logs[types.UID(uid)] = logFrom(m)
	}
	for _, text := range []string{r.noLogs, r.noHalt} {
		if text != "" {
			w.notWatched(text)
		}
	}
	r.watch = w
	go func() {
		defer close(w.done)
		for looking.Err() == nil {
			pods := w.round(looking)
			every := watchEvery * time.Duration(1+pods/podsPerRound)
			_ = sleepOn(looking, w.clock, every) // an error ends the loop
		}
	}()
}

// under is the context of a step: a grave alarm ends it. Without a watch it is the run's own.
func (w *watch) under(ctx context.Context) context.Context {
	if w == nil {
		return ctx
	}
	return w.watched
}

// end ends the watch; it may be called on none, and again.
func (w *watch) end() {
	if w == nil {
		return
	}
	w.stop()
	<-w.done
}

// close ends the watch, and what runs under it.
func (w *watch) close() {
	if w == nil {
		return
	}
	w.end()
	w.grave(nil)
}

// finish ends the watch after one more look at everything.
func (w *watch) finish(ctx context.Context) {
	w.end()
	w.round(ctx)
}

// round looks once at the claims and at what every pod has logged since the last time; it returns the number of pods.
func (w *watch) round(ctx context.Context) int {
	w.looking.Lock()
	defer w.looking.Unlock()
	claims, err := w.kube.List(ctx, kube.Claims(), w.namespace, kube.ListOptions{})
	if w.sees(ctx, "the claims of the namespace", err) {
		parsed := make([]volume.Claim, 0, len(claims.Items))
		for i := range claims.Items {
			parsed = append(parsed, volume.ParseClaim(claims.Items[i].Object))
		}
		_ = w.claims(parsed) // what is raised ends what runs
	}
	if !w.readsLogs {
		return 0
	}
	pods, err := w.kube.List(ctx, kube.Pods(), w.namespace, kube.ListOptions{
		LabelSelector: strimzi.SelectKafka(w.cluster),
	})
	if !w.sees(ctx, "the Kafka pods", err) {
		return 0
	}
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(logsAtOnce)
	for i := range pods.Items {
		c, started := kafkaContainer(&pods.Items[i])
		if !started {
			continue
		}
		at := w.logs[c.uid]
		if at == nil {
			at = &podLog{}
			w.logs[c.uid] = at
		}
		group.Go(func() error {
			w.sees(reading, "what pod/"+c.pod+" logs", w.read(reading, c, at))
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	return len(pods.Items)
}

// claims judges claims; the error is the alarm that one of them raised.
func (w *watch) claims(claims []volume.Claim) error {
	if w == nil {
		return nil
	}
	for i := range claims {
		c := &claims[i]
		if a := w.judge.Claim(c.Name, c.Volume, c.Labels); a != nil {
			w.raise(a)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isAlarm {
		return &AlarmError{}
	}
	return nil
}

// raise keeps an alarm, once, and ends what runs where it is grave.
func (w *watch) raise(a *alarm.Alarm) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := a.Key()
	if w.known[key] || !a.Grave && len(w.known) >= maxAlarms {
		return
	}
	w.known[key] = true
	w.fresh = append(w.fresh, *a)
	if a.Grave && !w.isAlarm {
		w.isAlarm = true
		w.grave(&AlarmError{Alarms: []alarm.Alarm{*a}})
	}
}

// take returns the alarms that were raised since the last time, the grave ones first.
func (w *watch) take() []alarm.Alarm {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.fresh
	w.fresh = nil
	slices.SortStableFunc(out, func(a, b alarm.Alarm) int {
		switch {
		case a.Grave == b.Grave:
			return 0
		case a.Grave:
			return -1
		}
		return 1
	})
	return out
}

// isGrave tells whether a grave alarm was raised.
func (w *watch) isGrave() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.isAlarm
}

// sees counts the rounds in which something could not be looked at, and tells whether it could.
func (w *watch) sees(ctx context.Context, what string, err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		delete(w.failures, what)
		return true
	}
	if ctx.Err() != nil || kube.IsNotFound(err) { // this run ends, or the pod is gone
		return false
	}
	if w.failures[what]++; w.failures[what] == failuresSaid {
		w.note(fmt.Sprintf("%s, for a while at least: %v", what, err))
	}
	return false
}

func (w *watch) notWatched(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(text)
}

func (w *watch) note(text string) {
	if !w.said[text] && len(w.said) < maxAlarms {
		w.said[text] = true
		w.unsaid = append(w.unsaid, text)
	}
}

func (w *watch) takeNotWatched() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.unsaid
	w.unsaid = nil
	return out
}

// containerSeen is the Kafka container of a pod, as its status says.
type containerSeen struct {
	pod      string
	uid      types.UID
	restarts int32
}

// kafkaContainer finds the Kafka container of a pod; started is false where it has not run, and logged nothing.
func kafkaContainer(pod *unstructured.Unstructured) (c containerSeen, started bool) {
	c = containerSeen{pod: pod.GetName(), uid: pod.GetUID()}
	for _, s := range object.Maps(pod.Object, "status", "containerStatuses") {
		if object.String(s, "name") != strimzi.KafkaContainer {
			continue
		}
		c.restarts, _ = object.Int32(s, "restartCount")
		return c, c.restarts > 0 || object.Has(s, "state", "running") || object.Has(s, "state", "terminated") ||
			object.Has(s, "lastState", "terminated")
	}
	return c, false
}
