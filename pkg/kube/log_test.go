package kube_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
)

func put(s *kubetest.Server) {
	s.Put(kube.Pods(), kubetest.Object{"metadata": kubetest.Object{"namespace": "kafka", "name": "a-pod"}})
}

func TestLogsAreReadAsAsked(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	put(s)
	var asked kubetest.Request
	s.Log = func(r *kubetest.Request) string { asked = *r; return strings.Repeat("x", 100) }
	since := time.Date(2026, 11, 26, 12, 41, 58, 999, time.FixedZone("CET", 3600))
	var got []byte
	err := s.Client(t, "kafka").StreamLogs(t.Context(), "kafka", "a-pod", kube.LogOptions{
		Container: "kafka", TailLines: 3, Previous: true, Limit: 10, Since: since, Timestamps: true,
	}, func(stream io.Reader) (err error) {
		got, err = io.ReadAll(stream)
		return err
	})
	if err != nil || string(got) != strings.Repeat("x", 10) { // a server that sends more than it was asked for
		t.Errorf("%v %q", err, got)
	}
	for name, want := range map[string]string{
		"container": "kafka", "tailLines": "3", "previous": "true", "limitBytes": "10", "timestamps": "true",
		"sinceTime": "2026-11-26T11:41:58Z", // the server takes whole seconds
	} {
		if len(asked.Query[name]) != 1 || asked.Query[name][0] != want {
			t.Errorf("%s: want %s, got %v", name, want, asked.Query[name])
		}
	}
	if asked.Name != "a-pod" || asked.Subresource != "log" || asked.Namespace != "kafka" {
		t.Errorf("asked for %s", asked.String())
	}
}

func TestWhatReadingALogFailsOnIsSaid(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	put(s)
	broken := errors.New("broken")
	err := s.Client(t, "kafka").StreamLogs(t.Context(), "kafka", "a-pod", kube.LogOptions{},
		func(io.Reader) error { return broken })
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "kafka/a-pod") {
		t.Errorf("%v", err)
	}
	s.AnswerWith(kubetest.Forbidden)
	_, err = s.Client(t, "kafka").Logs(t.Context(), "kafka", "a-pod", kube.LogOptions{})
	if !kube.IsForbidden(err) {
		t.Errorf("%v", err)
	}
}
