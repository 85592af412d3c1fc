package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// result is what became of a part.
type result struct {
	part  part
	count count
	took  time.Duration
	err   error // the run itself, where no test says why it failed
}

// runner runs parts, which share the machine.
type runner struct {
	root, work string
	out        io.Writer

	mu       sync.Mutex
	results  []result
	problems []string
}

// runAll runs the parts one after another, and with the last of them those that mostly wait: each of these is told
// whole once it has ended.
func (r *runner) runAll(ctx context.Context, parts []part) {
	var alone, beside []part
	for _, p := range parts {
		if p.beside {
			beside = append(beside, p)
		} else {
			alone = append(alone, p)
		}
	}
	last := max(len(alone)-1, 0)
	for _, p := range alone[:last] {
		r.run(ctx, p, r.out)
	}
	var waiting sync.WaitGroup
	waiting.Go(func() { r.runQuietly(ctx, beside) })
	for _, p := range alone[last:] {
		r.run(ctx, p, r.out)
	}
	waiting.Wait()
	slices.SortFunc(r.results, func(a, b result) int { return cmp.Compare(place(parts, a), place(parts, b)) })
}

func place(parts []part, of result) int {
	return slices.IndexFunc(parts, func(p part) bool { return p.name == of.part.name })
}

func (r *runner) runQuietly(ctx context.Context, parts []part) {
	for _, p := range parts {
		var told bytes.Buffer
		r.run(ctx, p, &oneAtATime{out: &told})
		_, _ = r.out.Write(told.Bytes()) // where nobody listens nothing can be told
	}
}

// oneAtATime keeps what parts that run at once say apart, write by write.
type oneAtATime struct {
	mu  sync.Mutex
	out io.Writer
}

// Write implements io.Writer.
func (o *oneAtATime) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.out.Write(p) //nolint:wrapcheck // it is the writer's own
}

func (r *runner) run(ctx context.Context, p part, out io.Writer) {
	if ctx.Err() != nil {
		return
	}
	fmt.Fprintf(out, "=== %s\n", p.name)
	started := time.Now()
	counted, err := r.goTest(ctx, p, out)
	r.mu.Lock()
	r.results = append(r.results, result{part: p, count: counted, took: time.Since(started), err: err})
	r.mu.Unlock()
	if err != nil && counted.failed == 0 && ctx.Err() == nil {
		fmt.Fprintf(out, "FAIL\t%s: %v\n", p.name, err)
	}
}

func (r *runner) goTest(ctx context.Context, p part, out io.Writer) (count, error) {
	if _, err := os.Stat(filepath.Join(r.root, p.dir, "go.mod")); err != nil {
		return count{}, fmt.Errorf("find the module: %w", err)
	}
	env := append(os.Environ(), p.env...)
	if p.borrows || p.owns != "" {
		box, err := r.newSandbox(ctx, p.owns)
		if err != nil {
			return count{}, err
		}
		// What a part owns it has ended itself, unless it was killed.
		defer r.end(ctx, box, p)
		if p.borrows {
			if err := box.start(ctx); err != nil {
				return count{}, err
			}
			env = append(env, "TEST_KUBECONFIG="+box.kubeconfig)
		}
	}
	args := []string{"test", "-json", "-count=1", "-timeout", p.timeout.String()}
	if p.race {
		args = append(args, "-race")
	}
	if p.covers {
		args = append(args, "-covermode=atomic", "-coverpkg="+productPackages, "-coverprofile="+r.profile(p))
	}
	return r.goRun(ctx, p, env, append(args, p.args...), out)
}

// goRun runs Go in a process group of its own: `go` would end at a signal without ending the tests, which have clusters
// to end.
func (r *runner) goRun(ctx context.Context, p part, env, args []string, out io.Writer) (count, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = filepath.Join(r.root, p.dir), env
	cmd.Stderr = out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 2 * time.Minute
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return count{}, fmt.Errorf("run go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return count{}, fmt.Errorf("run go test: %w", err)
	}
	counted, readErr := newReader(out, p.verbose).read(stdout)
	if err := cmd.Wait(); err != nil {
		return counted, fmt.Errorf("run go test: %w", err)
	}
	return counted, readErr
}

