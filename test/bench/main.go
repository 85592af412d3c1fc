// Command bench measures kafkarecover next to the tools of Kafka and Kubernetes that a person would use instead, and
// writes docs/benchmarks.md. Each comparison is made of pairs of runs that take turns, so that a machine that is busy
// for a while is busy for both; what counts is the median of their ratios. `make bench` is this.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// options are the command line.
type options struct {
	root, out string
	rounds    int
	only      string
	cluster   bool
	// load is the machine's load before anything was run.
	load string
}

// leastRounds is the fewest pairs a median is taken of.
const leastRounds = 7

func main() {
	if len(os.Args) == 3 && os.Args[1] == floorArg {
		if err := walkFloor(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the program at once
	o := options{}
	flag.StringVar(&o.root, "root", ".", "the project's `directory`")
	flag.StringVar(&o.out, "out", "docs/benchmarks.md", "`file` to write, below the project's directory")
	flag.IntVar(&o.rounds, "rounds", leastRounds, "how many pairs of runs")
	flag.StringVar(&o.only, "only", "", "measure only comparisons whose name contains `text`, and write no file")
	flag.BoolVar(&o.cluster, "cluster", true, "measure on a Kubernetes cluster too, which takes root on Linux")
	flag.Parse()
	o.load = load()
	err := run(ctx, o, os.Stderr)
	if ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "interrupted")
		os.Exit(130)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, log io.Writer) (err error) {
	if o.rounds < leastRounds && o.only == "" {
		return fmt.Errorf("%d rounds are too few for a page: at least %d", o.rounds, leastRounds)
	}
	work, err := os.MkdirTemp("", "kafkarecover-bench-")
	if err != nil {
		return fmt.Errorf("make a working directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	g := &ground{root: o.root, work: work, log: log}
	if err := g.build(ctx); err != nil {
		return err
	}
	results, err := measureAll(ctx, o, g.offline(), log)
	if err := errors.Join(err, o.write(ctx, results, nil)); err != nil {
		return err
	}
	sizes, err := g.scale(ctx, o)
	if err := errors.Join(err, o.write(ctx, results, sizes)); err != nil {
		return err
	}
	if o.cluster {
		onCluster, err := g.onCluster(ctx, o)
		results = append(results, onCluster...)
		if err := errors.Join(err, o.write(ctx, results, sizes)); err != nil {
			return err
		}
	}
	if o.only != "" {
		_, err = os.Stdout.WriteString(page(ctx, o, results, sizes))
		return err
	}
	return failures(results)
}

// write writes the page, after each part of the measurement: a later part that fails takes no earlier one with it.
func (o options) write(ctx context.Context, results []result, sizes []scaled) error {
	if o.only != "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(o.root, o.out), []byte(page(ctx, o, results, sizes)), 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// measureAll measures the comparisons asked for.
func measureAll(ctx context.Context, o options, all []comparison, log io.Writer) ([]result, error) {
	var results []result
	for _, c := range all {
		if !strings.Contains(c.name, o.only) {
			continue
		}
		fmt.Fprintf(log, "%s\n", c.name)
		r, err := c.measure(ctx, o.rounds)
		if err != nil {
			return results, fmt.Errorf("measure %q: %w", c.name, err)
		}
		fmt.Fprintf(log, "  %s\n", r.summary())
		results = append(results, r)
	}
	return results, nil
}

// failures names the goals that were not met.
func failures(results []result) error {
	var missed []string
	for _, r := range results {
		missed = append(missed, r.missed()...)
	}
	slices.Sort(missed)
	if len(missed) > 0 {
		return fmt.Errorf("goals not met:\n  %s", strings.Join(missed, "\n  "))
	}
	return nil
}
