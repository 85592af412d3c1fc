package cmd

import (
	"sync"

	"github.com/kafkarecover/kafkarecover/pkg/handover"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/progress"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

// restoreReporter tells a restore on the narrative stream; it implements recovery.Reporter.
type restoreReporter struct {
	factory   *Factory
	namespace string
	progress  *progress.Reporter

	mu    sync.Mutex
	steps map[recovery.StepID]*progress.Step
	gone  func()
	// book is what was handed over; nil where nothing is.
	book *handover.Book
}

// newRestoreReporter tells of a run in the client's namespace; end it when the run has ended.
func newRestoreReporter(f *Factory, client *kube.Client) *restoreReporter {
	return &restoreReporter{factory: f, namespace: client.Namespace(), progress: f.Progress()}
}

// Begin implements recovery.Reporter.
func (r *restoreReporter) Begin(operation, folder string) {
	r.gone = r.factory.UnderWay(operation, "-n", r.namespace)
	r.progress.Infof("operation %s, journal in %s", operation, folder)
}

// handedOver tells what somebody else is to do, or has done.
func (r *restoreReporter) handedOver(text string) { r.progress.Infof("%s", text) }

// end takes the operation off the list of what an abrupt end leaves behind, and what was handed over off its file.
func (r *restoreReporter) end() {
	if r.book != nil {
		if err := r.book.Close(); err != nil {
			r.Warn(err.Error())
		}
	}
	if r.gone != nil {
		r.gone()
	}
}

// Step implements recovery.Reporter.
func (r *restoreReporter) Step(s recovery.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	shown := r.step(s.ID, s.Title)
	switch s.State {
	case recovery.StepDone:
		shown.Done("%s", s.Note)
	case recovery.StepFailed:
		shown.Fail("%s", s.Note)
	case recovery.StepSkipped:
		shown.Skip("%s", s.Note)
	case recovery.StepPlanned, recovery.StepRunning:
		return
	}
	delete(r.steps, s.ID)
}

// Waiting implements recovery.Reporter.
func (r *restoreReporter) Waiting(step recovery.StepID, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if shown := r.steps[step]; shown != nil {
		shown.Update("%s", text)
	}
}

// Warn implements recovery.Reporter.
func (r *restoreReporter) Warn(text string) { r.progress.Warnf("%s", text) }

func (r *restoreReporter) step(id recovery.StepID, title string) *progress.Step {
	if r.steps == nil {
		r.steps = map[recovery.StepID]*progress.Step{}
	}
	if r.steps[id] == nil {
		r.steps[id] = r.progress.Step(string(id), title)
	}
	return r.steps[id]
}
