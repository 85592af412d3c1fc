package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// scripted is an act that takes the times given, one after another, and notes that it ran.
func scripted(who string, order *[]string, milliseconds ...int) act {
	i := 0
	return func(context.Context) (sample, error) {
		*order = append(*order, who)
		s := sample{wall: time.Duration(milliseconds[i%len(milliseconds)]) * time.Millisecond, memory: 10 << 20}
		i++
		return s, nil
	}
}

func TestPairsTakeTurnsAndTheFirstIsNotCounted(t *testing.T) {
	var order []string
	c := comparison{
		name: "x", runOurs: scripted("o", &order, 999, 25, 100, 50), runTheirs: scripted("t", &order, 1, 100, 100, 100),
	}
	r, err := c.measure(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "otottoot" {
		t.Errorf("ran in the order %s", got)
	}
	if got := spreadOf(r.ratios); got != (spread[float64]{0.25, 0.5, 1}) {
		t.Errorf("ratios are %v", got)
	}
}

func TestTheOtherWayIsRunFewerTimesWhereSaid(t *testing.T) {
	var order []string
	c := comparison{runOurs: scripted("o", &order, 10), runTheirs: scripted("t", &order, 100), theirRounds: 1}
	r, err := c.measure(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "otoo" || len(r.other) != 1 || len(r.ratios) != 3 {
		t.Errorf("ran %s, %d ratios", got, len(r.ratios))
	}
}

func TestAFailureEndsTheMeasurement(t *testing.T) {
	var order []string
	broken := func(context.Context) (sample, error) { return sample{}, errors.New("no Java") }
	_, err := comparison{theirs: "kafka", runOurs: scripted("o", &order, 1), runTheirs: broken}.measure(t.Context(), 3)
	if err == nil || err.Error() != "kafka: no Java" {
		t.Errorf("the error is %v", err)
	}
}

func TestGoals(t *testing.T) {
	r := result{
		comparison: comparison{name: "x", goal: goal{wall: 0.5, memory: 0.5, bytes: 5}},
		mine:       []sample{{memory: 6}}, other: []sample{{memory: 10}}, ratios: []float64{0.6},
	}
	if got := r.missed(); len(got) != 3 {
		t.Errorf("missed %q, want three", got)
	}
	r.mine[0].memory, r.ratios[0] = 5, 0.5
	if got := r.missed(); len(got) != 0 {
		t.Errorf("missed %q, want none", got)
	}
}

func TestATimeIsAGoalToo(t *testing.T) {
	r := result{
		comparison: comparison{name: "x", goal: goal{time: 5 * time.Second}},
		mine:       []sample{{wall: 6 * time.Second}}, ratios: []float64{0.1},
	}
	if got := r.missed(); len(got) != 1 || !strings.Contains(got[0], "takes 6s, and may 5s") {
		t.Errorf("missed %q", got)
	}
	r.mine[0].wall = 5 * time.Second
	if got := r.missed(); len(got) != 0 {
		t.Errorf("missed %q, want none", got)
	}
}

func TestCostBySize(t *testing.T) {
	of := func(d time.Duration, mib int64) []sample { return []sample{{wall: d, memory: mib << 20}} }
	text := scalePage([]scaled{{
		partitions: 1000, bytes: 2 << 20, floor: of(10*time.Millisecond, 1),
		records: of(40*time.Millisecond, 30), listing: of(20*time.Millisecond, 40),
	}})
	for _, want := range []string{"| 1000 | 2 MiB | 10ms |", "| 40µs | 25 % | 30 MiB |", "| 20µs | 50 % | 40 MiB |"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	if scalePage(nil) != "" {
		t.Error("a page without sizes must not have the part")
	}
}

func TestSpread(t *testing.T) {
	if got := spreadOf([]float64{4, 1, 3, 2}); got != (spread[float64]{1, 2.5, 4}) {
		t.Errorf("spread of four is %v", got)
	}
	if got := spreadOf([]float64{}); got != (spread[float64]{}) {
		t.Errorf("spread of none is %v", got)
	}
}
