package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/quorum"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

const metadataLong = `Read the KRaft metadata log of brokers and controllers without a JVM and without a running
cluster.

A PATH is a file (a .log segment, a .checkpoint snapshot), a __cluster_metadata-0 directory, a
log directory, a volume, or a folder of volumes. In its place pvc/NAME reads a claim and
kafka/NAME all claims of a cluster, as scan does. Reading never writes, and takes no lock.`

func newMetadataCmd(f *Factory) *cobra.Command {
	return branch(&cobra.Command{
		Use:     "metadata",
		Short:   "Read the KRaft metadata log: records, topics, quorum, …",
		Long:    metadataLong,
		GroupID: groupInspect,
	},
		newMetadataRecordsCmd(f),
		newMetadataQuorumCmd(f),
		newMetadataTreeCmd(f, "ls", "List nodes of the metadata tree"),
		newMetadataTreeCmd(f, "cat", "Show the contents of nodes of the metadata tree"),
		newMetadataTreeCmd(f, "find", "List the paths of all nodes below a node"),
		newMetadataTreeCmd(f, "tree", "Show nodes with everything below them"),
		newMetadataManCmd(f),
		newMetadataVerifyCmd(f),
		newMetadataDiffCmd(f),
		newMetadataShellCmd(f),
		newMetadataView(f, "summary", "Show on one screen what was on the cluster", showSummary),
		newMetadataView(f, "topics", "List the topics", showTopics),
		newMetadataView(f, "brokers", "List the brokers and controllers", showBrokers),
		newMetadataView(f, "users", "List SCRAM users, delegation tokens and quotas", showUsers),
		newMetadataView(f, "acls", "List the access control entries", showACLs),
		newMetadataView(f, "configs", "List the dynamic configurations", showConfigs),
		newMetadataGroupsCmd(f),
	)
}

// metadataSource is the --dir flag and the arguments of a metadata command.
type metadataSource struct {
	dirs    []string
	secrets bool
	claims  claimSource
	logs    []metadataLog
	files   []metadataFile
	closers []func() error
}

// metadataLog is one metadata log directory found.
type metadataLog struct {
	// Title is how it is named in output, Volume the volume it is on.
	Title, Volume string
	fsys          fs.FS
	dir           string
}

// metadataFile is one file named.
type metadataFile struct {
	Title string
	fsys  fs.FS
	name  string
}

func (s *metadataSource) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&s.dirs, "dir", nil,
		"`PATH` of a metadata log, log directory, volume or folder of volumes; may be repeated")
	cmd.Flags().BoolVar(&s.secrets, "show-secrets", false, "Show SCRAM keys and sensitive configuration values")
	if err := cmd.MarkFlagDirname("dir"); err != nil {
		panic(err) // the flag was added above
	}
	s.claims.wanted = isMetadata
	s.claims.addFlags(cmd)
}

// open finds the logs and files that dirs and args name. After an error there is nothing to close.
func (s *metadataSource) open(ctx context.Context, f *Factory, args []string) (err error) {
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	paths := append(append([]string{}, s.dirs...), args...)
	if len(paths) == 0 {
		return usagef("name a file or folder to read, for example --dir /mnt/volumes, or a claim, as pvc/NAME")
	}
	if paths, err = s.claims.resolve(ctx, f, paths); err != nil {
		return err
	}
	s.closers = append(s.closers, s.claims.close)
	if n := len(s.claims.unread); n > 0 {
		return exitcode.With(exitcode.Incomplete, fmt.Errorf("read %d claim(s): %s", n, strings.Join(s.claims.unread, "\n")))
	}
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return fmt.Errorf("open source: %w", err)
		}
		if info.IsDir() {
			err = s.openDir(p)
		} else {
			err = s.openFile(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *metadataSource) openFile(name string) error {
	root, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	s.closers = append(s.closers, root.Close)
	base := filepath.Base(name)
	if _, ok := metadata.ParseName(base); !ok {
		return usagef("%q is named neither as a log segment (00000000000000000000.log) nor as a snapshot "+
			"(00000000000000000100-0000000005.checkpoint)", name)
	}
	s.files = append(s.files, metadataFile{Title: name, fsys: root.FS(), name: base})
	return nil
}

func (s *metadataSource) openDir(name string) error {
	root, err := os.OpenRoot(name)
	if err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	files, err := metadata.Files(root.FS(), ".")
	if err == nil && len(files) > 0 {
		s.closers = append(s.closers, root.Close)
		s.logs = append(s.logs, metadataLog{Title: name, Volume: name, fsys: root.FS(), dir: "."})
		return nil
	}
	if err := root.Close(); err != nil {
		return fmt.Errorf("close source: %w", err)
	}
	folder, err := volume.OpenFolder(name)
	if errors.Is(err, volume.ErrNoVolume) {
		return exitcode.With(exitcode.NotFound, err)
	}
	if err != nil {
		return err
	}
	s.closers = append(s.closers, folder.Close)
	found := len(s.logs)
	for _, v := range folder.Volumes {
		if v.State == volume.Unread {
			return exitcode.With(exitcode.Incomplete, fmt.Errorf("read volume %q: %s", v.Name, v.Reason))
		}
		if err := s.addVolume(folder, v.Name, name, len(folder.Volumes) > 1); err != nil {
			return err
		}
	}
	if len(s.logs) == found {
		return exitcode.With(exitcode.NotFound, fmt.Errorf("read %q: %w on its %d volume(s)", name,
			metadata.ErrNoMetadata, len(folder.Volumes)))
	}
	return nil
}

func (s *metadataSource) addVolume(folder *volume.Folder, name, top string, several bool) error {
	fsys, err := folder.Open(name)
	if err != nil {
		return err
	}
	dirs, err := metadata.FindDirs(fsys)
	if err != nil {
		return fmt.Errorf("read volume %q: %w", name, err)
	}
	if s.claims.folder != "" && top == s.claims.folder {
		top, several = "pvc", true // the copies are nothing a person knows
	}
	for _, dir := range dirs {
		title := filepath.Join(top, filepath.FromSlash(dir))
		if several {
			title = filepath.Join(top, strings.TrimPrefix(name, "dir/"), filepath.FromSlash(dir))
		}
		s.logs = append(s.logs, metadataLog{Title: title, Volume: name, fsys: fsys, dir: dir})
	}
	return nil
}

func (s *metadataSource) close() {
	for _, c := range s.closers {
		_ = c() // nothing was written
	}
}

// allFiles are the files named and every file of the logs named.
func (s *metadataSource) allFiles() ([]metadataFile, error) {
	out := append([]metadataFile{}, s.files...)
	for _, l := range s.logs {
		files, err := metadata.Files(l.fsys, l.dir)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			out = append(out, metadataFile{
				Title: filepath.Join(l.Title, path.Base(file.Name)), fsys: l.fsys, name: file.Name,
			})
		}
	}
	return out, nil
}

