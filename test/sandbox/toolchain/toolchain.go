// Package toolchain builds the programs of the sandbox from their pinned Go modules and keeps them outside the
// repository, under a name derived from everything that decides their content. It owns the cache; it does not know
// what the programs do.
package toolchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Version is the Kubernetes version of kube/go.mod, which the programs report as their own.
const Version = "v1.34.4"

// ErrNoSource says that the sandbox's sources cannot be found on this machine.
var ErrNoSource = errors.New("cannot find the sandbox's sources")

// Binaries are the built programs, absolute paths.
type Binaries struct {
	Kubeall    string // etcd and every Kubernetes server
	Kubectl    string
	ClusterDNS string
	Pause      string
	Sandbox    string // the sandbox program itself, for callers that are not it
}

// Options say where sources and cache are.
type Options struct {
	Source string    // the directory of test/sandbox; see FindSource
	Cache  string    // see DefaultCache
	Log    io.Writer // one line for every program that has to be compiled
}

// target is one Go module (a directory of Source) and the programs built from it.
type target struct {
	module   string
	exclude  []string // directories of the module that are modules or documents of their own
	packages []string // the program is called as the package's last element
	ldflags  string
}

func targets() []target {
	stamp := []string{"-s", "-w"}
	for _, p := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		// Without these the server says v0.0.0-master, and clients refuse to compare versions.
		for _, kv := range []string{
			"gitVersion=" + Version, "gitMajor=1", "gitMinor=34", "gitTreeState=clean",
			"gitCommit=" + strings.Repeat("0", 40), "buildDate=1970-01-01T00:00:00Z",
		} {
			stamp = append(stamp, "-X "+p+"."+kv)
		}
	}
	return []target{
		{module: "kube", packages: []string{"./kubeall", "./kubectl"}, ldflags: strings.Join(stamp, " ")},
		{module: "dns", packages: []string{"."}, ldflags: "-s -w"},
		{module: ".", exclude: []string{"kube", "dns"}, packages: []string{"./pause", "./cmd/sandbox"}, ldflags: "-s -w"},
	}
}

// program is the file name of a package's binary.
func (t target) program(pkg string) string {
	if pkg == "." {
		return "cluster" + t.module
	}
	return filepath.Base(pkg)
}

// DefaultCache is ${XDG_CACHE_HOME:-~/.cache}/kafkarecover/sandbox.
func DefaultCache() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache directory: %w (set XDG_CACHE_HOME)", err)
	}
	return filepath.Join(base, "kafkarecover", "sandbox"), nil
}

// Ensure returns the programs, compiling those that are not in the cache. Several callers may run at once.
func Ensure(ctx context.Context, o Options) (Binaries, error) {
	goVersion, err := compiler(ctx)
	if err != nil {
		return Binaries{}, err
	}
	found := map[string]string{}
	for _, t := range targets() {
		dir, err := ensureTarget(ctx, o, t, goVersion)
		if err != nil {
			return Binaries{}, err
		}
		for _, pkg := range t.packages {
			found[t.program(pkg)] = filepath.Join(dir, t.program(pkg))
		}
	}
	return Binaries{
		Kubeall: found["kubeall"], Kubectl: found["kubectl"], ClusterDNS: found["clusterdns"],
		Pause: found["pause"], Sandbox: found["sandbox"],
	}, nil
}

