package recovery_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// clusterID is the one in the volumes.
const clusterID = "WfgV0zaXR8GWDtKf_rFFyA"

// unpackVolumes gives a folder for each claim of a lost cluster: controllers 3 to 5, brokers 0 to 2 of two volumes.
func unpackVolumes(t *testing.T) string {
	t.Helper()
	if got := volumes.ReadManifest(t, volumes.SplitRoles).ClusterID; got != clusterID {
		t.Fatalf("the volumes are of cluster %q, want %q", got, clusterID)
	}
	return volumes.Unpack(t, volumes.SplitRoles)
}

// read fills in what is on the volumes, as a scan of their folder finds it.
func read(ctx context.Context, disks string, claimed []volume.Volume) error {
	return readBut(ctx, disks, claimed, nil, nil)
}

// readBut leaves out what is set aside, and looks where lost nodes are in sync.
func readBut(
	ctx context.Context, disks string, claimed []volume.Volume, aside map[string][]string, lost []string,
) error {
	opts := scan.Options{SetAside: map[string][]string{}, Lost: lost}
	for name, dirs := range aside {
		opts.SetAside["dir/"+strings.TrimPrefix(name, "pvc/")] = dirs
	}
	roots := []string{disks}
	for i := range claimed {
		if root := filepath.Dir(dirOf(disks, &claimed[i])); !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	found := map[string]*volume.Volume{}
	for _, root := range roots {
		seen, err := scan.Folder(ctx, root, time.Now(), opts)
		if err != nil {
			return err
		}
		for i := range seen.Clusters {
			for j := range seen.Clusters[i].Volumes {
				v := &seen.Clusters[i].Volumes[j]
				found[filepath.Join(root, strings.TrimPrefix(v.Name, "dir/"))] = v
			}
		}
	}
	for i := range claimed {
		v := &claimed[i]
		if v.Claim != nil && v.Claim.Phase != "" && v.Claim.Phase != volume.PhaseBound { // no pod can have it
			v.State, v.Reason = volume.Unread, "the claim is "+v.Claim.Phase
			continue
		}
		v.Via = "pod"
		on := found[dirOf(disks, v)]
		if on == nil { // an empty folder is no volume to a scan of folders
			v.State, v.Contents = volume.Read, &logdir.Contents{}
			continue
		}
		v.State, v.Reason, v.Contents = on.State, on.Reason, on.Contents
		v.MetadataVersion, v.Topics, v.Image = on.MetadataVersion, on.Topics, on.Image
	}
	return nil
}

// dirOf is where a volume lies on this machine.
func dirOf(disks string, v *volume.Volume) string {
	if v.PV != nil && v.PV.Handle != "" {
		return v.PV.Handle
	}
	return filepath.Join(disks, v.Claim.Name)
}

// pendingDeletions accepts what Kafka will erase soon after it starts: the cluster was stopped while a deleted topic's
// partitions still lay on its volumes, as they do for a minute. Without it every restore of these volumes is refused.
func (g *ground) pendingDeletions() []finding.Lift {
	g.t.Helper()
	marked, err := filepath.Glob(filepath.Join(g.disks, "*", "*", "*-delete"))
	if err != nil {
		g.t.Fatal(err)
	}
	var accepts []finding.Lift
	for _, dir := range marked {
		claim := filepath.Base(filepath.Dir(filepath.Dir(dir)))
		lift := finding.Lift{Rule: "pending-deletion", Subject: "pvc/" + claim}
		if !slices.Contains(accepts, lift) {
			accepts = append(accepts, lift)
		}
	}
	return accepts
}

func TestTopicsThatKafkaWouldEraseAreRefusedUntilAccepted(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	before := g.status()
	result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { r.Accept = nil })
	if err != nil || result.Outcome != recovery.OutcomeRefused {
		t.Fatalf("%v %+v", err, result)
	}
	for _, f := range result.Refusals {
		if f.Rule != "pending-deletion" || len(f.Evidence) == 0 {
			t.Errorf("only the partitions marked for deletion stand in the way, and they must be named: %+v", f)
		}
	}
	if after := g.status(); after.ResourceVersion != before.ResourceVersion {
		t.Error("a refusal must not touch the resource")
	}
}
