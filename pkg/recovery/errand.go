package recovery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/handover"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// noteTimeout bounds how long the journal may take to note what was handed over.
const noteTimeout = 30 * time.Second

// handOver takes from missing permissions those that somebody else has for this run, and returns the others.
func (r *run) handOver(missing []kube.Access) []kube.Access {
	if r.HandOver == nil {
		return missing
	}
	if own := slices.DeleteFunc(slices.Clone(missing), handover.Handable); len(own) > 0 {
		return own // nothing is handed over by a run that cannot go on
	}
	for _, a := range missing {
		if text := a.String(); !slices.Contains(r.handedOver, text) {
			r.handedOver = append(r.handedOver, text)
			if r.DryRun == DryRunServer {
				r.Report.Warn(fmt.Sprintf("the API server cannot check what you may not do: %s", text))
			}
		}
	}
	return nil
}

// holds notes that this run has the lock. What it hands over is done for it alone from now on.
func (r *run) holds(l *lock) {
	r.lock, r.write.lock = l, l
	if r.HandOver != nil {
		r.HandOver.Guard(l.namespace, l.name, l.holder)
		r.HandOver.Tell(func(text string) {
			ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
			defer cancel()
			// The writes themselves are journaled by their steps.
			_ = r.write.journal.add(ctx, Entry{Phase: PhaseNote, Note: text})
		})
	}
}
