package metadata

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Position says where a record lies.
type Position struct {
	Offset    int64 `json:"offset"`
	Epoch     int32 `json:"epoch"`
	Timestamp int64 `json:"timestamp"`
}

// maxOpenBytes bounds what is held back of a transaction that has not ended.
const maxOpenBytes = 512 << 20

type pendingRecord struct {
	value []byte
	at    Position
}

var (
	errNotReplayable = errors.New("record has no place in an image")
	errBrokerUnknown = errors.New("that broker is not registered")
	errLimit         = errors.New("limit exceeded")
)

// Apply adds one record value of the log, as Kafka's MetadataImage does. Records of a metadata transaction are held
// back until its EndTransactionRecord. An error means that Kafka would refuse the record; the image goes on without it.
func (im *Image) Apply(value []byte, at Position) error {
	if im.openAt == nil && im.topics.quick(value) {
		im.advance(at)
		return nil
	}
	rec := im.decoder.Decode(value)
	switch m := rec.Message.(type) {
	case *BeginTransactionRecord:
		return im.begin(m, at)
	case *EndTransactionRecord:
		return im.end(at)
	case *AbortTransactionRecord:
		return im.abort(at)
	}
	if im.openAt != nil {
		if im.openBytes += len(value); im.openBytes > maxOpenBytes {
			return fmt.Errorf("transaction begun at offset %d holds more than %d bytes: %w",
				im.openAt.Offset, maxOpenBytes, errLimit)
		}
		im.open = append(im.open, pendingRecord{slices.Clone(value), at})
		im.openAt.Records++
		return nil
	}
	im.advance(at)
	return im.apply(&rec, value, at)
}

func (im *Image) advance(at Position) {
	im.provenance = Provenance{LastOffset: at.Offset, LastEpoch: at.Epoch, LastTimestamp: at.Timestamp}
}

func (im *Image) begin(m *BeginTransactionRecord, at Position) error {
	if im.openAt != nil {
		return errors.New("encountered BeginTransactionRecord while already in a transaction")
	}
	im.openAt = &Transaction{Offset: at.Offset}
	if m.Name != nil {
		im.openAt.Name = strings.Clone(*m.Name)
	}
	return nil
}

func (im *Image) end(at Position) error {
	if im.openAt == nil {
		return errors.New("encountered EndTransactionRecord without having seen a BeginTransactionRecord")
	}
	records := im.open
	im.open, im.openAt, im.openBytes = nil, nil, 0
	var errs []error
	for i := range records {
		rec := im.decoder.Decode(records[i].value)
		if err := im.apply(&rec, records[i].value, records[i].at); err != nil {
			errs = append(errs, fmt.Errorf("offset %d: %w", records[i].at.Offset, err))
		}
	}
	im.advance(at)
	return errors.Join(errs...)
}

func (im *Image) abort(at Position) error {
	if im.openAt == nil {
		return errors.New("encountered AbortTransactionRecord without having seen a BeginTransactionRecord")
	}
	im.open, im.openAt, im.openBytes = nil, nil, 0
	im.advance(at)
	return nil
}

// apply dispatches. Messages are only valid until the next record, so what is kept is decoded again or cloned.
func (im *Image) apply(rec *Record, value []byte, at Position) error {
	if im.topics.lists.full() {
		return fmt.Errorf("too many replica lists: %w", errLimit)
	}
	switch m := rec.Message.(type) {
	case *PartitionRecord:
		return im.topics.partition(m)
	case *PartitionChangeRecord:
		return im.topics.change(m)
	case *TopicRecord:
		return im.topics.create(m)
	case *RemoveTopicRecord:
		return im.removeTopic(m, at)
	case *ClearElrRecord:
		return im.topics.clearELR(m.TopicName)
	case *ConfigRecord:
		return im.config(m)
	case *NoOpRecord:
		return nil
	case *UnknownRecord:
		return fmt.Errorf("decode record: %w", m.Err)
	}
	own := Decode(value)
	return im.applyRare(own.Message, at)
}

