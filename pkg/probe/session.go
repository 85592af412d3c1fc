package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// execFunc runs a command where the volumes are mounted.
type execFunc func(ctx context.Context, command []string, stdin io.Reader, stdout, stderr io.Writer) error

// session reads the volumes that are mounted in one container.
type session struct {
	exec execFunc
	// root is an absolute path; folders are relative to it, one for each claim.
	root    string
	folders []string
	claims  []string

	wanted  func(string, int64) bool
	limits  Limits
	tempDir string
	// identity is what the container runs as; nil when unknown.
	identity *Identity
	// retryDenied leaves a volume unused of which something may not be read, so that it can be tried as its owner.
	retryDenied bool
	// live tells that Kafka runs on the volumes, so that entries may come and go.
	live    bool
	observe func(Event)
	pod     string
}

// reading is what became of one claim in a session.
type reading struct {
	listed bool
	used   bool
	err    error
	// problems are parts that could not be listed.
	problems []string
	// denied is the owner of something that the session's identity may not read; nil when there is none.
	denied *Owner
}

// useAtOnce bounds how many volumes are judged while others are still being fetched.
const useAtOnce = 4

// read lists all claims, fetches what is wanted and calls use for each, through one command where nothing is in the way
// and through two otherwise. When a volume cannot be listed to its end the ones after it are left unlisted, with err
// nil: they can be tried again without it.
func (s *session) read(ctx context.Context, use Use) []reading {
	results := make([]reading, len(s.claims))
	dir, err := os.MkdirTemp(s.tempDir, "kafkarecover-") // 0700
	if err != nil {
		for i := range results {
			results[i].err = &spoolError{err}
		}
		return results
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left is in the user's own temporary folder
	if s.together(ctx, dir, results, use) {
		return results
	}
	trees := make([]*tree, len(s.claims))
	if err := s.list(ctx, trees, results); err != nil {
		var at *listingError
		if !errors.As(err, &at) || at.index >= len(results) {
			at = &listingError{index: firstUnlisted(results), err: err}
		}
		if at.index < len(results) {
			results[at.index].err = at.err
		}
	}
	s.fetchAndUse(ctx, dir, trees, results, use, func(d *fetching) error {
		d.token = newToken()
		return s.decode(ctx, fetchCommand(d.token, s.root), fetchInput(d.batches), io.Discard, d.read)
	})
	return results
}

func firstUnlisted(results []reading) int {
	for i := range results {
		if !results[i].listed {
			return i
		}
	}
	return len(results)
}

func (s *session) list(ctx context.Context, trees []*tree, results []reading) error {
	token := newToken()
	complaints := newComplaints(token)
	decoder := listing{token: token, folders: s.folders, limits: s.limits, onEnd: func(i int, t *tree) {
		trees[i] = t
		s.listed(ctx, i, t, results)
	}}
	err := s.decode(ctx, listCommand(token, s.root, s.folders), nil, complaints, decoder.read)
	s.settle(trees, results, complaints)
	return err
}

// listed takes a volume all names of which are known.
func (s *session) listed(ctx context.Context, i int, t *tree, results []reading) {
	t.stream = func(name string) (io.ReadCloser, error) { return s.stream(ctx, s.folders[i]+"/"+name), nil }
	results[i].listed = true
	s.observe(Event{
		Kind: ClaimListed, Claims: []string{s.claims[i]}, Pod: s.pod,
		Message: fmt.Sprintf("%d files and directories", len(t.nodes)-1),
	})
}

// settle says what is not known of each volume, and takes away trees that are not to be used.
func (s *session) settle(trees []*tree, results []reading, complaints *complaints) {
	for i, t := range trees {
		if t == nil {
			continue
		}
		results[i].problems = problems(t, complaints.of(i), s.live)
		results[i].denied = s.deniedIn(t)
		denied := s.retryDenied && results[i].denied != nil && s.mayBecome(*results[i].denied)
		if t.nodes["."].closed || denied {
			results[i].err = fs.ErrPermission
			trees[i] = nil
		}
	}
}

// decode runs a command and decodes its stdout while it runs. A decoder that gives up ends the command.
func (s *session) decode(
	ctx context.Context, command []string, stdin io.Reader, stderr io.Writer, decoder func(io.Reader) error,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	decoded := make(chan error, 1)
	go func() {
		err := decoder(r)
		if err != nil {
			cancel()
		} else {
			_, err = io.Copy(io.Discard, r)
		}
		_ = r.CloseWithError(err) // never fails (io.Pipe)
		decoded <- err
	}()
	execErr := s.exec(ctx, command, stdin, w, stderr)
	_ = w.CloseWithError(execErr) // never fails (io.Pipe)
	err := <-decoded
	// an exec that broke makes the decoder fail too, wrapping the exec's error; a decoder that failed first makes
	// the exec fail with a closed pipe or a cancelled context, which tells nothing
	if err != nil {
		return err
	}
	return execErr
}

// fetchAndUse has what is wanted fetched and hands each volume on as soon as it is there.
func (s *session) fetchAndUse(
	ctx context.Context, dir string, trees []*tree, results []reading, use Use, fetch func(*fetching) error,
) {
	spools := make([]*spool, len(trees))
	for i := range spools {
		spools[i] = &spool{dir: dir}
	}
	var batches []batch
	if s.wanted != nil {
		batches = planFetch(trees, s.folders, s.wanted, s.limits)
	}
	var users errgroup.Group
	users.SetLimit(useAtOnce)
	h := handing{done: make([]bool, len(trees))}
	hand := func(i int) {
		if trees[i] == nil || !h.take(i) {
			return
		}
		users.Go(func() error {
			results[i].err = use(ctx, s.claims[i], trees[i])
			results[i].used = true
			trees[i].stream = nil
			return spools[i].close()
		})
	}
	waiting := map[int]bool{}
	for _, b := range batches {
		for _, v := range b.completes {
			waiting[v] = true
		}
	}
	for i := range trees {
		if !waiting[i] {
			hand(i)
		}
	}
	var err error
	if len(batches) > 0 {
		err = unfetched(ctx, fetch(&fetching{limits: s.limits, batches: batches, spools: spools, onVolume: hand}))
	}
	for i := range trees { // what did not arrive is read when it is opened
		if err == nil {
			hand(i)
		} else if trees[i] != nil && h.take(i) {
			results[i].err = err
		}
	}
	_ = users.Wait() // a spool file that could not be removed goes with its folder
}

// handing makes sure that each volume is used once.
type handing struct {
	mu   sync.Mutex
	done []bool
}

func (h *handing) take(i int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done[i] {
		return false
	}
	h.done[i] = true
	return true
}

// unfetched is an error of fetching after which going on makes no sense; otherwise what did not arrive can be read
// singly.
func unfetched(ctx context.Context, err error) error {
	var local *spoolError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &local):
		return err
	}
	return nil
}

