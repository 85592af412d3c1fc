package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// What `go test -json` printed for a package with a passed, a failed and a skipped test.
const mixed = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"said by good\n"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"--- PASS: TestGood (0.01s)\n"}
{"Action":"pass","Package":"p","Test":"TestGood","Elapsed":0.01}
{"Action":"run","Package":"p","Test":"TestBad"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"    p_test.go:9: it is wrong\n"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestBad","Elapsed":0}
{"Action":"skip","Package":"p","Test":"TestLater","Elapsed":0}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.012s\n"}
{"Action":"fail","Package":"p","Elapsed":0.012}
`

func TestReaderTellsFailuresWholeAndPackagesByTheirClosingLine(t *testing.T) {
	var out bytes.Buffer
	counted, err := newReader(&out, false).read(strings.NewReader(mixed))
	if err != nil {
		t.Fatal(err)
	}
	if want := (count{passed: 1, failed: 1, skipped: 1}); counted != want {
		t.Errorf("counted %v, want %v", counted, want)
	}
	want := "    p_test.go:9: it is wrong\n--- FAIL: TestBad (0.00s)\nFAIL\tp\t0.012s\n"
	if out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
}

func TestReaderTellsEachTestWhereOneTakesMinutes(t *testing.T) {
	var out bytes.Buffer
	if _, err := newReader(&out, true).read(strings.NewReader(mixed)); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "--- PASS: TestGood (0.01s)\n") || strings.Contains(out.String(), "said by good") {
		t.Errorf("printed\n%s", out.String())
	}
}

func TestReaderTellsPackagesWithTestsOnly(t *testing.T) {
	const events = `{"Action":"output","Package":"p","Output":"?   \tp\t[no test files]\n"}
{"Action":"skip","Package":"p","Elapsed":0}
{"Action":"output","Package":"q","Output":"\tq\t\tcoverage: 0.0% of statements\n"}
{"Action":"pass","Package":"q","Elapsed":0}
{"Action":"output","Package":"r","Output":"PASS\n"}
{"Action":"output","Package":"r","Output":"ok  \tr\t0.1s\tcoverage: 1.0% of statements in m/...\n"}
{"Action":"pass","Package":"r","Elapsed":0.1}
`
	var out bytes.Buffer
	counted, err := newReader(&out, false).read(strings.NewReader(events))
	if err != nil || counted != (count{}) || out.String() != "ok  \tr\t0.1s\n" {
		t.Errorf("printed %q, counted %v, %v", out.String(), counted, err)
	}
}

func TestReaderCountsAPackageThatFailsWithoutATest(t *testing.T) {
	for name, events := range map[string]string{
		"a build": `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: syntax error\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","Elapsed":0}
`,
		"a set-up": `{"Action":"output","Package":"p","Output":"set up: syntax error\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p","Elapsed":0.1}
`,
		"a panic in a test": `{"Action":"output","Package":"p","Test":"TestX","Output":"panic: syntax error\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p","Elapsed":0.1}
`,
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			counted, err := newReader(&out, false).read(strings.NewReader(events))
			if err != nil {
				t.Fatal(err)
			}
			if counted.failed != 1 {
				t.Errorf("counted %v, want one failure", counted)
			}
			if !strings.Contains(out.String(), "syntax error") || !strings.Contains(out.String(), "FAIL\tp") {
				t.Errorf("does not say why: %s", out.String())
			}
		})
	}
}

func TestCloseFailsOnAnythingThatFailed(t *testing.T) {
	for name, c := range map[string]struct {
		r    *runner
		last string
		err  error
	}{
		"all passed":          {&runner{results: []result{{count: count{passed: 2}}}}, "2 passed, 0 failed in 3s\n", nil},
		"a test failed":       {&runner{results: []result{{count: count{passed: 2, failed: 1}}}}, "FAIL\n", errFailed},
		"a run broke off":     {&runner{results: []result{{err: errors.New("no module")}}}, "FAIL\n", errFailed},
		"coverage fell short": {&runner{problems: []string{"coverage"}}, "FAIL\n", errFailed},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			c.r.out = &out
			if err := c.r.close(3 * time.Second); !errors.Is(err, c.err) {
				t.Errorf("close says %v, want %v", err, c.err)
			}
			if !strings.HasSuffix(out.String(), c.last) {
				t.Errorf("ends with\n%swant\n%s", out.String(), c.last)
			}
		})
	}
}

func TestPartsBesideOthersAreToldWholeAndInTheirPlace(t *testing.T) {
	parts := []part{{name: "first"}, {name: "waits", beside: true}, {name: "waits-too", beside: true}, {name: "last"}}
	for name, chosen := range map[string][]part{"all": parts, "those alone": parts[1:3]} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			r := &runner{root: t.TempDir(), out: &oneAtATime{out: &out}} // no module is there: each part fails
			r.runAll(t.Context(), chosen)
			var order []string
			for _, res := range r.results {
				order = append(order, res.part.name)
			}
			var want []string
			for _, p := range chosen {
				want = append(want, p.name)
				if p.beside && !strings.Contains(out.String(), "=== "+p.name+"\nFAIL\t"+p.name+": find the module") {
					t.Errorf("%s is not told in one piece:\n%s", p.name, out.String())
				}
			}
			if !slices.Equal(order, want) {
				t.Errorf("results of %v, want %v", order, want)
			}
		})
	}
}

func TestCoverageJoinsRunsAndLeavesGeneratedFilesOut(t *testing.T) {
	c := coverage{}
	for _, profile := range []string{
		"mode: atomic\nm/a/x.go:1.1,2.2 3 0\nm/a/x.go:3.1,4.2 1 7\nm/a/zz_y.go:1.1,2.2 100 1\n",
		"mode: atomic\nm/a/x.go:1.1,2.2 3 1\nm/a/x.go:3.1,4.2 1 0\nm/b/x.go:1.1,2.2 4 0\n",
	} {
		if err := c.read(profile); err != nil {
			t.Fatal(err)
		}
	}
	got := c.packages()
	if got["m/a"] != (share{reached: 4, all: 4}) || got["m/b"] != (share{all: 4}) || len(got) != 2 {
		t.Errorf("packages are %v", got)
	}
	if err := c.read("mode: atomic\nm/a/x.go:1.1,2.2 3\n"); err == nil {
		t.Error("a line with a field missing was read")
	}
}

func TestCoverageBelowTheLeastIsAProblem(t *testing.T) {
	var out bytes.Buffer
	r := &runner{out: &out}
	r.tellCoverage(map[string]share{
		module + "pkg/scan": {reached: 85, all: 100}, module + "pkg/kube": {reached: 0, all: 1000},
	})
	if len(r.problems) != 0 {
		t.Errorf("85 %% is a problem: %v", r.problems)
	}
	r.tellCoverage(map[string]share{module + "pkg/scan": {reached: 84, all: 100}})
	if len(r.problems) != 1 {
		t.Errorf("84 %% is no problem: %s", out.String())
	}
}

func TestJavaMajor(t *testing.T) {
	for output, want := range map[string]int{
		"javac 17.0.17\n": 17, "javac 1.8.0_392\n": 1, "javac 21": 21, "nothing": 0,
	} {
		if got := javaMajor(output); got != want {
			t.Errorf("javaMajor(%q) is %d, want %d", output, got, want)
		}
	}
}

func TestChoose(t *testing.T) {
	unit, err := choose(allParts(tierCI), "unit")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range unit {
		if p.cluster {
			t.Errorf("%s is no unit test", p.name)
		}
	}
	if _, err := choose(allParts(tierCI), "root,nonsense"); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("an unknown part: %v", err)
	}
	all, err := choose(allParts(tierFull), "")
	if err != nil || len(all) <= len(unit) {
		t.Errorf("%d parts of everything, %v", len(all), err)
	}
	for _, p := range all {
		if one, err := choose(all, p.name); err != nil || len(one) != 1 || one[0].name != p.name {
			t.Errorf("%q cannot be run alone: %v", p.name, err)
		}
	}
}
