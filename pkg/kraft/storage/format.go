package storage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// FormatOptions say what to format, and how.
type FormatOptions struct {
	// Dirs are the node's log directories. Each is absent or empty.
	Dirs []string
	// MetadataDir is the one that holds the metadata log; the first of Dirs when empty, as in Kafka.
	MetadataDir string
	ClusterID   string
	NodeID      int32
	// Release is the level of metadata.version, see ParseRelease.
	Release int16
	// Features are levels that differ from the release's defaults.
	Features map[string]int16
	// Scram are --add-scram arguments.
	Scram []string

	// Dynamic tells that voters are kept in the log (kraft.version 1). Without Controllers the node joins a quorum
	// that there is already (--no-initial-controllers).
	Dynamic bool
	// Controllers are what the quorum begins with. This node's own is among them when it is a controller.
	Controllers []Controller
	// ListenerName is the name of the controllers' listener, needed with Controllers.
	ListenerName string

	// Now and Random are the clock and the source of IDs and salts.
	Now    func() time.Time
	Random io.Reader
}

// Formatted is what Format did.
type Formatted struct {
	ClusterID       string         `json:"clusterId"`
	NodeID          int32          `json:"nodeId"`
	MetadataVersion string         `json:"metadataVersion"`
	Dirs            []FormattedDir `json:"dirs"`
}

// FormattedDir is one directory that was formatted.
type FormattedDir struct {
	Path        string `json:"path"`
	DirectoryID string `json:"directoryId"`
	// Type is Kafka's name: data directory, metadata directory, dynamic metadata directory, dynamic metadata voter
	// directory.
	Type  string   `json:"type"`
	Files []string `json:"files"`
}

// ErrNotEmpty is wrapped by the error for a directory that holds anything.
var ErrNotEmpty = errors.New("the directory is not empty")

// plan is everything that is decided before the first byte is written.
type plan struct {
	opts     FormatOptions
	levels   map[string]int16
	scram    []*metadata.UserScramCredentialRecord
	metadata string
}

// Format formats empty log directories as kafka-storage format of Kafka 3.9 to 4.3 does. It refuses when any of them
// holds anything at all, before it writes to one, and never replaces a file.
func Format(opts FormatOptions) (*Formatted, error) {
	p, err := newPlan(opts)
	if err != nil {
		return nil, err
	}
	for _, dir := range p.opts.Dirs {
		if err := checkEmpty(dir); err != nil {
			return nil, fmt.Errorf("format %q: %w", dir, err)
		}
	}
	result := &Formatted{
		ClusterID: opts.ClusterID, NodeID: opts.NodeID, MetadataVersion: metadata.Version(opts.Release).String(),
	}
	for _, dir := range p.opts.Dirs {
		formatted, err := p.format(dir)
		if err != nil {
			return result, fmt.Errorf("format %q: %w", dir, err)
		}
		result.Dirs = append(result.Dirs, *formatted)
	}
	return result, nil
}

