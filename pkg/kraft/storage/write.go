package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// writeNew writes a file that is not there yet: completely, to the disk, under another name, and then in one step
// under its own. An existing file is never replaced.
func writeNew(name string, data []byte, mode os.FileMode) (err error) {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temporary := name + ".tmp"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary)
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %q appeared while it was being formatted", ErrNotEmpty, name)
	}
	if err := os.Rename(temporary, name); err != nil {
		return err
	}
	return syncDir(dir)
}
