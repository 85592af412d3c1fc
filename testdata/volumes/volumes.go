// Package volumes holds the volumes of lost Kafka clusters for tests: directories that real brokers and controllers
// wrote, one for each claim, with what Kafka itself said of them before the cluster was ended and after. Damaged
// volumes are made from them when a test asks. The archives are written by test/kafka (kafka-ground volumes).
package volumes

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/testdata/volumes/manifest"
)

//go:embed *.tar.gz *.manifest.json
var stored embed.FS

const (
	archiveSuffix  = ".tar.gz"
	saysSuffix     = ".kafka-says.tar.gz"
	manifestSuffix = ".manifest.json"
)

// sizeRecord is the PAX record with a file's whole size where the zeros at its end were left out of the archive.
const sizeRecord = "KAFKARECOVER.size"

// The fixtures.
const (
	// SplitRoles is Kafka 4.2.0: controllers 3 to 5, brokers 0 to 2 of two volumes, stopped in good order.
	SplitRoles = "split-roles"
	// SplitRoles39 is the same of Kafka 3.9.1, ended all at once.
	SplitRoles39 = "split-roles-3.9"
	// DualRole is Kafka 4.2.0: nodes 0 to 2 of both roles, one volume each, the voters in the log.
	DualRole = "dual-role"
	// SingleNode is Kafka 4.2.0: node 0 of both roles.
	SingleNode = "single-node"
	// EveryRecord is Kafka 4.2.0, as SplitRoles: every kind of metadata record that a cluster can be made to write, the
	// voters in the log, one of the controllers no voter any more.
	EveryRecord = "every-record"
	// EveryRecord39 is the same of Kafka 3.9.1, without a transaction cut short.
	EveryRecord39 = "every-record-3.9"
	// OldVersions is Kafka 3.9.1: node 0 of both roles, broker 1; the log begins at metadata version 3.3-IV0.
	OldVersions = "old-versions"
	// ZooKeeper is a broker of Kafka 3.9.1 with ZooKeeper: meta.properties of version 0, no metadata log.
	ZooKeeper = "zookeeper-v0"
)

// Names are all fixtures.
func Names() []string {
	return []string{SplitRoles, SplitRoles39, DualRole, SingleNode, EveryRecord, EveryRecord39, OldVersions, ZooKeeper}
}

// The parts of a manifest.
type (
	// Manifest is what is known of a fixture from Kafka itself.
	Manifest = manifest.Manifest
	// Volume is what one claim's volume has.
	Volume = manifest.Volume
	// Topic is a topic that was there at the end.
	Topic = manifest.Topic
	// Partition has the first offset and the one after the last.
	Partition = manifest.Partition
)

// ReadManifest reads a fixture's manifest.
func ReadManifest(t testing.TB, name string) Manifest {
	t.Helper()
	raw, err := stored.ReadFile(name + manifestSuffix)
	if err != nil {
		t.Fatalf("read the manifest of %q: %v", name, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	var m Manifest
	if err := decoder.Decode(&m); err != nil {
		t.Fatalf("read the manifest of %q: %v", name, err)
	}
	return m
}

// Unpack writes a fixture's volumes into a new directory that the test's end removes: a directory for each claim, in
// it kafka-log<N>.
func Unpack(t testing.TB, name string) string {
	t.Helper()
	return unpack(t, name+archiveSuffix)
}

// UnpackSays writes what Kafka's programs say of a fixture's metadata logs into a new directory, below the paths the
// files have in the volumes: for each log and snapshot F, F.dump of kafka-dump-log --cluster-metadata-decoder and
// F.tree, the command "tree image" of kafka-metadata-shell ("tree image/topics" in Kafka 3.9.1; no such file for the
// snapshot at offset 0, nor for a log whose only transaction is not over). Of one copy of each partition of the
// internal topics F.dump is the output with the topic's decoder.
func UnpackSays(t testing.TB, name string) string {
	t.Helper()
	return unpack(t, name+saysSuffix)
}

func unpack(t testing.TB, archive string) string {
	t.Helper()
	raw, err := stored.ReadFile(archive)
	if err != nil {
		t.Fatalf("unpack %q: %v", archive, err)
	}
	dir := t.TempDir()
	if err := extract(bytes.NewReader(raw), dir); err != nil {
		t.Fatalf("unpack %q: %v", archive, err)
	}
	return dir
}

func extract(r io.Reader, dir string) error {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // nothing is written through it
	entries := tar.NewReader(unzipped)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := extractOne(root, header, entries); err != nil {
			return fmt.Errorf("%q: %w", header.Name, err)
		}
	}
}

func extractOne(root *os.Root, header *tar.Header, content io.Reader) error {
	name := filepath.FromSlash(strings.TrimSuffix(header.Name, "/"))
	if header.Typeflag == tar.TypeDir {
		return root.MkdirAll(name, 0o755)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	size := header.Size
	if whole, ok := header.PAXRecords[sizeRecord]; ok {
		size, err = strconv.ParseInt(whole, 10, 64)
	}
	if err == nil {
		_, err = io.Copy(f, content)
	}
	if err == nil {
		// What is longer than its content becomes a hole, as it was on the broker's disk.
		err = f.Truncate(size)
	}
	return errors.Join(err, f.Close())
}
