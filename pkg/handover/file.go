package handover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// file is where the commands are written. It is replaced as a whole, so that nobody runs half of one.
type file struct{ path string }

// claim refuses a path that holds something else.
func (f *file) claim() error {
	there, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at what is in the place of the commands to hand over: %w", err)
	case len(there) > 0 && !strings.HasPrefix(string(there), firstLines):
		return fmt.Errorf("write the commands to hand over to %q: it holds something else; name a new file", f.path)
	}
	return nil
}

// write replaces what is in the file. Only its owner may write it: who runs it is powerful.
func (f *file) write(writes []*kube.Write, g guard) error {
	text, err := script(writes, g)
	if err != nil {
		return err
	}
	if err := f.replace(text); err != nil {
		return fmt.Errorf("write the commands to hand over: %w", err)
	}
	return nil
}

// replace writes beside the file first, under a name that nobody can have prepared.
func (f *file) replace(text string) error {
	beside, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+"-*")
	if err != nil {
		return err
	}
	const readable = 0o644
	_, err = beside.WriteString(text)
	if err = errors.Join(err, beside.Chmod(readable), beside.Close()); err == nil {
		err = os.Rename(beside.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(beside.Name()))
	}
	return nil
}
