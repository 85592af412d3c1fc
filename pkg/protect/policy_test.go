package protect_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// A restore sends the patch itself, inside its journal.
func TestRetainThroughAWriterOfOnesOwn(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.bind(oneClaim, "Delete")
	pv := volume.ParsePersistentVolume(g.server.Get(kube.Volumes(), "", oneVolume))
	var body string
	refuse := errors.New("not journaled")
	_, err := protect.Retain(context.Background(), g.client, &pv, func(_ context.Context, b []byte) error {
		body = string(b)
		return refuse
	})
	if !errors.Is(err, refuse) || g.policyOf(oneVolume) != "Delete" {
		t.Errorf("what the writer refuses is not done: %v, %q", err, g.policyOf(oneVolume))
	}
	const want = `{"metadata":{"annotations":{"kafkarecover.io/reclaim-policy-before":"Delete"}},` +
		`"spec":{"persistentVolumeReclaimPolicy":"Retain"}}`
	if body != want {
		t.Errorf("want %s\ngot  %s", want, body)
	}
	back, err := protect.Retain(context.Background(), g.client, &pv, func(context.Context, []byte) error { return nil })
	if err == nil || back == nil || !strings.Contains(err.Error(), `"Delete"`) {
		t.Errorf("what was not written is seen when it is read back, got %v", err)
	}
	if back, err = protect.Retain(context.Background(), g.client, &pv, nil); err != nil || back.ReclaimPolicy != "Retain" {
		t.Errorf("got %+v, %v", back, err)
	}
}
