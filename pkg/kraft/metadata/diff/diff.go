// Package diff tells what changed between two images of a cluster's metadata, object by object: topics, partitions,
// brokers, configurations, users, ACLs. It compares meanings, not bytes; what is equal in both is not mentioned.
package diff

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// Kind is what happened to an object.
type Kind string

// The kinds of change.
const (
	Added   Kind = "added"
	Removed Kind = "removed"
	Changed Kind = "changed"
)

// Change is one object that differs.
type Change struct {
	Kind Kind `json:"kind"`
	// Object is TYPE/NAME: topic/orders, partition/orders-3, config/TOPIC:orders/retention.ms, broker/2, …
	Object string  `json:"object"`
	Fields []Field `json:"fields,omitempty"`
}

// Field is one property that differs; From is empty for an object added, To for one removed.
type Field struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

const redacted = "(redacted)"

// object is what is compared of one object: its fields in order. A secret field compares by its value and shows
// redacted.
type object []property

type property struct {
	name, value string
	secret      bool
}

func (p property) shown() string {
	if p.secret {
		return redacted
	}
	return p.value
}

// Images compares two images. Secrets are compared and, unless showSecrets is set, not shown. The changes are sorted by
// object.
func Images(from, to *metadata.Image, showSecrets bool) []Change {
	d := differ{secrets: showSecrets}
	d.objects(collect(from, !showSecrets), collect(to, !showSecrets))
	d.topics(from, to)
	slices.SortStableFunc(d.changes, func(a, b Change) int { return natural(a.Object, b.Object) })
	return d.changes
}

// natural orders objects by type and name, partitions by their numbers.
func natural(a, b string) int {
	i, j := strings.LastIndexByte(a, '-'), strings.LastIndexByte(b, '-')
	if i > 0 && j > 0 && a[:i] == b[:j] && strings.HasPrefix(a, "partition/") {
		x, errX := strconv.Atoi(a[i+1:])
		y, errY := strconv.Atoi(b[j+1:])
		if errX == nil && errY == nil {
			return cmp.Compare(x, y)
		}
	}
	return strings.Compare(a, b)
}

type differ struct {
	secrets bool
	changes []Change
}

func (d *differ) objects(from, to map[string]object) {
	for name, a := range from {
		b, ok := to[name]
		if !ok {
			d.changes = append(d.changes, one(Removed, name, a))
			continue
		}
		if fields := compare(a, b); len(fields) > 0 {
			d.changes = append(d.changes, Change{Changed, name, fields})
		}
	}
	for name, b := range to {
		if _, ok := from[name]; !ok {
			d.changes = append(d.changes, one(Added, name, b))
		}
	}
}

func one(kind Kind, name string, o object) Change {
	c := Change{Kind: kind, Object: name}
	for _, p := range o {
		f := Field{Name: p.name, To: p.shown()}
		if kind == Removed {
			f.From, f.To = f.To, ""
		}
		c.Fields = append(c.Fields, f)
	}
	return c
}

// compare lists the fields that differ; both objects are of one type and have the same fields.
func compare(a, b object) []Field {
	var out []Field
	for i := range a {
		if a[i].value != b[i].value {
			out = append(out, Field{a[i].name, a[i].shown(), b[i].shown()})
		}
	}
	return out
}

// topics compares topics and their partitions without building a map of all partitions.
func (d *differ) topics(from, to *metadata.Image) {
	for _, a := range from.Topics() {
		b := to.Topic(a.Name)
		switch {
		case b == nil:
			d.changes = append(d.changes, one(Removed, "topic/"+a.Name, topicObject(a)))
		case b.ID != a.ID:
			d.changes = append(d.changes, Change{Changed, "topic/" + a.Name, compare(topicObject(a), topicObject(b))})
		default:
			d.partitions(a, b)
		}
	}
	for _, b := range to.Topics() {
		if from.Topic(b.Name) == nil {
			d.changes = append(d.changes, one(Added, "topic/"+b.Name, topicObject(b)))
		}
	}
}

func topicObject(t *metadata.Topic) object {
	return object{
		{name: "id", value: t.ID.String()}, {name: "partitions", value: strconv.Itoa(t.PartitionCount())},
	}
}

func (d *differ) partitions(a, b *metadata.Topic) {
	for p := range a.Partitions() {
		name := "partition/" + a.Name + "-" + strconv.Itoa(int(p.ID))
		q, ok := b.Partition(p.ID)
		if !ok {
			d.changes = append(d.changes, one(Removed, name, partitionObject(&p)))
			continue
		}
		if fields := compare(partitionObject(&p), partitionObject(&q)); len(fields) > 0 {
			d.changes = append(d.changes, Change{Changed, name, fields})
		}
	}
	for id := range b.PartitionIDs() {
		if _, ok := a.Partition(id); !ok {
			p, _ := b.Partition(id)
			d.changes = append(d.changes,
				one(Added, "partition/"+a.Name+"-"+strconv.Itoa(int(id)), partitionObject(&p)))
		}
	}
}

