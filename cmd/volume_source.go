package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// volumeSource is the --dir flag of the commands that look into volumes.
type volumeSource struct {
	dirs    []string
	volumes []openVolume
	// unread are the volumes that could not be opened, each with the reason.
	unread  []string
	closers []func() error
	// claims reads claims in the place of folders; only for commands that need little of a volume.
	claims *claimSource
}

// takeClaims lets pvc/NAME and kafka/NAME stand in the place of a folder.
func (s *volumeSource) takeClaims(cmd *cobra.Command, wanted func(name string) bool) {
	s.claims = &claimSource{wanted: wanted}
	s.claims.addFlags(cmd)
}

// listClaims lets them stand there for a command that needs names and attributes only.
func (s *volumeSource) listClaims(cmd *cobra.Command) {
	s.takeClaims(cmd, nil)
	s.claims.listing = true
}

// fetch reads the claims among the folders named.
func (s *volumeSource) fetch(ctx context.Context, f *Factory) (err error) {
	s.dirs, err = s.claims.resolve(ctx, f, s.dirs)
	s.unread = append(s.unread, s.claims.unread...)
	s.volumes = append(s.volumes, s.claims.listed...)
	s.closers = append(s.closers, s.claims.close)
	return err
}

// openVolume is one volume to look into.
type openVolume struct {
	Name string
	fsys fs.FS
	// partition and file narrow it to one partition's directory and one segment, where the path named just that.
	partition, file string
}

func (s *volumeSource) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&s.dirs, "dir", nil, "`PATH` of a volume or folder of volumes; may be repeated")
	if err := cmd.MarkFlagDirname("dir"); err != nil {
		panic(err) // the flag was added above
	}
}

// open opens every volume named; narrow also takes a partition's directory or one of its segments. After an error there
// is nothing to close.
func (s *volumeSource) open(narrow bool) (err error) {
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if len(s.dirs)+len(s.volumes)+len(s.unread) == 0 {
		return usagef("name the volume or folder of volumes, for example --dir /mnt/volumes")
	}
	for _, dir := range s.dirs {
		if narrow {
			done, err := s.openNarrow(dir)
			if err != nil {
				return err
			}
			if done {
				continue
			}
		}
		if err := s.openFolder(dir); err != nil {
			return err
		}
	}
	return nil
}

func (s *volumeSource) openFolder(dir string) error {
	folder, err := volume.OpenFolder(dir)
	if errors.Is(err, volume.ErrNoVolume) || errors.Is(err, os.ErrNotExist) {
		return exitcode.With(exitcode.NotFound, err)
	}
	if err != nil {
		return err
	}
	s.closers = append(s.closers, folder.Close)
	for _, v := range folder.Volumes {
		if v.State == volume.Unread {
			s.unread = append(s.unread, fmt.Sprintf("%s: %s", s.claims.title(dir, v.Name), v.Reason))
			continue
		}
		fsys, err := folder.Open(v.Name)
		if err != nil {
			return err
		}
		s.volumes = append(s.volumes, openVolume{Name: s.claims.title(dir, v.Name), fsys: fsys})
	}
	return nil
}

// openNarrow opens a partition's directory or a segment: the log directory around it is the volume then.
func (s *volumeSource) openNarrow(name string) (bool, error) {
	full := absolutePath(name)
	info, err := os.Stat(full)
	if err != nil {
		return false, exitcode.With(exitcode.NotFound, fmt.Errorf("open source: %w", err))
	}
	dir, file := full, ""
	if !info.IsDir() {
		dir, file = filepath.Dir(full), filepath.Base(full)
	}
	_, ok := logdir.ParsePartitionDir(filepath.Base(dir))
	switch {
	case ok && file != "":
		ok = strings.HasSuffix(file, ".log")
	case ok:
		segments, err := filepath.Glob(filepath.Join(quoteGlob(dir), "*.log"))
		ok = err == nil && len(segments) > 0
	}
	switch {
	case file != "" && !ok:
		return false, usagef("%q is no segment in a partition's directory; name TOPIC-NUMBER/NNN.log or a directory", name)
	case !ok:
		return false, nil
	}
	root, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return false, fmt.Errorf("open source: %w", err)
	}
	s.closers = append(s.closers, root.Close)
	s.volumes = append(s.volumes, openVolume{
		Name: filepath.Dir(dir), fsys: root.FS(), partition: filepath.Base(dir), file: file,
	})
	return true, nil
}

func quoteGlob(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

func (s *volumeSource) close() {
	for _, c := range s.closers {
		_ = c() // nothing was written
	}
}

// incomplete is the error for volumes that could not be read, and problems met; nil when there are none.
func (s *volumeSource) incomplete(f *Factory, problems int) error {
	for _, u := range s.unread {
		f.Progress().Warnf("%s", u)
	}
	if n := len(s.unread) + problems; n > 0 {
		return exitcode.With(exitcode.Incomplete, fmt.Errorf("%d problem(s): not all was read", n))
	}
	return nil
}

// place is a partition's directory on one of the volumes.
type place struct {
	partition.Place
	volume *openVolume
}

// Title names the directory in output.
func (p *place) Title() string { return path.Join(p.volume.Name, logdir.Escape(p.Path)) }

// segments are those of the place, or the one that was named.
func (p *place) segments() ([]partition.Segment, error) {
	all, err := partition.Segments(p.volume.fsys, p.Path)
	if err != nil || p.volume.file == "" {
		return all, err
	}
	all = slices.DeleteFunc(all, func(s partition.Segment) bool { return path.Base(s.Name) != p.volume.file })
	if len(all) == 0 {
		return nil, exitcode.With(exitcode.NotFound, fmt.Errorf("%q is no log segment", p.volume.file))
	}
	return all, nil
}

// places lists the partition directories of all volumes and what was wrong while looking.
func (s *volumeSource) places() ([]place, []string) {
	var out []place
	var problems []string
	for i := range s.volumes {
		v := &s.volumes[i]
		found, wrong, err := v.find()
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", v.Name, err))
			continue
		}
		for _, p := range wrong {
			problems = append(problems, fmt.Sprintf("%s: %s: %s", v.Name, p.Path, p.Message))
		}
		for _, p := range found {
			out = append(out, place{Place: p, volume: v})
		}
	}
	return out, problems
}

func (v *openVolume) find() ([]partition.Place, []logdir.Problem, error) {
	if v.partition == "" {
		return partition.Find(v.fsys)
	}
	one, problems, err := partition.At(v.fsys, v.partition)
	return []partition.Place{one}, problems, err
}