func (im *Image) applyRare(message Message, at Position) error {
	switch m := message.(type) {
	case *RegisterBrokerRecord, *UnregisterBrokerRecord, *FenceBrokerRecord, *UnfenceBrokerRecord,
		*BrokerRegistrationChangeRecord:
		return im.broker(message)
	case *RegisterControllerRecord:
		im.controllers[m.ControllerID] = &Controller{
			ID: m.ControllerID, IncarnationID: m.IncarnationID, ZkMigrationReady: m.ZkMigrationReady,
			EndPoints: m.EndPoints, Features: m.Features,
		}
	case *UnregisterControllerRecord:
		delete(im.controllers, m.ControllerID)
	case *FeatureLevelRecord:
		im.feature(m.Name, m.FeatureLevel)
	case *FeatureLevelRecordV32:
		im.feature(m.Name, m.MaxFeatureLevel)
	case *RemoveFeatureLevelRecord:
		delete(im.features, m.Name)
	case *ClientQuotaRecord:
		im.quota(m)
	case *ProducerIdsRecord:
		im.nextProducerID = m.NextProducerID
	case *AccessControlEntryRecord:
		im.acls[m.ID] = &ACL{
			m.ID, m.ResourceType, m.ResourceName, m.PatternType, m.Principal, m.Host, m.Operation, m.PermissionType,
		}
	case *RemoveAccessControlEntryRecord:
		if im.acls[m.ID] == nil {
			return fmt.Errorf("failed to find existing ACL with ID %s", m.ID)
		}
		delete(im.acls, m.ID)
	case *UserScramCredentialRecord:
		im.scram[ScramKey{m.Mechanism, m.Name}] = &ScramCredential{m.Salt, m.StoredKey, m.ServerKey, m.Iterations}
		delete(im.removedScram, ScramKey{m.Mechanism, m.Name})
	case *RemoveUserScramCredentialRecord:
		im.removeScram(ScramKey{m.Mechanism, m.Name}, at)
	case *DelegationTokenRecord:
		im.tokens[m.TokenID] = &DelegationToken{
			m.Owner, m.Requester, m.Renewers, m.IssueTimestamp, m.MaxTimestamp, m.ExpirationTimestamp, m.TokenID,
		}
	case *RemoveDelegationTokenRecord:
		delete(im.tokens, m.TokenID)
	case *ZkMigrationStateRecord:
		im.zkMigration = m.ZkMigrationState
	default:
		return fmt.Errorf("%T: %w", message, errNotReplayable)
	}
	return nil
}

// feature sets a level; 0 removes it. kraft.version lives in control records, a FeatureLevelRecord of it is ignored.
func (im *Image) feature(name string, level int16) {
	switch {
	case name == "kraft.version":
	case level == 0 && name != MetadataVersionFeature:
		delete(im.features, name)
	default:
		im.features[name] = level
	}
}

func (im *Image) removeTopic(m *RemoveTopicRecord, at Position) error {
	topic := im.topics.remove(&m.TopicID)
	if topic == nil {
		return fmt.Errorf("unable to delete topic with ID %s: %w", m.TopicID, errNoTopic)
	}
	delete(im.configs, ConfigResource{ConfigTopic, topic.Name})
	im.removed = append(im.removed, RemovedTopic{
		Name: topic.Name, ID: topic.ID, Partitions: len(topic.parts), Offset: at.Offset, Timestamp: at.Timestamp,
	})
	return nil
}

func (im *Image) removeScram(key ScramKey, at Position) {
	if im.scram[key] == nil {
		return
	}
	delete(im.scram, key)
	if im.removedScram == nil {
		im.removedScram = map[ScramKey]RemovedCredential{}
	}
	im.removedScram[key] = RemovedCredential{ScramKey: key, Offset: at.Offset, Timestamp: at.Timestamp}
}

func (im *Image) config(m *ConfigRecord) error {
	switch m.ResourceType {
	case ConfigTopic, ConfigBroker, ConfigBrokerLogger, ConfigClientMetrics, ConfigGroup:
	default:
		return fmt.Errorf("configuration %q of resource type %d: %w", m.Name, m.ResourceType, errNotReplayable)
	}
	key := ConfigResource{m.ResourceType, m.ResourceName}
	values := im.configs[key]
	if m.Value == nil {
		delete(values, m.Name)
		if len(values) == 0 {
			delete(im.configs, key)
		}
		return nil
	}
	if values == nil {
		values = map[string]string{}
		im.configs[ConfigResource{key.Type, strings.Clone(key.Name)}] = values
	}
	values[strings.Clone(m.Name)] = strings.Clone(*m.Value)
	return nil
}

