package recovery

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// vigil watches volumes from before they are read. Where no claims but this run's own had them since, and no pod
// mounted one of those so that it could write, what was read is still what is on them: they need not be mounted once
// more, which on many storages means attached and detached once more. It proves that or nothing: a watch that could
// not be held, or that has not seen the run's own writes, leaves it unproven.
//
// It does not see what writes on a disk past its claims; a second reading would see of that what came before it.
type vigil struct {
	// copied is what was copied while the volumes were read, by the volume's name.
	copied *copier
	stop   context.CancelFunc
	ended  sync.WaitGroup

	mu sync.Mutex
	// blind says why it did not see everything; empty where it did.
	blind string
	// ties are the claims that each volume was seen to be tied to, by the volume's name and in their order.
	ties map[string][]binding.Claim
	// versions are the resource versions that volumes were last seen at, by name.
	versions map[string]string
	// own are the claims that this run made.
	own map[types.UID]bool
	// writers are the pods that were seen to mount a claim of the namespace so that they may write, by the claim's name.
	writers map[string]string
}

// keepsVigil tells whether volumes may be found to be as they were read without being read again: where the Kafka
// resource is gone, so that no pod has them, and this run alone gives them to claims. Volumes that were declared anew
// may be in use by another Kubernetes cluster.
func (r *run) keepsVigil() bool {
	return r.before.Planned && !r.Redeclares && !r.RebindClaims && len(r.SetAside) == 0 && len(r.excluded) == 0
}

// beginVigil watches the volumes that are about to be read, and copies of each what a reading while paused would copy.
func (r *run) beginVigil(ctx context.Context, req *LookRequest) {
	if !r.keepsVigil() || r.recorded != nil || r.DryRun != DryRunNone {
		return
	}
	r.vigil = keepVigil(ctx, r.Kube, r.Namespace)
	c := newCopier(filepath.Join(r.result.Folder, readCopiesDir))
	r.vigil.copied = c
	req.Visit = func(ctx context.Context, v *volume.Volume, fsys fs.FS) error {
		if v.PV == nil || !v.HoldsMetadata() {
			return nil
		}
		return c.copyVolume(ctx, v.PV.Name, fsys)
	}
}

// endVigil forgets what was seen, and what was copied while it was read and is not needed, also by a run that died.
func (r *run) endVigil() error {
	r.vigil.end()
	r.vigil = nil
	if r.result.Folder == "" {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(r.result.Folder, readCopiesDir)); err != nil {
		return fmt.Errorf("remove copies that are not needed: %w", err)
	}
	return nil
}

// stillAsRead judges the volumes once more as they were read, beside the objects as they are now. why is not empty
// where it is not certain that they are as they were read; they are to be read again then.
func (r *run) stillAsRead(ctx context.Context) (note, why string, err error) {
	req := r.rereadRequest()
	req.Known = map[string]*volume.Volume{}
	for i := range r.before.Volumes {
		v := &r.before.Volumes[i]
		if v.State != volume.Read || v.PV == nil {
			return "", fmt.Sprintf("%s was not read to the end", v.Name), nil
		}
		req.Known[v.PV.UID] = v
	}
	seen, err := r.judgeAgain(ctx, req)
	if err != nil {
		return "", "", err
	}
	if err := r.seeToTheEnd(ctx, seen.Volumes); err != nil {
		return "", "", err
	}
	if why := r.vigil.doubt(seen.Volumes); why != "" {
		return "", why, nil
	}
	for i := range seen.Volumes {
		switch v := &seen.Volumes[i]; {
		case req.Known[v.PV.UID] == nil:
			return "", fmt.Sprintf("%s was not among them", v.Name), nil
		case v.HoldsMetadata() && !r.vigil.copied.has(v.PV.Name):
			return "", fmt.Sprintf("the metadata of %s was not copied", v.Name), nil
		}
	}
	c := newCopier(newFolder(filepath.Join(r.result.Folder, copiesDir)))
	if err := c.take(r.vigil.copied, seen.Volumes); err != nil {
		return "", "", err
	}
	return fmt.Sprintf("nothing else had them since they were read, watched all along; %s", c.text()), "", nil
}

// The watch is a moment behind; one that is not by this time has ceased to be told anything.
const (
	lagTries = 40
	lagEvery = 50 * time.Millisecond
)

// seeToTheEnd waits until the vigil has seen the volumes as they are: a connection that is dead and not known to be
// would leave out what came last, and the run has just written to all of them. Watches share one connection.
func (r *run) seeToTheEnd(ctx context.Context, volumes []volume.Volume) error {
	list, err := r.Kube.List(ctx, kube.Volumes(), "", kube.ListOptions{})
	if err != nil {
		return fmt.Errorf("look at the volumes that were watched: %w", err)
	}
	now := map[string]string{}
	for i := range list.Items {
		now[list.Items[i].GetName()] = list.Items[i].GetResourceVersion()
	}
	for range lagTries {
		behind := r.vigil.behind(volumes, now)
		if behind == "" {
			return nil
		}
		if err := r.sleep(ctx, lagEvery); err != nil {
			return err
		}
	}
	r.vigil.miss("%s was not seen as it is", r.vigil.behind(volumes, now))
	return nil
}

