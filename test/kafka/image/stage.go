package image

import (
	"archive/zip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	kafka "github.com/kafkarecover/kafkarecover/test/kafka"
	"github.com/kafkarecover/kafkarecover/test/kafka/cache"
)

// stage lays out Kafka's directory.
func (b builder) stage(dir string) error {
	tree, err := scripts()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "libs"), 0o755); err != nil {
		return fmt.Errorf("lay out the image: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return fmt.Errorf("lay out the image: %w", err)
	}
	if err := copyScripts(tree, dir); err != nil {
		return fmt.Errorf("lay out the image: %w", err)
	}
	for _, entry := range []cache.Entry{b.jars, b.programs} {
		if err := copyJars(entry, filepath.Join(dir, "libs")); err != nil {
			return fmt.Errorf("lay out the image: %w", err)
		}
	}
	classPath, err := kafka.ClassPath(home+"/libs", b.jars, b.programs)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "classpath"), []byte(classPath), 0o644); err != nil {
		return fmt.Errorf("lay out the image: %w", err)
	}
	return writeTools(filepath.Join(dir, "bin"), b.jars)
}

// copyScripts gives scripts the mode that embedded files do not have.
func copyScripts(tree fs.FS, dir string) error {
	return fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		target := filepath.Join(dir, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		}
		content, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if strings.HasSuffix(path, ".sh") {
			mode = 0o755
		}
		return os.WriteFile(target, content, mode)
	})
}

// copyJars sets the time that the image's layer will give the files: the archive of loaded classes is made with these,
// and the JVM takes it for no others.
func copyJars(entry cache.Entry, libs string) error {
	files, err := filepath.Glob(filepath.Join(entry.Dir, "*.jar"))
	if err != nil {
		return err
	}
	epoch := time.Unix(0, 0)
	for _, file := range files {
		target := filepath.Join(libs, filepath.Base(file))
		if err := copyFile(file, target); err != nil {
			return err
		}
		if err := os.Chtimes(target, epoch, epoch); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // opened for reading
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	return err
}

// tool is one of Kafka's command line programs and the classes it was in, by release; the first one there is it.
type tool struct {
	script  string
	classes []string
}

func tools() []tool {
	return []tool{
		{"kafka-acls.sh", []string{"org.apache.kafka.tools.AclCommand", "kafka.admin.AclCommand"}},
		{"kafka-cluster.sh", []string{"org.apache.kafka.tools.ClusterTool"}},
		{"kafka-configs.sh", []string{"kafka.admin.ConfigCommand", "org.apache.kafka.tools.ConfigCommand"}},
		{"kafka-console-consumer.sh", []string{"org.apache.kafka.tools.consumer.ConsoleConsumer"}},
		{"kafka-console-producer.sh", []string{
			"org.apache.kafka.tools.ConsoleProducer", "kafka.tools.ConsoleProducer",
		}},
		{"kafka-consumer-groups.sh", []string{"org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"}},
		{"kafka-dump-log.sh", []string{"org.apache.kafka.tools.DumpLogSegments", "kafka.tools.DumpLogSegments"}},
		{"kafka-features.sh", []string{"org.apache.kafka.tools.FeatureCommand"}},
		{"kafka-get-offsets.sh", []string{"org.apache.kafka.tools.GetOffsetShell"}},
		{"kafka-log-dirs.sh", []string{"org.apache.kafka.tools.LogDirsCommand"}},
		{"kafka-metadata-quorum.sh", []string{"org.apache.kafka.tools.MetadataQuorumCommand"}},
		{"kafka-metadata-shell.sh", []string{"org.apache.kafka.shell.MetadataShell"}},
		{"kafka-reassign-partitions.sh", []string{
			"org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
		}},
		{"kafka-storage.sh", []string{"kafka.tools.StorageTool", "org.apache.kafka.tools.StorageTool"}},
		{"kafka-topics.sh", []string{"org.apache.kafka.tools.TopicCommand"}},
		{"ground.sh", []string{"Ground"}},
	}
}

// writeTools writes a script for each tool.
func writeTools(bin string, jars cache.Entry) error {
	classes, err := classNames(jars)
	if err != nil {
		return err
	}
	for _, t := range tools() {
		class := t.classes[0]
		for _, candidate := range t.classes {
			if classes[candidate] {
				class = candidate
				break
			}
		}
		if !classes[class] && class != "Ground" {
			return fmt.Errorf("write %s: the jars have none of %s", t.script, strings.Join(t.classes, ", "))
		}
		script := fmt.Sprintf("#!/bin/bash\nexec \"$(dirname \"$0\")/kafka-run-class.sh\" %s \"$@\"\n", class)
		if err := os.WriteFile(filepath.Join(bin, t.script), []byte(script), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", t.script, err)
		}
	}
	return nil
}

// classNames are the classes of Kafka's own jars.
func classNames(jars cache.Entry) (map[string]bool, error) {
	files, err := filepath.Glob(jars.Path("kafka*.jar"))
	if err != nil {
		return nil, fmt.Errorf("list Kafka's jars: %w", err)
	}
	names := map[string]bool{}
	for _, file := range files {
		r, err := zip.OpenReader(file)
		if err != nil {
			return nil, fmt.Errorf("read jar %q: %w", filepath.Base(file), err)
		}
		for _, f := range r.File {
			if name, ok := strings.CutSuffix(f.Name, ".class"); ok {
				names[strings.ReplaceAll(name, "/", ".")] = true
			}
		}
		if err := r.Close(); err != nil {
			return nil, fmt.Errorf("read jar %q: %w", filepath.Base(file), err)
		}
	}
	return names, nil
}
