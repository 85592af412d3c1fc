// Package process names a process so that it cannot be mistaken for another one: number, start time and boot. It is
// the only place that ends processes, and it ends only what is named that way – never by a program's name. It knows
// nothing of clusters.
package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrGone says that the named process no longer exists (or its number belongs to another one now).
var ErrGone = errors.New("process is gone")

// Ref names a process. Start is field 22 of /proc/<pid>/stat (clock ticks since boot), Boot the kernel's boot id:
// together they make a reused number harmless, also after a reboot.
type Ref struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"startTicks"`
	Boot  string `json:"bootId"`
}

// Identify names the process that has this number now.
func Identify(pid int) (Ref, error) {
	start, state, err := stat(pid)
	if err != nil {
		return Ref{}, err
	}
	if state == 'Z' || state == 'X' {
		return Ref{}, fmt.Errorf("identify process %d: %w", pid, ErrGone)
	}
	boot, err := bootID()
	if err != nil {
		return Ref{}, err
	}
	return Ref{PID: pid, Start: start, Boot: boot}, nil
}

// Alive is false for a zombie: it holds no namespace, file or memory any more.
func (r Ref) Alive() bool {
	if r.PID <= 0 {
		return false
	}
	now, err := Identify(r.PID)
	return err == nil && now == r
}

// Kill ends the named process, and only it. The handle is taken before the identity is checked, so the number cannot
// change hands in between.
func (r Ref) Kill() error {
	if r.PID <= 1 {
		return fmt.Errorf("end process %d: %w", r.PID, ErrGone)
	}
	handle, err := os.FindProcess(r.PID)
	if err != nil {
		return fmt.Errorf("end process %d: %w", r.PID, ErrGone)
	}
	defer handle.Release() //nolint:errcheck // nothing to do about it
	if !r.Alive() {
		return fmt.Errorf("end process %d: %w", r.PID, ErrGone)
	}
	if err := handle.Kill(); errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end process %d: %w", r.PID, ErrGone)
	} else if err != nil {
		return fmt.Errorf("end process %d: %w", r.PID, err)
	}
	return nil
}

// Children are the numbers of the direct children of all threads, ascending.
func Children(pid int) ([]int, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, fmt.Errorf("list children of process %d: %w", pid, err)
	}
	var children []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // that thread ended
		}
		if err != nil {
			return nil, fmt.Errorf("list children of process %d: %w", pid, err)
		}
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, fmt.Errorf("list children of process %d: %w", pid, err)
			}
			children = append(children, child)
		}
	}
	slices.Sort(children)
	return slices.Compact(children), nil
}

// Numbers are the process's numbers, from this PID namespace down to its own: the NSpid line of /proc/<pid>/status.
func Numbers(pid int) ([]int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, fmt.Errorf("read status of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, "NSpid:")
		if !ok {
			continue
		}
		var numbers []int
		for _, field := range strings.Fields(rest) {
			n, err := strconv.Atoi(field)
			if err != nil {
				return nil, fmt.Errorf("read status of process %d: %w", pid, err)
			}
			numbers = append(numbers, n)
		}
		return numbers, nil
	}
	return nil, fmt.Errorf("read status of process %d: no NSpid line", pid)
}

func stat(pid int) (start uint64, state byte, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("identify process %d: %w", pid, ErrGone)
	}
	return parseStat(string(text))
}

// parseStat reads fields 3 (state) and 22 (start time) of /proc/<pid>/stat, proc_pid_stat(5). The name in field 2
// may hold anything, spaces and parentheses too; the last ")" ends it.
func parseStat(text string) (start uint64, state byte, err error) {
	end := strings.LastIndexByte(text, ')')
	fields := strings.Fields(text[end+1:])
	if end < 0 || len(fields) < 20 {
		return 0, 0, fmt.Errorf("read process status %.40q: too few fields", text)
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("read process start time: %w", err)
	}
	return start, fields[0][0], nil
}

func bootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
