package recovery

import (
	"context"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// patience is how long, and how often, a step looks for something to come about. Flag is the one that changes how long;
// empty where none does.
type patience struct {
	what, flag   string
	bound, every time.Duration
}

// waitWhile looks again until nothing is left to wait for, and says what is. Where that stays for too long the error is
// a *kube.TimeoutError.
func (r *run) waitWhile(
	ctx context.Context, step StepID, p patience, look func(context.Context) (left string, err error),
) error {
	deadline := r.Clock.Now().Add(p.bound)
	for {
		left, err := look(ctx)
		if err != nil || left == "" {
			return err
		}
		r.Report.Waiting(step, left)
		if !r.Clock.Now().Before(deadline) {
			return &kube.TimeoutError{What: p.what, After: p.bound, Flag: p.flag, Last: left}
		}
		if err := r.sleep(ctx, p.every); err != nil {
			return err
		}
	}
}
