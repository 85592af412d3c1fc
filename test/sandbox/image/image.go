// Package image writes OCI image archives from files on this machine: no registry, no daemon, no Dockerfile. The same
// inputs always give the same bytes. It does not know what images are for.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// Media types of the OCI image specification, v1.1.
const (
	mediaLayer    = "application/vnd.oci.image.layer.v1.tar"
	mediaConfig   = "application/vnd.oci.image.config.v1+json"
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
)

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// ErrSpec says that an image was described in a way that cannot be built.
var ErrSpec = errors.New("invalid image description")

// Spec describes an image. Layers (existing tar files, lowest first) lie below one layer made of Trees, Dirs, Files
// and Links. Paths in the image are absolute.
type Spec struct {
	Name       string // with tag, for example sandbox.test/busybox:1
	Entrypoint []string
	Cmd        []string
	Env        []string // NAME=value
	User       string
	WorkDir    string
	Layers     []string
	Trees      []Tree
	Dirs       []Dir
	Files      []File
	Links      []Link
}

// Tree is a directory of this machine with everything below it; owners become root, modes are kept.
type Tree struct{ Path, Source string }

// Dir is a directory of the image with the given permission bits (01777 for a sticky one).
type Dir struct {
	Path string
	Mode int64
}

// File is a regular file of this machine; permission bits are kept.
type File struct{ Path, Source string }

// Link is a symbolic link.
type Link struct{ Path, Target string }

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Platform    *platform         `json:"platform,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type runConfig struct {
	Env        []string `json:"Env,omitempty"`
	Entrypoint []string `json:"Entrypoint,omitempty"`
	Cmd        []string `json:"Cmd,omitempty"`
	User       string   `json:"User,omitempty"`
	WorkingDir string   `json:"WorkingDir,omitempty"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type imageConfig struct {
	Created      string    `json:"created"`
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Config       runConfig `json:"config"`
	RootFS       rootFS    `json:"rootfs"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	Manifests     []descriptor `json:"manifests"`
}

// Write writes the archive to w and returns the digest of the image's manifest ("sha256:…"). The layer is staged in a
// temporary file, so that images larger than memory work.
func Write(w io.Writer, spec Spec) (digest string, err error) {
	tag, err := check(spec)
	if err != nil {
		return "", err
	}
	staged, err := os.CreateTemp("", "image-layer-*.tar")
	if err != nil {
		return "", fmt.Errorf("stage layer of %q: %w", spec.Name, err)
	}
	defer func() {
		_ = staged.Close()
		_ = os.Remove(staged.Name())
	}()
	if err := writeLayer(staged, spec); err != nil {
		return "", fmt.Errorf("make layer of %q: %w", spec.Name, err)
	}
	a := &archive{tw: tar.NewWriter(w)}
	a.put("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	var layers []descriptor
	for _, path := range append(append([]string{}, spec.Layers...), staged.Name()) {
		layers = append(layers, a.blobFile(path))
	}
	digest = a.finish(spec, tag, layers)
	if a.err != nil {
		return "", fmt.Errorf("write image %q: %w", spec.Name, a.err)
	}
	return digest, nil
}

// check returns the tag. Tag latest is refused: Kubernetes would pull it every time, and there is no registry.
func check(spec Spec) (tag string, err error) {
	colon := strings.LastIndex(spec.Name, ":")
	if colon <= 0 || colon < strings.LastIndex(spec.Name, "/") || colon == len(spec.Name)-1 {
		return "", fmt.Errorf("%w: name %q needs a tag", ErrSpec, spec.Name)
	}
	tag = spec.Name[colon+1:]
	if tag == "latest" {
		return "", fmt.Errorf("%w: name %q: tag latest makes the kubelet pull from a registry", ErrSpec, spec.Name)
	}
	for _, e := range spec.Env {
		if !strings.Contains(e, "=") {
			return "", fmt.Errorf("%w: environment %q is not NAME=value", ErrSpec, e)
		}
	}
	return tag, nil
}

// archive writes the outer tar; the first error sticks.
type archive struct {
	tw  *tar.Writer
	err error
}

func (a *archive) put(name string, content []byte) {
	a.copy(name, int64(len(content)), bytes.NewReader(content))
}

func (a *archive) copy(name string, size int64, r io.Reader) {
	if a.err != nil {
		return
	}
	header := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size, ModTime: epoch()}
	if a.err = a.tw.WriteHeader(header); a.err == nil {
		_, a.err = io.Copy(a.tw, r)
	}
}

func (a *archive) blob(mediaType string, content []byte) descriptor {
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:])
	a.put("blobs/sha256/"+name, content)
	return descriptor{MediaType: mediaType, Digest: "sha256:" + name, Size: int64(len(content))}
}

// blobFile reads the file twice: the digest is part of the name that comes before the content.
func (a *archive) blobFile(path string) descriptor {
	if a.err != nil {
		return descriptor{}
	}
	f, err := os.Open(path)
	if err != nil {
		a.err = err
		return descriptor{}
	}
	defer f.Close() //nolint:errcheck // opened for reading
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		a.err = err
		return descriptor{}
	}
	name := hex.EncodeToString(sum.Sum(nil))
	a.copy("blobs/sha256/"+name, size, f)
	return descriptor{MediaType: mediaLayer, Digest: "sha256:" + name, Size: size}
}

func (a *archive) json(v any) []byte {
	content, err := json.Marshal(v)
	if err != nil && a.err == nil {
		a.err = err
	}
	return content
}

func (a *archive) finish(spec Spec, tag string, layers []descriptor) string {
	here := platform{Architecture: runtime.GOARCH, OS: "linux"}
	config := imageConfig{
		Created: epoch().Format(time.RFC3339), Architecture: here.Architecture, OS: here.OS,
		Config: runConfig{
			Env: append([]string{defaultPath}, spec.Env...), Entrypoint: spec.Entrypoint, Cmd: spec.Cmd,
			User: spec.User, WorkingDir: spec.WorkDir,
		},
		RootFS: rootFS{Type: "layers"},
	}
	for _, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.Digest) // layers are not compressed
	}
	m := manifest{
		SchemaVersion: 2, MediaType: mediaManifest,
		Config: a.blob(mediaConfig, a.json(config)), Layers: layers,
	}
	d := a.blob(mediaManifest, a.json(m))
	d.Platform = &here
	// containerd takes the image's full name from the first annotation.
	d.Annotations = map[string]string{
		"io.containerd.image.name": spec.Name, "org.opencontainers.image.ref.name": tag,
	}
	a.put("index.json", a.json(index{SchemaVersion: 2, Manifests: []descriptor{d}}))
	if a.err == nil {
		a.err = a.tw.Close()
	}
	return d.Digest
}

// epoch is the time of everything in an image: contents alone decide the digest.
func epoch() time.Time { return time.Unix(0, 0).UTC() }
