package recovery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// LogDirRef names a log directory at the root of a claim's volume.
type LogDirRef struct {
	Claim     string `json:"claim"`
	Directory string `json:"directory"`
}

// String returns the form of the command line.
func (r LogDirRef) String() string { return "pvc/" + r.Claim + ":" + r.Directory }

var errLogDirRef = errors.New("name it as pvc/CLAIM:DIRECTORY, such as pvc/data-0-my-cluster-broker-0:kafka-log7")

// ParseLogDirRef reads pvc/CLAIM:DIRECTORY.
func ParseLogDirRef(s string) (LogDirRef, error) {
	claim, dir, found := strings.Cut(strings.TrimPrefix(s, "pvc/"), ":")
	if !found || claim == "" || strings.Contains(claim, "/") || dir != path.Base(dir) || dir == "." || dir == ".." {
		return LogDirRef{}, fmt.Errorf("parse %q: %w", s, errLogDirRef)
	}
	return LogDirRef{Claim: claim, Directory: dir}, nil
}

// Aside is a log directory that is renamed: the name it gets, and what it was when that was decided.
type Aside struct {
	LogDirRef
	To string `json:"to"`
	// ClusterID and DirectoryID are what its meta.properties says.
	ClusterID   string `json:"clusterId"`
	DirectoryID string `json:"directoryId,omitempty"`
	// Digest is that of all its files, by name and content.
	Digest string `json:"digest"`
	// Pods had its claim when that was taken. Live tells that they are of the node that uses the directory: it may write
	// on in it until it is stopped.
	Pods []string `json:"pods,omitempty"`
	Live bool     `json:"live,omitempty"`
}

// asideName is what a directory is called from then on: no name that Kafka or the start script of Strimzi's image looks
// for (log.dirs and kafka-log<ID>), nor one that a scan takes for a log directory.
func asideName(operation, dir string) string { return asidePrefix + operation + "-" + dir }

const asidePrefix = "set-aside-"

// isAsideOf tells whether a name on a volume is one that a directory was given before.
func isAsideOf(name, dir string) bool {
	operation, found := strings.CutPrefix(strings.TrimSuffix(name, "-"+dir), asidePrefix)
	return found && strings.HasSuffix(name, "-"+dir) && ValidOperationID(operation)
}

// AsideError says why a directory that was named is not renamed. Nothing was changed beyond Retain.
type AsideError struct {
	LogDirRef
	Why string
}

// Error names the directory and the reason.
func (e *AsideError) Error() string { return fmt.Sprintf("set %s aside: %s", e.LogDirRef, e.Why) }

// leftOut are the directories that are judged as renamed, by volume, until they are.
func (r *run) leftOut() map[string][]string {
	if r.renamed || len(r.SetAside) == 0 {
		return nil
	}
	out := map[string][]string{}
	for _, ref := range r.SetAside {
		out["pvc/"+ref.Claim] = append(out["pvc/"+ref.Claim], ref.Directory)
	}
	return out
}

// visitAsides looks at what is to be renamed while its volume is read; it is called for several volumes at once.
func (r *run) visitAsides(_ context.Context, v *volume.Volume, fsys fs.FS) error {
	if r.renamed {
		return nil
	}
	for _, ref := range r.SetAside {
		if v.Claim == nil || v.Claim.Name != ref.Claim {
			continue
		}
		seen := lookAside(fsys, ref.Directory)
		r.asideMu.Lock()
		if r.asideSeen == nil {
			r.asideSeen = map[LogDirRef]asideLook{}
		}
		r.asideSeen[ref] = seen
		r.asideMu.Unlock()
	}
	return nil
}

// judgeAsides decides which of the named directories are renamed: all of them, or there is an error. What was observed
// is the world without them.
func (r *run) judgeAsides() error {
	if len(r.SetAside) == 0 {
		return nil
	}
	id, _, err := r.chooseID()
	if err != nil {
		return nil //nolint:nilerr // volumes that do not agree refuse by a rule of their own
	}
	r.asides = nil
	for _, ref := range r.SetAside {
		done, err := r.judgeAside(ref, id)
		if err != nil {
			return err
		}
		if done != nil {
			r.asides = append(r.asides, *done)
		}
	}
	return nil
}

// asidesLeft tells whether a directory that was named is not set aside yet. What is looked past is no finding, so that
// a cluster that runs beside it would seem to need nothing.
func (r *run) asidesLeft(volumes []volume.Volume) bool {
	return slices.ContainsFunc(r.SetAside, func(ref LogDirRef) bool {
		if r.asideSeen[ref].there {
			return true
		}
		return !slices.ContainsFunc(volumes, func(v volume.Volume) bool {
			return v.Claim != nil && v.Claim.Name == ref.Claim && v.Contents != nil && wasSetAside(&v, ref.Directory)
		})
	})
}

