package probe

import (
	"context"
	"errors"
	"sync"
)

// Removal is what a Read leaves to be waited for: the end of pods whose deletion was asked for, and the detachment of
// their volumes. It lets a caller hand on what was read while the kubelet still ends a pod, which takes as long as
// starting one. The zero value is ready for use.
type Removal struct {
	mu    sync.Mutex
	waits []func(context.Context) error
}

func (r *Removal) add(wait func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits = append(r.waits, wait)
}

// Wait returns once all of it is gone, at once where nothing was left. It works after ctx ended too, for as long as the
// requests' CleanupTimeout allows. The error says what could not be removed; a second call does not repeat it.
func (r *Removal) Wait(ctx context.Context) error {
	r.mu.Lock()
	waits := r.waits
	r.waits = nil
	r.mu.Unlock()
	var err error
	for _, wait := range waits {
		err = errors.Join(err, wait(ctx))
	}
	return err
}
