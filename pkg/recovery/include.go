package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// includeFlag names volumes that name no claim.
const includeFlag = "--include"

var errNoVolumeName = errors.New("it is no name of a PersistentVolume, as pv/NAME")

// ParseIncluded reads what names a PersistentVolume: pv/NAME, or the name alone.
func ParseIncluded(text string) (name string, err error) {
	name = strings.TrimPrefix(text, "pv/")
	if !objectNamed.MatchString(name) {
		return "", fmt.Errorf("%q: %w", text, errNoVolumeName)
	}
	return name, nil
}

// mayInclude refuses volumes that name no claim where the cluster is there: its operator has made claims of their
// names, or will. It refuses volumes that name one, too, or are going.
func (r *run) mayInclude() error {
	if len(r.Include) == 0 || r.recorded != nil {
		return nil
	}
	if r.before.Planned {
		for _, name := range r.Include {
			is := func(pv volume.PersistentVolume) bool { return pv.Name == name }
			if !slices.ContainsFunc(r.before.Others, is) {
				return &FlagError{Flag: includeFlag, Why: fmt.Sprintf("pv/%s names a claim of something else, is bound to one, or "+
					"is being deleted: leave it out", name)}
			}
		}
		return nil
	}
	return &FlagError{Flag: includeFlag, Why: fmt.Sprintf("%s is there: what is on a volume that names no claim says "+
		"where it belongs only among resources that are given with -f and not there yet. Have its claimRef name its claim "+
		"(`kubectl patch pv NAME --type merge -p '{\"spec\":{\"claimRef\":{\"namespace\":…,\"name\":…}}}'`), and see "+
		"what `kafkarecover scan --released` says of it", r.Named())}
}

// reserve ties volumes that name no claim to one that does not exist: until they have their own, nobody's claim takes
// them, and there is a tie that they are given back to when they were read. Without one, the volume controller would
// bind a volume to the claim that borrows it once more, as long as that is there (syncBoundClaim in pv_controller.go).
// Each is Retain by then: a volume whose claim is gone is deleted otherwise.
func (r *run) reserve(ctx context.Context) error {
	if len(r.Include) == 0 || !r.before.Planned {
		return nil
	}
	r.reserved = map[string]types.UID{}
	for i := range r.before.Others {
		pv := &r.before.Others[i]
		switch {
		case pv.ClaimName == volume.ReservedClaim: // by a run that died
			r.reserved[pv.Name] = types.UID(pv.ClaimUID)
			continue
		case pv.ClaimName != "":
			continue
		}
		uid, err := newUID(r.Random)
		if err != nil {
			return err
		}
		r.reserved[pv.Name] = uid
		err = r.atNewest(ctx, func(ctx context.Context) error { return r.reserveOne(ctx, pv, uid) })
		if err != nil {
			return fmt.Errorf("keep pv %q, which names no claim, for this run: %w", pv.Name, err)
		}
	}
	return nil
}

// newUID makes the UID of a claim that there never is. The API server's own are random too (RFC 9562, version 4).
func newUID(random io.Reader) (types.UID, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("make a UID: %w", err)
	}
	const version, variant = 0x40, 0x80
	b[6], b[8] = b[6]&0x0f|version, b[8]&0x3f|variant
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])), nil
}

// includeStep tells what was done to be able to read the volumes that name no claim.
func includeStep(in planInput) []Step {
	if len(in.included) == 0 {
		return nil
	}
	s := Step{
		ID: StepInclude, State: StepDone,
		Title: "keep " + wording.Count(len(in.included), "volume that names no claim", "volumes that name no claim") +
			" from every other claim",
		Expects: []string{"each is Retain, and still names no claim"},
		Check:   "the API server accepted exactly the version that was looked at",
		Undo:    "they name no claim again",
	}
	for _, name := range in.included {
		s.Does = append(s.Does, "patch pv/"+name+": a claimRef that names "+volume.ReservedClaim+", which there is not, "+
			"until the volume has its own claim")
	}
	return []Step{s}
}

func (r *run) reserveOne(ctx context.Context, pv *volume.PersistentVolume, uid types.UID) error {
	u, err := r.Kube.Get(ctx, kube.Volumes(), "", pv.Name)
	if err != nil {
		return err
	}
	now := volume.ParsePersistentVolume(u.Object)
	switch {
	case now.UID != pv.UID:
		return errReplacedVolume
	case now.ClaimUID == string(uid): // the answer to the write before was lost
		return nil
	case now.ClaimName != "" || now.Phase != volume.PhaseAvailable:
		return fmt.Errorf("it is %s by now, and names the claim %q", now.Phase, now.ClaimNamespace+"/"+now.ClaimName)
	case now.ReclaimPolicy != volume.PolicyRetain:
		return fmt.Errorf("its reclaim policy is %q, not Retain; `kafkarecover protect pv/%s` sets it", now.ReclaimPolicy,
			pv.Name)
	}
	to := binding.To(binding.Claim{Namespace: r.Namespace, Name: volume.ReservedClaim, UID: uid})
	return r.lender(StepInclude).Tie(ctx, u, to)
}

var errReplacedVolume = errors.New("it was replaced by another one since it was looked at")

// release frees the volumes that were reserved for a plan that was not confirmed, as what is lent is given back. What
// was confirmed once is for undo.
func (r *run) release(ctx context.Context) error {
	if r.confirmed {
		return nil
	}
	var errs []error
	for pv, uid := range r.reserved {
		err := r.atNewest(ctx, func(ctx context.Context) error {
			u, err := r.Kube.Get(ctx, kube.Volumes(), "", pv)
			if kube.IsNotFound(err) {
				return nil
			}
			if err != nil || volume.ParsePersistentVolume(u.Object).ClaimUID != string(uid) {
				return err
			}
			return r.lender(StepInclude).Tie(ctx, u, binding.Tie{})
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("free pv %q, which names no claim of its own: %w", pv, err))
		}
	}
	return errors.Join(errs...)
}

// shownUnnamed bounds the volumes that are named in one line.
const shownUnnamed = 100

// unnamed says which volumes may be missing because they name no claim: the documented procedure takes a volume's
// claimRef away, so that it is Available and says no more whose it is.
func (r *run) unnamed(seen *Observation) []string {
	if !seen.Planned || len(seen.Unnamed) == 0 {
		return nil
	}
	names := seen.Unnamed[:min(len(seen.Unnamed), shownUnnamed)]
	more := ""
	if n := len(seen.Unnamed) - len(names); n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return []string{fmt.Sprintf("%s no claim, as after a claimRef was taken away, and may be of %s: with %s pv/%s%s they "+
		"are read, and what is on them says where they belong", wording.Count(len(seen.Unnamed), "volume names",
		"volumes name"), r.Named(), includeFlag, strings.Join(names, " "+includeFlag+" pv/"), more)}
}

// misplaced says why included volumes have no place.
func misplaced(volumes []volume.Volume) []string {
	var out []string
	for i := range volumes {
		if v := &volumes[i]; v.Unnamed() && v.SlotProblem != "" {
			out = append(out, fmt.Sprintf("%s has no place: %s; once its claimRef names its claim, it goes by that", v.Name,
				v.SlotProblem))
		}
	}
	return out
}
