package scan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Look takes one look at a cluster: its objects, its volumes, and what the rules say of them. Cluster.Kafka is nil
// where there is no Kafka resource of that name. A Cluster that comes with an error was not looked at to the end.
func Look(ctx context.Context, client *kube.Client, namespace, name string, opts Options) (*Cluster, error) {
	opts = opts.withDefaults()
	live, err := CollectNamed(ctx, client, namespace, Named{
		Cluster: name, Planned: opts.Planned, Held: opts.Held, Include: opts.Include,
	})
	if err != nil {
		return nil, err
	}
	c := live.Pick(name, opts.Planned)
	err = readCluster(ctx, claimReader{client: client, opts: opts, live: live, cluster: c})
	return c, err
}

// readCluster reads the claims of a cluster and judges what was read.
func readCluster(ctx context.Context, r claimReader) (err error) {
	defer func() { r.cluster.judge(r.opts) }()
	if !r.opts.Deep || r.opts.Via == Objects {
		return r.readAndPlace(ctx)
	}
	deep, err := newDeepReader(r.opts.TempDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, deep.close()) }()
	r.opts.Visit = deep.visiting(r.opts.Visit)
	if err := r.readAndPlace(ctx); err != nil {
		return err
	}
	r.cluster.Deep, err = deep.judge()
	return err
}

// readAndPlace reads what claims hold, then what no claim holds, and puts the latter where it is to be.
func (r *claimReader) readAndPlace(ctx context.Context) error {
	rebind := r.opts.Rebind && r.opts.Released && r.cluster.Kafka != nil
	measured := heldReader{held: map[string]Held{}}
	if rebind || len(r.opts.Lost) > 0 {
		r.cluster.Others = r.cluster.wantedOthers()
	}
	if rebind {
		r.opts.Visit = measured.visiting(r.opts.Visit)
	}
	if err := r.read(ctx); err != nil {
		return err
	}
	if err := r.readReleased(ctx); err != nil {
		return err
	}
	switch {
	case r.cluster.Set != nil:
		r.cluster.ArrangeSet(r.opts)
	case rebind:
		return r.cluster.Rebind(r.opts.ClusterID, r.opts.Excluded, measured.held)
	case r.cluster.Planned && r.opts.Released:
		return r.cluster.Arrange(r.opts.Excluded, r.opts.Lost)
	case r.opts.Via != Objects && r.opts.Via != Exec: // a volume that a pod has just begun to write on is no empty one
		r.cluster.Vacate(r.opts.Lost)
	}
	return nil
}

// Targets say what of one or all namespaces to look at. Without clusters and claims it is every cluster found.
type Targets struct {
	Namespace string
	// All looks at every namespace.
	All bool
	// Clusters and Claims are names in Namespace.
	Clusters, Claims []string
}

// Kubernetes looks at clusters through the API server. A Scan that comes with an error holds what was seen until then.
func Kubernetes(ctx context.Context, client *kube.Client, t Targets, now time.Time, opts Options) (*Scan, error) {
	opts = opts.withDefaults()
	s, err := begin(ctx, client, t, now, opts)
	if err != nil {
		return nil, err
	}
	namespaces := []string{t.Namespace}
	if t.All {
		if namespaces, err = kafkaNamespaces(ctx, client); err != nil {
			return nil, err
		}
	}
	for _, ns := range namespaces {
		if err := s.namespace(ctx, client, ns, t, opts); err != nil {
			return s, err
		}
	}
	return s, nil
}

// begin says where and when a look is taken.
func begin(ctx context.Context, client *kube.Client, t Targets, now time.Time, opts Options) (*Scan, error) {
	origin := client.Origin()
	s := &Scan{
		TypeMeta: output.Meta("Scan"), Time: now.UTC(), Context: origin.Context, Server: origin.Server, Clusters: []Cluster{},
		scope: t,
	}
	var err error
	if s.ServerID, err = client.ServerID(ctx); err != nil {
		return nil, err
	}
	if opts.Via != Objects && opts.Via != Exec {
		s.Operation = opts.Operation
	}
	return s, nil
}

