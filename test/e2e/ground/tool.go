package ground

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Tool is the kafkarecover program, built from the project's sources.
type Tool struct {
	Path       string
	kubeconfig string
	home       string
}

// BuildTool builds the program. Its state and configuration are kept apart from the user's.
func (w *World) BuildTool(ctx context.Context) (*Tool, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	t := &Tool{
		Path: filepath.Join(w.work, "kafkarecover"), kubeconfig: w.KubeconfigPath, home: filepath.Join(w.work, "home"),
	}
	return t, goBuild(ctx, root, t.Path, ".")
}

// Result is what a run of the tool left.
type Result struct {
	Args   []string
	Code   int
	Stdout string
	Stderr string
}

// String is the run as a transcript.
func (r Result) String() string {
	return fmt.Sprintf("$ kafkarecover %v\n%s%s(exit %d)", r.Args, r.Stdout, r.Stderr, r.Code)
}

// StateDir is where its operations have their folders.
func (t *Tool) StateDir() string { return filepath.Join(t.home, "state", "kafkarecover") }

// Start starts the program, for who means to kill it. What it says is thrown away, and it is waited for.
func (t *Tool) Start(ctx context.Context, args ...string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, t.Path, args...)
	cmd.Env = t.env()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run kafkarecover: %w", err)
	}
	return cmd, nil
}

func (t *Tool) env() []string {
	return append(os.Environ(), "KUBECONFIG="+t.kubeconfig, "HOME="+t.home,
		"XDG_STATE_HOME="+filepath.Join(t.home, "state"), "XDG_CONFIG_HOME="+filepath.Join(t.home, "config"))
}

// Run runs the program and returns what it said and its exit code; err tells that it could not be run. What it says
// is copied to tee as it comes, if tee is not nil.
func (t *Tool) Run(ctx context.Context, tee io.Writer, args ...string) (Result, error) {
	if tee == nil {
		tee = io.Discard
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, t.Path, args...)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, tee), io.MultiWriter(&errOut, tee)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = t.env()
	err := cmd.Run()
	result := Result{Args: args, Stdout: out.String(), Stderr: errOut.String()}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		result.Code = exit.ExitCode()
		return result, nil
	}
	if err != nil {
		return result, fmt.Errorf("run kafkarecover: %w", err)
	}
	return result, nil
}
