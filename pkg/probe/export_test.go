package probe

import (
	"context"
	"io"
	"io/fs"
)

// What tests of this package reach that others must not.

// SessionResult is a reading as tests see it.
type SessionResult struct {
	Listed, Used bool
	Err          error
	Problems     []string
	Denied       *Owner
}

// ReadSession reads folders through an exec function, as pods and running containers are read.
func ReadSession(
	ctx context.Context, run func(context.Context, []string, io.Reader, io.Writer, io.Writer) error,
	root string, folders []string, wanted func(string, int64) bool, limits Limits, identity *Identity, use Use,
) []SessionResult {
	s := session{
		exec: run, root: root, folders: folders, claims: folders, wanted: wanted, limits: limits, identity: identity,
		observe: func(Event) {},
	}
	var results []SessionResult
	for _, r := range s.read(ctx, use) {
		results = append(results, SessionResult{
			Listed: r.listed, Used: r.used, Err: r.err, Problems: r.problems, Denied: r.denied,
		})
	}
	return results
}

// ParseListing decodes a listing and returns the names of each volume that came to its end.
func ParseListing(r io.Reader, token string, folders []string, limits Limits) ([]fs.FS, error) {
	trees := make([]fs.FS, len(folders))
	l := listing{token: token, folders: folders, limits: limits, onEnd: func(i int, t *tree) { trees[i] = t }}
	err := l.read(r)
	return trees, err
}
