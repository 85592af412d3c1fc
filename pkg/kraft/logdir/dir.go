package logdir

import (
	"io/fs"
	"path"
)

// logDir reads the log directory of that name.
func (r *reader) logDir(root *place, name string) {
	d := LogDir{Path: Escape(name), MetaState: MetaAbsent}
	if !r.opts.AnyName {
		d.NodeIDInName = nodeIDInName(name)
	}
	p := &place{parent: root, problems: &d.Problems}
	if !fs.ValidPath(name) {
		r.problem(p, name, errName)
		r.finish(&d, p)
		return
	}
	entries, err := r.list(name)
	if err != nil {
		r.problem(p, name, err)
		if len(entries) == 0 {
			d.MetaState = MetaUnreadable
		}
	}
	r.logDirEntries(&d, p, prefixed(name, entries))
	r.finish(&d, p)
}

// finish adds a log directory to the result.
func (r *reader) finish(d *LogDir, p *place) {
	d.UsedBytes, d.Newest = p.bytes, p.newest
	r.contents.Dirs = append(r.contents.Dirs, *d)
}

// located is an entry with its path from the volume's root.
type located struct {
	fs.DirEntry
	path string
}

func prefixed(dir string, entries []fs.DirEntry) []fs.DirEntry {
	for i, e := range entries {
		entries[i] = located{DirEntry: e, path: path.Join(dir, e.Name())}
	}
	return entries
}

func pathOf(e fs.DirEntry) string {
	if l, ok := e.(located); ok {
		return l.path
	}
	return e.Name()
}

// logDirEntries reads the entries of a log directory.
func (r *reader) logDirEntries(d *LogDir, p *place, entries []fs.DirEntry) {
	for _, e := range entries {
		name := pathOf(e)
		if !e.IsDir() {
			r.logDirFile(d, p, name, e)
			continue
		}
		switch partition, ok := ParsePartitionDir(e.Name()); {
		case e.Name() == MetadataDir:
			r.metadataDir(d, p, name, e)
		case e.Name() == remoteIndexCache || ok && partition.Topic == "__cluster_metadata":
			r.sum(p, name, e) // LogManager.loadLogs passes these over
		case ok:
			r.partition(d, p, partition, name, e)
		default:
			d.Other = append(d.Other, Escape(e.Name()))
			r.sum(p, name, e)
		}
	}
}

func (r *reader) logDirFile(d *LogDir, p *place, name string, e fs.DirEntry) {
	// Whatever stands in the place of meta.properties, the directory is not one that Kafka would take for new.
	if e.Name() == MetaPropertiesFile {
		d.MetaState = MetaUnreadable
	}
	size, ok := r.file(p, name, e)
	if !ok {
		return
	}
	switch e.Name() {
	case MetaPropertiesFile:
		data, ok := r.content(p, name, size, maxMetaProperties)
		if !ok {
			return
		}
		meta, err := ParseMetaProperties(data)
		if err != nil {
			r.problem(p, name, err)
			return
		}
		d.Meta, d.MetaState = meta, MetaOK
	case BootstrapFile:
		d.HasBootstrap = true
	case CleanShutdownFile:
		d.CleanShutdown = &CleanShutdown{BrokerEpoch: -1}
		if data, ok := r.content(p, name, size, maxCleanShutdown); ok {
			d.CleanShutdown = parseCleanShutdown(data)
		}
	}
}

// partition reads a topic partition's directory: its topic ID, and how much is in it.
func (r *reader) partition(d *LogDir, parent *place, partition Partition, name string, e fs.DirEntry) {
	p := &place{parent: parent}
	defer func() {
		partition.Bytes = p.bytes
		d.Partitions = append(d.Partitions, partition)
	}()
	if !r.usable(p, name, e) {
		return
	}
	entries, err := r.list(name)
	if err != nil {
		r.problem(p, name, err)
	}
	for _, child := range entries {
		file := path.Join(name, child.Name())
		if child.Name() != PartitionMetadataFile || child.IsDir() {
			r.sum(p, file, child)
			continue
		}
		if size, ok := r.file(p, file, child); ok {
			partition.TopicID = r.topicID(p, file, size)
		}
	}
}

func (r *reader) topicID(p *place, name string, size int64) string {
	data, ok := r.content(p, name, size, maxPartitionMetadata)
	if !ok {
		return ""
	}
	id, err := ParsePartitionMetadata(data)
	if err != nil {
		r.problem(p, name, err)
	}
	return id
}
