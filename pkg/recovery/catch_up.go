package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/quorum"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// caughtUp judges from what is on the volumes of running pods whether nodes that are held back may join, and have
// joined.
type caughtUp struct {
	// voters and brokers are the nodes that start with their data, heldVoters and heldBrokers those that are held back.
	voters, brokers, heldVoters, heldBrokers []int32
	// epoch is the newest before the start, committed the offset that was proven to be committed then.
	epoch     int32
	committed int64
	// alone is in how many partitions a node that is held back was the only one that can be elected, as was accepted.
	alone map[int32]int
	// mark is the newest end that was seen at first: who is behind it does not have all that is known to be.
	mark *logdir.OffsetAndEpoch
}

// newestEpoch is the newest of the metadata logs.
func newestEpoch(volumes []volume.Volume) int32 {
	var newest int32
	for _, end := range ends(volumes) {
		newest = max(newest, end.Epoch)
	}
	return newest
}

// ends are where the metadata logs of nodes end.
func ends(volumes []volume.Volume) map[int32]logdir.OffsetAndEpoch {
	out := map[int32]logdir.OffsetAndEpoch{}
	for i := range volumes {
		if volumes[i].Contents == nil {
			continue
		}
		for _, c := range quorum.FromContents(volumes[i].Name, volumes[i].Contents) {
			if c.NodeID != nil && !c.Empty && c.End.Compare(out[*c.NodeID]) > 0 {
				out[*c.NodeID] = c.End
			}
		}
	}
	return out
}

// newestImage is what the newest metadata log says; nil where none was replayed.
func newestImage(volumes []volume.Volume) *volume.Image {
	var best *volume.Image
	for i := range volumes {
		if im := volumes[i].Image; im != nil && (best == nil || im.End.Compare(best.End) > 0) {
			best = im
		}
	}
	return best
}

// aloneOn counts the partitions of which none but a lost node can be elected, by the newest metadata.
func aloneOn(volumes []volume.Volume) map[int32]int {
	out := map[int32]int{}
	if im := newestImage(volumes); im != nil {
		for id, n := range im.Lost {
			out[id] = n.Alone
		}
	}
	return out
}

// AloneError says that a node that is held back has come to be the only one that can be elected of partitions: it must
// not join, for it would be elected with nothing in its log.
type AloneError struct {
	Node       int32
	Partitions int
	First      string
}

// Error says what can be done.
func (e *AloneError) Error() string {
	return fmt.Sprintf("nobody but node %d, which is lost, can be elected leader of %d partitions any more (%s): with "+
		"eligible leader replicas Kafka takes a broker that was not stopped cleanly out of them as it starts. What the "+
		"others hold is on their volumes. The node is held back still; have a replica that is left elected, with "+
		"kafka-leader-election.sh --election-type unclean, then go on", e.Node, e.Partitions, e.First)
}

// mayJoin refuses where a node that is held back is the only one that can be elected of more partitions than was
// accepted.
func (c *caughtUp) mayJoin(volumes []volume.Volume) error {
	im := newestImage(volumes)
	if im == nil {
		return nil // it is waited for
	}
	for _, id := range c.heldBrokers {
		if n := im.Lost[id]; n != nil && n.Alone > c.alone[id] {
			first := ""
			if len(n.Partitions) > 0 {
				first = n.Partitions[len(n.Partitions)-1].String()
			}
			return &AloneError{Node: id, Partitions: n.Alone, First: first}
		}
	}
	return nil
}

func (r *run) newCaughtUp(cluster *strimzi.Cluster) (*caughtUp, error) {
	voters, err := cluster.Voters()
	if err != nil {
		return nil, fmt.Errorf("tell the controllers: %w", err)
	}
	brokers, err := cluster.Brokers()
	if err != nil {
		return nil, fmt.Errorf("tell the brokers: %w", err)
	}
	c := &caughtUp{epoch: r.base.epoch, alone: r.base.alone}
	if p := r.base.predicted.Committed; p != nil && !p.Lifted {
		c.committed = p.Offset
	}
	held := r.base.heldNodes()
	c.voters, c.heldVoters = apart(voters, held)
	c.brokers, c.heldBrokers = apart(brokers, held)
	return c, nil
}

// apart tells those that are among others from the rest.
func apart(ids, others []int32) (rest, among []int32) {
	for _, id := range ids {
		if slices.Contains(others, id) {
			among = append(among, id)
		} else {
			rest = append(rest, id)
		}
	}
	return rest, among
}