// keepVigil returns once it sees: from here on nothing escapes it without its saying so.
func keepVigil(ctx context.Context, k *kube.Client, namespace string) *vigil {
	ctx, stop := context.WithCancel(ctx)
	v := &vigil{
		stop: stop, ties: map[string][]binding.Claim{}, versions: map[string]string{}, own: map[types.UID]bool{},
		writers: map[string]string{},
	}
	var begun sync.WaitGroup
	begun.Add(2) //nolint:mnd // the two that follow
	v.follow(ctx, k, kube.Volumes(), "", v.seeVolume, begun.Done)
	v.follow(ctx, k, kube.Pods(), namespace, v.seePod, begun.Done)
	begun.Wait()
	return v
}

// follow watches objects of one kind until the vigil ends. begun is called once, when all that are there were seen or
// when they cannot be.
func (v *vigil) follow(
	ctx context.Context, k *kube.Client, gvr schema.GroupVersionResource, namespace string,
	see func(*unstructured.Unstructured), begun func(),
) {
	once := sync.OnceFunc(begun)
	v.ended.Go(func() {
		defer once()
		err := k.FollowUnbroken(ctx, gvr, namespace, kube.ListOptions{}, func(e kube.Event) (bool, error) {
			switch {
			case e.Type == kube.Synced:
				once()
			case e.Object != nil:
				see(e.Object)
			}
			return false, nil
		})
		v.miss("watch %s: %v", gvr.Resource, err)
	})
}

func (v *vigil) miss(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.blind == "" {
		v.blind = fmt.Sprintf(format, args...)
	}
}

func (v *vigil) seeVolume(u *unstructured.Unstructured) {
	pv := volume.ParsePersistentVolume(u.Object)
	tie := binding.Claim{Namespace: pv.ClaimNamespace, Name: pv.ClaimName, UID: types.UID(pv.ClaimUID)}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.versions[pv.Name] = u.GetResourceVersion()
	if all := v.ties[pv.Name]; len(all) == 0 || all[len(all)-1] != tie {
		v.ties[pv.Name] = append(all, tie)
	}
}

// seePod notes the claims that a pod may write on. One that is read-only at the claim cannot be written through
// whatever its container says of the mount (VolumeMount.readOnly does not lift it).
func (v *vigil) seePod(u *unstructured.Unstructured) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, mounted := range object.Maps(u.Object, "spec", "volumes") {
		claim := object.Map(mounted, "persistentVolumeClaim")
		if claim != nil && !object.Bool(claim, "readOnly") {
			v.writers[object.String(claim, "claimName")] = u.GetName()
		}
	}
}

// made notes a claim that this run has made.
func (v *vigil) made(claim *unstructured.Unstructured) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.own[claim.GetUID()] = true
}

// behind names a volume that was not seen at its version.
func (v *vigil) behind(volumes []volume.Volume, now map[string]string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range volumes {
		if pv := volumes[i].PV; pv != nil && v.versions[pv.Name] != now[pv.Name] {
			return "pv/" + pv.Name
		}
	}
	return ""
}

// doubt says why something else than this run may have had one of the volumes, which are under their claims now; it is
// empty where nothing can have had any.
func (v *vigil) doubt(volumes []volume.Volume) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.blind != "" {
		return v.blind
	}
	for i := range volumes {
		if why := v.doubtOf(&volumes[i]); why != "" {
			return why
		}
	}
	return ""
}

func (v *vigil) doubtOf(on *volume.Volume) string {
	if on.PV == nil || on.Claim == nil {
		return on.Name + " has no volume that was watched"
	}
	now := binding.Claim{Namespace: on.Claim.Namespace, Name: on.Claim.Name, UID: types.UID(on.Claim.UID)}
	ties := v.ties[on.PV.Name]
	if len(ties) == 0 || ties[len(ties)-1] != now {
		return fmt.Sprintf("pv/%s was not seen to be tied to %s", on.PV.Name, on.Name)
	}
	for _, tie := range ties {
		own := v.own[tie.UID] || tie == now
		switch pod := v.writers[tie.Name]; {
		case own && pod != "":
			return fmt.Sprintf("pod/%s has pvc/%s so that it may write", pod, tie.Name)
		case !own && tie != ties[0]: // that is what it had before it was read, and has again when it is given back
			return fmt.Sprintf("pv/%s was tied to the claim %q meanwhile", on.PV.Name, tie.Namespace+"/"+tie.Name)
		}
	}
	if len(on.Claim.UsedBy) > 0 {
		return fmt.Sprintf("pod/%s uses %s", on.Claim.UsedBy[0].Name, on.Name)
	}
	return ""
}

// end stops watching. What was seen stays.
func (v *vigil) end() {
	if v == nil {
		return
	}
	v.stop()
	v.ended.Wait()
}
