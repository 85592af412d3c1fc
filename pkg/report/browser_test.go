package report_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/report"
)

// browser talks to a headless Chromium over a pair of pipes (Chrome DevTools Protocol, --remote-debugging-pipe).
type browser struct {
	t       *testing.T
	in      *os.File
	out     *bufio.Reader
	session string
	id      int
	// requests are the addresses the page asked for.
	requests []string
}

type message struct {
	ID     int             `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params map[string]any  `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
	// SessionID addresses one page.
	SessionID string `json:"sessionId,omitempty"`
}

// profile is a folder for the browser's own files. Its child processes write there until they have seen that their
// parent is gone, so it is removed more than once.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kafkarecover-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if err := os.RemoveAll(dir); err == nil || time.Now().After(end) {
				if err != nil {
					t.Error(err)
				}
				return
			}
		}
	})
	return dir
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	var path string
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("there is no Chromium on this machine: the page is not looked at in a browser")
	}
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), path, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
		"--user-data-dir="+profile(t))
	c.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = theirIn.Close(), theirOut.Close()
	t.Cleanup(func() {
		_ = ourOut.Close()
		_ = c.Process.Kill()
		_ = c.Wait()
		_ = ourIn.Close()
	})
	return &browser{t: t, in: ourOut, out: bufio.NewReader(ourIn)}
}

// call sends a command and returns its result; events that come meanwhile are taken in.
func (b *browser) call(method string, params map[string]any, into any) {
	b.t.Helper()
	b.id++
	text, err := json.Marshal(message{ID: b.id, Method: method, Params: params, SessionID: b.session})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		b.t.Fatal(err)
	}
	m := b.until(func(m *message) bool { return m.ID == b.id })
	if m.Error != nil {
		b.t.Fatalf("%s: %s", method, m.Error)
	}
	if into != nil {
		if err := json.Unmarshal(m.Result, into); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *browser) until(is func(*message) bool) *message {
	b.t.Helper()
	for {
		text, err := b.out.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("the browser ended: %v", err)
		}
		var m message
		if err := json.Unmarshal(bytes.TrimRight(text, "\x00"), &m); err != nil {
			b.t.Fatal(err)
		}
		if m.Method == "Network.requestWillBeSent" {
			request, _ := m.Params["request"].(map[string]any)
			address, _ := request["url"].(string)
			b.requests = append(b.requests, address)
		}
		if is(&m) {
			return &m
		}
	}
}

// visible opens a page and returns the text that can be seen on it: innerText leaves out what is not displayed.
func (b *browser) visible(address string) string {
	b.t.Helper()
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	b.call("Page.enable", nil, nil)
	b.call("Network.enable", nil, nil)
	b.call("Page.navigate", map[string]any{"url": address}, nil)
	var seen struct {
		Result struct{ Value string }
	}
	b.call("Runtime.evaluate", map[string]any{
		"awaitPromise": true, "expression": `new Promise(done => {
			const look = () => document.readyState === "complete" && location.href !== "about:blank"
				? done(document.body.innerText) : setTimeout(look, 20);
			look();
		})`,
	}, &seen)
	return seen.Result.Value
}

func TestThePageShowsWhatItSays(t *testing.T) {
	t.Parallel()
	page, err := report.Of(recorded()).HTML()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, page, 0o600); err != nil {
		t.Fatal(err)
	}
	b := startBrowser(t)
	text := b.visible("file://" + file)
	for _, want := range []string{
		"Operation restore-20261124-031502-9f3a", "restored", "as before", "trust the new authority", "alice", "bob",
		"--accept r=pvc/a",
		"write the ID", `status.clusterId: "old" → "new"`, "kafka ready", "passed", "<img src=x onerror=alert(1)>",
		"2026-11-24 03:15:02 UTC", "https://kube.example:6443",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q cannot be seen:\n%s", want, text)
		}
	}
	for _, address := range b.requests {
		if address != "file://"+file {
			t.Errorf("the page must load nothing else, and asked for %q", address)
		}
	}
}
