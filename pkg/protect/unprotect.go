package protect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Step is where taking Retain off one volume stands.
type Step string

// The steps of a volume's change.
const (
	Planned Step = "planned" // it will be set when it is confirmed
	Set     Step = "set"     // it was set and read back
	Kept    Step = "kept"    // nothing is to be done
	Refused Step = "refused" // Reason says what it would do, or what is not known
	Failed  Step = "failed"  // it was tried; Reason says what came of it
)

// Change is one volume and the reclaim policy it gets.
type Change struct {
	Name   string `json:"name"`
	UID    string `json:"uid,omitempty"`
	Claim  string `json:"claim,omitempty"`
	Phase  string `json:"phase,omitempty"`
	Policy string `json:"policy,omitempty"`
	// To is the policy asked for, or the one that the volume had before Retain.
	To     string `json:"to,omitempty"`
	Step   Step   `json:"step"`
	Reason string `json:"reason,omitempty"`
}

// Unprotection is what taking Retain off volumes returns: first as a plan, then as what was done.
type Unprotection struct {
	output.TypeMeta
	Operation string      `json:"operation"`
	Started   time.Time   `json:"started"`
	Origin    kube.Origin `json:"origin"`
	Folder    string      `json:"folder,omitempty"`
	Namespace string      `json:"namespace,omitempty"`
	Cluster   string      `json:"cluster,omitempty"`
	Volumes   []Change    `json:"volumes"`

	scope Scope
}

// Plan looks at every volume in scope and says what taking Retain off it would mean. to is the policy to set; empty
// means the one that each volume had before it was protected. Nothing is changed.
func Plan(ctx context.Context, d Deps, scope Scope, to string) (*Unprotection, error) {
	operation, err := d.operationName("unprotect")
	if err != nil {
		return nil, err
	}
	u := &Unprotection{
		TypeMeta: output.Meta("Unprotection"), Operation: operation, Started: d.Now().UTC(), Origin: d.Kube.Origin(),
		Cluster: scope.Cluster, Volumes: []Change{}, scope: scope,
	}
	if len(scope.Volumes) == 0 {
		u.Namespace = scope.Namespace
	}
	g := newGathering(d.Kube)
	w, err := g.find(ctx, scope)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(append(g.failed, g.blind)...); err != nil {
		err = fmt.Errorf("look at the volumes: %w", err)
		if kube.IsForbidden(err) {
			err = exitcode.With(exitcode.Incomplete, err)
		}
		return nil, err
	}
	recorded := records(d.StateDir)
	for _, c := range w.choose(scope) {
		u.Volumes = append(u.Volumes, plan(c, to, recorded))
	}
	return u, nil
}

func plan(c chosen, to string, recorded map[string]string) Change {
	ch := Change{Name: c.name, Step: Refused}
	if c.pv == nil {
		ch.Reason = "there is no such volume, or it may not be seen"
		return ch
	}
	ch.UID, ch.Phase, ch.Policy = c.pv.UID, c.pv.Phase, c.pv.ReclaimPolicy
	if c.pv.ClaimName != "" {
		ch.Claim = c.pv.ClaimNamespace + "/" + c.pv.ClaimName
	}
	if ch.To = to; to == "" {
		ch.To = before(c.pv, recorded)
	}
	switch reason := danger(c.pv, c.claim); {
	case ch.To != "" && ch.To == c.pv.ReclaimPolicy:
		ch.Step, ch.Reason = Kept, "that is its policy"
	case reason != "":
		ch.Reason = reason
	case c.note != "":
		ch.Reason = c.note + ": name the volume itself, as pv/" + c.name
	case ch.To == "":
		ch.Reason = "no run of protect recorded which policy it had; --to says which to set"
	default:
		ch.Step = Planned
	}
	return ch
}

// before is the policy a volume had before it was protected, by its own annotation, else by the newest record here.
func before(pv *volume.PersistentVolume, recorded map[string]string) string {
	if noted := policyNoted(pv); noted != "" {
		return noted
	}
	return recorded[pv.UID]
}