func (s *Scan) namespace(ctx context.Context, client *kube.Client, ns string, t Targets, opts Options) error {
	wanted := Named{Claims: t.Claims}
	if len(t.Clusters) > 0 {
		wanted.Cluster = t.Clusters[0]
	}
	live, err := CollectNamed(ctx, client, ns, wanted)
	if err != nil {
		return err
	}
	s.OtherClaims += live.OtherClaims
	s.Loose = append(s.Loose, live.loose()...)
	if live.Going != nil {
		s.Going = append(s.Going, *live.Going)
	}
	if opts.Released || len(live.Volumes) == 0 && !t.All {
		s.Unnamed = live.unnamed() // they are of no namespace, and the same in each
	}
	clusters, only, err := live.choose(t)
	if err != nil {
		return err
	}
	for _, c := range clusters {
		err := readCluster(ctx, claimReader{client: client, opts: opts, live: live, cluster: c, only: only})
		if only != nil {
			c.keep(only)
		}
		s.Clusters = append(s.Clusters, *c)
		if err != nil {
			return err
		}
	}
	return nil
}

// choose returns the clusters that targets name, and the claims to read where only some are.
func (l *Live) choose(t Targets) (clusters []*Cluster, only map[string]bool, err error) {
	names := t.Clusters
	if len(t.Clusters) == 0 && len(t.Claims) == 0 {
		names = l.names()
		if rest := l.uncertain(names); len(rest.Volumes) > 0 {
			defer func() { clusters = append(clusters, rest) }()
		}
	}
	for _, name := range names {
		if c := l.pick(name); c.Kafka != nil || len(c.Volumes) > 0 || len(c.Others) > 0 {
			clusters = append(clusters, c)
		}
	}
	if len(t.Claims) == 0 {
		return clusters, nil, nil
	}
	only = map[string]bool{}
	for _, claim := range t.Claims {
		c, err := l.clusterOf(claim)
		if err != nil {
			return nil, nil, err
		}
		only[claim] = true
		if !slices.ContainsFunc(clusters, func(o *Cluster) bool { return o.Name == c.Name }) {
			clusters = append(clusters, c)
		}
	}
	return clusters, only, nil
}

// clusterOf returns the cluster of a claim, the nameless one where that is not certain.
func (l *Live) clusterOf(claim string) (*Cluster, error) {
	i := slices.IndexFunc(l.Volumes, func(v volume.Volume) bool { return v.Claim.Name == claim })
	if i < 0 {
		return nil, &NoClaimError{Namespace: l.Namespace, Claim: claim}
	}
	if s := l.Volumes[i].Slot; s != nil && s.Cluster != "" {
		return l.pick(s.Cluster), nil
	}
	c := l.cluster("")
	c.Volumes = []volume.Volume{l.Volumes[i]}
	return c, nil
}

// keep leaves out the claims that were not named, and what was found of them. They took part in the judgement.
func (c *Cluster) keep(only map[string]bool) {
	dropped := map[string]bool{}
	c.Volumes = slices.DeleteFunc(c.Volumes, func(v volume.Volume) bool {
		drop := v.Claim != nil && !only[v.Claim.Name]
		dropped[v.Name] = drop
		return drop
	})
	c.Findings = slices.DeleteFunc(c.Findings, func(f finding.Finding) bool { return dropped[f.Subject] })
}

// NoClaimError says that a claim that was named does not exist.
type NoClaimError struct{ Namespace, Claim string }

// Error names the claim.
func (e *NoClaimError) Error() string {
	return fmt.Sprintf("claim %q does not exist in namespace %q", e.Claim, e.Namespace)
}

