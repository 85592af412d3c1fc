// Package mapped reads local files through memory mapping where the system offers it, so that a segment of a gigabyte
// is walked without being copied. It knows nothing of what is in the files.
package mapped

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
)

// ErrUnsupported is returned where files cannot be mapped: on other systems, and for files that are not regular. The
// caller reads the file instead.
var ErrUnsupported = errors.New("memory mapping is not supported")

// Use maps the first size bytes of the file, read-only, and calls fn with them. The bytes are gone when Use returns:
// fn must not keep them.
//
// When the file shrinks while it is read, or the disk below it fails, touching a page is a fault and not a read error.
// Use turns it into an error, as long as fn touches the bytes in its own goroutine; any other panic goes on.
func Use(f *os.File, size int64, fn func(data []byte) error) (err error) {
	if size == 0 {
		return fn(nil)
	}
	if size < 0 || size != int64(int(size)) {
		return ErrUnsupported
	}
	data, unmap, err := mapFile(f, int(size))
	if err != nil {
		return err
	}
	defer func() {
		if unmapErr := unmap(); err == nil && unmapErr != nil {
			err = fmt.Errorf("unmap %q: %w", f.Name(), unmapErr)
		}
	}()
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		fault, ok := r.(interface{ Addr() uintptr })
		if !ok {
			panic(r)
		}
		_ = fault.Addr()
		err = fmt.Errorf("read %q: the file became shorter, or the disk failed, while it was read", f.Name())
	}()
	return fn(data)
}
