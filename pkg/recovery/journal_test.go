package recovery_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

var started = time.Date(2026, 11, 24, 3, 15, 2, 0, time.UTC)

type memoryMirror struct {
	mu      sync.Mutex
	entries []recovery.Entry
	// requests count the calls; the first one waits until held is closed, where there is one.
	requests int
	held     chan struct{}
	// room is how many entries are taken before fail is answered.
	room int
	fail error
}

func (m *memoryMirror) Append(_ context.Context, entries []recovery.Entry) (int, error) {
	m.mu.Lock()
	m.requests++
	first := m.requests == 1
	m.mu.Unlock()
	if first && m.held != nil {
		<-m.held
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		taken := min(m.room, len(entries))
		m.entries = append(m.entries, entries[:taken]...)
		return taken, m.fail
	}
	m.entries = append(m.entries, entries...)
	return len(entries), nil
}

func (m *memoryMirror) seqs() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	var seqs []int
	for _, e := range m.entries {
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

func open(t *testing.T) *recovery.Journal {
	t.Helper()
	j, err := recovery.OpenJournal(filepath.Join(t.TempDir(), "restore-x"), testclock.NewFakePassiveClock(started))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func TestWhatIsAppendedIsReadBack(t *testing.T) {
	t.Parallel()
	j := open(t)
	change := recovery.Change{
		Object: recovery.ObjectRef{APIVersion: "v1", Kind: "PersistentVolume", Name: "pv-1", UID: "u"},
		Verb:   "patch", Before: map[string]any{"spec": "Delete"}, Patch: []byte(`{"spec":"Retain"}`),
	}
	if err := j.Append(t.Context(), "retain", recovery.PhaseIntent, "", change); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), "retain", recovery.PhaseDone, "read back"); err != nil {
		t.Fatal(err)
	}
	got, err := recovery.ReadJournal(j.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Seq != 1 || got[1].Seq != 2 || !got[0].Time.Equal(started) {
		t.Fatalf("two entries numbered 1 and 2 with their time, got %+v", got)
	}
	c := got[0].Changes[0]
	if c.Object != change.Object || string(c.Patch) != string(change.Patch) || c.Before["spec"] != "Delete" {
		t.Errorf("a change must come back as it was, got %+v", c)
	}
}

func TestTheJournalIsOnlyForItsOwner(t *testing.T) {
	t.Parallel()
	j := open(t)
	for path, want := range map[string]os.FileMode{j.Dir(): 0o700, filepath.Join(j.Dir(), "journal.jsonl"): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(path), info.Mode().Perm(), want)
		}
	}
}

func TestAnOperationsFolderIsUsedOnce(t *testing.T) {
	t.Parallel()
	j := open(t)
	if _, err := recovery.OpenJournal(j.Dir(), testclock.NewFakePassiveClock(started)); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second journal in one folder must be refused, got %v", err)
	}
}

func TestALineCutShortByACrashIsLeftOut(t *testing.T) {
	t.Parallel()
	j := open(t)
	for range 3 {
		if err := j.Append(t.Context(), "pause", recovery.PhaseIntent, ""); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(j.Dir(), "journal.jsonl")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lastLine := strings.LastIndexByte(strings.TrimRight(string(whole), "\n"), '\n') + 1
	for cut := lastLine + 1; cut < len(whole)-2; cut++ {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := recovery.ReadJournal(j.Dir())
		if err != nil || len(got) != 2 {
			t.Fatalf("cut after %d bytes: want the two whole entries, got %d and %v", cut, len(got), err)
		}
	}
}

func TestADamagedEntryIsAnErrorThatSaysWhich(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"not JSON":      "{\"seq\":1}\nnonsense\n",
		"number missed": "{\"seq\":1}\n{\"seq\":3}\n",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "journal.jsonl"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := recovery.ReadJournal(dir); err == nil || !strings.Contains(err.Error(), "entry 2") {
			t.Errorf("%s: the error must name entry 2, got %v", name, err)
		}
	}
}

func TestTheMirrorGetsWhatWasWrittenBeforeIt(t *testing.T) {
	t.Parallel()
	j := open(t)
	if err := j.Append(t.Context(), "", recovery.PhaseBegin, "who"); err != nil {
		t.Fatal(err)
	}
	m := &memoryMirror{}
	if err := j.SetMirror(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), "pause", recovery.PhaseIntent, ""); err != nil {
		t.Fatal(err)
	}
	if seqs := m.seqs(); !slices.Equal(seqs, []int{1, 2}) {
		t.Errorf("the mirror must hold every entry in order, got %v", seqs)
	}
}

func TestAnEntryThatCannotBeMirroredIsAnError(t *testing.T) {
	t.Parallel()
	j := open(t)
	m := &memoryMirror{}
	if err := j.SetMirror(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	m.fail = errors.New("forbidden")
	if err := j.Append(t.Context(), "pause", recovery.PhaseIntent, ""); !errors.Is(err, m.fail) {
		t.Errorf("a change that is in one journal only must not be made, got %v", err)
	}
}

func TestEntriesWrittenSideBySideAreNumberedInOrder(t *testing.T) {
	t.Parallel()
	j := open(t)
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if err := j.Append(context.Background(), "retain", recovery.PhaseIntent, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := recovery.ReadJournal(j.Dir())
	if err != nil || len(got) != 40 {
		t.Errorf("40 entries in order, got %d and %v", len(got), err)
	}
}

// What is announced while a request is under way goes with the next one, all of it in one, and nobody goes on before
// his own line is there.
func TestEntriesWrittenSideBySideGoToTheMirrorTogether(t *testing.T) {
	t.Parallel()
	j := open(t)
	m := &memoryMirror{held: make(chan struct{})}
	if err := j.SetMirror(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if err := j.Append(context.Background(), "retain", recovery.PhaseIntent, ""); err != nil {
				t.Error(err)
			}
			if here := m.seqs(); len(here) == 0 {
				t.Error("an entry was taken for kept before the mirror had any")
			}
		})
	}
	for { // all are in the file, and at most those of the first request are on their way
		if got, err := recovery.ReadJournal(j.Dir()); err == nil && len(got) == 40 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	close(m.held)
	wg.Wait()
	seqs := m.seqs()
	if len(seqs) != 40 || !slices.IsSorted(seqs) || seqs[0] != 1 || seqs[39] != 40 {
		t.Errorf("the mirror must hold every entry in order, got %v", seqs)
	}
	if m.requests > 2 {
		t.Errorf("40 entries were sent in %d requests, want one that was under way and one for the others", m.requests)
	}
}

// Where the mirror takes the first of several entries only, who announced it may go on, and the others may not; the
// next entry brings along what is missing.
func TestWhatTheMirrorDidNotTakeIsSentAgain(t *testing.T) {
	t.Parallel()
	j := open(t)
	for range 3 {
		if err := j.Append(t.Context(), "", recovery.PhaseNote, ""); err != nil {
			t.Fatal(err)
		}
	}
	m := &memoryMirror{fail: errors.New("too large"), room: 2}
	err := j.SetMirror(t.Context(), m)
	if !errors.Is(err, m.fail) || !strings.Contains(err.Error(), "entry 3") {
		t.Errorf("entry 3 was not taken, got %v", err)
	}
	m.fail = nil
	if err := j.Append(t.Context(), "pause", recovery.PhaseIntent, ""); err != nil {
		t.Fatal(err)
	}
	if seqs := m.seqs(); !slices.Equal(seqs, []int{1, 2, 3, 4}) {
		t.Errorf("every entry once and in order, got %v", seqs)
	}
}
