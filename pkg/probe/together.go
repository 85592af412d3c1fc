package probe

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// togetherScript lists all volumes (folders given as arguments) in one search and then fetches, in one command: each
// command and each process in the container costs time, and a temporary pod lives for as long as they take. It prints
//
//	TOKEN entry MODE-HEX SIZE MTIME UID GID PATH     for each file system entry, as listScript does
//	TOKEN closed PATH                                for a lost+found that may not be looked into, at any time
//	TOKEN listed STATUS                              status of find
//
// and goes on as fetchScript does. Which volume an error belongs to cannot be told from one search: after a status
// other than 0 everything is done again, volume by volume. A closed lost+found, which every ext4 volume has, is no
// error.
const togetherScript = `LC_ALL=C; export LC_ALL
t=$1
cd "$2" || exit 1
shift 2
find "$@" -xdev -exec stat -c "$t entry %f %s %Y %u %g %n" {} + -type d -name lost+found \
! -exec sh -c '[ -r "$2" ] && [ -x "$2" ] || { printf "%s closed %s\n" "$1" "$2"; exit 1; }' sh "$t" {} \; -prune
printf '%s listed %d\n' "$t" "$?"
` + fetchLoop

func togetherCommand(token, root string, folders []string) []string {
	return append([]string{"sh", "-c", togetherScript, "sh", token, root}, folders...)
}

// errAgain says that one search does not tell enough: the volumes are to be listed one by one.
var errAgain = errors.New("list the volumes one by one")

// together reads all volumes through one command and tells whether it did. Otherwise nothing was used, and results are
// as they were.
func (s *session) together(ctx context.Context, dir string, results []reading, use Use) bool {
	if nested(s.folders) {
		return false
	}
	token := newToken()
	in, feed := io.Pipe()
	listed := false
	err := s.decode(ctx, togetherCommand(token, s.root, s.folders), in, io.Discard, func(r io.Reader) error {
		defer feed.Close() //nolint:errcheck // never fails (io.Pipe); it ends the command
		one := oneListing{listing: listing{token: token, folders: s.folders, limits: s.limits}}
		trees, err := one.read(r)
		if err != nil {
			return err
		}
		listed = true
		for i, t := range trees {
			s.listed(ctx, i, t, results)
		}
		s.settle(trees, results, newComplaints(token))
		s.fetchAndUse(ctx, dir, trees, results, use, func(d *fetching) error {
			go func() {
				_, _ = io.Copy(feed, fetchInput(d.batches)) // it fails when the command ended; the archives say so
			}()
			d.token = token
			return d.read(r)
		})
		return nil
	})
	_ = in.Close() // never fails (io.Pipe)
	_ = err        // before the listing's end everything is done again, after it the results say what is missing
	return listed
}

// nested tells whether one folder lies in another, or is another.
func nested(folders []string) bool {
	sorted := slices.Sorted(slices.Values(folders))
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return true
		}
	}
	for _, f := range sorted {
		at, _ := slices.BinarySearch(sorted, f+"/")
		if f == "" || (at < len(sorted) && strings.HasPrefix(sorted[at], f+"/")) {
			return true
		}
	}
	return false
}

// oneListing is the first part of togetherScript's output, decoded.
type oneListing struct {
	listing
	trees  []*tree
	closed []string
}

// read decodes up to the record that ends the listing; the command says nothing more before it is told what to fetch.
func (l *oneListing) read(r io.Reader) ([]*tree, error) {
	l.trees = make([]*tree, len(l.folders))
	scanner := bufio.NewScanner(r)
	const fields = 256 // more than the token and six numbers take
	first := l.limits.PathBytes + fields
	scanner.Buffer(make([]byte, 0, min(first, bufio.MaxScanTokenSize)), first)
	scanner.Split(splitToEnd([]byte("\n" + l.token + " ")))
	for scanner.Scan() {
		kind, rest, _ := strings.Cut(scanner.Text(), " ")
		var err error
		switch kind {
		case "entry":
			err = l.oneEntry(rest)
		case "closed":
			l.closed = append(l.closed, rest)
		case "listed":
			return l.finish(rest)
		default:
			err = fmt.Errorf("unexpected record %q", clip(scanner.Bytes()))
		}
		if err != nil {
			return nil, err
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read the listing: %w", err)
	}
	return nil, io.ErrUnexpectedEOF
}

// oneEntry finds the volume of an entry by its path. Entries of one volume mostly follow each other.
func (l *oneListing) oneEntry(rest string) error {
	const numbers = 5
	parts := strings.SplitN(rest, " ", numbers+1)
	if len(parts) != numbers+1 || !l.find(parts[numbers]) {
		return fmt.Errorf("unexpected entry %q", clip([]byte(rest)))
	}
	return l.entry(rest)
}

// find makes the volume of a printed path the current one.
func (l *oneListing) find(printed string) bool {
	within := func(folder string) bool {
		return printed == folder || strings.HasPrefix(printed, folder) && printed[len(folder)] == '/'
	}
	if l.tree == nil || !within(l.folders[l.current]) {
		if l.current = slices.IndexFunc(l.folders, within); l.current < 0 {
			l.tree = nil
			return false
		}
		if l.trees[l.current] == nil {
			l.trees[l.current] = newTree()
		}
		l.tree = l.trees[l.current]
	}
	return true
}

func (l *oneListing) finish(status string) ([]*tree, error) {
	if code, err := strconv.Atoi(status); err != nil || code != 0 {
		return nil, errAgain
	}
	for _, t := range l.trees {
		if t == nil || t.nodes["."] == nil {
			return nil, errAgain
		}
	}
	for _, printed := range l.closed {
		if !l.find(printed) {
			return nil, errAgain
		}
		name, err := l.relative(printed)
		if err != nil {
			return nil, err
		}
		l.tree.close(name)
	}
	return l.trees, nil
}

// splitToEnd is splitAt for a stream that goes on behind the record "listed STATUS": that one ends with its line.
func splitToEnd(sep []byte) bufio.SplitFunc {
	at, end, begun := splitAt(sep), []byte("listed "), false
	return func(data []byte, atEOF bool) (int, []byte, error) {
		skip := 0
		if !begun { // the first record's token has no newline before it
			if len(data) < len(sep)-1 && !atEOF {
				return 0, nil, nil
			}
			rest, ok := bytes.CutPrefix(data, sep[1:])
			if !ok {
				return 0, nil, fmt.Errorf("the listing does not begin as it must: %q", clip(data))
			}
			skip, data, begun = len(sep)-1, rest, true
		}
		if bytes.HasPrefix(data, end) {
			if i := bytes.IndexByte(data, '\n'); i >= 0 {
				return skip + i + 1, data[:i], bufio.ErrFinalToken
			}
		}
		advance, token, err := at(data, atEOF)
		return skip + advance, token, err
	}
}
