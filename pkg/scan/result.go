package scan

import (
	"slices"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/termination"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Scan is what one look showed. It holds whole objects, so that tonight's file is enough to declare the volumes again
// another day.
type Scan struct {
	output.TypeMeta
	// Time is when the look began.
	Time time.Time `json:"time"`
	// Context and Server say which Kubernetes cluster was looked at, Dir which folder.
	Context string `json:"context,omitempty"`
	Server  string `json:"server,omitempty"`
	Dir     string `json:"dir,omitempty"`
	// ServerID is the UID of the namespace kube-system, which tells one Kubernetes cluster from another; empty where it
	// may not be read.
	ServerID string `json:"serverId,omitempty"`
	// Operation names the run in the labels of its temporary pods.
	Operation string    `json:"operation,omitempty"`
	Clusters  []Cluster `json:"clusters"`
	// Loose are the volumes and claims of the namespaces that Kubernetes may take away, or has let go already.
	Loose []Loose `json:"loose,omitempty"`
	// Unnamed are the volumes that no claim holds and that name none, of whatever they may be: as after somebody took a
	// claimRef away. They are looked for where released volumes are read, and where no claim of a cluster is there.
	Unnamed []string `json:"unnamedVolumes,omitempty"`
	// Going are the namespaces that are being deleted, with what keeps them.
	Going []termination.Namespace `json:"terminatingNamespaces,omitempty"`
	// OtherClaims counts the claims that were left out because they are no Kafka data; Left are names in a folder that
	// are no volume.
	OtherClaims int      `json:"otherClaims,omitempty"`
	Left        []string `json:"left,omitempty"`
	// Changes is what is different from an earlier scan, when one was named.
	Changes *Changes `json:"changes,omitempty"`

	// scope is what was asked for.
	scope Targets
}

// Cluster is one Kafka cluster as its objects and volumes show it.
type Cluster struct {
	Namespace string `json:"namespace,omitempty"`
	// Dir is the folder that was read instead of a namespace.
	Dir string `json:"dir,omitempty"`
	// Name is empty for volumes of no certain cluster.
	Name string `json:"name"`
	// ClusterID is what the volumes agree on, empty where they do not; Groups say which of them says what.
	ClusterID string          `json:"clusterId,omitempty"`
	Groups    []finding.Group `json:"clusterIds,omitempty"`
	// Kafka is nil where there is no Kafka resource of that name.
	Kafka *strimzi.Cluster `json:"kafka,omitempty"`
	// Set is the StatefulSet whose pods run Kafka, where that was asked for instead.
	Set *statefulset.Set `json:"statefulSet,omitempty"`
	// Volumes are those of the cluster's claims; Others those that name one of its claims and are not bound to it.
	Volumes []volume.Volume           `json:"volumes"`
	Others  []volume.PersistentVolume `json:"otherVolumes,omitempty"`
	// Unnamed are the names of volumes that name no claim and may be the cluster's, where that is planned.
	Unnamed []string `json:"-"`
	// Released are the volumes that no claim holds, read where that was asked for. Those that a plan binds to claims are
	// among Volumes instead, as they will be, and Placements say which goes where.
	Released   []volume.Volume       `json:"releasedVolumes,omitempty"`
	Placements []placement.Placement `json:"placements,omitempty"`
	// LetGo are the claims that go, and Displaced the volumes that lose theirs, where claims are to hold others.
	LetGo     []placement.LetGo   `json:"-"`
	Displaced []finding.Displaced `json:"-"`
	// Findings are all; Ignored counts those that --ignore left out of them.
	Findings []finding.Finding `json:"findings"`
	Ignored  int               `json:"ignored,omitempty"`
	// Deep is nil unless it was asked for.
	Deep *Deep `json:"deep,omitempty"`
	// Going is the namespace where it is being deleted.
	Going *termination.Namespace `json:"-"`
	// VolumesForbidden tells that PersistentVolumes may not be listed, so that reclaim policies were not checked.
	VolumesForbidden bool `json:"volumesForbidden,omitempty"`
	// Unlisted are kinds of objects that may not be listed.
	Unlisted []string `json:"unlisted,omitempty"`
	// Image is what the temporary pods ran; nil where there were none.
	Image *probe.ImageOffer `json:"image,omitempty"`
	// Changed is what admission would have made of temporary pods, so that none was created.
	Changed []string `json:"changedByAdmission,omitempty"`
	// Planned tells that Kafka is what is to be created, and not there yet.
	Planned bool `json:"planned,omitempty"`
	// left is what is there of the planned cluster all the same; nil where nothing was looked for.
	left *strimzi.Cluster
}

// Loose is a volume or claim that is let go or going.
type Loose struct {
	Namespace string `json:"namespace"`
	// Name is pv/NAME or pvc/NAME.
	Name string `json:"name"`
	// Claim is the claim that a volume was bound to.
	Claim string `json:"claim,omitempty"`
	// State is Released, Failed, Available, Lost, or Terminating.
	State         string `json:"state"`
	ReclaimPolicy string `json:"reclaimPolicy,omitempty"`
}

// judge applies the rules.
func (c *Cluster) judge(o Options) {
	var counted []volume.Volume
	for _, v := range c.judged() {
		if !o.Excluded[v.Name] {
			counted = append(counted, v)
		}
	}
	c.ClusterID, c.Groups, _ = finding.AgreedClusterID(counted)
	c.Findings = finding.Judge(finding.Input{
		Volumes: c.judged(), Others: c.Others, Cluster: c.Kafka, Set: c.Set, Excluded: o.Excluded, ClusterID: o.ClusterID,
		VolumesForbidden: c.VolumesForbidden, Displaced: c.Displaced, Lost: o.Lost,
	})
}

// judged are the volumes the rules judge: a volume that no claim holds counts where it was read, and where no claim of
// its name holds another one; that picture has a rule of its own.
func (c *Cluster) judged() []volume.Volume {
	held := map[string]bool{}
	for i := range c.Volumes {
		if c.Volumes[i].Claim != nil && c.Volumes[i].Claim.Phase == volume.PhaseBound {
			held[c.Volumes[i].Claim.Name] = true
		}
	}
	out := slices.Clone(c.Volumes)
	for i := range c.Released {
		if v := &c.Released[i]; !held[v.PV.ClaimName] {
			out = append(out, *v)
		}
	}
	return out
}

// looked are the volumes that were looked at: those of claims, then those that no claim holds.
func (c *Cluster) looked() []volume.Volume { return slices.Concat(c.Volumes, c.Released) }

// Ignore takes findings out of what is shown and counted. They still refuse a restore.
func (s *Scan) Ignore(ignores []finding.Lift) {
	for i := range s.Clusters {
		c := &s.Clusters[i]
		visible, ignored := finding.Visible(c.Findings, ignores)
		c.Findings, c.Ignored = visible, c.Ignored+ignored
	}
}

// Code is the exit code that the result asks for. A finding that says only that something could not be judged counts
// as what it is: an incomplete look.
func (s *Scan) Code(limit finding.Severity) exitcode.Code {
	code := exitcode.OK
	if len(s.Clusters) == 0 {
		code = exitcode.NotFound
	}
	if s.Changes.Any() {
		code = exitcode.Refused
	}
	for i := range s.Clusters {
		code = exitcode.Worst(code, s.Clusters[i].code(limit))
	}
	return code
}

func (c *Cluster) code(limit finding.Severity) exitcode.Code {
	switch {
	case len(c.Changed) > 0, c.Failing(limit) > 0:
		return exitcode.Refused
	case c.Incomplete():
		return exitcode.Incomplete
	}
	return exitcode.OK
}

// Failing counts what is at or above the limit of --fail-on: findings, and what a deep look found.
func (c *Cluster) Failing(limit finding.Severity) int {
	n := c.Deep.fails(limit)
	for _, f := range c.Findings {
		if fails(f, limit) {
			n++
		}
	}
	return n
}

// fails tells whether a finding counts for --fail-on.
func fails(f finding.Finding, limit finding.Severity) bool {
	return finding.Fails([]finding.Finding{f}, limit)
}

// Incomplete tells whether something was not seen that was looked for, or could not be judged after volumes were read.
func (c *Cluster) Incomplete() bool {
	return c.VolumesForbidden || len(c.Unlisted) > 0 || len(c.unread()) > 0 || c.leftUnread() ||
		c.wasRead() && slices.ContainsFunc(c.Findings, func(f finding.Finding) bool {
			return f.Unevaluated && f.Severity.AtLeast(finding.Error)
		})
}

// leftUnread tells whether there are volumes that no claim holds and that nobody looked into.
func (c *Cluster) leftUnread() bool {
	return c.Kafka == nil && len(c.Others) > 0 && (c.Set == nil || len(c.Released) == 0)
}

// wasRead tells whether reading volumes was asked for.
func (c *Cluster) wasRead() bool {
	return slices.ContainsFunc(c.looked(), func(v volume.Volume) bool { return v.State != volume.Skipped })
}

// Unread counts the volumes that were not read to the end.
func (c *Cluster) Unread() int { return len(c.unread()) }

// unread are the volumes that were not read to the end, in order.
func (c *Cluster) unread() []*volume.Volume {
	var out []*volume.Volume
	for _, v := range c.looked() {
		if v.State == volume.Unread || v.State == volume.Incomplete {
			out = append(out, &v)
		}
	}
	return out
}

// Title names the cluster for people.
func (c *Cluster) Title() string {
	title := "kafka/" + c.Name
	if c.Set != nil {
		title = c.Set.Ref()
	}
	if c.Name == "" {
		title = "volumes of no certain cluster"
	}
	switch {
	case c.Namespace != "":
		title += " in namespace " + c.Namespace
	case c.Dir != "":
		title += " in folder " + c.Dir
	}
	return title
}
