// Package manifest writes the Strimzi resources of a cluster of which only volumes are left: what the metadata, the
// names on the volumes and, where known, the claims say. What none of them says is a TODO in its place, in the file and
// in the list beside it, and never a guess. It is pure: it is given what was read, and returns objects.
package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Input is what manifests are made of.
type Input struct {
	// Version is the API version to write: strimzi.V1 or strimzi.V1beta2.
	Version string
	// Image is the newest copy of the cluster's metadata.
	Image *metadata.Image
	// Volumes are those that were read, Contents set.
	Volumes []volume.Volume
	// Voters are those of the metadata log, from whatever copy names them.
	Voters []int32
	// Claims are what is known of claims, of the volumes read and of others.
	Claims []KnownClaim
	// KafkaVersion is the version of Kafka where a resource says it; empty where nothing does.
	KafkaVersion string
}

// KnownClaim is what a claim, or a volume that is left of one, says of itself.
type KnownClaim struct {
	Name   string
	Labels map[string]string
	Size   string
	Class  string
	// Capacity tells that Size is a volume's capacity, because the claim is gone.
	Capacity bool
}

// Todo is the value of what a person has to fill in. The API server refuses it where a field has fixed values, the
// operators do elsewhere, so that nothing comes up half configured.
const Todo = "TODO"

// Item is something that was not written, or not for certain.
type Item struct {
	// ID says what it is, the same for all of a kind.
	ID string `json:"id"`
	// Object is KIND/NAME of the manifest it belongs to; empty for what no manifest holds.
	Object string `json:"object,omitempty"`
	// Field is the field's place in it; empty for the whole.
	Field string `json:"field,omitempty"`
	// Text says what is not known, what is, and what to do.
	Text string `json:"text"`
	// Fill tells that TODO stands in the field: it has to be filled in before the manifest can be used.
	Fill bool `json:"fill,omitempty"`
}

// Object is one manifest.
type Object struct {
	Kind   string         `json:"kind"`
	Name   string         `json:"name"`
	Object map[string]any `json:"object"`
}

// Ref names the object as Item.Object does.
func (o *Object) Ref() string { return o.Kind + "/" + o.Name }

// Set is the manifests of one cluster.
type Set struct {
	Cluster   string
	Namespace string
	// Objects are the Kafka resource, the pools, the topics and the users, each by name.
	Objects []Object
	// Todos are what a person has to fill in or decide, Notes what is to be known.
	Todos, Notes []Item
	// InternalTopics are left out: Kafka makes them and nobody manages them.
	InternalTopics []string
}

// ErrNoStrimzi tells that nothing names a Strimzi cluster and a pool of it.
var ErrNoStrimzi = errors.New("neither a registered host name nor a claim's name is of the form Strimzi gives them")

// Build makes the manifests. The error wraps ErrNoStrimzi where the volumes are of no Strimzi cluster.
func Build(in Input) (*Set, error) {
	b := &builder{Input: in, set: &Set{}}
	if err := b.survey(); err != nil {
		return nil, err
	}
	b.kafka()
	for _, p := range b.pools {
		b.pool(p)
	}
	b.topics()
	b.users()
	slices.SortStableFunc(b.set.Objects, func(x, y Object) int {
		return cmp.Or(cmp.Compare(kindOrder(x.Ref()), kindOrder(y.Ref())), strings.Compare(x.Name, y.Name))
	})
	slices.SortStableFunc(b.set.Todos, byPlace)
	slices.SortStableFunc(b.set.Notes, byPlace)
	return b.set, nil
}

// byPlace sorts what belongs to one object together, in the order objects are written; the rest comes last.
func byPlace(x, y Item) int { return cmp.Compare(kindOrder(x.Object), kindOrder(y.Object)) }

func kindOrder(ref string) int {
	for i, kind := range []string{strimzi.KafkaKind, strimzi.NodePoolKind, strimzi.TopicKind, strimzi.UserKind} {
		if len(ref) > len(kind) && ref[:len(kind)+1] == kind+"/" {
			return i
		}
	}
	return 4
}

// builder holds what is found out on the way.
type builder struct {
	Input
	set   *Set
	nodes map[int32]*node
	pools []*pool
}

// add puts an object among the results.
func (b *builder) add(kind, name string, object map[string]any) {
	b.set.Objects = append(b.set.Objects, Object{Kind: kind, Name: name, Object: object})
}

func (b *builder) todo(id, object, field, format string, args ...any) {
	b.set.Todos = append(b.set.Todos, Item{ID: id, Object: object, Field: field, Text: fmt.Sprintf(format, args...)})
}

// fill is todo for a field in which Todo stands.
func (b *builder) fill(id, object, field, format string, args ...any) {
	b.todo(id, object, field, format, args...)
	b.set.Todos[len(b.set.Todos)-1].Fill = true
}

func (b *builder) note(id, object, format string, args ...any) {
	b.set.Notes = append(b.set.Notes, Item{ID: id, Object: object, Text: fmt.Sprintf(format, args...)})
}

func ref(kind, name string) string { return kind + "/" + name }

// KnownClaims lists what claims say of themselves, and where a claim is gone what the one volume left of it does.
func KnownClaims(volumes []volume.Volume, others []volume.PersistentVolume) []KnownClaim {
	var out []KnownClaim
	has := map[string]int{}
	for i := range volumes {
		if c := volumes[i].Claim; c != nil {
			has[c.Name]++
			out = append(out, KnownClaim{
				Name: c.Name, Labels: c.Labels, Class: c.StorageClass,
				Size: object.String(c.Object, "spec", "resources", "requests", "storage"),
			})
		}
	}
	for i := range others {
		has[others[i].ClaimName]++
	}
	for i := range others {
		if pv := &others[i]; pv.ClaimName != "" && has[pv.ClaimName] == 1 {
			out = append(out, KnownClaim{Name: pv.ClaimName, Class: pv.StorageClass, Size: pv.Capacity, Capacity: true})
		}
	}
	return out
}
