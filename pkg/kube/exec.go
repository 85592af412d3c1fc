package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"
)

// stderrLimit bounds what is kept of a command's stderr for its error.
const stderrLimit = 4096

// Exec is one command to run in a running container.
type Exec struct {
	Namespace string
	Pod       string
	Container string
	Command   []string
	Stdin     io.Reader
	Stdout    io.Writer
	// Stderr may be nil; the tail of it is in ExitError either way.
	Stderr io.Writer
}

// ExitError is a command that ran in a container and failed.
type ExitError struct {
	Namespace, Pod, Container string
	Command                   string
	Code                      int
	// Stderr is the end of what the command wrote there.
	Stderr string
}

// Error names the container, the command, its exit status and the end of its stderr.
func (e *ExitError) Error() string {
	msg := fmt.Sprintf("command %q in container %q of pod %q ended with status %d",
		e.Command, e.Container, e.Namespace+"/"+e.Pod, e.Code)
	if e.Stderr != "" {
		msg += ": " + strconv.Quote(e.Stderr)
	}
	return msg
}

// Exec runs a command in a container until it ends or ctx does. It speaks WebSocket and falls back to SPDY for API
// servers (before 1.30) and proxies that do not.
func (c *Client) Exec(ctx context.Context, e Exec) error {
	executor, err := c.executor(e)
	if err != nil {
		return fmt.Errorf("prepare exec in pod %q: %w", e.Namespace+"/"+e.Pod, err)
	}
	tail := &tailBuffer{limit: stderrLimit}
	stderr := io.Writer(tail)
	if e.Stderr != nil {
		stderr = io.MultiWriter(tail, e.Stderr)
	}
	stdout := e.Stdout
	if stdout == nil {
		stdout = io.Discard
	}
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: e.Stdin, Stdout: stdout, Stderr: stderr})
	var exit exec.CodeExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("exec in pod %q: %w", e.Namespace+"/"+e.Pod, context.Cause(ctx))
	case errors.As(err, &exit):
		return &ExitError{
			Namespace: e.Namespace, Pod: e.Pod, Container: e.Container, Command: firstWord(e.Command),
			Code: exit.Code, Stderr: strings.TrimSpace(tail.String()),
		}
	}
	at := Error{Verb: "create", Resource: Pods(), Subresource: "exec", Namespace: e.Namespace, Name: e.Pod, Err: err}
	var upgrade *httpstream.UpgradeFailureError
	if errors.As(err, &upgrade) && upgrade.Cause != nil {
		at.Err = upgrade.Cause
	}
	return &at
}

func (c *Client) executor(e Exec) (remotecommand.Executor, error) {
	query := url.Values{
		"container": {e.Container}, "command": e.Command, "stdout": {"true"}, "stderr": {"true"},
	}
	if e.Stdin != nil {
		query.Set("stdin", "true")
	}
	target := c.raw.Post().AbsPath("/api/v1/namespaces", e.Namespace, "pods", e.Pod, "exec").URL()
	target.RawQuery = query.Encode()
	config := rest.CopyConfig(c.rest)
	spdy, err := remotecommand.NewSPDYExecutor(config, "POST", target)
	if err != nil {
		return nil, err
	}
	websocket, err := remotecommand.NewWebSocketExecutor(config, "GET", target.String())
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(websocket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}

// LogOptions select what is read of a container's log.
type LogOptions struct {
	Container string
	// TailLines 0 means the whole log.
	TailLines int64
	// Previous reads the log of the container's last, ended run.
	Previous bool
	// Limit is the most bytes read; 0 means 1 MiB.
	Limit int64
	// Since leaves out what was logged in an earlier second, by the clock of the node; zero leaves out nothing.
	Since time.Time
	// Timestamps puts the time of the node, as RFC 3339 with nanoseconds, and a blank before every line.
	Timestamps bool
}

// Logs reads a container's log.
func (c *Client) Logs(ctx context.Context, ns, pod string, opts LogOptions) ([]byte, error) {
	var log []byte
	err := c.StreamLogs(ctx, ns, pod, opts, func(stream io.Reader) (err error) {
		log, err = io.ReadAll(stream)
		return err
	})
	return log, err
}

// StreamLogs has read take a container's log as it arrives, without keeping it.
func (c *Client) StreamLogs(
	ctx context.Context, ns, pod string, opts LogOptions, read func(stream io.Reader) error,
) error {
	limit := opts.Limit
	if limit == 0 {
		limit = 1 << 20
	}
	stream, err := c.logRequest(ns, pod, opts).Param("limitBytes", strconv.FormatInt(limit, 10)).Stream(ctx)
	if err != nil {
		return &Error{Verb: "get", Resource: Pods(), Subresource: "log", Namespace: ns, Name: pod, Err: err}
	}
	defer stream.Close() //nolint:errcheck // a body that was read to its end
	if err := read(io.LimitReader(stream, limit)); err != nil {
		return fmt.Errorf("read log of pod %q: %w", ns+"/"+pod, err)
	}
	return nil
}

func (c *Client) logRequest(ns, pod string, opts LogOptions) *rest.Request {
	r := c.raw.Get().AbsPath("/api/v1/namespaces", ns, "pods", pod, "log")
	if opts.Container != "" {
		r.Param("container", opts.Container)
	}
	if opts.TailLines > 0 {
		r.Param("tailLines", strconv.FormatInt(opts.TailLines, 10))
	}
	if opts.Previous {
		r.Param("previous", "true")
	}
	if !opts.Since.IsZero() {
		r.Param("sinceTime", opts.Since.UTC().Format(time.RFC3339))
	}
	if opts.Timestamps {
		r.Param("timestamps", "true")
	}
	return r
}

// tailBuffer keeps the last bytes written to it.
type tailBuffer struct {
	buf   bytes.Buffer
	limit int
}

// Write implements io.Writer.
func (t *tailBuffer) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > t.limit {
		p = p[len(p)-t.limit:]
	}
	if over := t.buf.Len() + len(p) - t.limit; over > 0 {
		t.buf.Next(over)
	}
	t.buf.Write(p)
	return n, nil
}

// String returns what was kept.
func (t *tailBuffer) String() string { return t.buf.String() }

func firstWord(command []string) string {
	if len(command) == 0 {
		return ""
	}
	return command[0]
}
