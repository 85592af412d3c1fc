package recovery_test

import (
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

// What can be left to somebody else is said to be; a run that cannot go on all the same is not promised it.
func TestMissingPermissionsSayWhetherTheyCanBeHandedOver(t *testing.T) {
	status := kube.Access{Verb: "patch", Group: "kafka.strimzi.io", Resource: "kafkas", Subresource: "status"}
	lease := kube.Access{Verb: "create", Group: "coordination.k8s.io", Resource: "leases"}
	for _, c := range []struct {
		missing []kube.Access
		offered bool
	}{{[]kube.Access{status}, true}, {[]kube.Access{status, lease}, false}} {
		text := (&recovery.AccessError{Missing: c.missing, Roles: "ROLES"}).Error()
		if strings.Contains(text, "--handover") != c.offered || !strings.Contains(text, "ROLES") {
			t.Errorf("%v: %s", c.missing, text)
		}
	}
}
