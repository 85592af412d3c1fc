//go:build unix

package mapped

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func mapFile(f *os.File, size int) ([]byte, func() error, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("map %q: %w", f.Name(), err)
	}
	if !info.Mode().IsRegular() || info.Size() < int64(size) {
		return nil, nil, ErrUnsupported
	}
	data, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, fmt.Errorf("map %q: %w", f.Name(), ErrUnsupported)
	}
	// Only advice: without it the same bytes are read, with less read ahead.
	_ = unix.Madvise(data, unix.MADV_SEQUENTIAL)
	return data, func() error { return unix.Munmap(data) }, nil
}
