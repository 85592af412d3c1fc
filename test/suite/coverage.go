package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sort"
	"strconv"
	"strings"
)

const (
	module          = "github.com/kafkarecover/kafkarecover/"
	productPackages = module + "pkg/..."
	// leastCovered is in percent, of all statements of pkg/ but those of packages that can only be tried on a cluster.
	leastCovered = 85.0
)

// onCluster are the packages that only running Kubernetes can try; test/e2e does.
func onCluster(pkg string) bool {
	for _, p := range []string{module + "pkg/probe", module + "pkg/kube"} {
		if pkg == p || strings.HasPrefix(pkg, p+"/") {
			return true
		}
	}
	return false
}

// block is a stretch of statements as a cover profile names it: file and positions.
type block struct {
	statements int
	reached    bool
}

// coverage joins the profiles of several runs: a statement is covered when any of them reached it.
type coverage map[string]block

// read adds a profile. Its lines are FILE:FROM,TO STATEMENTS COUNT, after one with the mode.
func (c coverage) read(profile string) error {
	for i, line := range strings.Split(strings.TrimSpace(profile), "\n") {
		if i == 0 && strings.HasPrefix(line, "mode: ") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return fmt.Errorf("line %d of the cover profile has %d fields, not 3", i+1, len(fields))
		}
		statements, err := strconv.Atoi(fields[1])
		if err != nil {
			return fmt.Errorf("line %d of the cover profile: %w", i+1, err)
		}
		b := c[fields[0]]
		b.statements = statements
		b.reached = b.reached || fields[2] != "0"
		c[fields[0]] = b
	}
	return nil
}

// share counts the statements of a package, or of several.
type share struct{ reached, all int }

func (s share) percent() float64 {
	if s.all == 0 {
		return 0
	}
	return 100 * float64(s.reached) / float64(s.all)
}

// packages sums up by package. Generated files are left out: they are many, alike, and would outweigh the rest.
func (c coverage) packages() map[string]share {
	sums := map[string]share{}
	for position, b := range c {
		file, _, _ := strings.Cut(position, ":")
		if strings.HasPrefix(path.Base(file), "zz_") {
			continue
		}
		s := sums[path.Dir(file)]
		s.all += b.statements
		if b.reached {
			s.reached += b.statements
		}
		sums[path.Dir(file)] = s
	}
	return sums
}

// judgeCoverage sums up what the parts reached. It judges only a run of all parts that count.
func (r *runner) judgeCoverage(parts []part) error {
	total := coverage{}
	covering, wanted := 0, 0
	for _, p := range allParts(tierCI) {
		if p.covers {
			wanted++
		}
	}
	for _, p := range parts {
		if !p.covers {
			continue
		}
		covering++
		profile, err := os.ReadFile(r.profile(p))
		if errors.Is(err, fs.ErrNotExist) { // its run failed, and said so
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the cover profile of %s: %w", p.name, err)
		}
		if err := total.read(string(profile)); err != nil {
			return err
		}
	}
	if covering < wanted || covering == 0 {
		return nil
	}
	r.tellCoverage(total.packages())
	return nil
}

func (r *runner) tellCoverage(packages map[string]share) {
	names := make([]string, 0, len(packages))
	var judged share
	for name, s := range packages {
		if onCluster(name) {
			continue
		}
		names = append(names, name)
		judged.all += s.all
		judged.reached += s.reached
	}
	sort.Slice(names, func(i, j int) bool { return packages[names[i]].percent() < packages[names[j]].percent() })
	for _, name := range names {
		if packages[name].percent() < leastCovered {
			fmt.Fprintf(r.out, "%5.1f %% of %s is reached by tests\n", packages[name].percent(),
				strings.TrimPrefix(name, module))
		}
	}
	fmt.Fprintf(r.out, "%5.1f %% of pkg/ without probe and kube is reached by tests\n", judged.percent())
	if judged.percent() < leastCovered {
		r.problem("coverage of pkg/ without probe and kube is %.1f %%, and has to be %.0f %%",
			judged.percent(), leastCovered)
	}
}
