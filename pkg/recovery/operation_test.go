package recovery_test

import (
	"bytes"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

func TestOperationIDsAreNamesAndLabelsAndSortByTime(t *testing.T) {
	t.Parallel()
	first, err := recovery.NewOperationID(started.In(time.FixedZone("elsewhere", 9*3600)), bytes.NewReader([]byte{0xff, 0}))
	if err != nil {
		t.Fatal(err)
	}
	if first != "restore-20261124-031502-ff00" {
		t.Errorf("time in UTC and two random bytes, got %q", first)
	}
	second, err := recovery.NewOperationID(started.Add(time.Second), bytes.NewReader([]byte{0, 0}))
	if err != nil {
		t.Fatal(err)
	}
	if second <= first {
		t.Errorf("a later operation must sort later: %q then %q", first, second)
	}
	// Kubernetes' own validators say what a name and a label value may be.
	if errs := validation.IsDNS1123Subdomain("kafkarecover-" + first); len(errs) > 0 {
		t.Errorf("%q must be an object name: %v", first, errs)
	}
	if errs := validation.IsValidLabelValue(first); len(errs) > 0 {
		t.Errorf("%q must be a label value: %v", first, errs)
	}
}

func TestNothingElseIsTakenForAnOperationID(t *testing.T) {
	t.Parallel()
	if !recovery.ValidOperationID("restore-20261124-031502-9f3a") {
		t.Error("an ID of the tool's own must be valid")
	}
	for _, id := range []string{
		"", "..", "restore-20261124-031502-9f3a/..", "../restore-20261124-031502-9f3a", "restore-20261124-031502-9F3A",
		"restore-20261124-031502-9f3a\n", "restore-2026-1-9f3a",
	} {
		if recovery.ValidOperationID(id) {
			t.Errorf("%q becomes a path and must be refused", id)
		}
	}
}

func TestNoRandomnessNoOperation(t *testing.T) {
	t.Parallel()
	if _, err := recovery.NewOperationID(started, bytes.NewReader(nil)); err == nil {
		t.Error("without random bytes two operations could share a folder")
	}
}
