package cache_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/kafkarecover/kafkarecover/test/kafka/cache"
)

// maker writes one file and counts how often it was asked to.
type maker struct{ calls atomic.Int32 }

func (m *maker) make(_ context.Context, dir string) error {
	m.calls.Add(1)
	return os.WriteFile(filepath.Join(dir, "thing"), []byte("whole"), 0o644)
}

func TestEnsureMakesAThingOnce(t *testing.T) {
	t.Parallel()
	store, m := cache.Store{Dir: t.TempDir()}, &maker{}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			entry, err := store.Ensure(t.Context(), cache.NewKey("thing").Add("a", "b"), m.make)
			if err != nil {
				t.Error(err)
				return
			}
			if raw, err := os.ReadFile(entry.Path("thing")); err != nil || string(raw) != "whole" {
				t.Errorf("the entry has %q, %v", raw, err)
			}
		})
	}
	wait.Wait()
	if got := m.calls.Load(); got != 1 {
		t.Errorf("made %d times, want once", got)
	}
}

func TestEnsureMakesADamagedThingAgain(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(dir string) error{
		"a file is cut":      func(dir string) error { return os.Truncate(filepath.Join(dir, "thing"), 2) },
		"a file is gone":     func(dir string) error { return os.Remove(filepath.Join(dir, "thing")) },
		"the record is gone": func(dir string) error { return os.Remove(filepath.Join(dir, ".sealed.json")) },
		"the record is cut":  func(dir string) error { return os.Truncate(filepath.Join(dir, ".sealed.json"), 9) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, m := cache.Store{Dir: t.TempDir()}, &maker{}
			entry, err := store.Ensure(t.Context(), cache.NewKey("thing"), m.make)
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(entry.Dir); err != nil {
				t.Fatal(err)
			}
			again, err := store.Ensure(t.Context(), cache.NewKey("thing"), m.make)
			if err != nil {
				t.Fatal(err)
			}
			if raw, err := os.ReadFile(again.Path("thing")); err != nil || string(raw) != "whole" || again != entry {
				t.Errorf("the entry has %q, %v", raw, err)
			}
			if got := m.calls.Load(); got != 2 {
				t.Errorf("made %d times, want twice", got)
			}
		})
	}
}

func TestAFailedThingLeavesNothing(t *testing.T) {
	t.Parallel()
	store := cache.Store{Dir: t.TempDir()}
	broken := errors.New("broken")
	_, err := store.Ensure(t.Context(), cache.NewKey("thing"), func(_ context.Context, dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "half"), nil, 0o644), broken)
	})
	if !errors.Is(err, broken) {
		t.Fatalf("error is %v, want %v", err, broken)
	}
	entries, err := os.ReadDir(store.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			t.Errorf("%q was left", e.Name())
		}
	}
}

func TestKeysDiffer(t *testing.T) {
	t.Parallel()
	store := cache.Store{Dir: t.TempDir()}
	tree := cache.NewKey("k")
	if err := tree.AddFS("t", fstest.MapFS{"a": {Data: []byte("b")}}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for name, key := range map[string]*cache.Key{
		"another kind": cache.NewKey("j"), "nothing": cache.NewKey("k"), "a tree": tree,
		"a part": cache.NewKey("k").Add("a", "bc"), "the same letters": cache.NewKey("k").Add("ab", "c"),
		"two parts": cache.NewKey("k").Add("a", "b").Add("c", ""), "a part with a line": cache.NewKey("k").Add("a", "b\nc"),
	} {
		entry, err := store.Ensure(t.Context(), key, new(maker).make)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := seen[entry.Dir]; taken {
			t.Errorf("%q and %q have the same name", name, other)
		}
		seen[entry.Dir] = name
	}
}
