package volume_test

import (
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

func withTerms(terms ...any) *volume.PersistentVolume {
	pv := volume.ParsePersistentVolume(map[string]any{"spec": map[string]any{
		"nodeAffinity": map[string]any{"required": map[string]any{"nodeSelectorTerms": terms}},
	}})
	return &pv
}

func term(list, key, operator string, values ...any) map[string]any {
	return map[string]any{list: []any{map[string]any{"key": key, "operator": operator, "values": values}}}
}

func TestAVolumeIsReachableFromTheNodesOfItsAffinity(t *testing.T) {
	t.Parallel()
	const labels, fields, host = "matchExpressions", "matchFields", "kubernetes.io/hostname"
	both := term(labels, host, "In", "a")
	both[fields] = term(fields, "metadata.name", "In", "elsewhere")[fields]
	n := volume.Node{Name: "node-a", Labels: map[string]string{host: "a", "zone": "z1", "size": "7"}}
	for name, c := range map[string]struct {
		pv   *volume.PersistentVolume
		want bool
	}{
		"no affinity":                  {&volume.PersistentVolume{}, true},
		"host name":                    {withTerms(term(labels, host, "In", "b", "a")), true},
		"another host":                 {withTerms(term(labels, host, "In", "b")), false},
		"the second alternative":       {withTerms(term(labels, host, "In", "b"), term(labels, "zone", "In", "z1")), true},
		"name of the node":             {withTerms(term(fields, "metadata.name", "In", "node-a")), true},
		"only one of two requirements": {withTerms(both), false},
		"another field":                {withTerms(term(fields, "metadata.uid", "In", "node-a")), false},
		"an empty term":                {withTerms(map[string]any{}), false},
		"no term":                      {withTerms(), false},
		"not in":                       {withTerms(term(labels, "zone", "NotIn", "z1")), false},
		"not in, label absent":         {withTerms(term(labels, "rack", "NotIn", "r1")), true},
		"exists":                       {withTerms(term(labels, "zone", "Exists")), true},
		"exists, label absent":         {withTerms(term(labels, "rack", "Exists")), false},
		"does not exist":               {withTerms(term(labels, "rack", "DoesNotExist")), true},
		"does not exist, and does":     {withTerms(term(labels, "zone", "DoesNotExist")), false},
		"greater":                      {withTerms(term(labels, "size", "Gt", "6")), true},
		"not greater":                  {withTerms(term(labels, "size", "Gt", "7")), false},
		"less":                         {withTerms(term(labels, "size", "Lt", "8")), true},
		"less than no number":          {withTerms(term(labels, "size", "Lt", "many")), false},
		"an operator nobody knows":     {withTerms(term(labels, "zone", "Near", "z1")), false},
	} {
		if got := c.pv.ReachableFrom(n); got != c.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func TestWhatIsOneDisk(t *testing.T) {
	t.Parallel()
	pv := func(driver, handle string, nodes ...string) *volume.PersistentVolume {
		return &volume.PersistentVolume{Driver: driver, Handle: handle, Nodes: nodes}
	}
	for name, c := range map[string]struct {
		a, b *volume.PersistentVolume
		same bool
	}{
		"one handle":                   {pv("ebs.csi.aws.com", "vol-1"), pv("ebs.csi.aws.com", "vol-1"), true},
		"one handle of two drivers":    {pv("ebs.csi.aws.com", "1"), pv("pd.csi.storage.gke.io", "1"), false},
		"one folder":                   {pv("local", "/mnt/a/", "n1"), pv("hostPath", "/mnt/a", "n1"), true},
		"one path on two machines":     {pv("local", "/mnt/a", "n1"), pv("local", "/mnt/a", "n2"), false},
		"one NFS folder":               {pv("nfs", "srv:/export/a/"), pv("nfs", "srv:/export/a"), true},
		"one NFS folder, two machines": {pv("nfs", "srv:/export/a"), pv("nfs", "other:/export/a"), false},
	} {
		if got := c.a.Disk() == c.b.Disk(); got != c.same {
			t.Errorf("%s: got %t", name, got)
		}
	}
	if got := pv("", "").Disk(); got != "" {
		t.Errorf("what is not known is no disk: %q", got)
	}
}
