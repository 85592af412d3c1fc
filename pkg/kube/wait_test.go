package kube_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
)

// patience bounds a test that would otherwise hang; no assertion depends on it.
const patience = time.Minute

// follow collects events until the stop object is told, calling do after each.
func follow(t *testing.T, s *kubetest.Server, opts kube.ListOptions, do func(told string)) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var told []string
	err := s.Client(t, ns).Follow(ctx, kube.ConfigMaps(), ns, opts, func(e kube.Event) (bool, error) {
		text := string(e.Type)
		if e.Object != nil {
			text += " " + e.Object.GetName()
		}
		told = append(told, text)
		if e.Object != nil && e.Object.GetName() == "stop" {
			return true, nil
		}
		do(text)
		return false, nil
	})
	if err != nil {
		t.Fatalf("%v after %v", err, told)
	}
	return told
}

func TestFollowing(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.Put(kube.ConfigMaps(), configMap("a", nil))
	got := follow(t, s, kube.ListOptions{}, func(told string) {
		switch told {
		case "SYNCED":
			s.Put(kube.ConfigMaps(), configMap("b", nil))
		case "ADDED b":
			s.Put(kube.ConfigMaps(), configMap("a", kubetest.Object{"x": "y"}))
		case "MODIFIED a":
			s.Remove(kube.ConfigMaps(), ns, "b")
		case "DELETED b":
			s.CutOff()
			s.Put(kube.ConfigMaps(), configMap("stop", nil))
		}
	})
	want := []string{"RESET", "ADDED a", "SYNCED", "ADDED b", "MODIFIED a", "DELETED b", "ADDED stop"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a watch that breaks is resumed where it was (-want +got):\n%s", diff)
	}
}

