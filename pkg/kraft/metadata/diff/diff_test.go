package diff_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/diff"
)

// image replays messages, each at the version that has all its fields.
func image(t *testing.T, messages ...metadata.Message) *metadata.Image {
	t.Helper()
	im := metadata.NewImage()
	for i, m := range messages {
		version := int16(0)
		switch m.(type) {
		case *metadata.PartitionRecord, *metadata.PartitionChangeRecord:
			version = 2
		case *metadata.RegisterBrokerRecord:
			version = 3
		}
		rec := metadata.Record{Frame: 1, Version: version, Message: m}
		value, err := rec.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := im.Apply(value, metadata.Position{Offset: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	return im
}

func id(n byte) metadata.UUID { return metadata.UUID{0: n, 15: n} }

func ptr[T any](v T) *T { return &v }

func topic(name string, n byte) metadata.Message {
	return &metadata.TopicRecord{Name: name, TopicID: id(n)}
}

func partition(n byte, p, leader int32) metadata.Message {
	return &metadata.PartitionRecord{
		TopicID: id(n), PartitionID: p, Replicas: []int32{1, 2}, ISR: []int32{1, 2}, Leader: leader,
		Directories: []metadata.UUID{id(8), id(9)},
	}
}

func config(name, value string) metadata.Message {
	return &metadata.ConfigRecord{ResourceType: metadata.ConfigTopic, ResourceName: "orders", Name: name, Value: ptr(value)}
}

func changes(list []diff.Change) string {
	var b strings.Builder
	for _, c := range list {
		b.WriteString(string(c.Kind) + " " + c.Object)
		for _, f := range c.Fields {
			b.WriteString(" " + f.Name + "=" + f.From + ">" + f.To)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestChangesAreToldByObject(t *testing.T) {
	t.Parallel()
	scram := func(key byte) metadata.Message {
		return &metadata.UserScramCredentialRecord{
			Name: "alice", Mechanism: 1, Salt: []byte{1}, StoredKey: []byte{key}, ServerKey: []byte{3}, Iterations: 4096,
		}
	}
	broker := func(rack *string) metadata.Message {
		return &metadata.RegisterBrokerRecord{
			BrokerID: 2, Rack: rack, BrokerEpoch: 5, EndPoints: []metadata.BrokerEndpoint{{Name: "PLAIN", Host: "h", Port: 1}},
		}
	}
	before := image(t,
		topic("orders", 1), partition(1, 0, 1), partition(1, 2, 1), partition(1, 10, 1), topic("gone", 2), topic("again", 3),
		config("retention.ms", "1"), config("cleanup.policy", "compact"), scram(2), broker(nil),
		&metadata.FeatureLevelRecord{Name: "metadata.version", FeatureLevel: 21},
		&metadata.ProducerIdsRecord{NextProducerID: 1000},
	)
	after := image(t,
		topic("orders", 1), partition(1, 0, 2), partition(1, 2, 2), partition(1, 3, 1), topic("again", 4), topic("new", 5),
		config("retention.ms", "2"), scram(9), broker(ptr("a")),
		&metadata.FeatureLevelRecord{Name: "metadata.version", FeatureLevel: 25},
		&metadata.RegisterControllerRecord{ControllerID: 7, IncarnationID: id(6)},
		&metadata.AccessControlEntryRecord{ID: id(7), ResourceType: 2, ResourceName: "o", PatternType: 3, Principal: "User:a", Host: "*", Operation: 3, PermissionType: 3},
		&metadata.ClientQuotaRecord{Entity: []metadata.EntityData{{EntityType: "user", EntityName: ptr("a")}}, Key: "producer_byte_rate", Value: 1024},
		&metadata.DelegationTokenRecord{TokenID: "tok", Owner: "User:a", Requester: "User:b", ExpirationTimestamp: 9},
		&metadata.ProducerIdsRecord{NextProducerID: 2000},
	)
	got := changes(diff.Images(before, after, false))
	for _, want := range []string{
		"changed partition/orders-0 leader=1>2\n", "changed partition/orders-2 leader=1>2\n",
		"removed partition/orders-10 leader=1>", "added partition/orders-3 leader=>1 ",
		"removed topic/gone id=" + id(2).String() + "> partitions=0>\n",
		"changed topic/again id=" + id(3).String() + ">" + id(4).String() + "\n",
		"added topic/new id=>" + id(5).String(),
		"changed config/TOPIC:orders/retention.ms value=1>2\n", "removed config/TOPIC:orders/cleanup.policy value=compact>\n",
		"changed user/alice/SCRAM-SHA-256 credential=(redacted)>(redacted)\n", "changed broker/2 rack=>a\n",
		"changed feature/metadata.version level=21>25\n", "added controller/7 incarnationId=>" + id(6).String(),
		"added acl/" + id(7).String() + " resourceType=>TOPIC resourceName=>o patternType=>LITERAL principal=>User:a",
		"added quota/", "added token/tok owner=>User:a requester=>User:b", "changed producerIds/next nextProducerId=1000>2000\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if a, b := strings.Index(got, "orders-2 "), strings.Index(got, "orders-10 "); a > b {
		t.Error("partitions are not sorted by their numbers")
	}
	shown := changes(diff.Images(before, after, true))
	if !strings.Contains(shown, "changed user/alice/SCRAM-SHA-256 credential=013a023a03>013a093a03\n") {
		t.Errorf("secrets asked for are not shown:\n%s", shown)
	}
	if same := diff.Images(before, before, false); len(same) != 0 {
		t.Errorf("an image differs from itself: %s", changes(same))
	}
	if n := strings.Count(changes(diff.Images(after, before, false)), "\n"); n != strings.Count(got, "\n") {
		t.Errorf("%d changes one way, %d the other", strings.Count(got, "\n"), n)
	}
}

func TestVotersAreCompared(t *testing.T) {
	t.Parallel()
	with := func(ids ...int32) *metadata.Image {
		im := metadata.NewImage()
		var voters []metadata.Voter
		for _, id := range ids {
			voters = append(voters, metadata.Voter{VoterID: id})
		}
		value := metadata.AppendControlValue(nil, &metadata.VotersRecord{Voters: voters})
		if err := im.ApplyControl([]byte{0, 0, 0, 6}, value, metadata.Position{}); err != nil {
			t.Fatal(err)
		}
		return im
	}
	got := diff.Images(with(1, 2), with(1, 2, 3), false)
	if len(got) != 1 || got[0].Object != "quorum/voters" || got[0].Kind != diff.Changed {
		t.Errorf("%+v", got)
	}
	if d := cmp.Diff([]diff.Change(nil), diff.Images(with(1), with(1), false)); d != "" {
		t.Error(d)
	}
}
