package cmd

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/progress"
)

// TestWhatKeepsAPodFromItsClaimsIsToldOnce: the reason can be a paragraph, and a pod can have a hundred claims.
func TestWhatKeepsAPodFromItsClaimsIsToldOnce(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	p := &readingProgress{
		reporter: progress.New(&said, progress.Options{Mode: progress.Plain, Now: time.Now}),
		steps:    map[string]*progress.Step{}, reasons: map[string]string{},
	}
	claims := []string{"data-0", "data-1", "data-2"}
	for _, kind := range []probe.EventKind{probe.PodCreating, probe.PodWaiting} {
		p.observe(probe.Event{Kind: kind, Claims: claims, Message: "image (not to be had)"})
	}
	for i, reason := range []string{"image (not to be had)", "image (not to be had)", "taint (disk-pressure)"} {
		p.observe(probe.Event{Kind: probe.ClaimUnread, Claims: claims[i : i+1], Message: reason})
	}
	for text, want := range map[string]int{
		"image (not to be had)":                           2, // while it waits, and when it is given up
		"data-0: waits, as 2 more in its pod: image":      1,
		"data-0: not read: image":                         1,
		"data-1: not read, for the same reason as data-0": 1,
		"data-2: not read: taint (disk-pressure)":         1,
	} {
		if got := strings.Count(said.String(), text); got != want {
			t.Errorf("%q is said %d times, want %d:\n%s", text, got, want, said.String())
		}
	}
}