func (im *Image) quota(m *ClientQuotaRecord) {
	entity := slices.SortedFunc(slices.Values(m.Entity), func(a, b EntityData) int {
		return cmp.Compare(a.EntityType, b.EntityType)
	})
	var key []byte
	for _, e := range entity {
		key = jsonNullableString(append(jsonString(key, e.EntityType), '='), e.EntityName)
	}
	q := im.quotas[string(key)]
	if m.Remove {
		if q != nil {
			delete(q.Values, m.Key)
			if len(q.Values) == 0 {
				delete(im.quotas, string(key))
			}
		}
		return
	}
	if q == nil {
		q = &ClientQuota{Entity: entity, Values: map[string]float64{}}
		im.quotas[string(key)] = q
	}
	q.Values[m.Key] = m.Value
}

func (im *Image) broker(message Message) error {
	switch m := message.(type) {
	case *RegisterBrokerRecord:
		im.brokers[m.BrokerID] = &Broker{
			ID: m.BrokerID, Epoch: m.BrokerEpoch, IncarnationID: m.IncarnationID, EndPoints: m.EndPoints,
			Features: m.Features, Rack: m.Rack, Fenced: m.Fenced, InControlledShutdown: m.InControlledShutdown,
			IsMigratingZkBroker: m.IsMigratingZkBroker, LogDirs: m.LogDirs, CordonedLogDirs: m.CordonedLogDirs,
		}
	case *UnregisterBrokerRecord:
		if im.brokers[m.BrokerID] == nil {
			return fmt.Errorf("unregister broker %d: %w", m.BrokerID, errBrokerUnknown)
		}
		delete(im.brokers, m.BrokerID)
	case *FenceBrokerRecord:
		return im.changeBroker("fence", m.ID, m.Epoch, func(b *Broker) error { b.Fenced = true; return nil })
	case *UnfenceBrokerRecord:
		return im.changeBroker("unfence", m.ID, m.Epoch, func(b *Broker) error { b.Fenced = false; return nil })
	case *BrokerRegistrationChangeRecord:
		return im.changeBroker("change", m.BrokerID, m.BrokerEpoch, func(b *Broker) error { return merge(b, m) })
	}
	return nil
}

func (im *Image) changeBroker(verb string, id int32, epoch int64, change func(*Broker) error) error {
	b := im.brokers[id]
	if b == nil {
		return fmt.Errorf("%s broker %d: %w", verb, id, errBrokerUnknown)
	}
	if b.Epoch != epoch {
		return fmt.Errorf("%s broker %d: the given epoch, %d, did not match the current broker epoch, %d",
			verb, id, epoch, b.Epoch)
	}
	return change(b)
}

func merge(b *Broker, m *BrokerRegistrationChangeRecord) error {
	if m.Fenced < -1 || m.Fenced > 1 {
		return fmt.Errorf("change broker %d: unknown value for fenced field: %d", b.ID, m.Fenced)
	}
	if m.InControlledShutdown < 0 || m.InControlledShutdown > 1 {
		return fmt.Errorf("change broker %d: unknown value for inControlledShutdown field: %d", b.ID, m.InControlledShutdown)
	}
	if m.Fenced != 0 {
		b.Fenced = m.Fenced == 1
	}
	if m.InControlledShutdown == 1 {
		b.InControlledShutdown = true
	}
	if len(m.LogDirs) > 0 {
		b.LogDirs = m.LogDirs
	}
	if m.CordonedLogDirs != nil {
		b.CordonedLogDirs = m.CordonedLogDirs
	}
	return nil
}

// ApplyControl adds one record of a control batch: voters, kraft.version and leader changes.
func (im *Image) ApplyControl(key, value []byte, at Position) error {
	c, err := DecodeControl(key, value)
	if err != nil {
		return err
	}
	switch m := c.Message.(type) {
	case *KRaftVersionRecord:
		im.kraftVersion = m.KRaftVersion
	case *VotersRecord:
		im.voters = &VoterSet{Offset: at.Offset, Voters: m.Voters}
	case *LeaderChangeMessage:
		change := &LeaderChange{Offset: at.Offset, Epoch: at.Epoch, Leader: m.LeaderID}
		for _, v := range m.Voters {
			change.Voters = append(change.Voters, v.VoterID)
		}
		slices.Sort(change.Voters)
		im.leader = change
	}
	im.advance(at)
	return nil
}

// sortedKeys is the keys of a map in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