// stream reads one file from its beginning through a command of its own.
func (s *session) stream(ctx context.Context, name string) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	go func() {
		err := s.exec(ctx, catCommand(s.root, name), nil, w, io.Discard)
		_ = w.CloseWithError(err) // never fails (io.Pipe); nil reads as io.EOF
	}()
	return &cancelReader{PipeReader: r, cancel: cancel}
}

type cancelReader struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close ends the command.
func (c *cancelReader) Close() error {
	c.cancel()
	return c.PipeReader.Close()
}

// lostAndFound is what mkfs.ext4 makes at the root of a volume, closed to all but root; it holds nothing of Kafka's.
const lostAndFound = "lost+found"

// deniedIn finds the owner of something that the session may not read: a closed directory, or a wanted file. Such
// files are marked, so that opening them says why.
func (s *session) deniedIn(t *tree) *Owner {
	var owner *Owner
	for _, name := range t.closedDirs {
		if name != lostAndFound {
			owner = &Owner{UID: t.nodes[name].uid, GID: t.nodes[name].gid}
			break
		}
	}
	if s.identity == nil || s.identity.User == nil || s.wanted == nil {
		return owner
	}
	for name, n := range t.nodes {
		if n.mode.IsRegular() && s.wanted(name, n.size) && !s.identity.mayRead(n) {
			n.closed = true
			owner = &Owner{UID: n.uid, GID: n.gid}
		}
	}
	return owner
}

// mayBecome tells whether reading as an owner could help: never as root, and not as what the session is already.
func (s *session) mayBecome(o Owner) bool {
	id := s.identity
	same := id != nil && id.User != nil && *id.User == o.UID && id.Group != nil && *id.Group == o.GID
	return o.UID != 0 && !same
}

// mayRead applies the mode bits as the kernel does, for a user without capabilities.
func (id Identity) mayRead(n *node) bool {
	const ownerRead, groupRead, otherRead = 0o400, 0o040, 0o004
	switch {
	case id.User != nil && *id.User == n.uid:
		return n.mode&ownerRead != 0
	case id.inGroup(n.gid):
		return n.mode&groupRead != 0
	default:
		return n.mode&otherRead != 0
	}
}

func (id Identity) inGroup(gid int64) bool {
	if id.Group != nil && *id.Group == gid {
		return true
	}
	for _, g := range id.Groups {
		if g == gid {
			return true
		}
	}
	return false
}

// problems says what is not known of a volume. Where find failed and no closed directory explains it, what find and
// stat said is all there is.
func problems(t *tree, said string, live bool) []string {
	var list []string
	for _, name := range t.closedDirs {
		if name != lostAndFound {
			list = append(list, fmt.Sprintf("%q could not be listed: permission denied", name))
		}
	}
	if !t.findFailed || (len(t.closedDirs) > 0 && !strings.Contains(said, "No such file")) {
		return list
	}
	switch {
	case live && onlyVanished(said):
		list = append(list, "entries came or went while Kafka was running: "+oneLine(said))
	case len(said) > 0:
		list = append(list, "the listing is not complete: "+oneLine(said))
	default:
		list = append(list, "the listing is not complete")
	}
	return list
}

func onlyVanished(said string) bool {
	for line := range strings.Lines(said) {
		if strings.TrimSpace(line) != "" && !strings.Contains(line, "No such file or directory") {
			return false
		}
	}
	return true
}

// complaints sorts what the tools said on stderr by volume, keeping the first of each.
type complaints struct {
	mu    sync.Mutex
	token string
	said  strings.Builder
}

func newComplaints(token string) *complaints { return &complaints{token: token} }

// Write implements io.Writer.
func (c *complaints) Write(p []byte) (int, error) {
	const most = 256 << 10
	c.mu.Lock()
	defer c.mu.Unlock()
	if room := most - c.said.Len(); room > 0 {
		c.said.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

func (c *complaints) of(volume int) string {
	const most = 400
	c.mu.Lock()
	defer c.mu.Unlock()
	_, rest, found := strings.Cut(c.said.String(), fmt.Sprintf("%s %d\n", c.token, volume))
	if !found {
		return ""
	}
	said, _, _ := strings.Cut(rest, c.token)
	said = strings.TrimSpace(said)
	if len(said) > most {
		said = said[:most] + "…"
	}
	return said
}

// cleanFolder turns an absolute mount path into the form the scripts take.
func cleanFolder(mountPath string) string {
	return strings.TrimPrefix(path.Clean("/"+mountPath), "/")
}
