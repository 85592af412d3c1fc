package recoverytest

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Sleeper is the clock of a machine that can be asleep for a while: the time of day goes on, and what was being waited
// for does not.
type Sleeper struct {
	clock.WithTicker

	mu    sync.Mutex
	slept time.Duration
}

// Sleep has the machine be asleep.
func (s *Sleeper) Sleep(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slept += d
}

// Now implements clock.PassiveClock.
func (s *Sleeper) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.WithTicker.Now().Add(s.slept)
}

// Since implements clock.PassiveClock.
func (s *Sleeper) Since(t time.Time) time.Duration { return s.Now().Sub(t) }

// Fast is a clock whose timers end a hundred times earlier.
type Fast struct{ clock.RealClock }

const faster = 100

// NewTimer implements clock.Clock.
func (f Fast) NewTimer(d time.Duration) clock.Timer { return f.RealClock.NewTimer(d / faster) }

// After implements clock.Clock.
func (f Fast) After(d time.Duration) <-chan time.Time { return f.RealClock.After(d / faster) }

// Sleep implements clock.Clock.
func (f Fast) Sleep(d time.Duration) { f.RealClock.Sleep(d / faster) }
