package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// supervisor starts programs and, being process 1, reaps every orphan. A plain wait for one process would race with
// reaping all of them, so everything is started and awaited here.
type supervisor struct {
	file string // where component states are recorded

	mu      sync.Mutex
	waiting map[int]chan syscall.WaitStatus
	states  []ComponentState
}

func newSupervisor(file string) (*supervisor, error) {
	s := &supervisor{file: file, waiting: map[int]chan syscall.WaitStatus{}, states: []ComponentState{}}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGCHLD)
	go func() {
		for range signals {
			s.reap()
		}
	}()
	return s, s.record()
}

// reap collects every process that has ended by now. The lock keeps it from seeing a child before start registers it.
func (s *supervisor) reap() {
	for {
		s.mu.Lock()
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		done := s.waiting[pid]
		delete(s.waiting, pid)
		s.mu.Unlock()
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if done != nil {
			done <- status
		}
	}
}

// start runs argv with both outputs in the file at log (appended) and returns its number and a channel for its end.
func (s *supervisor) start(argv []string, log string, sys *syscall.SysProcAttr, extra ...*os.File) (
	int, <-chan syscall.WaitStatus, error,
) {
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, nil, fmt.Errorf("start %q: %w", argv[0], err)
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return 0, nil, fmt.Errorf("open log of %q: %w", argv[0], err)
	}
	defer out.Close() //nolint:errcheck // the child has its own descriptor
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, fmt.Errorf("start %q: %w", argv[0], err)
	}
	defer null.Close() //nolint:errcheck // the child has its own descriptor
	files := []uintptr{null.Fd(), out.Fd(), out.Fd()}
	for _, f := range extra {
		files = append(files, f.Fd())
	}
	done := make(chan syscall.WaitStatus, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	pid, err := syscall.ForkExec(program, argv, &syscall.ProcAttr{Env: os.Environ(), Files: files, Sys: sys})
	if err != nil {
		return 0, nil, fmt.Errorf("start %q: %w", argv[0], err)
	}
	s.waiting[pid] = done
	return pid, done, nil
}

// run waits for argv to end well.
func (s *supervisor) run(log string, argv ...string) error {
	_, done, err := s.start(argv, log, nil)
	if err != nil {
		return err
	}
	if status := <-done; !status.Exited() || status.ExitStatus() != 0 {
		return fmt.Errorf("run %q: %s (see %s)", strings.Join(argv, " "), ending(status), log)
	}
	return nil
}

// component starts a long-running program and records it; its end is recorded too.
func (s *supervisor) component(c component, log string) error {
	_, err := s.startRecorded(c, log, nil)
	return err
}

// nodeComponent starts the process 1 of another node, which waits for a byte from the pipe.
func (s *supervisor) nodeComponent(c component, log string, pipe *os.File) (pid int, err error) {
	return s.startRecorded(c, log, Namespaces(), pipe)
}

func (s *supervisor) startRecorded(c component, log string, sys *syscall.SysProcAttr, extra ...*os.File) (int, error) {
	pid, done, err := s.start(c.argv, log, sys, extra...)
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	at := len(s.states)
	s.states = append(s.states, ComponentState{Name: c.name, PID: pid})
	err = s.recordLocked()
	s.mu.Unlock()
	go s.watch(at, done)
	return pid, err
}

// watch records the end of the component at index at.
func (s *supervisor) watch(at int, done <-chan syscall.WaitStatus) {
	status := <-done
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states[at].Ended = ending(status)
	fmt.Fprintf(os.Stderr, "%s: %s\n", s.states[at].Name, s.states[at].Ended)
	if err := s.recordLocked(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func (s *supervisor) record() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recordLocked()
}

func (s *supervisor) recordLocked() error {
	content, err := json.Marshal(s.states)
	if err != nil {
		return fmt.Errorf("record components: %w", err)
	}
	temp := s.file + ".tmp"
	if err := os.WriteFile(temp, content, 0o644); err != nil {
		return fmt.Errorf("record components: %w", err)
	}
	if err := os.Rename(temp, filepath.Clean(s.file)); err != nil {
		return fmt.Errorf("record components: %w", err)
	}
	return nil
}

func ending(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "ended by signal " + status.Signal().String()
	}
	return fmt.Sprintf("exited with code %d", status.ExitStatus())
}
