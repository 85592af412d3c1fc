package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// Renaming is a directory at the root of a volume that gets another name; both are single names.
type Renaming struct {
	From, To string
	// Check is given the volume and the name that the directory has: before, where its error stops the renaming, and
	// after.
	Check func(volume fs.FS, dir string) error
}

// renameScript renames one directory. Links are not followed, and nothing that has the new name already is touched:
// mv would put the directory into it.
const renameScript = `LC_ALL=C; export LC_ALL
cd "$1" || exit 1
if [ -L "$2" ] || [ ! -d "$2" ]; then echo "$2 is no directory" >&2; exit 1; fi
if [ -L "$3" ] || [ -e "$3" ]; then echo "$3 is there already" >&2; exit 1; fi
mv "$2" "$3" || exit 1
if [ -e "$2" ] || [ ! -d "$3" ]; then echo "$2 is still there" >&2; exit 1; fi`

func renameCommand(root string, n Renaming) []string {
	return []string{"sh", "-c", renameScript, "sh", root, n.From, n.To}
}

// errName says that a name leads out of the volume's root, or could be taken for an option.
var errName = errors.New("not a name at the root of a volume")

func (n Renaming) validate() error {
	for _, name := range []string{n.From, n.To} {
		if !fs.ValidPath(name) || name == "." || path.Base(name) != name || strings.HasPrefix(name, "-") {
			return fmt.Errorf("rename %q to %q: %q: %w", n.From, n.To, name, errName)
		}
	}
	return nil
}

// Rename renames a directory of the request's one claim, in a temporary pod that mounts it writable; nothing else of
// this program ever does. Callers see to it that no other pod uses the claim. The pod is gone when Rename returns, also
// after ctx ended; what could not be removed is an error that LeftBehind knows.
func Rename(ctx context.Context, c *kube.Client, req Request, n Renaming) error {
	if err := n.validate(); err != nil {
		return err
	}
	req = req.withDefaults()
	seen, err := lookAt(ctx, c, req.Namespace, req.Claims)
	if err != nil {
		return err
	}
	for claim, reason := range seen.refused {
		return &UnreadError{Claim: claim, Reason: reason}
	}
	r := &reader{client: c, req: req, slots: make(chan struct{}, 1), outcomes: map[string]Outcome{}, writable: true}
	volumes, before, err := attachedBefore(ctx, c, seen.candidates)
	if err != nil {
		return err
	}
	err = r.renameIn(ctx, group{claims: seen.candidates, node: seen.candidates[0].node}, n)
	if left := r.sweep(ctx, volumes, before); left != nil {
		return errors.Join(err, &leftBehindError{left})
	}
	return err
}

// leftBehindError is a pod that could not be removed.
type leftBehindError struct{ err error }

// Error implements error.
func (e *leftBehindError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *leftBehindError) Unwrap() error { return e.err }

// LeftBehind tells whether an error of Rename says that its pod could not be removed.
func LeftBehind(err error) bool {
	var left *leftBehindError
	return errors.As(err, &left)
}

func (r *reader) renameIn(ctx context.Context, g group, n Renaming) error {
	pod, err := r.startPod(ctx, g)
	if pod != nil {
		defer r.remove(ctx, pod, g)
	}
	claim := g.names()[0]
	if err != nil {
		var failed *startError
		if errors.As(err, &failed) {
			return fmt.Errorf("mount claim %q to rename %q: %w", claim, n.From, err)
		}
		return err
	}
	r.req.Observe(Event{Kind: PodStarted, Claims: g.names(), Pod: pod.name, Node: pod.node})
	bounded, cancel := context.WithTimeout(ctx, r.req.ReadTimeout)
	defer cancel()
	s := session{
		exec: execIn(r.client, r.req.Namespace, pod.name, containerName), root: mountRoot,
		folders: folderNames(1), claims: g.names(), wanted: r.req.Wanted, limits: r.req.Limits,
		tempDir: r.req.TempDir, identity: &r.req.Identity, observe: r.req.Observe, pod: pod.name,
	}
	return s.rename(bounded, n)
}

// rename looks at the directory, renames it at once, and looks again.
func (s *session) rename(ctx context.Context, n Renaming) error {
	check := func(dir string, then func() error) error {
		res := s.read(ctx, func(_ context.Context, _ string, volume fs.FS) error {
			if err := n.Check(volume, dir); err != nil {
				return err
			}
			return then()
		})[0]
		switch {
		case res.err != nil:
			return fmt.Errorf("claim %q: %w", s.claims[0], res.err)
		case !res.used:
			return fmt.Errorf("claim %q: %w", s.claims[0], errNotRead)
		}
		return nil
	}
	err := check(n.From, func() error {
		var said bytes.Buffer
		root := s.root + "/" + s.folders[0]
		if err := s.exec(ctx, renameCommand(root, n), nil, io.Discard, &said); err != nil {
			return fmt.Errorf("rename %q to %q: %w: %s", n.From, n.To, err, oneLine(said.String()))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := check(n.To, func() error { return nil }); err != nil {
		return fmt.Errorf("%q was renamed to %q; look at it again: %w", n.From, n.To, err)
	}
	return nil
}

var errNotRead = errors.New("the volume could not be read to its end")
