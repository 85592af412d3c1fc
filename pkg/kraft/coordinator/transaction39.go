package coordinator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// appendTransaction39 is TransactionLog.formatRecordKeyAndValue of Kafka 3.9.
func appendTransaction39(line []byte, d *Decoder, key, value []byte) ([]byte, error) {
	if typ := typeOf(key); d.keys[typ] == nil {
		return fmt.Appendf(line, " key: unknown::version=%d", typ), fmt.Errorf("%w: %d", errUnknownType, typ)
	}
	text, err := d.Key(key)
	if err != nil {
		return line, err
	}
	var k struct {
		Data struct{ TransactionalID string }
	}
	if err := json.Unmarshal(text, &k); err != nil {
		return line, fmt.Errorf("read the key of a transaction: %w", err)
	}
	line = append(append(line, " key: transaction_metadata::transactionalId="...), k.Data.TransactionalID...)
	if value == nil {
		return append(line, " payload: <DELETE>"...), nil
	}
	if text, err = d.Value(typeOf(key), value); err != nil {
		return line, err
	}
	var v struct{ Data transaction39 }
	if err := json.Unmarshal(text, &v); err != nil {
		return line, fmt.Errorf("read the value of a transaction: %w", err)
	}
	return v.Data.append(line), nil
}

type transaction39 struct {
	ProducerID            int64
	ProducerEpoch         int16
	TransactionStatus     int8
	TransactionPartitions []struct {
		Topic        string
		PartitionIDs []int32
	}
	TransactionLastUpdateTimestampMs int64
	TransactionTimeoutMs             int32
}

func (t *transaction39) append(line []byte) []byte {
	state := fmt.Sprint(t.TransactionStatus)
	names := []string{
		"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead",
		"PrepareEpochFence",
	}
	if n := int(t.TransactionStatus); n >= 0 && n < len(names) {
		state = names[n]
	}
	all := scalaSet{buckets: scalaBuckets, there: map[member]bool{}}
	if t.TransactionStatus != 0 {
		for _, p := range t.TransactionPartitions {
			all.add(p.Topic, p.PartitionIDs)
		}
	}
	line = fmt.Appendf(line, " payload: producerId:%d,producerEpoch:%d,state=%s,partitions=[%s],", t.ProducerID,
		t.ProducerEpoch, state, strings.Join(all.order(), ","))
	return fmt.Appendf(line, "txnLastUpdateTimestamp=%d,txnTimeoutMs=%d", t.TransactionLastUpdateTimestampMs,
		t.TransactionTimeoutMs)
}

// scalaSet has the order of Scala 2.13's mutable.HashSet of Kafka's TopicPartition: by bucket, in a bucket by hash.
type scalaSet struct {
	buckets int
	members []member
	there   map[member]bool
}

type member struct {
	text string
	hash uint32
}

const (
	// scalaBuckets is how many buckets a set begins with.
	scalaBuckets = 16
	// scalaSmall is the size up to which an immutable set is no hash table.
	scalaSmall = 4
)

// add is addAll of an immutable set: room is made for that set alone, and while it is copied only if it is small.
func (s *scalaSet) add(topic string, partitions []int32) {
	more := map[int32]bool{}
	for _, id := range partitions {
		more[id] = true
	}
	for want := (len(more) + 1) * 4 / 3; s.buckets < want; {
		s.buckets *= 2
	}
	for _, id := range partitions {
		one := member{fmt.Sprintf("%s-%d", topic, id), hashOf(topic, id)}
		if s.there[one] {
			continue
		}
		s.there[one] = true
		if len(more) <= scalaSmall && len(s.members)+1 >= s.buckets*3/4 {
			s.buckets *= 2
		}
		s.members = append(s.members, one)
	}
}

// hashOf is TopicPartition.hashCode, as Scala improves it.
func hashOf(topic string, partition int32) uint32 {
	var name uint32
	for _, c := range utf16.Encode([]rune(topic)) {
		name = 31*name + uint32(c)
	}
	hash := 31*(31+uint32(partition)) + name
	return hash ^ hash>>16
}

func (s *scalaSet) order() []string {
	slices.SortStableFunc(s.members, func(a, b member) int {
		mask := uint32(s.buckets - 1)
		if a.hash&mask != b.hash&mask {
			return int(a.hash&mask) - int(b.hash&mask)
		}
		return int(int64(int32(a.hash)) - int64(int32(b.hash)))
	})
	names := make([]string, len(s.members))
	for i, m := range s.members {
		names[i] = m.text
	}
	return names
}