func newPlan(opts FormatOptions) (*plan, error) {
	p := &plan{opts: opts}
	switch {
	case len(opts.Dirs) == 0:
		return nil, errors.New("format: you must specify at least one directory to format")
	case opts.ClusterID == "":
		return nil, errors.New("format: you must specify the cluster id")
	case opts.NodeID < 0:
		return nil, errors.New("format: you must specify a valid non-negative node ID")
	case len(opts.Controllers) > 0 && (!opts.Dynamic || opts.ListenerName == ""):
		return nil, errors.New("format: you must specify the name of the initial controller listener")
	case opts.Release < oldestRelease || opts.Release > newestRelease:
		return nil, fmt.Errorf("format: no metadata.version with feature level %d; valid feature levels are from %d to %d",
			opts.Release, oldestRelease, newestRelease)
	case len(opts.Scram) > 0 && opts.Release < scramRelease:
		return nil, errors.New("format: SCRAM is only supported in metadata.version 3.5-IV2 or later")
	}
	p.opts.Dirs = nil
	for _, dir := range opts.Dirs {
		p.opts.Dirs = append(p.opts.Dirs, filepath.Clean(dir))
	}
	p.metadata = p.opts.Dirs[0]
	if opts.MetadataDir != "" {
		p.metadata = filepath.Clean(opts.MetadataDir)
	}
	if !slices.Contains(p.opts.Dirs, p.metadata) {
		return nil, fmt.Errorf("format: the specified metadata log directory, %q, was not one of the given directories",
			p.metadata)
	}
	slices.Sort(p.opts.Dirs)
	if len(slices.Compact(slices.Clone(p.opts.Dirs))) != len(p.opts.Dirs) {
		return nil, errors.New("format: a directory is given twice")
	}
	var err error
	if p.levels, err = featureLevels(opts.Release, opts.Features, opts.Dynamic); err != nil {
		return nil, fmt.Errorf("format: %w", err)
	}
	for _, argument := range opts.Scram {
		r, err := parseScram(argument, opts.Random)
		if err != nil {
			return nil, fmt.Errorf("format: %w", err)
		}
		p.scram = append(p.scram, r)
	}
	return p, nil
}

// checkEmpty refuses a path that is there and is no empty directory.
func checkEmpty(dir string) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errors.New("expected a directory, found something else (links are not followed)")
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	names, err := f.Readdirnames(1)
	if len(names) > 0 {
		return fmt.Errorf("%w: it holds %q; what is there may be data, so nothing was written", ErrNotEmpty,
			logdir.Escape(names[0]))
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// format formats one directory. meta.properties is written last and by renaming: a directory without it is one that
// Kafka does not take for formatted.
func (p *plan) format(dir string) (*FormattedDir, error) {
	kind, id, err := p.kindOf(dir)
	if err != nil {
		return nil, err
	}
	result := &FormattedDir{Path: dir, DirectoryID: id.String(), Type: kind}
	bootstrap, err := p.bootstrap()
	if err != nil {
		return nil, err
	}
	type file struct {
		name string
		data []byte
		mode os.FileMode
	}
	files := []file{{logdir.BootstrapFile, bootstrap, 0o644}}
	if kind == dynamicDirectory || kind == voterDirectory {
		snapshot, err := p.voterSnapshot()
		if err != nil {
			return nil, err
		}
		files = append(files, file{filepath.Join(logdir.MetadataDir, voterSnapshotName), snapshot, 0o400})
	}
	meta := logdir.MetaProperties{
		Version: 1, ClusterID: &p.opts.ClusterID, NodeID: &p.opts.NodeID, DirectoryID: id.String(),
	}
	files = append(files, file{logdir.MetaPropertiesFile, meta.Render(p.opts.Now()), 0o644})
	for _, f := range files {
		if err := writeNew(filepath.Join(dir, f.name), f.data, f.mode); err != nil {
			return result, err
		}
		result.Files = append(result.Files, filepath.ToSlash(f.name))
	}
	return result, nil
}

// Kafka's names of what a directory is for.
const (
	dataDirectory    = "data directory"
	staticDirectory  = "metadata directory"
	dynamicDirectory = "dynamic metadata directory"
	voterDirectory   = "dynamic metadata voter directory"

	voterSnapshotName = "00000000000000000000-0000000000.checkpoint"
)

// kindOf returns what a directory is for and which ID it gets.
func (p *plan) kindOf(dir string) (string, metadata.UUID, error) {
	kind := dataDirectory
	if dir == p.metadata {
		kind = staticDirectory
		if len(p.opts.Controllers) > 0 {
			kind = dynamicDirectory
		}
		for _, c := range p.opts.Controllers {
			if c.ID == p.opts.NodeID {
				return voterDirectory, c.DirectoryID, nil
			}
		}
	}
	id, err := RandomUUID(p.opts.Random)
	return kind, id, err
}