// left says what is to come before nodes that are held back may join; it is empty where nothing is.
func (c *caughtUp) left(volumes []volume.Volume) string {
	if text := c.behind(volumes, c.voters); text != "" {
		return text
	}
	im := newestImage(volumes)
	if im == nil {
		return "what the newest metadata log says is not known yet"
	}
	for _, id := range c.brokers {
		switch {
		case !slices.Contains(im.Brokers, id):
			return fmt.Sprintf("broker %d is not registered", id)
		case slices.Contains(im.Fenced, id):
			return fmt.Sprintf("broker %d is still fenced", id)
		}
	}
	for _, id := range c.heldBrokers {
		lost := im.Lost[id]
		switch {
		case lost == nil:
			return fmt.Sprintf("where node %d is in sync is not known yet", id)
		case lost.InSync > 0:
			return fmt.Sprintf("%d of %d partitions still have node %d in sync", lost.InSync,
				max(lost.Replicas, lost.InSync), id)
		case slices.Contains(im.Brokers, id) && !slices.Contains(im.Fenced, id):
			return fmt.Sprintf("node %d is not fenced yet", id)
		}
	}
	return ""
}

// behind says which of the controllers does not have yet what was known at first, and that a leader was elected since
// the start.
func (c *caughtUp) behind(volumes []volume.Volume, voters []int32) string {
	all := ends(volumes)
	var newest logdir.OffsetAndEpoch
	for _, id := range c.voters {
		end, read := all[id]
		if !read {
			return fmt.Sprintf("the metadata log of controller %d was not read yet", id)
		}
		if end.Compare(newest) > 0 {
			newest = end
		}
	}
	switch {
	case newest.Epoch <= c.epoch:
		return "no controller was elected since the start"
	case newest.Offset < c.committed:
		return fmt.Sprintf("the newest controller is at offset %d, and everything up to offset %d was committed",
			newest.Offset, c.committed)
	case c.mark == nil:
		c.mark = &newest
	}
	for _, id := range voters {
		if end := all[id]; end.Epoch < newest.Epoch || end.Offset < c.mark.Offset {
			return fmt.Sprintf("controller %d is at offset %d of epoch %d, the newest at offset %d of epoch %d", id, end.Offset,
				end.Epoch, newest.Offset, newest.Epoch)
		}
	}
	return ""
}

// notJoined says what is to come before nodes that were held back take part; it is empty where nothing is.
func (c *caughtUp) notJoined(volumes []volume.Volume) string {
	if text := c.behind(volumes, slices.Concat(c.voters, c.heldVoters)); text != "" {
		return text
	}
	im := newestImage(volumes)
	if im == nil {
		return "what the newest metadata log says is not known yet"
	}
	for _, id := range c.heldBrokers {
		if !slices.Contains(im.Brokers, id) || slices.Contains(im.Fenced, id) {
			return fmt.Sprintf("broker %d is not registered again", id)
		}
	}
	return ""
}

// copying says in how many partitions brokers that have joined are not in sync yet.
func (c *caughtUp) copying(volumes []volume.Volume) string {
	im := newestImage(volumes)
	var parts []string
	for _, id := range c.heldBrokers {
		if im == nil || im.Lost[id] == nil {
			return fmt.Sprintf("where node %d is in sync is not known yet", id)
		}
		lost := im.Lost[id]
		if in := lost.InSync + lost.Alone; in < lost.Replicas {
			parts = append(parts, fmt.Sprintf("node %d is in sync of %d of %d partitions", id, in, lost.Replicas))
		}
	}
	return strings.Join(parts, "; ")
}

// catchUpEvery is how often the volumes of running pods are read: the metadata of a large cluster is more than objects.
const catchUpEvery = 3 * time.Second

// readRunning reads the volumes of running pods, inside them.
func (r *run) readRunning(ctx context.Context) ([]volume.Volume, error) {
	seen, err := r.Look(ctx, LookRequest{
		Namespace: r.Namespace, Name: r.Name, Depth: Running, Excluded: r.excluded, ClusterID: r.ClusterID, Lost: r.Lost,
	})
	if err != nil {
		return nil, fmt.Errorf("read the volumes of the running cluster: %w", err)
	}
	return without(seen.Volumes, r.excluded), nil
}

