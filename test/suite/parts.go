package main

import (
	"strings"
	"time"
)

// The tiers: what CI runs, and everything.
const (
	tierCI   = "ci"
	tierFull = "full"
)

// part is one run of `go test` in one module.
type part struct {
	name string
	// dir is the module's directory.
	dir  string
	args []string
	// env is added to the environment.
	env []string
	// race wants the race detector, and with it a C compiler.
	race bool
	// covers counts statements of the product this part reaches.
	covers bool
	// cluster tells that Kubernetes is started on this machine, which takes root on Linux. Most suites start their own;
	// borrows wants one started for it.
	cluster bool
	borrows bool
	// owns is the number of the sandbox the part starts for itself, to be ended when the part could not.
	owns string
	// beside tells that the part waits more than it works, so that it can run while the last of the others does.
	beside bool
	// verbose tells each test as it ends: for parts where one takes minutes.
	verbose bool
	timeout time.Duration
}

// allParts lists the parts in the order they run. Those without a cluster come first.
func allParts(tier string) []part {
	parts := []part{
		{
			// Go's patterns leave out directories called testdata.
			name: "root", dir: ".", args: []string{"./...", "./testdata/volumes"}, race: true, covers: true,
			timeout: 20 * time.Minute,
		},
		{name: "schema", dir: "test/schema", args: []string{"./..."}, timeout: 10 * time.Minute},
		{name: "suite", dir: "test/suite", args: []string{"./..."}, race: true, timeout: 5 * time.Minute},
		{name: "bench", dir: "test/bench", args: []string{"./..."}, timeout: 10 * time.Minute},
		{name: "kafka", dir: "test/kafka", args: []string{"./..."}, timeout: 20 * time.Minute},
		{name: "operator", dir: "test/operator", args: []string{"./..."}, timeout: 10 * time.Minute},
		{
			name: "sandbox", dir: "test/sandbox", args: []string{"./..."}, cluster: true, timeout: 30 * time.Minute,
		},
		{
			// Its tests wait more than they work: as many at a time as there are processors would leave those idle.
			name: "recovery", dir: "test/recovery", args: []string{"-parallel", "4", "./...", "-tier", tier},
			covers: true, cluster: true, beside: true, verbose: true, owns: "41", timeout: 40 * time.Minute,
		},
		{
			name: "operator-cluster", dir: "test/operator", args: []string{"-tags", "cluster", "./..."}, cluster: true,
			borrows: true, beside: true, verbose: true, timeout: 20 * time.Minute,
		},
	}
	if tier == tierFull {
		for i := range parts {
			if parts[i].name == "recovery" { // every line of the journal in turn is the last thing a run does
				parts[i].timeout = 2 * time.Hour
			}
		}
		parts = append(parts, part{
			name: "races", dir: ".", timeout: time.Hour,
			args: []string{"./pkg/recovery", "-parallel", "8", "-races", "1000", "-run", "^TestNoIDIsLost"},
		})
		for _, versions := range []string{"v1,v1beta2", "v1beta2"} {
			parts = append(parts, part{
				// without the comma, at which -only takes names apart
				name: "operator-" + strings.ReplaceAll(versions, ",", "-"), dir: "test/operator",
				args: []string{"-tags", "cluster", "."},
				env:  []string{"TEST_API_VERSIONS=" + versions}, cluster: true, borrows: true, beside: true,
				verbose: true, timeout: 20 * time.Minute,
			})
		}
	}
	e2e := part{
		name: "e2e", dir: "test/e2e", args: []string{"./...", "-tier", tier}, cluster: true, verbose: true,
		owns: "7", timeout: 40 * time.Minute,
	}
	if tier == tierFull {
		e2e.timeout = 4 * time.Hour
	}
	return append(parts, e2e)
}
