// Command suite runs every test of the project, in an order in which what is quick and most telling comes first, and
// says in a few lines what passed. It owns the order, the set-up of the machine, the cluster for the tests that need
// one, and the count; it does not know what is tested. `make test` and `make test-full` are this.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const usage = `usage: suite [flags] prepare | run

prepare  installs or names what this machine lacks
run      does that, then runs the tests
`

// options are the command line.
type options struct {
	root   string
	tier   string
	only   string
	record string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// The second signal ends the program at once; the first one lets it end what it started.
	context.AfterFunc(ctx, stop)
	o := options{}
	flag.StringVar(&o.root, "root", ".", "the project's `directory`")
	flag.StringVar(&o.tier, "tier", tierCI, "ci or full")
	flag.StringVar(&o.only, "only", "", "run the `parts` named, by commas; unit stands for those without a cluster")
	flag.StringVar(&o.record, "record", "", "write date, commit and results to this `file`")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	err := dispatch(ctx, o, flag.Args())
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "interrupted")
		os.Exit(130)
	case errors.Is(err, errFailed): // told already
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(2)
	}
}

func dispatch(ctx context.Context, o options, args []string) (err error) {
	if len(args) != 1 || (o.tier != tierCI && o.tier != tierFull) {
		flag.Usage()
		return errors.New("wrong usage")
	}
	if o.root, err = filepath.Abs(o.root); err != nil {
		return fmt.Errorf("find the project: %w", err)
	}
	parts, err := choose(allParts(o.tier), o.only)
	if err != nil {
		return err
	}
	switch args[0] {
	case "prepare":
		return prepare(ctx, os.Stderr, needs{cluster: true})
	case "run":
		return runAll(ctx, o, parts)
	}
	return fmt.Errorf("%q is neither prepare nor run", args[0])
}

var errFailed = errors.New("tests failed")

func runAll(ctx context.Context, o options, parts []part) error {
	unlock, err := lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	want := needs{}
	for _, p := range parts {
		want.cluster = want.cluster || p.cluster
		want.race = want.race || p.race
	}
	if err := prepare(ctx, os.Stderr, want); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "kafkarecover-suite-")
	if err != nil {
		return fmt.Errorf("make a working directory: %w", err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // a temporary directory
	started := time.Now()
	r := &runner{root: o.root, work: work, out: &oneAtATime{out: os.Stdout}}
	if r.runAll(ctx, parts); ctx.Err() != nil {
		return ctx.Err()
	}
	if err := r.judgeCoverage(parts); err != nil {
		return err
	}
	if o.record != "" && ctx.Err() == nil {
		if err := record(ctx, o, r.results, started); err != nil {
			return err
		}
	}
	return r.close(time.Since(started))
}

// choose keeps the parts named, in their order.
func choose(all []part, only string) ([]part, error) {
	if only == "" {
		return all, nil
	}
	var chosen []part
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(only, ",") {
		wanted[name] = true
	}
	for _, p := range all {
		if wanted[p.name] || (wanted["unit"] && !p.cluster) {
			chosen = append(chosen, p)
		}
		delete(wanted, p.name)
	}
	delete(wanted, "unit")
	for name := range wanted {
		return nil, fmt.Errorf("there is no part %q of the tests", name)
	}
	return chosen, nil
}

// lock keeps two runs on one machine apart: their clusters have the same numbers. The kernel releases it when the
// process ends, however it ends.
func lock(ctx context.Context) (func(), error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("kafkarecover-suite-%d.lock", os.Getuid()))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep other runs away: %w", err)
	}
	told := false
	for syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		if !told {
			fmt.Fprintln(os.Stderr, "another run of the tests is under way on this machine; waiting for it")
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), file.Close())
		case <-time.After(time.Second):
		}
	}
	return func() { _ = file.Close() }, nil
}