// single reads the image of the log or file named. Of several copies of one cluster's log it takes the newest, by the
// order Kafka elects leaders in, and says so in the title; logs of several clusters are not chosen between.
func (s *metadataSource) single(until int64) (*metadata.Image, string, error) {
	opts := metadata.ReadOptions{Until: until}
	switch {
	case len(s.files) == 1 && len(s.logs) == 0:
		im, err := metadata.ReadFile(s.files[0].fsys, s.files[0].name, opts)
		return im, s.files[0].Title, err
	case len(s.logs) == 1 && len(s.files) == 0:
		im, err := metadata.ReadImage(s.logs[0].fsys, s.logs[0].dir, opts)
		return im, s.logs[0].Title, err
	case len(s.files) == 0:
		l, err := s.newest()
		if err != nil {
			return nil, "", err
		}
		im, err := metadata.ReadImage(l.fsys, l.dir, opts)
		return im, fmt.Sprintf("%s (the newest of %d copies)", l.Title, len(s.logs)), err
	}
	return nil, "", s.severalError("several files were named")
}

// newest is the log that reaches farthest, by epoch and offset.
func (s *metadataSource) newest() (*metadataLog, error) {
	var copies []quorum.Copy
	byName := map[string]*metadataLog{}
	for i := range s.logs {
		l := &s.logs[i]
		dir, err := fs.Sub(l.fsys, path.Dir(l.dir))
		if err != nil {
			return nil, fmt.Errorf("open %q: %w", l.Title, err)
		}
		contents, err := logdir.Read(dir, logdir.Options{})
		if err != nil {
			return nil, fmt.Errorf("read %q: %w", l.Title, err)
		}
		copies = append(copies, quorum.FromContents(l.Title, contents)...)
		byName[l.Title] = l
	}
	q := quorum.Judge(copies)
	if len(q.ClusterIDs) > 1 {
		return nil, s.severalError("they are of clusters " + strings.Join(q.ClusterIDs, ", "))
	}
	if q.Newest < 0 || byName[q.Copies[q.Newest].Name] == nil {
		return nil, s.severalError("none can be said to be the newest")
	}
	return byName[q.Copies[q.Newest].Name], nil
}

func (s *metadataSource) severalError(why string) error {
	names := make([]string, 0, len(s.logs)+len(s.files))
	for _, l := range s.logs {
		names = append(names, l.Title)
	}
	for _, file := range s.files {
		names = append(names, file.Title)
	}
	return exitcode.With(exitcode.Refused, fmt.Errorf("%d metadata logs were found, %s, and none is chosen for you; "+
		"name one with --dir:\n%s", len(names), why, strings.Join(names, "\n")))
}

// tell reports what was wrong with an image and returns the error that makes the run incomplete.
func (f *Factory) tellReport(title string, r *metadata.Report) error {
	if r.Torn {
		f.Progress().Warnf("%s: the last append was cut short; Kafka cuts it off when it starts", title)
	}
	for _, p := range r.Problems {
		f.Progress().Warnf("%s: %s", p.File, problemText(p))
	}
	if r.More > 0 {
		f.Progress().Warnf("%s: %d more problems", title, r.More)
	}
	if !r.Incomplete {
		return nil
	}
	return exitcode.With(exitcode.Incomplete, fmt.Errorf("%s: what is shown is incomplete: %d problem(s)",
		title, len(r.Problems)+r.More))
}

func problemText(p metadata.Problem) string {
	switch {
	case p.Offset >= 0 && p.Position >= 0:
		return fmt.Sprintf("byte %d, offset %d: %s", p.Position, p.Offset, p.Message)
	case p.Offset >= 0:
		return fmt.Sprintf("offset %d: %s", p.Offset, p.Message)
	case p.Position >= 0:
		return fmt.Sprintf("byte %d: %s", p.Position, p.Message)
	}
	return p.Message
}