// ensureTarget returns the cache directory with the target's programs.
func ensureTarget(ctx context.Context, o Options, t target, goVersion string) (string, error) {
	hash, err := t.hash(o.Source, goVersion)
	if err != nil {
		return "", err
	}
	final := filepath.Join(o.Cache, hash)
	if complete(final, t) {
		return final, nil
	}
	if err := os.MkdirAll(o.Cache, 0o755); err != nil {
		return "", fmt.Errorf("make cache directory: %w", err)
	}
	unlock, err := lock(filepath.Join(o.Cache, hash+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if complete(final, t) {
		return final, nil // somebody else compiled it meanwhile
	}
	return final, compile(ctx, o, t, final)
}

// compile builds into a temporary directory and renames it: the final name exists only with whole programs in it.
func compile(ctx context.Context, o Options, t target, final string) error {
	temp, err := os.MkdirTemp(o.Cache, ".building-*")
	if err != nil {
		return fmt.Errorf("make build directory: %w", err)
	}
	defer os.RemoveAll(temp) //nolint:errcheck // gone after the rename
	sizes := map[string]int64{}
	for _, pkg := range t.packages {
		name, start := t.program(pkg), time.Now()
		fmt.Fprintf(o.Log, "compiling %s\n", name)
		if err := goBuild(ctx, o, t, pkg, filepath.Join(temp, name)); err != nil {
			return err
		}
		info, err := os.Stat(filepath.Join(temp, name))
		if err != nil {
			return fmt.Errorf("compile %s: %w", name, err)
		}
		sizes[name] = info.Size()
		fmt.Fprintf(o.Log, "compiled %s in %s\n", name, time.Since(start).Round(100*time.Millisecond))
	}
	if err := seal(temp, sizes); err != nil {
		return err
	}
	// A directory that is there but not complete was damaged from outside; make room for the good one.
	if err := os.RemoveAll(final); err != nil {
		return fmt.Errorf("replace damaged cache entry: %w", err)
	}
	if err := os.Rename(temp, final); err != nil {
		return fmt.Errorf("store programs in cache: %w", err)
	}
	return nil
}

func goBuild(ctx context.Context, o Options, t target, pkg, out string) error {
	args := append(t.buildArgs(), "-o", out, pkg)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(o.Source, t.module)
	cmd.Env = buildEnv(os.Environ())
	cmd.Stdout, cmd.Stderr = o.Log, o.Log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("compile %s in %q: %w", t.program(pkg), cmd.Dir, err)
	}
	return nil
}

func (t target) buildArgs() []string {
	return []string{"build", "-buildvcs=false", "-mod=readonly", "-trimpath", "-ldflags", t.ldflags}
}

// buildEnv takes out what could change the result without changing the cache key.
func buildEnv(env []string) []string {
	kept := make([]string, 0, len(env)+4)
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "GOFLAGS", "GOWORK", "CGO_ENABLED", "GOOS", "GOARCH", "GOEXPERIMENT", "PWD":
		default:
			kept = append(kept, kv)
		}
	}
	return append(kept, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS=linux")
}

// compiler says which Go compiles, and for which machine.
func compiler(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOARCH", "GOAMD64", "GOARM64")
	cmd.Env = buildEnv(os.Environ())
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ask for the Go version: %w (is Go installed and in PATH?)", err)
	}
	return string(out), nil
}

// seal records the sizes and forces everything to disk, so that a crash of the machine cannot leave a directory that
// looks whole.
func seal(dir string, sizes map[string]int64) error {
	content, err := json.Marshal(sizes)
	if err != nil {
		return fmt.Errorf("record programs: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, sealName), content, 0o644); err != nil {
		return fmt.Errorf("record programs: %w", err)
	}
	for name := range sizes {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("record programs: %w", err)
		}
		err = f.Sync()
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return fmt.Errorf("write %q to disk: %w", name, err)
		}
	}
	return nil
}

const sealName = "programs.json"

// complete is true when every program of the target is there with the size it was sealed with.
func complete(dir string, t target) bool {
	content, err := os.ReadFile(filepath.Join(dir, sealName))
	if err != nil {
		return false
	}
	var sizes map[string]int64
	if json.Unmarshal(content, &sizes) != nil {
		return false
	}
	for _, pkg := range t.packages {
		info, err := os.Stat(filepath.Join(dir, t.program(pkg)))
		if err != nil || info.Size() != sizes[t.program(pkg)] || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// lock holds an advisory lock until the returned function is called; the kernel releases it when the process dies.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, fs.FileMode(0o644))
	if err != nil {
		return nil, fmt.Errorf("lock cache: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock cache: %w", err)
	}
	return func() { _ = f.Close() }, nil
}
