package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

const head = `# Benchmarks

Written by ` + "`make bench`" + `. Each line compares two programs that ran in turn on one machine, with files in
memory already. Times are the median of %d runs with the least and the most; the ratio is our time as a share of the
other's, the median over the pairs. Compare ratios, not times: the machine is what it is.

A scan of claims prints its result and then waits until its temporary pods are gone, which takes the kubelet as long
as starting them. ` + "`kubectl run --rm`" + ` prints and does not wait, so that a scan is compared with it until its
result is printed; the line of the whole scan has the wait on one side alone.

- date: %s
- commit: %s
- machine: %s/%s, %d CPUs, %s
- load average of other work and this, when it began: %s

| what | ours | theirs | ratio | goal | |
|---|---|---|---|---|---|
`

func page(ctx context.Context, o options, results []result, sizes []scaled) string {
	var b strings.Builder
	fmt.Fprintf(&b, head, o.rounds, time.Now().UTC().Format(time.DateOnly), commit(ctx, o.root), runtime.GOOS,
		runtime.GOARCH, runtime.NumCPU(), runtime.Version(), o.load)
	for _, r := range results {
		verdict := "met"
		switch {
		case len(r.missed()) > 0:
			verdict = "**not met**"
		case r.goal == (goal{}):
			verdict = ""
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n",
			r.name, r.side(r.mine), r.side(r.other), r.ratio(), r.goal, verdict)
	}
	b.WriteString(scalePage(sizes))
	b.WriteString("\n## What was run\n\n| what | ours | theirs |\n|---|---|---|\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | `%s` | `%s` |\n", r.name, r.ours, r.theirs)
	}
	return b.String()
}

func (r result) side(samples []sample) string {
	w := walls(samples)
	text := fmt.Sprintf("%s (%s–%s)", round(w.median), round(w.least), round(w.most))
	if m := memories(samples).median; m > 0 {
		text += ", " + mib(m)
	}
	if len(samples) < len(r.mine) {
		text += fmt.Sprintf(", %d run(s)", len(samples))
	}
	return text
}

func (r result) ratio() string {
	s := spreadOf(r.ratios)
	return fmt.Sprintf("%.3f (%.3f–%.3f), %.1f × as fast", s.median, s.least, s.most, 1/s.median)
}

// String says the goal in the table.
func (g goal) String() string {
	var parts []string
	if g.wall > 0 {
		parts = append(parts, fmt.Sprintf("ratio ≤ %.3g", g.wall))
	}
	if g.memory > 0 {
		parts = append(parts, fmt.Sprintf("memory ≤ %.3g of theirs", g.memory))
	}
	if g.time > 0 {
		parts = append(parts, "time ≤ "+g.time.String())
	}
	if g.bytes > 0 {
		parts = append(parts, "memory ≤ "+mib(g.bytes))
	}
	return strings.Join(parts, ", ")
}

// load is the load average, which tells whether the machine was at rest.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 3 {
		return "unknown"
	}
	return strings.Join(fields[:3], ", ")
}

func commit(ctx context.Context, root string) string {
	out, err := exec.CommandContext(ctx, "git", "-c", "safe.directory=*", "-C", root, "rev-parse", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
