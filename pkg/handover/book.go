// Package handover has writes that the user may not make himself made by somebody who may: it writes the exact commands
// to a file, waits until the API server shows their effect, and returns what a write of one's own would have. It sends
// none of them, and decides nothing.
package handover

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// gather is how long a write waits for others that are made side by side with it, so that they are handed over, and
// told, at once.
const gather = 300 * time.Millisecond

// Book holds the writes that somebody else is to make now. It implements kube.Delegate.
type Book struct {
	kube *kube.Client
	file *file
	say  func(text string)

	// flushing lets one writing of the file at a time through.
	flushing sync.Mutex
	mu       sync.Mutex
	// open are the writes that are waited for, in the order they came; told those of them that the file has.
	open    []*errand
	told    int
	pending *time.Timer
	guard   guard
	tell    func(text string)
}

// errand is one write that is waited for.
type errand struct {
	write *kube.Write
	// failed says that the file could not be written.
	failed chan error
}

// guard names the Lease whose holder waits for the writes; its zero value guards nothing.
type guard struct{ namespace, lease, holder string }

// Open begins a book whose commands go to a file, which is made now, so that one that cannot be is known before
// anything is begun. say is told what is handed over, and when it was made.
func Open(k *kube.Client, path string, say func(text string)) (*Book, error) {
	f := &file{path: path}
	if err := f.claim(); err != nil {
		return nil, err
	}
	b := &Book{kube: k, file: f, say: say}
	return b, f.write(nil, b.guard)
}

// Takes implements kube.Delegate: what may be handed over, and is denied. Who is given a permission meanwhile makes the
// next write himself.
func (b *Book) Takes(ctx context.Context, w *kube.Write) (bool, error) {
	access := w.Access()
	if !Handable(access) || w.Name == "" {
		return false, nil
	}
	missing, err := b.kube.Review(ctx, []kube.Access{access})
	return len(missing) > 0, err
}

// Handable tells whether a permission is for something that can be handed over: a write of an object that is not the
// tool's own. Temporary pods, the lock and the journal's copy must be its own, and what is in a Secret is written into
// no file.
func Handable(a kube.Access) bool {
	own := []string{"pods", "leases", "configmaps", "secrets"}
	return slices.Contains([]string{"create", "patch", "delete"}, a.Verb) && !slices.Contains(own, a.Resource)
}

// Guard has the commands refuse to run unless this holder has the Lease: nobody waits for them otherwise, or another
// run has gone on.
func (b *Book) Guard(namespace, lease, holder string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.guard = guard{namespace: namespace, lease: lease, holder: holder}
}

// Tell has note told, too, what is handed over and when it was made.
func (b *Book) Tell(note func(text string)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tell = note
}

// add hands a write over.
func (b *Book) add(w *kube.Write) *errand {
	e := &errand{write: w, failed: make(chan error, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = append(b.open, e)
	if b.pending == nil {
		b.pending = time.AfterFunc(gather, b.flush)
	}
	return e
}

// drop takes a write off the book.
func (b *Book) drop(e *errand) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = slices.DeleteFunc(b.open, func(o *errand) bool { return o == e })
	if b.pending == nil {
		b.pending = time.AfterFunc(gather, b.flush)
	}
}

// flush writes the file, and tells what is new in it.
func (b *Book) flush() {
	b.flushing.Lock()
	defer b.flushing.Unlock()
	text, note := b.rewrite()
	if text == "" {
		return
	}
	b.say(text)
	if note != nil {
		note(text)
	}
}

func (b *Book) rewrite() (news string, note func(text string)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = nil
	writes := make([]*kube.Write, 0, len(b.open))
	for _, e := range b.open {
		writes = append(writes, e.write)
	}
	if err := b.file.write(writes, b.guard); err != nil {
		for _, e := range b.open {
			select {
			case e.failed <- err:
			default: // it has failed already
			}
		}
		return "", nil
	}
	return b.news(), b.tell
}

// news says what the file has that was not told yet.
func (b *Book) news() string {
	was := b.told
	b.told = len(b.open)
	switch {
	case b.told == 0 && was > 0:
		return "handed over: all of it was made"
	case b.told <= was:
		return ""
	}
	var kinds []string
	count := map[string]int{}
	for _, e := range b.open {
		access := e.write.Access()
		kind := access.String()
		if count[kind]++; count[kind] == 1 {
			kinds = append(kinds, kind)
		}
	}
	for i, kind := range kinds {
		if n := count[kind]; n > 1 {
			kinds[i] = fmt.Sprintf("%s (%d times)", kind, n)
		}
	}
	return fmt.Sprintf("handed over, because you may not: %s; waiting for somebody who may to run: sh %s",
		strings.Join(kinds, ", "), quote(b.file.path))
}

// Close takes everything off the file: nobody waits any more.
func (b *Book) Close() error {
	b.flushing.Lock()
	defer b.flushing.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending != nil {
		b.pending.Stop()
	}
	b.tell, b.say = nil, func(string) {} // a flush that was about to begin has nothing to say
	b.open = nil
	return b.file.write(nil, guard{})
}
