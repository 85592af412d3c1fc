package probe

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// wantedFile is one file to fetch: the path as the script is given it, and where it goes.
type wantedFile struct {
	path   string
	volume int
	node   *node
}

// batch is what one tar is given. Files of several volumes may share one.
type batch struct {
	files []wantedFile
	// completes are the volumes whose last wanted file is in this batch.
	completes []int
}

// planFetch decides what is fetched at once: regular files that are wanted, within the limits, and whose path is one
// line. Everything else can still be read by opening it.
func planFetch(trees []*tree, folders []string, wanted func(string, int64) bool, limits Limits) []batch {
	var batches []batch
	last := make([]int, len(trees))
	for v, t := range trees {
		last[v] = -1
		if t == nil {
			continue
		}
		var bytesSoFar int64
		for _, name := range sortedKeys(t.nodes) {
			n := t.nodes[name]
			if !n.mode.IsRegular() || n.size == 0 || n.closed || strings.ContainsRune(name, '\n') ||
				n.size > limits.FileBytes || bytesSoFar+n.size > limits.VolumeBytes || !wanted(name, n.size) {
				continue
			}
			bytesSoFar += n.size
			if len(batches) == 0 || len(batches[len(batches)-1].files) == batchFiles {
				batches = append(batches, batch{})
			}
			b := &batches[len(batches)-1]
			b.files = append(b.files, wantedFile{path: folders[v] + "/" + name, volume: v, node: n})
			last[v] = len(batches) - 1
		}
	}
	for v, b := range last {
		if b >= 0 {
			batches[b].completes = append(batches[b].completes, v)
		}
	}
	return batches
}

// script is the input of fetchScript for the batches.
func fetchInput(batches []batch) io.Reader {
	var b strings.Builder
	for _, one := range batches {
		for _, f := range one.files {
			b.WriteString(f.path)
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	return strings.NewReader(b.String())
}

// fetching decodes the output of fetchScript. The stream comes from a container that is not trusted: an entry that was
// not asked for, comes twice, or is no regular file is passed over, and what did not arrive is left to be read when it
// is opened.
type fetching struct {
	token   string
	limits  Limits
	batches []batch
	spools  []*spool
	// onVolume is called with each volume whose files have all been seen.
	onVolume func(volume int)
}

// read decodes until the stream ends. After an error, volumes that were not handed to onVolume have what arrived
// before it.
func (f *fetching) read(r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for i := range f.batches {
		if err := f.archive(in, &f.batches[i]); err != nil {
			return err
		}
		for _, v := range f.batches[i].completes {
			f.onVolume(v)
		}
	}
	return nil
}

func (f *fetching) archive(in *bufio.Reader, b *batch) error {
	asked := make(map[string]*wantedFile, len(b.files))
	for i := range b.files {
		asked[b.files[i].path] = &b.files[i]
	}
	var newest *wantedFile
	archive := tar.NewReader(in)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			// a tar that died in the middle of a file is noticed here at the latest: what it seemed to hold last may
			// be filled up with what followed
			if newest != nil {
				newest.node.blob = nil
			}
			return fmt.Errorf("read the archive of wanted files: %w", err)
		}
		w := asked[header.Name]
		if w == nil || header.Typeflag != tar.TypeReg || header.Size > f.limits.FileBytes {
			continue
		}
		delete(asked, header.Name)
		content, err := f.spools[w.volume].take(archive, header.Size)
		if err != nil {
			return fmt.Errorf("fetch %q: %w", clip([]byte(header.Name)), err)
		}
		w.node.blob, w.node.size, newest = content, header.Size, w
	}
	return f.marker(in)
}

// marker reads on to the line that follows an archive: tar fills its last record up with zero bytes.
func (f *fetching) marker(in *bufio.Reader) error {
	for {
		c, err := in.ReadByte()
		if err != nil {
			return fmt.Errorf("read the end of an archive: %w", unexpected(err))
		}
		if c == '\n' {
			break
		}
		if c != 0 {
			return errors.New("unexpected bytes after an archive")
		}
	}
	line, err := in.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("read the end of an archive: %w", unexpected(err))
	}
	if !bytes.HasPrefix(line, []byte(f.token+" tar ")) {
		return fmt.Errorf("unexpected line %q after an archive", clip(line))
	}
	return nil
}
