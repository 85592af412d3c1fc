package cmd

import (
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/progress"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
)

// readFlags say how claims are read, for every command that reads some.
type readFlags struct {
	via                          *choice
	image                        string
	scheduleTimeout, readTimeout time.Duration
	parallel                     int
}

// The defaults shown in help are those of pkg/probe.
const (
	defaultScheduleTimeout = 2 * time.Minute
	defaultReadTimeout     = 5 * time.Minute
)

func (r *readFlags) addFlags(cmd *cobra.Command) {
	r.via = newChoice(string(scan.Auto), string(scan.Objects), string(scan.Exec), string(scan.Pod))
	flags := cmd.Flags()
	flags.Var(r.via, "via",
		"How claims are read: objects reads none, exec inside running Kafka pods, pod through temporary pods")
	flags.StringVar(&r.image, "image", "",
		"`IMAGE` of temporary pods, with sh, find, tar, stat and cat (default one that the cluster has already)")
	flags.DurationVar(&r.scheduleTimeout, "schedule-timeout", defaultScheduleTimeout,
		"How long a temporary pod may take to start")
	flags.DurationVar(&r.readTimeout, "read-timeout", defaultReadTimeout,
		"How long reading the claims of one pod may take")
	flags.IntVar(&r.parallel, "parallel", 0,
		"How many temporary pods, or volumes of a folder, at a time (default automatic)")
	completeFlag(cmd, "via", r.via.allowed...)
}

// mayBorrow refuses what --released cannot be combined with.
func (r *readFlags) mayBorrow() error {
	if via := scan.Via(r.via.value); via != scan.Auto && via != scan.Pod {
		return fmt.Errorf("--released reads through temporary pods: it cannot be combined with --via %s", via)
	}
	return nil
}

func (r *readFlags) validate() error {
	switch {
	case r.scheduleTimeout <= 0:
		return fmt.Errorf("--schedule-timeout %s: must be above 0", r.scheduleTimeout)
	case r.readTimeout <= 0:
		return fmt.Errorf("--read-timeout %s: must be above 0", r.readTimeout)
	case r.parallel < 0:
		return fmt.Errorf("--parallel %d: must not be below 0", r.parallel)
	}
	return nil
}

// lookOptions are the options of a look whose reading is told as it happens. settle ends what is still being told.
func (f *Factory) lookOptions(operation string, r *readFlags) (opts scan.Options, settle func()) {
	p := &readingProgress{reporter: f.Progress(), steps: map[string]*progress.Step{}, reasons: map[string]string{}}
	return scan.Options{
		Via: scan.Via(r.via.value), Image: r.image, Operation: operation, Parallel: r.parallel,
		ScheduleTimeout: r.scheduleTimeout, ReadTimeout: r.readTimeout,
		Observe: p.observe,
		OnImage: func(i probe.ImageOffer) {
			f.Progress().Infof("temporary pods run the image %s (%s)", i.Image, i.Origin)
		},
		UnderWay: func(operation, namespace string) func() { return f.UnderWay(operation, "-n", namespace) },
	}, p.settle
}

// readingProgress tells the reading of claims: a step for each of them.
type readingProgress struct {
	reporter *progress.Reporter
	mu       sync.Mutex
	steps    map[string]*progress.Step
	// reasons maps why a claim was not read to the first claim of which that was said: what keeps one pod from its
	// claims is the same for all of them, and can be long.
	reasons map[string]string
}

// observe is called from several goroutines.
func (p *readingProgress) observe(ev probe.Event) {
	switch ev.Kind {
	case probe.PodCreating:
		p.each(ev, func(*progress.Step) {}) // that it began is all there is to say
	case probe.PodWaiting:
		p.step(ev.Claims[0]).Update("waits%s: %s", others(ev), ev.Message)
	case probe.GroupSplit:
		p.step(ev.Claims[0]).Update("one of %d cannot be mounted: %s", len(ev.Claims), ev.Message)
	case probe.ClaimRead:
		p.end(ev, func(s *progress.Step) { s.Done("read in pod %s", ev.Pod) })
	case probe.ClaimUnread:
		reason := p.reason(ev)
		p.end(ev, func(s *progress.Step) { s.Fail("%s", reason) })
	case probe.CleanupFailed:
		p.reporter.Warnf("temporary pods may be left behind: %s", ev.Message)
	case probe.PodStarted, probe.ClaimListed, probe.PodRemoving, probe.PodsGone:
	}
}

// others says how many claims share the pod of the one that is named.
func others(ev probe.Event) string {
	if n := len(ev.Claims) - 1; n > 0 {
		return fmt.Sprintf(", as %d more in its pod", n)
	}
	return ""
}

func (p *readingProgress) reason(ev probe.Event) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	first, said := p.reasons[ev.Message]
	if said && first != ev.Claims[0] {
		return "not read, for the same reason as " + first
	}
	p.reasons[ev.Message] = ev.Claims[0]
	return "not read: " + ev.Message
}

func (p *readingProgress) each(ev probe.Event, do func(*progress.Step)) {
	for _, claim := range ev.Claims {
		do(p.step(claim))
	}
}

func (p *readingProgress) step(claim string) *progress.Step {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.steps[claim]
	if s == nil {
		s = p.reporter.Step("read", claim)
		p.steps[claim] = s
	}
	return s
}

// end ends a claim's step. A claim that is tried again in another way gets a new one.
func (p *readingProgress) end(ev probe.Event, do func(*progress.Step)) {
	p.each(ev, do)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, claim := range ev.Claims {
		delete(p.steps, claim)
	}
}

// settle ends the steps of claims of which nothing more was heard.
func (p *readingProgress) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.steps {
		s.Skip("not read")
	}
	p.steps = map[string]*progress.Step{}
}