// danger says why another policy than Retain must not be set; empty when it may be. On a volume that no living claim
// holds it would have the disk deleted at once (safety contract, line 2).
func danger(pv *volume.PersistentVolume, claim *volume.Claim) string {
	const atOnce = "with any policy but Retain its disk would be deleted at once"
	v := volume.Volume{Claim: claim, PV: pv}
	switch {
	case pv.Terminating:
		return "the volume is being deleted: " + atOnce
	case pv.Phase != volume.PhaseBound:
		return fmt.Sprintf("the volume is %s, not Bound: %s", known(pv.Phase), atOnce)
	case claim == nil:
		return "the claim it is bound to is not there: " + atOnce
	case claim.Terminating:
		return "its claim is being deleted: with any policy but Retain its disk would be deleted with the claim"
	case !v.BoundBothWays():
		return "claim and volume do not name each other: nobody knows whose disk it is"
	case annotation(pv, OperationAnnotation) != "":
		return fmt.Sprintf("operation %q holds it", annotation(pv, OperationAnnotation))
	}
	return ""
}

func known(phase string) string {
	if phase == "" {
		return "in no phase"
	}
	return phase
}

// records are the policies that volumes had before they were protected, by UID, from the newest record of each.
func records(stateDir string) map[string]string {
	entries, _ := os.ReadDir(stateDir) // where there is no folder there are no records
	out := map[string]string{}
	for _, entry := range slices.Backward(entries) { // sorted by name, which begins with the time of the run
		if !strings.HasPrefix(entry.Name(), "protect-") {
			continue
		}
		var r Result
		b, err := os.ReadFile(filepath.Join(stateDir, entry.Name(), recordFile))
		if err != nil || json.Unmarshal(b, &r) != nil {
			continue // one record that is broken says nothing about the others
		}
		for i := range r.Volumes {
			v := &r.Volumes[i]
			if _, newer := out[v.UID]; !newer && v.UID != "" && v.PolicyBefore != "" {
				out[v.UID] = v.PolicyBefore
			}
		}
	}
	return out
}

// Count returns how many volumes are at a step.
func (u *Unprotection) Count(step Step) int {
	n := 0
	for i := range u.Volumes {
		if u.Volumes[i].Step == step {
			n++
		}
	}
	return n
}

// Apply sets what was planned, each volume looked at once more and only in the very version looked at. What was not
// planned is left alone. A record is written before the first change.
func (u *Unprotection) Apply(ctx context.Context, d Deps) (err error) {
	f, err := newFolder(d.StateDir, u.Operation)
	if err != nil {
		return err
	}
	u.Folder = f.path
	if err := f.record(u); err != nil {
		return errors.Join(err, f.close())
	}
	var group errgroup.Group
	group.SetLimit(requestsAtOnce)
	for i := range u.Volumes {
		ch := &u.Volumes[i]
		if ch.Step != Planned {
			continue
		}
		group.Go(func() error {
			if err := ch.apply(ctx, d.Kube); err != nil {
				ch.Step, ch.Reason = Failed, err.Error()
			}
			return nil
		})
	}
	_ = group.Wait() // every outcome is in its volume
	return errors.Join(ctx.Err(), f.record(u), f.close())
}

// apply sets one volume's policy. The version in the patch is the one the volume was found Bound in: a claim deleted
// since then has changed it.
func (ch *Change) apply(ctx context.Context, k *kube.Client) error {
	u, err := k.Get(ctx, kube.Volumes(), "", ch.Name)
	if err != nil {
		return err
	}
	pv := volume.ParsePersistentVolume(u.Object)
	if pv.UID != ch.UID {
		return fmt.Errorf("pv %q was replaced by another one since it was looked at", ch.Name)
	}
	c, err := k.Get(ctx, kube.Claims(), pv.ClaimNamespace, pv.ClaimName)
	if err != nil {
		return err
	}
	claim := volume.ParseClaim(c.Object)
	if reason := danger(&pv, &claim); reason != "" {
		return fmt.Errorf("set %s: %s", ch.To, reason)
	}
	err = patch(ctx, k, &pv, kube.Patch{
		Body: map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{PolicyAnnotation: nil}},
			"spec":     map[string]any{"persistentVolumeReclaimPolicy": ch.To},
		},
		ResourceVersion: object.String(u.Object, "metadata", "resourceVersion"),
	})
	if err != nil {
		return fmt.Errorf("set %s: %w", ch.To, err)
	}
	back, err := k.Get(ctx, kube.Volumes(), "", ch.Name)
	if err != nil {
		return fmt.Errorf("read the reclaim policy back: %w", err)
	}
	now := volume.ParsePersistentVolume(back.Object)
	if ch.Phase, ch.Policy = now.Phase, now.ReclaimPolicy; ch.Policy != ch.To {
		return fmt.Errorf("read the reclaim policy back: it is %q, somebody sets it again", ch.Policy)
	}
	ch.Step = Set
	return nil
}