// stepCatchUp waits until the nodes that start with their data do without those that are held back.
func (r *run) stepCatchUp(ctx context.Context) (string, error) {
	if r.recorded.letsIn() { // they may be in sync again by now
		return "they had, before an earlier run began to let them in", nil
	}
	f := follower{run: r, held: r.base.heldPods(), deleted: map[types.UID]bool{}}
	err := r.waitWhile(ctx, StepCatchUp, patience{
		what: "the others to catch up", flag: "--timeout", bound: r.Timeout, every: catchUpEvery,
	}, func(ctx context.Context) (string, error) {
		volumes, left, err := f.look(ctx)
		if left != "" || err != nil {
			return left, err
		}
		if left = f.judge.left(volumes); left != "" {
			return left, nil
		}
		return "", f.judge.mayJoin(volumes)
	})
	if err != nil {
		return "", err
	}
	return "the others do without " + strings.Join(r.base.heldPods(), ", "), nil
}

// letsIn tells whether an earlier run has begun to let nodes in.
func (r *Recorded) letsIn() bool {
	return r != nil && slices.ContainsFunc(r.Entries, func(e Entry) bool {
		return e.Phase == PhaseIntent && e.Step == string(StepJoin)
	})
}

// follower looks at a cluster that starts, again and again: at its pods first, then into them.
type follower struct {
	*run

	// held are the pods that are not waited for.
	held    []string
	deleted map[types.UID]bool
	// judge is there from the first look on that saw every pod ready.
	judge *caughtUp
	// joined tells that the nodes that were held back had joined, and that no pod was seen not to be ready since.
	joined bool
}

// look reads the volumes of the running pods, or says what of the pods is not ready yet.
func (f *follower) look(ctx context.Context) (volumes []volume.Volume, left string, err error) {
	cluster, left, err := f.attendPods(ctx, f.deleted, f.held)
	if left != "" || err != nil {
		f.joined = false
		return nil, left, err
	}
	if f.judge == nil {
		if f.judge, err = f.newCaughtUp(cluster); err != nil {
			return nil, "", err
		}
	}
	volumes, err = f.readRunning(ctx)
	return volumes, "", err
}

// attendPods looks at the cluster while it starts, and says what of its pods is not ready yet, but for those held back.
func (r *run) attendPods(
	ctx context.Context, deleted map[types.UID]bool, held []string,
) (cluster *strimzi.Cluster, left string, err error) {
	if err := r.heed(ctx); err != nil {
		return nil, "", err
	}
	if len(r.heldFor) > 0 {
		return nil, "", &HeldBackError{Alarms: r.heldFor}
	}
	cluster, claims, err := r.attend(ctx, deleted)
	if err != nil {
		return nil, "", err
	}
	checks := []Check{r.base.checkClusterID(cluster), r.base.checkPools(cluster), r.base.checkClaims(claims)}
	if worstState(checks) == CheckFailed {
		r.result.Checks, r.result.Outcome = checks, OutcomeWrong
		return nil, "", fmt.Errorf("look at the cluster that starts: %w", failedChecks(checks))
	}
	if pods := checkPods(cluster, held); pods.State != CheckPassed {
		return cluster, pods.Detail, nil
	}
	return cluster, "", nil
}

// waitJoined waits until the nodes that were held back take part. That they copy everything can take for ever, and ends
// nothing: it is said.
func (r *run) waitJoined(ctx context.Context) (string, error) {
	f := follower{run: r, deleted: map[types.UID]bool{}}
	copying := ""
	err := r.waitWhile(ctx, StepJoin, patience{
		what: "the nodes that were held back to join", flag: "--timeout", bound: r.Timeout, every: catchUpEvery,
	}, func(ctx context.Context) (string, error) {
		volumes, left, err := f.look(ctx)
		if left != "" || err != nil {
			return left, err
		}
		if left = f.judge.notJoined(volumes); left != "" {
			return left, nil
		}
		f.joined, copying = true, f.judge.copying(volumes)
		return copying, nil
	})
	var late *kube.TimeoutError
	if f.joined && errors.As(err, &late) {
		r.result.Next = append(r.result.Next, copying+"; Kafka goes on copying")
		return "joined; " + copying, nil
	}
	if err != nil {
		return "", err
	}
	note := strings.Join(r.base.heldPods(), ", ") + " joined"
	if len(f.judge.heldBrokers) > 0 {
		note += ", in sync of all their partitions"
	}
	return note, nil
}