func TestFollowingAWatchThatCannotBeResumed(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.Put(kube.ConfigMaps(), configMap("a", nil))
	var watches atomic.Int64
	s.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if r.Verb != "watch" || watches.Add(1) > 1 {
			return nil
		}
		s.Remove(kube.ConfigMaps(), ns, "a")
		s.Put(kube.ConfigMaps(), configMap("b", nil))
		return &kubetest.Failure{Code: http.StatusGone, Reason: "Expired", Message: "too old resource version"}
	})
	got := follow(t, s, kube.ListOptions{}, func(told string) {
		if watches.Load() > 0 && told == "SYNCED" {
			s.Put(kube.ConfigMaps(), configMap("stop", nil))
		}
	})
	// a is not told as deleted: it is not among what follows the second Reset
	want := []string{"RESET", "ADDED a", "SYNCED", "RESET", "ADDED b", "SYNCED", "ADDED stop"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Who must not miss anything is told of the first interruption, and nothing more.
func TestFollowingUnbroken(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.Put(kube.ConfigMaps(), configMap("a", nil))
	c := s.Client(t, ns)
	var told []string
	err := c.FollowUnbroken(t.Context(), kube.ConfigMaps(), ns, kube.ListOptions{}, func(e kube.Event) (bool, error) {
		name := ""
		if e.Object != nil {
			name = " " + e.Object.GetName()
		}
		told = append(told, string(e.Type)+name)
		switch {
		case e.Type == kube.Synced:
			s.Put(kube.ConfigMaps(), configMap("b", nil))
		case name == " b":
			s.CutOff()
			s.Put(kube.ConfigMaps(), configMap("c", nil))
		}
		return false, nil
	})
	if !errors.Is(err, kube.ErrInterrupted) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"RESET", "ADDED a", "SYNCED", "ADDED b"}, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = c.FollowUnbroken(ctx, kube.ConfigMaps(), ns, kube.ListOptions{}, func(e kube.Event) (bool, error) {
		if e.Type == kube.Synced {
			time.AfterFunc(10*time.Millisecond, cancel)
		}
		return false, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFollowingWhereWatchingIsForbidden(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if r.Verb == "watch" {
			s.Put(kube.ConfigMaps(), configMap("stop", nil))
			return kubetest.Forbidden(r)
		}
		return nil
	})
	got := follow(t, s, kube.ListOptions{}, func(string) {})
	if diff := cmp.Diff([]string{"RESET", "SYNCED", "RESET", "ADDED stop"}, got); diff != "" {
		t.Errorf("it lists instead (-want +got):\n%s", diff)
	}
}

func TestFollowingEnds(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.Put(kube.ConfigMaps(), configMap("a", nil))
	c := s.Client(t, ns)
	mine := errors.New("mine")
	for _, at := range []kube.EventType{kube.Reset, kube.Added, kube.Synced} {
		err := c.Follow(context.Background(), kube.ConfigMaps(), ns, kube.ListOptions{}, func(e kube.Event) (bool, error) {
			if e.Type == at {
				return false, mine
			}
			return false, nil
		})
		if !errors.Is(err, mine) {
			t.Errorf("at %s: got %v", at, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	err := c.Follow(ctx, kube.ConfigMaps(), ns, kube.ListOptions{}, func(e kube.Event) (bool, error) {
		if e.Type == kube.Synced {
			time.AfterFunc(10*time.Millisecond, cancel)
		}
		return false, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	s.AnswerWith(kubetest.Forbidden)
	err = c.Follow(context.Background(), kube.ConfigMaps(), ns, kube.ListOptions{}, nil)
	if !kube.IsForbidden(err) {
		t.Errorf("what may not be listed is an error, got %v", err)
	}
}

// wait waits for the label ready=true of the ConfigMap a.
func wait(name string) kube.Wait {
	return kube.Wait{
		Resource: kube.ConfigMaps(), Namespace: ns, Name: name, What: fmt.Sprintf("configmap %q to be ready", name),
		Timeout: patience, Flag: "--timeout",
		Condition: func(u *unstructured.Unstructured) (bool, string, error) {
			if u == nil {
				return false, "not there", nil
			}
			ready := u.GetLabels()["ready"]
			return ready == "true", "ready is " + ready, nil
		},
	}
}

func TestWaiting(t *testing.T) {
	t.Parallel()
	for title, answer := range map[string]func(*kubetest.Request) *kubetest.Failure{
		"watching": nil,
		"with permission to get one object alone": func(r *kubetest.Request) *kubetest.Failure {
			if r.Verb != "get" {
				return kubetest.Forbidden(r)
			}
			return nil
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := kubetest.New(t)
			s.AnswerWith(answer)
			var seen []string
			w := wait("a")
			w.OnChange = func(text string) {
				seen = append(seen, text)
				switch text {
				case "not there":
					s.Put(kube.ConfigMaps(), configMap("a", kubetest.Object{"ready": "false"}))
				case "ready is false":
					s.Put(kube.ConfigMaps(), configMap("a", kubetest.Object{"ready": "true"}))
				}
			}
			u, err := s.Client(t, ns).WaitFor(context.Background(), w)
			if err != nil || u.GetLabels()["ready"] != "true" {
				t.Errorf("got %v, %v", u, err)
			}
			if diff := cmp.Diff([]string{"not there", "ready is false", "ready is true"}, seen); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWaitingForAnObjectToBeGone(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.Put(kube.ConfigMaps(), configMap("a", nil))
	w := wait("a")
	w.Condition = func(u *unstructured.Unstructured) (bool, string, error) { return u == nil, fmt.Sprint(u != nil), nil }
	w.OnChange = func(there string) {
		if there == "true" {
			s.Remove(kube.ConfigMaps(), ns, "a")
		}
	}
	if u, err := s.Client(t, ns).WaitFor(context.Background(), w); err != nil || u != nil {
		t.Errorf("got %v, %v", u, err)
	}
}

func TestAWaitThatRunsOutOfTime(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.Put(kube.ConfigMaps(), configMap("a", kubetest.Object{"ready": "no"}))
	w := wait("a")
	w.Timeout = 50 * time.Millisecond
	_, err := s.Client(t, ns).WaitFor(context.Background(), w)
	const want = `timed out after 50ms waiting for configmap "a" to be ready; last seen: ready is no ` +
		`(--timeout changes this)`
	if err == nil || err.Error() != want || !kube.IsTimeout(err) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want %s\ngot  %v", want, err)
	}
}

func TestAWaitThatIsInterruptedOrFails(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	w := wait("a")
	w.OnChange = func(string) { cancel() }
	if _, err := s.Client(t, ns).WaitFor(ctx, w); !errors.Is(err, context.Canceled) || kube.IsTimeout(err) {
		t.Errorf("got %v", err)
	}
	mine := errors.New("mine")
	w.OnChange = nil
	w.Condition = func(*unstructured.Unstructured) (bool, string, error) { return false, "", mine }
	if _, err := s.Client(t, ns).WaitFor(context.Background(), w); !errors.Is(err, mine) {
		t.Errorf("got %v", err)
	}
	s.AnswerWith(kubetest.Forbidden)
	if _, err := s.Client(t, ns).WaitFor(context.Background(), wait("a")); !kube.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
}

func TestTimeoutWithoutDetails(t *testing.T) {
	t.Parallel()
	err := &kube.TimeoutError{What: "a", After: time.Second}
	if got := err.Error(); strings.Contains(got, "last seen") || strings.Contains(got, "changes") {
		t.Errorf("what is not known is not told, got %q", got)
	}
}
