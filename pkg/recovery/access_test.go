package recovery_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

var update = flag.Bool("update", false, "write docs/rbac anew")

const rbacDir = "../../docs/rbac"

// The manifests people apply are those the program reviews: a permission that is added to one and not the other would
// be found out only in the night it is needed.
func TestTheRolesInTheDocumentationAreTheOnesThatAreReviewed(t *testing.T) {
	t.Parallel()
	for file, accesses := range map[string][]kube.Access{ // each under a name of its own: one must not replace another
		"namespaced-role.yaml":       recovery.RestoreAccess("kafka", "v1"),
		"cluster-clusterrole.yaml":   recovery.ClusterAccess(),
		"operators-clusterrole.yaml": recovery.OperatorAccess(),
		"operations-role.yaml":       slices.Concat(recovery.StatusAccess("kafka"), recovery.StopAccess("kafka", "v1")),
		"quota-role.yaml":            recovery.QuotaAccess("kafka"),
		"alarm-role.yaml":            recovery.AlarmAccess("kafka", "v1"),
		"volumes-alone-role.yaml": slices.Concat(recovery.CreateAccess("kafka", "v1"),
			recovery.SecretAccess("kafka")),
		"take-back-role.yaml":        recovery.TakeBackAccess("kafka", "v1"),
		"set-aside-role.yaml":        recovery.SetAsideAccess("kafka", "v1"),
		"volumes-clusterrole.yaml":   recovery.VolumeAccess(),
		"redeclare-clusterrole.yaml": recovery.RedeclareAccess(),
		"namespace-role.yaml":        recovery.NamespaceAccess("kafka"),
		"hold-operator-role.yaml":    recovery.HoldAccess("kafka", "strimzi-cluster-operator"),
		"snapshot-role.yaml":         recovery.SnapshotAccess("kafka"),
		"rebind-role.yaml":           recovery.RebindAccess("kafka", "v1"),
		"hold-back-role.yaml":        recovery.HoldBackAccess("kafka"),
		"statefulset-role.yaml":      slices.Concat(recovery.SetAccess("kafka"), recovery.CreateSetAccess("kafka")),
	} {
		want, err := kube.Roles(roleNames()[file], accesses)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(rbacDir, file)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is out of date; run: go test ./pkg/recovery -run Roles -update", path)
		}
	}
}

func roleNames() map[string]string {
	return map[string]string{
		"namespaced-role.yaml": "kafkarecover", "quota-role.yaml": "kafkarecover-quota",
		"volumes-clusterrole.yaml": "kafkarecover-volumes", "operators-clusterrole.yaml": "kafkarecover-operators",
		"set-aside-role.yaml": "kafkarecover-set-aside", "cluster-clusterrole.yaml": "kafkarecover-cluster",
		"operations-role.yaml": "kafkarecover-operations", "volumes-alone-role.yaml": "kafkarecover-volumes-alone",
		"take-back-role.yaml": "kafkarecover-take-back", "redeclare-clusterrole.yaml": "kafkarecover-redeclare",
		"namespace-role.yaml": "kafkarecover-namespace", "rebind-role.yaml": "kafkarecover-rebind",
		"alarm-role.yaml":         "kafkarecover-alarm",
		"hold-operator-role.yaml": "kafkarecover-hold-operator",
		"snapshot-role.yaml":      "kafkarecover-snapshot",
		"hold-back-role.yaml":     "kafkarecover-hold-back",
		"statefulset-role.yaml":   "kafkarecover-statefulset",
	}
}

func TestTheStatusSubresourceIsReviewedOnItsOwn(t *testing.T) {
	t.Parallel()
	// Strimzi's own strimzi-admin ClusterRole grants kafkas but not kafkas/status, without which nothing can be done.
	for _, resource := range []string{"kafkas", "kafkanodepools"} {
		if !slices.ContainsFunc(recovery.RestoreAccess("kafka", "v1"), func(a kube.Access) bool {
			return a.Resource == resource && a.Subresource == "status" && a.Verb == "patch"
		}) {
			t.Errorf("patch %s/status is what a restore is about and must be reviewed", resource)
		}
	}
}

// Where resources are gone claims are made, and those that borrowed a volume go again; only taking back what a restore
// created deletes resources, and has a role of its own.
func TestRestoringFromVolumesAloneDeletesNothingButClaimsItMade(t *testing.T) {
	t.Parallel()
	for _, a := range slices.Concat(recovery.CreateAccess("kafka", "v1"), recovery.SecretAccess("kafka")) {
		if a.Verb == "delete" && a.Resource != "persistentvolumeclaims" {
			t.Errorf("%s is not needed to restore", a)
		}
	}
}

// Binding claims to other volumes lets claims go, whose volumes are Retain by then; volumes and resources never.
func TestBindingClaimsToOtherVolumesDeletesClaimsAndPodSetsAlone(t *testing.T) {
	t.Parallel()
	var deletes []string
	for _, a := range recovery.RebindAccess("kafka", "v1") {
		if a.Verb == "delete" {
			deletes = append(deletes, a.Resource)
		}
	}
	if slices.Sort(deletes); !slices.Equal(deletes, []string{"persistentvolumeclaims", "strimzipodsets"}) {
		t.Errorf("it may delete %q", deletes)
	}
}

// Who may patch the operator's Deployment can have it run anything; its number of replicas is all that is changed.
func TestHoldingTheOperatorChangesNothingOfItButItsReplicas(t *testing.T) {
	t.Parallel()
	for _, a := range recovery.HoldAccess("strimzi", "op") {
		changes := !slices.Contains([]string{"get", "list", "watch"}, a.Verb)
		if changes && (a.Verb != "patch" || a.Resource != "deployments" || a.Subresource != "scale" || a.Name != "op") {
			t.Errorf("%s is not needed", a)
		}
	}
}

// Of a StatefulSet nothing is deleted but claims that it made itself, and its own lock, journal and pods.
func TestRestoringAStatefulSetNeverDeletesItOrAVolume(t *testing.T) {
	t.Parallel()
	var deletes []string
	for _, a := range slices.Concat(recovery.SetAccess("kafka"), recovery.CreateSetAccess("kafka")) {
		known := slices.Contains([]string{"get", "patch", "create"}, a.Verb)
		if a.Resource == "secrets" || a.Resource == "statefulsets" && !known {
			t.Errorf("%s is not needed: it is never scaled or deleted, and Secrets are not read", a)
		}
		if a.Verb == "delete" {
			deletes = append(deletes, a.Resource)
		}
	}
	want := []string{"configmaps", "leases", "persistentvolumeclaims", "pods", "services"}
	if slices.Sort(deletes); !slices.Equal(deletes, want) {
		t.Errorf("it may delete %q, and needs %q", deletes, want)
	}
}

func TestNoRoleLetsAnythingOfValueBeDeleted(t *testing.T) {
	t.Parallel()
	all := slices.Concat(recovery.RestoreAccess("kafka", "v1"), recovery.VolumeAccess(), recovery.QuotaAccess("kafka"),
		recovery.SetAsideAccess("kafka", "v1"), recovery.StopAccess("kafka", "v1"), recovery.ClusterAccess())
	for _, a := range all {
		if a.Verb == "delete" && slices.Contains([]string{
			"persistentvolumes", "persistentvolumeclaims", "kafkas", "kafkanodepools", "secrets",
		}, a.Resource) {
			t.Errorf("%s is never needed: no volume is ever deleted", a)
		}
		if a.Resource == "secrets" {
			t.Errorf("%s: secrets are not read", a)
		}
	}
}