// wasSetAside tells whether a volume that was read has a directory that was given another name before.
func wasSetAside(v *volume.Volume, dir string) bool {
	return slices.ContainsFunc(v.Contents.Other, func(name string) bool { return isAsideOf(name, dir) })
}

func (r *run) judgeAside(ref LogDirRef, id string) (*Aside, error) {
	refused := func(format string, args ...any) (*Aside, error) {
		return nil, &AsideError{LogDirRef: ref, Why: fmt.Sprintf(format, args...)}
	}
	i := slices.IndexFunc(r.before.Volumes, func(v volume.Volume) bool {
		return v.Claim != nil && v.Claim.Name == ref.Claim
	})
	if i < 0 {
		return refused("there is no such claim of cluster %q", r.Name)
	}
	v := &r.before.Volumes[i]
	look, seen := r.asideSeen[ref]
	switch {
	case r.excluded[v.Name]:
		return refused("the claim is given up")
	case v.PV == nil:
		return refused("its volume may not be read, so that nobody knows whether its reclaim policy is Retain")
	case v.Slot == nil || v.Contents == nil || !seen:
		return refused("the volume was not read, or its claim says no node: %s%s", v.Reason, v.SlotProblem)
	case !look.there && wasSetAside(v, ref.Directory):
		r.Report.Warn(ref.String() + " was set aside before")
		return nil, nil //nolint:nilnil // nothing is left to be done
	case !look.there:
		return refused("there is no such directory on the volume")
	case look.err != nil:
		return refused("it could not be looked at: %v", look.err)
	case v.State != volume.Read:
		return refused("not all of the volume is known: %s", v.Reason)
	case slices.ContainsFunc(v.Contents.Dirs, isBare):
		return refused("the volume's root is a log directory too, and Kafka takes nothing in it that it does not know")
	}
	if why := look.why(id, r.before.Volumes); why != "" {
		return refused("%s", why)
	}
	out := &Aside{
		LogDirRef: ref, To: asideName(r.operation, ref.Directory), ClusterID: *look.dir.Meta.ClusterID,
		DirectoryID: look.dir.Meta.DirectoryID, Digest: look.digest,
	}
	for _, p := range v.Claim.UsedBy {
		out.Pods = append(out.Pods, p.Name)
	}
	out.Live = len(out.Pods) > 0 && ref.Directory == strimzi.LogDirName(v.Slot.NodeID)
	return out, nil
}

// why says why a directory must stay what it is; empty when it may be renamed.
func (l *asideLook) why(id string, volumes []volume.Volume) string {
	switch {
	case len(l.strange) > 0:
		return fmt.Sprintf("it holds %q, which neither formatting nor a first start writes", l.strange[0])
	case l.dir.Meta == nil || l.dir.Meta.ClusterID == nil:
		return "it says no cluster ID"
	case *l.dir.Meta.ClusterID == id:
		return fmt.Sprintf("it is of cluster %q, which is the one to be restored", id)
	case !finding.Fresh(&l.dir, id):
		return fmt.Sprintf("it is of cluster %q and holds something: whoever may need that decides, not this program",
			*l.dir.Meta.ClusterID)
	case !holdsDataOf(id, volumes):
		return fmt.Sprintf("no volume holds data of cluster %q, so that nothing says which of them is the right one", id)
	}
	return ""
}

// holdsDataOf tells whether anything but formatted directories says a cluster ID.
func holdsDataOf(id string, volumes []volume.Volume) bool {
	_, groups, _ := finding.AgreedClusterID(volumes)
	return slices.ContainsFunc(groups, func(g finding.Group) bool { return g.ID == id && len(g.Fresh) < len(g.Dirs) })
}

// formattedAnew are the log directories that starting will make, by claim and name, where that was accepted.
func formattedAnew(volumes []volume.Volume, accepted []finding.Finding) map[string]bool {
	out := map[string]bool{}
	for i := range volumes {
		v := &volumes[i]
		if v.Claim != nil && v.Slot != nil && slices.ContainsFunc(accepted, func(f finding.Finding) bool {
			return f.Rule == ruleWouldFormat && f.Subject == v.Name
		}) {
			out[v.Claim.Name+"/"+strimzi.LogDirName(v.Slot.NodeID)] = true
		}
	}
	return out
}

// ruleWouldFormat is the rule whose acceptance says that a node may start with an empty log directory.
const ruleWouldFormat = "would-be-formatted"
