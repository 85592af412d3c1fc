package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// sample is one run: how long it took and how much memory was resident at most, 0 where that is not known.
type sample struct {
	wall   time.Duration
	memory int64
}

// act is something that can be measured.
type act func(ctx context.Context) (sample, error)

// goal is what a comparison has to show. Limits that are 0 are none.
type goal struct {
	// wall is the most that our time may be, as a share of theirs.
	wall float64
	// memory is the most that our memory may be, as a share of theirs; bytes the most at all.
	memory float64
	bytes  int64
	// time is the most that ours may take at all.
	time time.Duration
}

// comparison is kafkarecover beside another way to the same end.
type comparison struct {
	name string
	// ours and theirs say what is run.
	ours, theirs string
	runOurs      act
	runTheirs    act
	goal         goal
	// before makes what both need; it is not measured.
	before func(ctx context.Context) error
	// theirRounds is how often the other way is run, where one run takes minutes and hardly varies; 0 for every round.
	theirRounds int
}

// result is what was measured.
type result struct {
	comparison
	mine, other []sample
	// ratios are our time as a share of theirs, pair by pair.
	ratios []float64
}

// measure runs both ways in turn; who goes first alternates. One run of each before is not counted: it brings files and
// programs into memory.
func (c comparison) measure(ctx context.Context, rounds int) (result, error) {
	r := result{comparison: c}
	if c.before != nil {
		if err := c.before(ctx); err != nil {
			return r, err
		}
	}
	if c.theirRounds == 0 {
		if _, _, err := c.pair(ctx, true); err != nil {
			return r, err
		}
	}
	for i := range rounds {
		if c.theirRounds > 0 && i >= c.theirRounds {
			mine, err := c.runOurs(ctx)
			if err != nil {
				return r, fmt.Errorf("%s: %w", c.ours, err)
			}
			r.add(mine, r.other[i%c.theirRounds])
			continue
		}
		mine, other, err := c.pair(ctx, i%2 == 0)
		if err != nil {
			return r, err
		}
		r.other = append(r.other, other)
		r.add(mine, other)
	}
	return r, nil
}

func (r *result) add(mine, other sample) {
	r.mine = append(r.mine, mine)
	r.ratios = append(r.ratios, mine.wall.Seconds()/other.wall.Seconds())
}

func (c comparison) pair(ctx context.Context, oursFirst bool) (mine, other sample, err error) {
	run := func(what string, a act, into *sample) {
		if err == nil {
			if *into, err = a(ctx); err != nil {
				err = fmt.Errorf("%s: %w", what, err)
			}
		}
	}
	if oursFirst {
		run(c.ours, c.runOurs, &mine)
	}
	run(c.theirs, c.runTheirs, &other)
	if !oursFirst {
		run(c.ours, c.runOurs, &mine)
	}
	return mine, other, err
}

// command is an act that runs a program with its output thrown away. Exit codes besides 0 that are fine are named.
func command(allowed []int, args ...string) act { return commandTo(nil, allowed, args...) }

// untilTold is command, measured until the last that is said on stdout and not until the program ends.
func untilTold(allowed []int, args ...string) act { return commandTo(&lastWrite{}, allowed, args...) }

// lastWrite keeps when something was last written.
type lastWrite struct{ at time.Time }

// Write implements io.Writer.
func (l *lastWrite) Write(p []byte) (int, error) {
	l.at = time.Now()
	return len(p), nil
}

func commandTo(stdout *lastWrite, allowed []int, args ...string) act {
	return func(ctx context.Context) (sample, error) {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		var said strings.Builder
		cmd.Stderr = &said
		if stdout != nil { // otherwise it goes to /dev/null, with no pipe between
			cmd.Stdout = stdout
		}
		started := time.Now()
		err := cmd.Run()
		s := sample{wall: time.Since(started)}
		if stdout != nil {
			s.wall = stdout.at.Sub(started)
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) && slices.Contains(allowed, exit.ExitCode()) {
			err = nil
		}
		if err != nil {
			return s, fmt.Errorf("%w: %s", err, said.String())
		}
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			s.memory = usage.Maxrss * 1024 // Linux counts in KiB
		}
		return s, nil
	}
}

// spread is the least, the median and the most of several values.
type spread[T int64 | float64 | time.Duration] struct{ least, median, most T }

func spreadOf[T int64 | float64 | time.Duration](values []T) spread[T] {
	if len(values) == 0 {
		return spread[T]{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	median := sorted[n/2]
	if n%2 == 0 {
		median = (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return spread[T]{sorted[0], median, sorted[n-1]}
}

func walls(samples []sample) spread[time.Duration] {
	values := make([]time.Duration, len(samples))
	for i, s := range samples {
		values[i] = s.wall
	}
	return spreadOf(values)
}

func memories(samples []sample) spread[int64] {
	values := make([]int64, len(samples))
	for i, s := range samples {
		values[i] = s.memory
	}
	return spreadOf(values)
}

func (r result) summary() string {
	return fmt.Sprintf("%s, theirs %s, ratio %.3f", round(walls(r.mine).median), round(walls(r.other).median),
		spreadOf(r.ratios).median)
}

// missed are the goals that were not met, in words.
func (r result) missed() []string {
	var out []string
	if ratio := spreadOf(r.ratios).median; r.goal.wall > 0 && ratio > r.goal.wall {
		out = append(out, fmt.Sprintf("%s: takes %.3f of the other's time, and may %.3f", r.name, ratio, r.goal.wall))
	}
	if took := walls(r.mine).median; r.goal.time > 0 && took > r.goal.time {
		out = append(out, fmt.Sprintf("%s: takes %s, and may %s", r.name, round(took), r.goal.time))
	}
	mine, other := memories(r.mine).median, memories(r.other).median
	if r.goal.memory > 0 && float64(mine) > r.goal.memory*float64(other) {
		out = append(out, fmt.Sprintf("%s: takes %s of memory, and may %.3f of %s", r.name, mib(mine), r.goal.memory,
			mib(other)))
	}
	if r.goal.bytes > 0 && mine > r.goal.bytes {
		out = append(out, fmt.Sprintf("%s: takes %s of memory, and may %s", r.name, mib(mine), mib(r.goal.bytes)))
	}
	return out
}

func round(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	default:
		return d.Round(100 * time.Microsecond)
	}
}

func mib(bytes int64) string { return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20)) }
