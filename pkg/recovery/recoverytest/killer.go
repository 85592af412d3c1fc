// Package recoverytest has what the tests of recoveries share, on whatever API server they run: runs that die at a line
// of their journal, API servers that fail, and clocks.
package recoverytest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

// ErrKilled is what a dead run gets for every request.
var ErrKilled = errors.New("the process is dead")

// When tells at which line of the journal something happens; number counts the lines from 1.
type When func(number int, e recovery.Entry) bool

// Killer ends a run as SIGKILL ends its process: from a journal line on, nothing that the run does reaches the cluster
// any more, and the folder it leaves is as it was at that moment. It sits between the run and the API server.
type Killer struct {
	Next http.RoundTripper
	At   When
	// Before has the run die before the line reaches the cluster, so that only the file has it.
	Before bool
	// State is the run's folder, Left receives what it leaves.
	State, Left string
	// Cancel ends what the run waits for.
	Cancel context.CancelFunc

	mu    sync.Mutex
	lines int
	died  string
}

// Died tells the line the run died at; it is empty for one that lived on.
func (k *Killer) Died() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.died
}

// RoundTrip implements http.RoundTripper.
func (k *Killer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("watch") != "" { // it lasts, and writes nothing
		if k.Died() != "" {
			return nil, ErrKilled
		}
		return k.Next.RoundTrip(r)
	}
	k.mu.Lock()
	defer k.mu.Unlock() // one request at a time: the order of lines and writes is that of the run
	if k.died != "" {
		return nil, ErrKilled
	}
	var last recovery.Entry
	hit := false
	for _, e := range JournalLines(r) { // lines that go together are there together, or none of them
		k.lines++
		if k.At(k.lines, e) && !hit {
			hit, last = true, e
		}
	}
	if hit && k.Before {
		return nil, k.die(last)
	}
	response, err := k.Next.RoundTrip(r)
	if hit {
		if err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
		return nil, k.die(last)
	}
	return response, err
}

func (k *Killer) die(e recovery.Entry) error {
	k.died = strings.TrimSpace(string(e.Phase) + " " + e.Step)
	if err := os.CopyFS(k.Left, os.DirFS(k.State)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	k.Cancel()
	return ErrKilled
}

// JournalLines reads the journal entries that a request writes into the cluster, in their order.
func JournalLines(r *http.Request) []recovery.Entry {
	if !strings.Contains(r.URL.Path, "/configmaps") || (r.Method != http.MethodPost && r.Method != http.MethodPatch) {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var object struct {
		Data map[string]string `json:"data"`
	}
	if err != nil || json.Unmarshal(body, &object) != nil {
		return nil
	}
	var lines []recovery.Entry
	for _, text := range object.Data {
		var e recovery.Entry
		if json.Unmarshal([]byte(text), &e) == nil && e.Seq > 0 {
			lines = append(lines, e)
		}
	}
	slices.SortFunc(lines, func(a, b recovery.Entry) int { return a.Seq - b.Seq })
	return lines
}

// FirstOf is the first line of that step and phase.
func FirstOf(step recovery.StepID, phase recovery.Phase) When {
	return func(_ int, e recovery.Entry) bool { return e.Step == string(step) && e.Phase == phase }
}

// OfKind is the first line of that step and phase about a kind of object.
func OfKind(step recovery.StepID, phase recovery.Phase, kind string) When {
	return func(_ int, e recovery.Entry) bool {
		return e.Step == string(step) && e.Phase == phase && len(e.Changes) > 0 && e.Changes[0].Object.Kind == kind
	}
}

// Unpausing is the line of that phase of the write that un-pauses, not those of the proof before it.
func Unpausing(phase recovery.Phase) When {
	writes := false
	return func(_ int, e recovery.Entry) bool {
		if e.Step == string(recovery.StepUnpause) && e.Phase == recovery.PhaseIntent {
			writes = strings.Contains(string(e.Changes[0].Patch), `"annotations"`)
		}
		return writes && e.Step == string(recovery.StepUnpause) && e.Phase == phase
	}
}

// Point is a line at which a run that dies leaves something different behind than at the others.
type Point struct {
	Title  string
	At     When
	Before bool
	// Passed tells that it is past the point of no return.
	Passed bool
}

// Points are the most telling lines. Each call gives them anew: some count.
func Points() []Point {
	const kafkaNodePool = "KafkaNodePool"
	return []Point{
		{Title: "in the middle of setting Retain", At: FirstOf(recovery.StepRetain, recovery.PhaseDone)},
		{Title: "with the decision written here alone", At: FirstOf("", recovery.PhaseDecide), Before: true},
		{Title: "before it pauses", At: FirstOf(recovery.StepLock, recovery.PhaseDone)},
		{Title: "with the ID in one pool", At: OfKind(recovery.StepClusterID, recovery.PhaseDone, kafkaNodePool)},
		{Title: "with the quota announced", At: FirstOf(recovery.StepQuota, recovery.PhaseIntent)},
		{Title: "with the quota standing", At: FirstOf(recovery.StepQuota, recovery.PhaseDone)},
		{Title: "with un-pausing announced", At: Unpausing(recovery.PhaseIntent)},
		{
			Title: "un-paused, and not said so in the cluster", At: Unpausing(recovery.PhaseDone), Before: true, Passed: true,
		},
	}
}
