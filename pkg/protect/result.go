package protect

import (
	"fmt"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// State is what became of a volume.
type State string

// The states of a volume, as far as the API server shows them; nobody looked at the disk.
const (
	Safe        State = "safe"        // Retain was read back, and nothing was deleting the volume before
	InFlight    State = "in flight"   // something is or was deleting it: the disk has to be looked for
	Gone        State = "gone"        // there is no such volume any more
	Unprotected State = "unprotected" // Retain could not be set; Reason says why
)

// Hold is an object that is being deleted, and what keeps it there.
type Hold struct {
	// Object is pv/NAME or pvc/NAME.
	Object     string   `json:"object"`
	Finalizers []string `json:"finalizers,omitempty"`
}

// Volume is one volume and what became of it.
type Volume struct {
	Name   string `json:"name"`
	UID    string `json:"uid,omitempty"`
	State  State  `json:"state"`
	Reason string `json:"reason,omitempty"`
	// Claim is NAMESPACE/NAME of the claim the volume names.
	Claim string `json:"claim,omitempty"`
	Phase string `json:"phase,omitempty"`
	// PolicyBefore is the reclaim policy before the tool ever set Retain, Policy the one read last.
	PolicyBefore string   `json:"policyBefore,omitempty"`
	Policy       string   `json:"policy,omitempty"`
	Driver       string   `json:"driver,omitempty"`
	Handle       string   `json:"handle,omitempty"`
	Zone         string   `json:"zone,omitempty"`
	Nodes        []string `json:"nodes,omitempty"`
	Capacity     string   `json:"capacity,omitempty"`
	// Held are the volume or claim where it is being deleted.
	Held []Hold `json:"held,omitempty"`
	// Note says what is not certain about the volume being in scope.
	Note string `json:"note,omitempty"`
}

// Result is what protecting volumes returns.
type Result struct {
	output.TypeMeta
	Operation string      `json:"operation"`
	Started   time.Time   `json:"started"`
	Origin    kube.Origin `json:"origin"`
	// Folder holds what was saved; empty when it could not be made.
	Folder    string   `json:"folder,omitempty"`
	Namespace string   `json:"namespace,omitempty"`
	Cluster   string   `json:"cluster,omitempty"`
	Volumes   []Volume `json:"volumes"`
	Saved     []Saved  `json:"saved,omitempty"`
	// NotVisible are the kinds that may not be listed, and so were not saved.
	NotVisible []string `json:"notVisible,omitempty"`
	// Problems are what else went wrong.
	Problems []string `json:"problems,omitempty"`

	// blind tells that volumes in scope may be missing, failed that something could not be saved.
	blind, failed bool
}

// Code is the exit code of the result (safety contract, line 11).
func (r *Result) Code() exitcode.Code {
	code := exitcode.OK
	for i := range r.Volumes {
		if r.Volumes[i].State != Safe {
			code = exitcode.Worst(code, exitcode.Incomplete)
		}
	}
	if r.blind {
		code = exitcode.Worst(code, exitcode.Incomplete)
	}
	if r.failed {
		code = exitcode.Worst(code, exitcode.Error)
	}
	if len(r.Volumes) == 0 || r.onlyMissing() {
		code = exitcode.Worst(code, exitcode.NotFound)
		if code == exitcode.Incomplete && !r.blind {
			code = exitcode.NotFound // every volume named does not exist: there was nothing to protect
		}
	}
	return code
}

// onlyMissing tells whether all volumes are names that nothing was seen of.
func (r *Result) onlyMissing() bool {
	for i := range r.Volumes {
		if r.Volumes[i].State != Gone || r.Volumes[i].UID != "" || r.Volumes[i].Claim != "" {
			return false
		}
	}
	return true
}

// Err says what the exit code is for; nil when every volume is safe.
func (r *Result) Err() error {
	code := r.Code()
	var parts []string
	for i := range r.Volumes {
		if v := &r.Volumes[i]; v.State != Safe {
			parts = append(parts, fmt.Sprintf("pv/%s is %s: %s", v.Name, v.State, v.Reason))
		}
	}
	if len(r.Volumes) == 0 {
		parts = append(parts, "no volume of "+r.scope()+" was found")
	}
	if r.blind {
		parts = append(parts, "there may be more volumes, which may not be listed")
	}
	if r.failed {
		parts = append(parts, r.Problems...)
	}
	if code == exitcode.OK {
		return nil
	}
	return exitcode.With(code, fmt.Errorf("protect %s:\n%s", r.scope(), strings.Join(parts, "\n")))
}

func (r *Result) scope() string {
	switch {
	case r.Cluster != "":
		return fmt.Sprintf("kafka %q", r.Namespace+"/"+r.Cluster)
	case r.Namespace != "":
		return fmt.Sprintf("namespace %q", r.Namespace)
	default:
		return "the volumes named"
	}
}

// Names implements output.Namer.
func (r *Result) Names() []string {
	out := make([]string, len(r.Volumes))
	for i := range r.Volumes {
		out[i] = "pv/" + r.Volumes[i].Name
	}
	return out
}

// Table implements output.Tabler.
func (r *Result) Table(wide bool) output.Document {
	columns := []string{"VOLUME", "_CLAIM", "STATE", "POLICY", "_PHASE", "_HANDLE", "_ZONE"}
	if wide {
		columns = append(columns, "DRIVER", "NODES", "CAPACITY", "UID")
	}
	t := &output.Table{Columns: output.Columns(append(columns, "~_NOTE")...)}
	for i := range r.Volumes {
		t.Rows = append(t.Rows, r.Volumes[i].row(wide))
	}
	return output.Document{{Table: t}, {Lines: r.summary()}}
}

func (v *Volume) row(wide bool) []output.Cell {
	style := map[State]iostreams.Style{
		Safe: iostreams.Good, InFlight: iostreams.Bad, Gone: iostreams.Worst, Unprotected: iostreams.Worst,
	}[v.State]
	row := output.Row(v.Name, v.Claim, output.Styled(style, string(v.State)), v.policies(), v.Phase, v.Handle, v.Zone)
	if wide {
		row = append(row, output.Row(v.Driver, strings.Join(v.Nodes, ","), v.Capacity, v.UID)...)
	}
	return append(row, output.Row(v.notes())...)
}

func (v *Volume) policies() string {
	if v.PolicyBefore == "" || v.PolicyBefore == v.Policy {
		return v.Policy
	}
	return v.PolicyBefore + " → " + v.Policy
}

// notes is everything there is to say of a volume in a few words.
func (v *Volume) notes() string {
	var parts []string
	for _, s := range []string{v.Reason, v.Note} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	for _, h := range v.Held {
		by := "nothing"
		if len(h.Finalizers) > 0 {
			by = strings.Join(h.Finalizers, ", ")
		}
		parts = append(parts, fmt.Sprintf("%s is being deleted, held by %s", h.Object, by))
	}
	return strings.Join(parts, "; ")
}

func (r *Result) summary() []output.Line {
	count := map[State]int{}
	for i := range r.Volumes {
		count[r.Volumes[i].State]++
	}
	text := fmt.Sprintf("%s: %d safe", wording.Count(len(r.Volumes), "volume", "volumes"), count[Safe])
	for _, s := range []State{InFlight, Gone, Unprotected} {
		if count[s] > 0 {
			text += fmt.Sprintf(", %d %s", count[s], s)
		}
	}
	lines := []output.Line{output.Text(text)}
	if len(r.Saved) > 0 {
		var files []string
		for _, s := range r.Saved {
			files = append(files, fmt.Sprintf("%s (%d)", s.File, s.Count))
		}
		lines = append(lines, output.Text("saved in ", r.Folder, ": ", strings.Join(files, ", ")))
	}
	for _, s := range r.NotVisible {
		lines = append(lines, output.Text("not saved, because it may not be seen: ", s))
	}
	if !r.failed { // else they are the error
		for _, s := range r.Problems {
			lines = append(lines, output.Text(s))
		}
	}
	return lines
}

// described fills in what is known of a volume.
func described(c chosen) Volume {
	v := Volume{Name: c.name, State: Unprotected, Reason: "not done yet", Note: c.note}
	if c.claim != nil {
		v.Claim = c.claim.Namespace + "/" + c.claim.Name
	}
	if c.pv != nil {
		v.fill(c.pv)
		v.PolicyBefore = c.pv.ReclaimPolicy
		if noted := policyNoted(c.pv); noted != "" && c.pv.ReclaimPolicy == volume.PolicyRetain {
			v.PolicyBefore = noted
		}
	}
	v.Held = held(c.pv, c.claim)
	return v
}

func (v *Volume) fill(pv *volume.PersistentVolume) {
	v.UID, v.Phase, v.Policy = pv.UID, pv.Phase, pv.ReclaimPolicy
	v.Driver, v.Handle, v.Zone, v.Nodes, v.Capacity = pv.Driver, pv.Handle, pv.Zone, pv.Nodes, pv.Capacity
	if pv.ClaimName != "" {
		v.Claim = pv.ClaimNamespace + "/" + pv.ClaimName
	}
}

// held lists which of the two is being deleted. The finalizers are only told: taking one away would be the end of what
// it holds.
func held(pv *volume.PersistentVolume, claim *volume.Claim) []Hold {
	var out []Hold
	if pv != nil && pv.Terminating {
		out = append(out, Hold{Object: "pv/" + pv.Name, Finalizers: pv.Finalizers})
	}
	if claim != nil && claim.Terminating {
		out = append(out, Hold{Object: "pvc/" + claim.Name, Finalizers: claim.Finalizers})
	}
	return out
}
