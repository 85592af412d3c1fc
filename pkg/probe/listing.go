package probe

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

// errLimit marks a volume that exceeds one of the Limits.
var errLimit = errors.New("limit exceeded")

// listingError is a listing that could not be read on; the volume it was about is to blame.
type listingError struct {
	index int
	err   error
}

// Error implements error.
func (e *listingError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *listingError) Unwrap() error { return e.err }

// listing is the output of listScript, decoded. The stream comes from a container that is not trusted: whatever it
// says, memory is bounded by the limits and no path leads out of its volume.
type listing struct {
	token   string
	folders []string
	limits  Limits
	// onEnd is called with each volume that was listed to its end.
	onEnd func(index int, t *tree)

	current int // index of the volume being listed; -1 before the first
	tree    *tree
}

// read decodes until the stream ends. Volumes before the one named by a *listingError were handed to onEnd.
func (l *listing) read(r io.Reader) error {
	l.current = -1
	scanner := bufio.NewScanner(r)
	const fields = 256 // more than the token and six numbers take
	first := l.limits.PathBytes + fields
	scanner.Buffer(make([]byte, 0, min(first, bufio.MaxScanTokenSize)), first)
	scanner.Split(splitAt([]byte("\n" + l.token + " ")))
	start := true
	for scanner.Scan() {
		record := scanner.Bytes()
		if start { // the split leaves the first record's own token in place
			start = false
			rest, ok := bytes.CutPrefix(record, []byte(l.token+" "))
			if !ok {
				return l.fail(fmt.Errorf("the listing does not begin as it must: %q", clip(record)))
			}
			record = rest
		}
		if err := l.record(record); err != nil {
			return l.fail(err)
		}
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		return l.fail(fmt.Errorf("a path is longer than %d bytes: %w", l.limits.PathBytes, errLimit))
	}
	if scanner.Err() != nil {
		return l.fail(scanner.Err())
	}
	if l.tree != nil || l.current+1 != len(l.folders) {
		return l.fail(io.ErrUnexpectedEOF)
	}
	return nil
}

func (l *listing) fail(err error) error {
	index := l.current
	if l.tree == nil { // between two volumes: the next one is to blame
		index++
	}
	return &listingError{index: index, err: err}
}

func (l *listing) record(record []byte) error {
	// a record ends with the newline of printf or stat, which the split took, but for the very last one
	kind, rest, _ := strings.Cut(string(record), " ")
	switch {
	case kind == "begin" && l.tree == nil:
		index, err := strconv.Atoi(strings.TrimSuffix(rest, "\n"))
		if err != nil || index != l.current+1 || index >= len(l.folders) {
			return fmt.Errorf("unexpected begin of volume %q", clip(record))
		}
		l.current, l.tree = index, newTree()
		return nil
	case kind == "entry" && l.tree != nil:
		return l.entry(rest)
	case kind == "closed" && l.tree != nil:
		name, err := l.relative(rest)
		if err != nil {
			return err
		}
		l.tree.close(name)
		return nil
	case kind == "end" && l.tree != nil:
		return l.end(rest)
	}
	return fmt.Errorf("unexpected record %q", clip(record))
}

func (l *listing) end(rest string) error {
	index, status, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), " ")
	if index != strconv.Itoa(l.current) {
		return fmt.Errorf("unexpected end of volume %q", clip([]byte(rest)))
	}
	t := l.tree
	l.tree = nil
	if t.nodes["."] == nil {
		return fmt.Errorf("the volume's own folder is not in the listing (find ended with status %q)", clip([]byte(status)))
	}
	t.findFailed = status != "0"
	l.onEnd(l.current, t)
	return nil
}

// entry decodes "MODE-HEX SIZE MTIME UID GID PATH".
func (l *listing) entry(rest string) error {
	const numbers = 5
	parts := strings.SplitN(rest, " ", numbers+1)
	if len(parts) != numbers+1 {
		return fmt.Errorf("unexpected entry %q", clip([]byte(rest)))
	}
	name, err := l.relative(parts[numbers])
	if err != nil {
		return err
	}
	if len(l.tree.nodes) >= l.limits.Entries {
		return fmt.Errorf("more than %d files and directories: %w", l.limits.Entries, errLimit)
	}
	mode, err1 := strconv.ParseUint(parts[0], 16, 32)
	size, err2 := strconv.ParseInt(parts[1], 10, 64)
	mtime, err3 := strconv.ParseInt(parts[2], 10, 64)
	uid, err4 := strconv.ParseUint(parts[3], 10, 32)
	gid, err5 := strconv.ParseUint(parts[4], 10, 32)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return fmt.Errorf("unexpected entry %q: %w", clip([]byte(rest)), err)
	}
	if size < 0 {
		return fmt.Errorf("unexpected size in entry %q", clip([]byte(rest)))
	}
	return l.tree.add(name, &node{
		name: path.Base(name), mode: fileMode(uint32(mode)), size: size, mtime: time.Unix(mtime, 0).UTC(),
		uid: int64(uid), gid: int64(gid),
	})
}

// relative turns a printed path into one relative to the volume, "." for the volume itself.
func (l *listing) relative(printed string) (string, error) {
	if len(printed) > l.limits.PathBytes {
		return "", fmt.Errorf("a path is longer than %d bytes: %w", l.limits.PathBytes, errLimit)
	}
	folder := l.folders[l.current]
	if printed == folder {
		return ".", nil
	}
	name, ok := strings.CutPrefix(printed, folder+"/")
	if !ok || name == "" {
		return "", fmt.Errorf("path %q is not on the volume", clip([]byte(printed)))
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return "", fmt.Errorf("path %q is not clean", clip([]byte(printed)))
		}
	}
	return name, nil
}

// splitAt cuts a stream at a separator; what lies between two separators is a token. A stream that ends with a newline
// loses it, so that the last record looks like the others.
func splitAt(sep []byte) bufio.SplitFunc {
	return func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.Index(data, sep); i >= 0 {
			return i + len(sep), data[:i], nil
		}
		if !atEOF {
			return 0, nil, nil
		}
		if len(data) == 0 {
			return 0, nil, nil
		}
		return len(data), bytes.TrimSuffix(data, []byte("\n")), nil
	}
}

// fileMode turns st_mode (inode(7)) into Go's.
func fileMode(raw uint32) fs.FileMode {
	const (
		typeMask = 0o170000
		perm     = 0o777
		setuid   = 0o4000
		setgid   = 0o2000
		sticky   = 0o1000
	)
	mode := fs.FileMode(raw & perm)
	switch raw & typeMask {
	case 0o100000:
	case 0o040000:
		mode |= fs.ModeDir
	case 0o120000:
		mode |= fs.ModeSymlink
	case 0o010000:
		mode |= fs.ModeNamedPipe
	case 0o140000:
		mode |= fs.ModeSocket
	case 0o060000:
		mode |= fs.ModeDevice
	case 0o020000:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	default:
		mode |= fs.ModeIrregular
	}
	if raw&setuid != 0 {
		mode |= fs.ModeSetuid
	}
	if raw&setgid != 0 {
		mode |= fs.ModeSetgid
	}
	if raw&sticky != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

// clip keeps what a hostile stream said short enough for a message; callers print it with %q.
func clip(b []byte) string {
	const most = 120
	if len(b) > most {
		return string(b[:most]) + "…"
	}
	return string(b)
}
