package mapped_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/mapped"
)

func open(t *testing.T, content string) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// mapOrSkip maps the file where the system can.
func mapOrSkip(t *testing.T, f *os.File, size int64, fn func([]byte) error) error {
	t.Helper()
	err := mapped.Use(f, size, fn)
	if errors.Is(err, mapped.ErrUnsupported) {
		t.Skip("files cannot be mapped on this system")
	}
	return err
}

func TestUseShowsTheFile(t *testing.T) {
	t.Parallel()
	f := open(t, "hello")
	for size, want := range map[int64]string{5: "hello", 2: "he", 0: ""} {
		var got string
		err := mapOrSkip(t, f, size, func(data []byte) error { got = string(data); return nil })
		if err != nil || got != want {
			t.Errorf("%d bytes: got %q, %v", size, got, err)
		}
	}
	stop := errors.New("enough")
	if err := mapOrSkip(t, f, 5, func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the error of the function", err)
	}
}

func TestAFileThatShrinksIsAnErrorAndNoCrash(t *testing.T) {
	t.Parallel()
	f := open(t, strings.Repeat("x", 1<<20))
	err := mapOrSkip(t, f, 1<<20, func(data []byte) error {
		if err := f.Truncate(0); err != nil {
			return err
		}
		if data[1<<19] == 'x' { // the page is gone
			return errors.New("still there")
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "became shorter") {
		t.Errorf("got %v", err)
	}
}

func TestOtherPanicsGoOn(t *testing.T) {
	t.Parallel()
	f := open(t, "hello")
	defer func() {
		if r := recover(); r != "mine" && !t.Skipped() {
			t.Errorf("got %v, want the function's own panic", r)
		}
	}()
	_ = mapOrSkip(t, f, 5, func([]byte) error { panic("mine") })
}

func TestWhatCannotBeMapped(t *testing.T) {
	t.Parallel()
	f := open(t, "hello")
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close() //nolint:errcheck // nothing was written
	closed := open(t, "hello")
	_ = closed.Close()
	never := func([]byte) error { t.Error("called"); return nil }
	if err := mapped.Use(f, 6, never); !errors.Is(err, mapped.ErrUnsupported) {
		t.Errorf("more than the file has: got %v", err)
	}
	if err := mapped.Use(f, -1, never); !errors.Is(err, mapped.ErrUnsupported) {
		t.Errorf("a negative size: got %v", err)
	}
	if err := mapped.Use(dir, 5, never); !errors.Is(err, mapped.ErrUnsupported) {
		t.Errorf("a directory: got %v", err)
	}
	if err := mapped.Use(closed, 5, never); err == nil {
		t.Error("a closed file was mapped")
	}
}
