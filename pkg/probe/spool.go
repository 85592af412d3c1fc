package probe

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// Contents up to smallFile stay in memory, as long as a volume's do not exceed inMemory together; meta.properties and
// its like always do. Metadata log segments, up to 1 GiB each, go to disk.
const (
	smallFile = 256 << 10
	inMemory  = 8 << 20
)

// spool holds the contents fetched of one volume. Its file is created when first needed, unlinked by close.
type spool struct {
	dir  string
	held int64
	file *os.File
	end  int64
}

// take reads exactly size bytes and keeps them.
func (s *spool) take(r io.Reader, size int64) (blob, error) {
	if size <= smallFile && s.held+size <= inMemory {
		var b bytes.Buffer
		if _, err := io.CopyN(&b, r, size); err != nil {
			return nil, unexpected(err)
		}
		s.held += size
		return bytes.NewReader(b.Bytes()), nil
	}
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "volume-") // 0600, in a folder that is 0700
		if err != nil {
			return nil, &spoolError{err}
		}
		s.file = f
	}
	start := s.end
	n, err := io.CopyN(&spoolWriter{s.file}, r, size)
	s.end += n
	if err != nil {
		return nil, unexpected(err)
	}
	return io.NewSectionReader(s.file, start, size), nil
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	name := s.file.Name()
	closeErr := s.file.Close()
	if err := os.Remove(name); err != nil {
		return fmt.Errorf("remove spool file: %w", err)
	}
	return closeErr
}

// spoolError is a failure of the local disk, which the volume is not to blame for.
type spoolError struct{ err error }

// Error names the folder's owner.
func (e *spoolError) Error() string { return "spool a file of the volume locally: " + e.err.Error() }

// Unwrap returns the cause.
func (e *spoolError) Unwrap() error { return e.err }

type spoolWriter struct{ w io.Writer }

// Write implements io.Writer.
func (w *spoolWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if err != nil {
		return n, &spoolError{err}
	}
	return n, nil
}

func unexpected(err error) error {
	if err == io.EOF { //nolint:errorlint // io.CopyN returns it bare
		return io.ErrUnexpectedEOF
	}
	return err
}