func (r *runner) profile(p part) string { return filepath.Join(r.work, p.name+".cover") }

func (r *runner) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.mu.Lock()
	r.problems = append(r.problems, text)
	r.mu.Unlock()
	fmt.Fprintf(r.out, "FAIL\t%s\n", text)
}

// close prints the closing lines. A part that failed without a failed test counts as one failure, and so does a problem
// that is no test's.
func (r *runner) close(took time.Duration) error {
	fmt.Fprintln(r.out)
	var total count
	for _, res := range r.results {
		total.add(res.total())
		fmt.Fprintf(r.out, "%-6s%-20s %s in %s\n", res.verdict(), res.part.name, res.total(), res.took.Round(time.Second))
	}
	for _, p := range r.problems {
		fmt.Fprintf(r.out, "FAIL  %s\n", p)
		total.failed++
	}
	fmt.Fprintf(r.out, "%s in %s\n", total, took.Round(time.Second))
	if total.failed > 0 {
		fmt.Fprintln(r.out, "FAIL")
		return errFailed
	}
	return nil
}

func (r result) total() count {
	c := r.count
	if r.err != nil && c.failed == 0 {
		c.failed = 1
	}
	return c
}

func (r result) verdict() string {
	if r.total().failed > 0 {
		return "FAIL"
	}
	return "ok"
}

// borrowedID is the number of the cluster of parts that borrow one, apart from those that suites start for themselves.
const borrowedID = "42"

// keepEnv is what test/e2e asks whether its sandbox is to stay.
const keepEnv = "E2E_KEEP"

func (r *runner) end(ctx context.Context, box *sandbox, p part) {
	if p.owns != "" && os.Getenv(keepEnv) != "" {
		return
	}
	if err := box.end(ctx); err != nil {
		r.problem("the cluster of %s could not be ended: %v", p.name, err)
	}
}

// sandbox is a Kubernetes cluster of a part.
type sandbox struct {
	program, id string
	// state is where a borrowed one keeps its files; one of the part's own lies where sandboxes do.
	state      string
	kubeconfig string
}

// newSandbox builds the program that starts and ends sandboxes.
func (r *runner) newSandbox(ctx context.Context, owned string) (*sandbox, error) {
	box := &sandbox{id: owned}
	if owned == "" {
		box.id, box.state = borrowedID, filepath.Join(r.work, "cluster")
	}
	box.program = filepath.Join(r.work, "sandbox-"+box.id)
	build := exec.CommandContext(ctx, "go", "build", "-o", box.program, "./cmd/sandbox")
	build.Dir = filepath.Join(r.root, "test", "sandbox")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the sandbox: %w\n%s", err, output)
	}
	return box, nil
}

func (s *sandbox) start(ctx context.Context) error {
	if output, err := s.command(ctx, "up").CombinedOutput(); err != nil {
		return fmt.Errorf("start a cluster: %w\n%s", err, output)
	}
	path, err := s.command(ctx, "kubeconfig").Output()
	if err != nil {
		return fmt.Errorf("find the cluster's kubeconfig: %w", err)
	}
	s.kubeconfig = strings.TrimSpace(string(path))
	return nil
}

// command runs apart from the terminal's signals, so that an interrupt does not break off what ends the cluster.
func (s *sandbox) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append(args, "--id", s.id)
	if s.state != "" {
		args = append(args, "--state", s.state)
	}
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	return cmd
}

// end ends the cluster and removes what it wrote, also after an interrupt.
func (s *sandbox) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	if output, err := s.command(ctx, "down", "--wipe").CombinedOutput(); err != nil {
		return fmt.Errorf("end the cluster: %w\n%s", err, output)
	}
	return nil
}

// lines calls do with each line of any length.
func lines(r io.Reader, do func([]byte)) error {
	buffered := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := buffered.ReadBytes('\n')
		if len(line) > 0 {
			do(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read what go test says: %w", err)
		}
	}
}
