package recovery_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// playedKafka plays what controllers write while a cluster starts without some of its nodes: a leader is elected, those
// that do not come are fenced, and partition by partition they are no longer in sync; those that come later are
// registered, and copy. Each look finds it one step further.
type playedKafka struct {
	lost   []int32 // of one pool
	claims []string

	mu           sync.Mutex
	without, now int // looks without the lost nodes, and since they are there
	// early are claims that had a volume, or could get one, while the others had not caught up.
	early []string
}

// What a look finds: in how many partitions a lost node is still, or again, in sync.
const (
	playedPartitions = 20
	playedOffset     = 1000
	playedEpoch      = 9
)

// play makes of volumes as they lie on this machine what running nodes have on them.
func (p *playedKafka) play(ctx context.Context, g *ground, volumes []volume.Volume) error {
	if p == nil {
		return fmt.Errorf("nobody is held back, and the volumes of running pods are read")
	}
	pods, err := g.typed.CoreV1().Pods(g.ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	ready := map[string]bool{}
	for i := range pods.Items {
		ready[pods.Items[i].Name] = slices.ContainsFunc(pods.Items[i].Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
	}
	im := p.image(ready)
	if im.Lost[p.lost[0]].InSync > 0 && p.now == 0 {
		if err := p.watch(ctx, g); err != nil {
			return err
		}
	}
	for i := range volumes {
		v := &volumes[i]
		if v.Slot == nil || !ready[podOf(v.Slot.NodeID)] {
			v.State, v.Contents, v.Image = volume.Unread, nil, nil
			continue
		}
		if v.Slot.VolumeID == nil || *v.Slot.VolumeID != 0 {
			continue
		}
		for j := range v.Contents.Dirs {
			v.Contents.Dirs[j].Metadata = &logdir.MetadataLog{End: im.End, EndKnown: true}
		}
		v.Image = im
	}
	return nil
}

// podOf is the pod of a node of the volumes that these tests have.
func podOf(id int32) string {
	if id < 3 {
		return strimzi.PodName(clusterName, "broker", id)
	}
	return strimzi.PodName(clusterName, "controller", id)
}

func (p *playedKafka) image(ready map[string]bool) *volume.Image {
	p.mu.Lock()
	defer p.mu.Unlock()
	there := true
	for _, id := range p.lost {
		there = there && ready[podOf(id)]
	}
	node := volume.LostNode{Replicas: playedPartitions}
	var fenced bool
	if !there {
		left := []int{12, 2, 0}
		node.InSync = left[min(p.without, len(left)-1)]
		fenced = p.without > 0
		p.without++
	} else {
		copied := []int{0, 0, 8, playedPartitions}
		node.InSync = copied[min(p.now, len(copied)-1)]
		fenced = p.now == 0
		p.now++
	}
	im := &volume.Image{
		End:     logdir.OffsetAndEpoch{Offset: playedOffset + int64(p.without+p.now), Epoch: playedEpoch},
		Brokers: []int32{0, 1, 2}, Lost: map[int32]*volume.LostNode{},
	}
	for _, id := range p.lost {
		im.Lost[id] = &node
		if fenced && id < 3 {
			im.Fenced = append(im.Fenced, id)
		}
	}
	return im
}

// watch looks whether the lost nodes' claims are held back.
func (p *playedKafka) watch(ctx context.Context, g *ground) error {
	for _, name := range p.claims {
		c, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		held := volume.Claim{Volume: c.Spec.VolumeName, Phase: string(c.Status.Phase)}
		if !held.HeldBack() {
			p.mu.Lock()
			p.early = append(p.early, fmt.Sprintf("%s: %s, volume %q", name, c.Status.Phase, c.Spec.VolumeName))
			p.mu.Unlock()
		}
	}
	return nil
}