// names are the clusters of the namespace: those with a Kafka resource, and those of which only claims or volumes are
// left.
func (l *Live) names() []string {
	var names []string
	add := func(s *volume.Slot) {
		if s != nil && s.Cluster != "" {
			names = append(names, s.Cluster)
		}
	}
	for _, c := range l.Clusters {
		names = append(names, c.Kafka.Name)
	}
	for i := range l.Volumes {
		add(l.Volumes[i].Slot)
	}
	released := volume.FromReleased(l.Released, l.known)
	for i := range released {
		add(released[i].Slot)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (l *Live) cluster(name string) *Cluster {
	return &Cluster{
		Namespace: l.Namespace, Name: name, VolumesForbidden: l.VolumesForbidden, Unlisted: l.Unlisted,
		Volumes: []volume.Volume{}, Going: l.Going,
	}
}

// pick gathers what is there of one cluster. A claim whose name can be read in several ways is among the volumes of
// every cluster it may be of: the rules refuse it, nobody guesses.
func (l *Live) pick(name string) *Cluster {
	c := l.cluster(name)
	c.Kafka = l.Cluster(name)
	claims := map[string]bool{}
	for i := range l.Volumes {
		v := &l.Volumes[i]
		if belongs(v.Slot, v.Claim.Name, v.Claim.Labels, name) {
			c.Volumes = append(c.Volumes, *v)
			claims[v.Claim.Name] = true
		}
	}
	pvs := slices.Concat(l.Others, l.Released)
	slices.SortFunc(pvs, func(a, b volume.PersistentVolume) int { return strings.Compare(a.Name, b.Name) })
	pvs = slices.CompactFunc(pvs, func(a, b volume.PersistentVolume) bool { return a.Name == b.Name })
	for _, v := range volume.FromReleased(pvs, l.known) {
		if claims[v.PV.ClaimName] || belongs(v.Slot, v.PV.ClaimName, nil, name) {
			c.Others = append(c.Others, *v.PV)
		}
	}
	return c
}

// uncertain gathers the volumes that are of none of the named clusters.
func (l *Live) uncertain(names []string) *Cluster {
	c := l.cluster("")
	for i := range l.Volumes {
		v := &l.Volumes[i]
		if !slices.ContainsFunc(names, func(n string) bool { return belongs(v.Slot, v.Claim.Name, v.Claim.Labels, n) }) {
			c.Volumes = append(c.Volumes, *v)
		}
	}
	return c
}

// belongs tells whether a claim is, or may be, of a cluster.
func belongs(slot *volume.Slot, claim string, labels map[string]string, cluster string) bool {
	if slot != nil && slot.Cluster != "" {
		return slot.Cluster == cluster
	}
	if of := labels[strimzi.ClusterLabel]; of != "" {
		return of == cluster
	}
	readings := strimzi.ParseClaimName(claim)
	return slices.ContainsFunc(readings, func(n strimzi.ClaimName) bool { return n.Cluster == cluster })
}

// loose lists what Kubernetes has let go of, or is about to.
func (l *Live) loose() []Loose {
	var out []Loose
	for _, pv := range l.Released {
		state := pv.Phase
		if pv.Terminating {
			state = stateTerminating
		}
		out = append(out, Loose{
			Namespace: l.Namespace, Name: "pv/" + pv.Name, Claim: pv.ClaimName, State: state, ReclaimPolicy: pv.ReclaimPolicy,
		})
	}
	for i := range l.Volumes {
		v := &l.Volumes[i]
		switch {
		case v.Claim.Terminating:
			out = append(out, Loose{Namespace: l.Namespace, Name: v.Name, State: stateTerminating})
		case v.Claim.Phase == volume.PhaseLost:
			out = append(out, Loose{Namespace: l.Namespace, Name: v.Name, State: volume.PhaseLost})
		}
		if v.PV != nil && v.PV.Terminating {
			out = append(out, Loose{
				Namespace: l.Namespace, Name: "pv/" + v.PV.Name, Claim: v.Claim.Name, State: stateTerminating,
				ReclaimPolicy: v.PV.ReclaimPolicy,
			})
		}
	}
	return out
}

// unnamed are the names of all volumes that name no claim, sorted.
func (l *Live) unnamed() []string {
	var out []string
	for i := range l.Unnamed {
		out = append(out, l.Unnamed[i].Name)
	}
	slices.Sort(out)
	return out
}

const stateTerminating = "Terminating"

// kafkaNamespaces are the namespaces in which there may be something of a Kafka cluster.
func kafkaNamespaces(ctx context.Context, client *kube.Client) ([]string, error) {
	claims, err := client.List(ctx, kube.Claims(), "", kube.ListOptions{})
	if err != nil {
		return nil, err
	}
	var out []string
	for i := range claims.Items {
		if strimzi.MayBeKafkaClaim(claims.Items[i].GetName(), claims.Items[i].GetLabels()) {
			out = append(out, claims.Items[i].GetNamespace())
		}
	}
	version, err := servedVersion(ctx, client, strimzi.Group)
	if err != nil {
		return nil, err
	}
	if version != "" {
		kafkas, err := client.List(ctx, strimzi.KafkaGVR(version), "", kube.ListOptions{})
		if err != nil {
			return nil, err
		}
		for i := range kafkas.Items {
			out = append(out, kafkas.Items[i].GetNamespace())
		}
	}
	volumes, err := client.List(ctx, kube.Volumes(), "", kube.ListOptions{})
	if err != nil && !kube.IsForbidden(err) { // forbidden: each namespace's look says so
		return nil, err
	}
	if err == nil {
		for i := range volumes.Items {
			pv := volume.ParsePersistentVolume(volumes.Items[i].Object)
			if len(strimzi.ParseClaimName(pv.ClaimName)) > 0 {
				out = append(out, pv.ClaimNamespace)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
