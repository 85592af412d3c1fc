package scan

import (
	"context"
	"io/fs"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Via is how claims are read.
type Via string

// The ways. Auto reads claims in use inside the Kafka pods that use them and the others through temporary pods.
const (
	Auto    Via = "auto"
	Objects Via = "objects" // nothing is created and no volume is read
	Exec    Via = "exec"    // inside running Kafka pods only
	Pod     Via = "pod"     // through temporary pods only
)

// viaDir is how a folder is read.
const viaDir = "dir"

// Visit is called with every volume that was read, while its files can still be opened. It may be called for several
// volumes at once, and for one volume again when it had to be read again.
type Visit func(ctx context.Context, v *volume.Volume, fsys fs.FS) error

// Options say how to look. The zero value reads in every way there is, except that temporary pods need an Operation.
type Options struct {
	// Via is Auto when empty.
	Via Via
	// Image is what temporary pods run. Where it is empty one is found in the cluster; a public one is never taken.
	Image string
	// Identity replaces what the pods of the cluster run as.
	Identity *probe.Identity
	// Operation names the run in the labels of temporary pods; see probe.NewOperation.
	Operation string
	// Parallel bounds temporary pods, and volumes of a folder, at a time; 0 is the default of each.
	Parallel int
	// ScheduleTimeout and ReadTimeout are those of probe.Request; 0 is its default.
	ScheduleTimeout, ReadTimeout time.Duration
	// TempDir is where large files are spooled; empty is the system's.
	TempDir string

	// Deep holds the metadata logs of all volumes against each other and against the partitions. Logs of claims are
	// copied to TempDir for it.
	Deep bool

	// Released reads the volumes that no claim holds too, through claims of a temporary name that borrow them. They must
	// be Retain. Lender makes the writes of that; nil makes them without a journal.
	Released bool
	Lender   binding.Writer
	// Planned are resources that are not there yet: where there is no Kafka resource, the rules judge as if these were
	// created, and the volumes bound to the claims they will ask for.
	Planned *strimzi.Cluster

	// Include are PersistentVolumes that name no claim, by name: what is on them says where among Planned they belong.
	Include []string

	// Rebind judges the cluster as it will be once its claims hold the volumes with its data; the latter must be read, so
	// it goes with Released.
	Rebind bool

	// Set is a StatefulSet's manifest, taken where there is no such StatefulSet; Configs are the data of ConfigMaps beside
	// it, by name. Place judges the volumes that no claim holds as they will be once claims hold them.
	Set     *statefulset.Set
	Configs map[string]map[string]string
	Place   bool

	// Excluded are volumes given up, by name; ClusterID is the ID a person named. The rules judge with both.
	Excluded  map[string]bool
	ClusterID string

	// Lost name nodes and claims that are lost for good, as strimzi.ParseLost reads them: their claims are not looked for,
	// and the rules judge the cluster as it is until the others have caught up.
	Lost []string

	// Held are operators, as NAMESPACE/NAME, that count as being there although they are at zero replicas.
	Held []string

	// SetAside are log directories that are left out of what volumes hold, by the volume's name: what is judged is the
	// cluster as it will be once they have another name.
	SetAside map[string][]string

	// Known are volumes as an earlier look read them, by the UID of the PersistentVolume: what claims hold of them is
	// judged as it was read then, and not read. Who gives them answers for that nothing was written since.
	Known map[string]*volume.Volume

	// Observe is told what happens to pods and claims, OnImage what temporary pods will run, before there is one.
	Observe func(probe.Event)
	OnImage func(probe.ImageOffer)
	// UnderWay is told that temporary pods are about to be made; what it returns is called once all of them are gone.
	UnderWay func(operation, namespace string) (gone func())
	// Removal takes over the wait for the end of temporary pods; nil has the look wait.
	Removal *Removal
	// Visit may be nil.
	Visit Visit
}

func (o Options) withDefaults() Options {
	if o.Via == "" {
		o.Via = Auto
	}
	if o.Observe == nil {
		o.Observe = func(probe.Event) {}
	}
	if o.OnImage == nil {
		o.OnImage = func(probe.ImageOffer) {}
	}
	if o.UnderWay == nil {
		o.UnderWay = func(string, string) func() { return func() {} }
	}
	return o
}
