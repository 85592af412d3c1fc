package probe

import (
	"context"
	"io"
	"io/fs"
	"testing"
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

// Fetched is what came of the archives of wanted files.
type Fetched struct {
	// Contents are the files that arrived, by folder and name.
	Contents map[string][]byte
	// Whole are the volumes that were told to be whole, in that order.
	Whole []int
	Err   error
}

// ReadFetched decodes archives as a container sends them for folders that were listed with the same files in each.
func ReadFetched(t testing.TB, r io.Reader, token string, folders, names []string, limits Limits) Fetched {
	t.Helper()
	trees := make([]*tree, len(folders))
	spools := make([]*spool, len(folders))
	for i := range folders {
		trees[i], spools[i] = newTree(), &spool{}
		for _, name := range names {
			trees[i].nodes[name] = &node{name: name, size: 1}
		}
	}
	got := Fetched{Contents: map[string][]byte{}}
	f := fetching{
		token: token, limits: limits, spools: spools, onVolume: func(v int) { got.Whole = append(got.Whole, v) },
		batches: planFetch(trees, folders, func(string, int64) bool { return true }, limits),
	}
	got.Err = f.read(r)
	for i, tree := range trees {
		for name, n := range tree.nodes {
			if n.blob == nil {
				continue
			}
			content, err := io.ReadAll(io.NewSectionReader(n.blob, 0, n.blob.Size()))
			if err != nil {
				t.Fatal(err)
			}
			got.Contents[folders[i]+"/"+name] = content
		}
		if err := spools[i].close(); err != nil {
			t.Fatal(err)
		}
	}
	return got
}
