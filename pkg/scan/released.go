package scan

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// returnTimeout bounds giving borrowed volumes back, which happens after an interrupt too.
const returnTimeout = time.Minute

// readReleased reads the volumes that no claim holds, through claims of a temporary name that borrow them. Each is
// given back to what it was tied to before this returns.
func (r *claimReader) readReleased(ctx context.Context) (err error) {
	if !r.opts.Released || len(r.cluster.Others) == 0 {
		return nil
	}
	r.cluster.Released = r.live.Lent(r.cluster)
	lender := r.opts.Lender
	if lender == nil {
		lender = binding.Plain{Kube: r.client}
	}
	loan, err := binding.Borrow(ctx, r.client, lender, binding.LoanRequest{
		Operation: r.opts.Operation, Namespace: r.cluster.Namespace, Volumes: r.cluster.Others,
		Timeout: r.opts.ScheduleTimeout, Labels: map[string]string{
			probe.LabelManagedBy: probe.ManagedBy, probe.LabelOperation: r.opts.Operation,
		},
	})
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnTimeout)
		defer cancel()
		if back := loan.Return(bounded); back != nil {
			err = errors.Join(err, &LeftBehindError{back})
		}
	}()
	if err != nil {
		return err
	}
	return r.readBorrowed(ctx, loan)
}

// readBorrowed reads what was lent. The borrowing claims are nobody's business but this function's: the volumes come
// out of it as they were, without a claim.
func (r *claimReader) readBorrowed(ctx context.Context, loan *binding.Loan) error {
	borrowed := *r
	borrowed.volumes, borrowed.only, borrowed.visits = map[string]*volume.Volume{}, nil, nil
	borrowed.opts.Observe = func(ev probe.Event) { // a person knows the volumes, and not what borrows them
		ev.Claims = slices.Clone(ev.Claims)
		for i, name := range ev.Claims {
			if v := borrowed.volumes[name]; v != nil {
				ev.Claims[i] = v.Name
			}
		}
		r.opts.Observe(ev)
	}
	borrowed.opts.Removal = nil // nothing is given back while a pod has it
	if r.opts.Removal != nil {
		if err := r.opts.Removal.Wait(ctx); err != nil {
			return err
		}
	}
	var claims []string
	for i := range r.cluster.Released {
		v := &r.cluster.Released[i]
		name, lent := loan.Claim(v.PV.Name)
		if !lent {
			v.State, v.Via = volume.Unread, string(Pod)
			v.Reason = "it could not be borrowed"
			if why := loan.Refused[v.PV.Name]; why != nil {
				v.Reason = logdir.EscapeText(why.Error())
			}
			continue
		}
		borrowed.volumes[name] = v
		claims = append(claims, name)
	}
	if len(claims) == 0 {
		return nil
	}
	err := borrowed.readInPods(ctx, claims)
	return errors.Join(append(borrowed.visits, err)...)
}

// Pick gathers what is there of one cluster, not read yet; where it has no Kafka resource, planned takes its place.
func (l *Live) Pick(name string, planned *strimzi.Cluster) *Cluster {
	c := l.pick(name)
	c.plan(l, planned)
	return c
}

// Lent are the volumes that no claim holds, to be read.
func (l *Live) Lent(c *Cluster) []volume.Volume {
	out := volume.FromReleased(c.Others, l.known)
	c.slots(out)
	return out
}

// plan puts the resources that are to be created in the place of those that are not there, with the operators that
// will see them.
func (c *Cluster) plan(live *Live, planned *strimzi.Cluster) {
	if planned == nil || c.Kafka != nil {
		return
	}
	k := *planned
	k.Pools = slices.Clone(planned.Pools)
	k.OperatorsKnown = live.OperatorsKnown
	for _, op := range live.Operators {
		if watches, known := op.Watches(c.Namespace, k.Kafka.Labels); watches || !known {
			k.Operators = append(k.Operators, op)
		}
	}
	k.Sort()
	c.Kafka, c.Planned, c.left = &k, true, live.left
	c.Others = append(c.Others, live.included...)
	c.Unnamed = live.unnamedLike(&k)
}

// unnamedLike are the names of the volumes that name no claim, were not included, and are of a storage class that the
// cluster's volumes have.
func (l *Live) unnamedLike(k *strimzi.Cluster) []string {
	classes := map[string]bool{}
	for i := range k.Pools {
		for _, v := range k.Pools[i].Storage.Volumes {
			classes[v.Class] = true
		}
	}
	var out []string
	for i := range l.Unnamed {
		pv := &l.Unnamed[i]
		included := slices.ContainsFunc(l.included, func(o volume.PersistentVolume) bool { return o.Name == pv.Name })
		if !included && (classes[pv.StorageClass] || classes[""]) { // none stands for the default one
			out = append(out, pv.Name)
		}
	}
	slices.Sort(out)
	return out
}

// Arrange judges the volumes that no claim holds as if they were bound to the claims they are for, and the pools as if
// they had the node IDs of their volumes, and of nodes that are named as lost. What has no place of its own stays as it
// is, and the rules say why.
func (c *Cluster) Arrange(excluded map[string]bool, lost []string) error {
	all := slices.Concat(c.Volumes, c.Released)
	placement.Recognize(c.Kafka, all)
	copy(c.Released, all[len(c.Volumes):])
	nodes := placement.Nodes(all)
	for i := range c.Kafka.Pools {
		p := &c.Kafka.Pools[i]
		if ids := nodes[p.Name]; len(ids) > 0 {
			p.Status.NodeIDs, p.Status.Roles = ids, p.Roles
		}
	}
	c.Kafka.KeepLost(lost, volume.KnownNodes(all))
	c.Vacate(lost)
	all = slices.Concat(c.Volumes, c.Released)
	result, err := placement.Of(c.Kafka, all, excluded)
	if err != nil {
		return err
	}
	c.Placements = result.Placements
	c.place(all)
	return nil
}

// place puts volumes that no claim holds under the claims that are planned for them.
func (c *Cluster) place(all []volume.Volume) {
	by := map[string]placement.Placement{}
	for _, p := range c.Placements {
		by[p.Volume] = p
	}
	c.Volumes = make([]volume.Volume, 0, len(all))
	for _, v := range all {
		if v.Claim == nil && v.PV != nil {
			if p, placed := by[v.PV.Name]; placed {
				v = p.As(v, c.Namespace)
			}
		}
		c.Volumes = append(c.Volumes, v)
	}
	volume.Sort(c.Volumes)
	c.Others = slices.DeleteFunc(slices.Clone(c.Others), func(pv volume.PersistentVolume) bool {
		_, placed := by[pv.Name]
		return placed // it is its claim's own now
	})
	c.Released = nil
}
