package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// record writes the page that says when everything was last run, on which commit, and with what result.
func record(ctx context.Context, o options, results []result, started time.Time) error {
	commit, err := git(ctx, o.root, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	changed, err := git(ctx, o.root, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		commit += ", with changes that are not committed"
	}
	target := filepath.Join(o.root, o.record)
	if err := os.WriteFile(target, []byte(page(results, commit, started)), 0o644); err != nil {
		return fmt.Errorf("record the results: %w", err)
	}
	return nil
}

func page(results []result, commit string, started time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The last full run

Written by `+"`make test-full`"+`: every story on real Kafka, with a real Kubernetes cluster and a double of the Cluster
Operator.

- date: %s
- commit: %s
- machine: %s/%s, %d CPUs, %s

| part | result | passed | failed | skipped | took |
|---|---|---:|---:|---:|---:|
`, started.UTC().Format(time.DateOnly), commit, runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	var total count
	for _, r := range results {
		c := r.total()
		total.add(c)
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %s |\n",
			r.part.name, r.verdict(), c.passed, c.failed, c.skipped, r.took.Round(time.Second))
	}
	fmt.Fprintf(&b, "\n%s.\n", total)
	return b.String()
}

func git(ctx context.Context, root string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "safe.directory=" + root, "-C", root}, args...)...)
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ask git for the commit: %w", err)
	}
	return strings.TrimSpace(string(output)), nil
}