func partitionObject(p *metadata.Partition) object {
	return object{
		{name: "leader", value: strconv.Itoa(int(p.Leader))},
		{name: "leaderEpoch", value: strconv.Itoa(int(p.LeaderEpoch))},
		{name: "partitionEpoch", value: strconv.Itoa(int(p.PartitionEpoch))},
		{name: "replicas", value: fmt.Sprint(p.Replicas)},
		{name: "isr", value: fmt.Sprint(p.ISR)},
		{name: "directories", value: fmt.Sprint(p.Directories)},
		{name: "addingReplicas", value: fmt.Sprint(p.AddingReplicas)},
		{name: "removingReplicas", value: fmt.Sprint(p.RemovingReplicas)},
		{name: "elr", value: fmt.Sprint(p.ELR)},
		{name: "lastKnownElr", value: fmt.Sprint(p.LastKnownELR)},
		{name: "recovering", value: strconv.FormatBool(p.Recovering)},
	}
}

// collect lists every object but topics and partitions.
func collect(im *metadata.Image, hide bool) map[string]object {
	out := map[string]object{}
	for name, level := range im.Features() {
		out["feature/"+name] = object{{name: "level", value: strconv.Itoa(int(level))}}
	}
	for _, b := range im.Brokers() {
		out["broker/"+strconv.Itoa(int(b.ID))] = brokerObject(b)
	}
	for _, c := range im.Controllers() {
		out["controller/"+strconv.Itoa(int(c.ID))] = object{
			{name: "incarnationId", value: c.IncarnationID.String()}, {name: "endPoints", value: anyOrder(c.EndPoints)},
			{name: "features", value: anyOrder(c.Features)},
		}
	}
	for _, r := range im.ConfigResources() {
		for name, value := range im.Config(r) {
			out["config/"+metadata.ConfigResourceName(r.Type)+":"+r.Name+"/"+name] = object{
				{name: "value", value: value, secret: hide && metadata.SensitiveConfig(r.Type, name)},
			}
		}
	}
	for _, q := range im.Quotas() {
		for key, value := range q.Values {
			out["quota/"+q.EntityText()+"/"+key] = object{
				{name: "value", value: string(metadata.AppendJavaDouble(nil, value))},
			}
		}
	}
	identities(im, hide, out)
	if voters := im.Voters(); voters != nil {
		out["quorum/voters"] = object{{name: "voters", value: fmt.Sprint(voters.Voters)}}
	}
	out["quorum/kraft.version"] = object{{name: "level", value: strconv.Itoa(int(im.KRaftVersion()))}}
	out["producerIds/next"] = object{{name: "nextProducerId", value: strconv.FormatInt(im.NextProducerID(), 10)}}
	return out
}

func brokerObject(b *metadata.Broker) object {
	rack := ""
	if b.Rack != nil {
		rack = *b.Rack
	}
	return object{
		{name: "epoch", value: strconv.FormatInt(b.Epoch, 10)},
		{name: "incarnationId", value: b.IncarnationID.String()},
		{name: "fenced", value: strconv.FormatBool(b.Fenced)},
		{name: "inControlledShutdown", value: strconv.FormatBool(b.InControlledShutdown)},
		{name: "rack", value: rack},
		{name: "endPoints", value: anyOrder(b.EndPoints)},
		{name: "features", value: anyOrder(b.Features)},
		{name: "logDirs", value: fmt.Sprint(b.LogDirs)},
		{name: "cordonedLogDirs", value: fmt.Sprint(b.CordonedLogDirs)},
	}
}

// anyOrder shows a list whose order means nothing: Kafka keeps listeners and features in maps, so that a snapshot may
// hold them in another order than the record that registered them (BrokerRegistration, ControllerRegistration).
func anyOrder[T any](list []T) string {
	texts := make([]string, len(list))
	for i, one := range list {
		texts[i] = fmt.Sprint(one)
	}
	slices.Sort(texts)
	return fmt.Sprint(texts)
}

// identities lists users, tokens and ACLs.
func identities(im *metadata.Image, hide bool, out map[string]object) {
	for _, key := range im.Users() {
		c := im.Scram(key)
		credential := bytes.Join([][]byte{c.Salt, c.StoredKey, c.ServerKey}, []byte{':'})
		out["user/"+key.User+"/"+metadata.MechanismName(key.Mechanism)] = object{
			{name: "iterations", value: strconv.Itoa(int(c.Iterations))},
			{name: "credential", value: fmt.Sprintf("%x", credential), secret: hide},
		}
	}
	for _, t := range im.DelegationTokens() {
		out["token/"+t.TokenID] = object{
			{name: "owner", value: t.Owner}, {name: "requester", value: t.Requester},
			{name: "renewers", value: fmt.Sprint(t.Renewers)},
			{name: "expirationTimestamp", value: strconv.FormatInt(t.ExpirationTimestamp, 10)},
		}
	}
	for _, a := range im.ACLs() {
		out["acl/"+a.ID.String()] = object{
			{name: "resourceType", value: metadata.ACLResourceName(a.ResourceType)},
			{name: "resourceName", value: a.ResourceName}, {name: "patternType", value: metadata.PatternName(a.PatternType)},
			{name: "principal", value: a.Principal}, {name: "host", value: a.Host},
			{name: "operation", value: metadata.OperationName(a.Operation)},
			{name: "permissionType", value: metadata.PermissionName(a.PermissionType)},
		}
	}
}
