package metadata

import (
	"cmp"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
)

// Image is the state of a cluster that its metadata log adds up to (Kafka's MetadataImage). Read one with ReadImage,
// or build one with NewImage and Apply. Slices and maps it hands out belong to it and must not be changed. It is safe
// for concurrent reading once nothing is applied any more.
type Image struct {
	features       map[string]int16
	brokers        map[int32]*Broker
	controllers    map[int32]*Controller
	topics         topicTable
	configs        map[ConfigResource]map[string]string
	quotas         map[string]*ClientQuota
	acls           map[UUID]*ACL
	scram          map[ScramKey]*ScramCredential
	tokens         map[string]*DelegationToken
	nextProducerID int64
	zkMigration    int8
	kraftVersion   int16
	voters         *VoterSet
	leader         *LeaderChange
	provenance     Provenance
	removed        []RemovedTopic
	removedScram   map[ScramKey]RemovedCredential
	open           []pendingRecord // since BeginTransactionRecord
	openAt         *Transaction
	openBytes      int
	decoder        Decoder
	report         Report
}

// Provenance says up to where an image goes (Kafka's MetadataProvenance).
type Provenance struct {
	// LastOffset is the offset of the last record contained; -1 for an empty image.
	LastOffset int64 `json:"lastContainedOffset"`
	// LastEpoch is that record's leader epoch, LastTimestamp its batch's time in milliseconds since 1970.
	LastEpoch     int32 `json:"lastContainedEpoch"`
	LastTimestamp int64 `json:"lastContainedLogTimeMs"`
}

// Broker is a registered broker (Kafka's BrokerRegistration).
type Broker struct {
	ID                   int32            `json:"id"`
	Epoch                int64            `json:"epoch"`
	IncarnationID        UUID             `json:"incarnationId"`
	EndPoints            []BrokerEndpoint `json:"endPoints"`
	Features             []BrokerFeature  `json:"features"`
	Rack                 *string          `json:"rack"`
	Fenced               bool             `json:"fenced"`
	InControlledShutdown bool             `json:"inControlledShutdown"`
	IsMigratingZkBroker  bool             `json:"isMigratingZkBroker"`
	LogDirs              []UUID           `json:"logDirs"`
	CordonedLogDirs      []UUID           `json:"cordonedLogDirs,omitempty"`
}

// Controller is a registered controller (Kafka's ControllerRegistration).
type Controller struct {
	ID               int32                `json:"id"`
	IncarnationID    UUID                 `json:"incarnationId"`
	ZkMigrationReady bool                 `json:"zkMigrationReady"`
	EndPoints        []ControllerEndpoint `json:"endPoints"`
	Features         []ControllerFeature  `json:"features"`
}

// ConfigResource names what a configuration belongs to; Type is ConfigTopic, ConfigBroker, … An empty Name of type
// ConfigBroker is the cluster-wide default.
type ConfigResource struct {
	Type int8   `json:"type"`
	Name string `json:"name"`
}

// ClientQuota is the quotas of one entity.
type ClientQuota struct {
	// Entity is sorted by type.
	Entity []EntityData       `json:"entity"`
	Values map[string]float64 `json:"values"`
}

// ACL is one access control entry (Kafka's StandardAcl).
type ACL struct {
	ID             UUID   `json:"id"`
	ResourceType   int8   `json:"resourceType"`
	ResourceName   string `json:"resourceName"`
	PatternType    int8   `json:"patternType"`
	Principal      string `json:"principal"`
	Host           string `json:"host"`
	Operation      int8   `json:"operation"`
	PermissionType int8   `json:"permissionType"`
}

// ScramKey names a SCRAM credential: Mechanism 1 is SCRAM-SHA-256, 2 SCRAM-SHA-512.
type ScramKey struct {
	Mechanism int8   `json:"mechanism"`
	User      string `json:"user"`
}

// ScramCredential is what Kafka keeps of a SCRAM password. All byte slices are secrets.
type ScramCredential struct {
	Salt, StoredKey, ServerKey []byte
	Iterations                 int32
}

// DelegationToken is a delegation token; its HMAC is not in the metadata, Kafka derives it from the token ID.
type DelegationToken struct {
	Owner               string   `json:"owner"`
	Requester           string   `json:"requester"`
	Renewers            []string `json:"renewers"`
	IssueTimestamp      int64    `json:"issueTimestamp"`
	MaxTimestamp        int64    `json:"maxTimestamp"`
	ExpirationTimestamp int64    `json:"expirationTimestamp"`
	TokenID             string   `json:"tokenId"`
}

// VoterSet is a KRaftVoters control record; Offset is where it was, the snapshot's last offset for one from there.
type VoterSet struct {
	Offset int64   `json:"offset"`
	Voters []Voter `json:"voters"`
}

// LeaderChange is a LeaderChange control record: with static voters the best witness of who the voters were.
type LeaderChange struct {
	Offset int64   `json:"offset"`
	Epoch  int32   `json:"epoch"`
	Leader int32   `json:"leaderId"`
	Voters []int32 `json:"voters"`
}

// RemovedTopic is a topic that a RemoveTopicRecord of the log took away.
type RemovedTopic struct {
	Name       string `json:"name"`
	ID         UUID   `json:"id"`
	Partitions int    `json:"partitions"`
	Offset     int64  `json:"offset"`
	Timestamp  int64  `json:"timestamp"`
}

// RemovedCredential is a SCRAM credential that a record of the log took away, and none gave back.
type RemovedCredential struct {
	ScramKey

	Offset    int64 `json:"offset"`
	Timestamp int64 `json:"timestamp"`
}

// Transaction is a metadata transaction that the log begins and does not end. Its records are not part of the image:
// the next active controller aborts it.
type Transaction struct {
	Name    string `json:"name"`
	Offset  int64  `json:"offset"`
	Records int    `json:"records"`
}

// NewImage returns an empty image.
func NewImage() *Image {
	return &Image{
		features: map[string]int16{}, brokers: map[int32]*Broker{}, controllers: map[int32]*Controller{},
		topics:  topicTable{byID: map[UUID]*Topic{}, byName: map[string]*Topic{}, dirs: uuidTable{seed: maphash.MakeSeed()}},
		configs: map[ConfigResource]map[string]string{}, quotas: map[string]*ClientQuota{}, acls: map[UUID]*ACL{},
		scram: map[ScramKey]*ScramCredential{}, tokens: map[string]*DelegationToken{}, nextProducerID: -1,
		provenance: Provenance{LastOffset: -1, LastEpoch: -1, LastTimestamp: -1},
	}
}

// Provenance says up to where the image goes.
func (im *Image) Provenance() Provenance { return im.provenance }

// EndOffset is the offset behind the last record contained.
func (im *Image) EndOffset() int64 { return im.provenance.LastOffset + 1 }

// Features are the finalized feature levels, metadata.version among them. kraft.version is not: see KRaftVersion.
func (im *Image) Features() map[string]int16 { return im.features }

// MetadataVersion is the finalized metadata.version; 0 when the log holds none.
func (im *Image) MetadataVersion() Version { return Version(im.features[MetadataVersionFeature]) }

// KRaftVersion is 0 with static and 1 with dynamic voters.
func (im *Image) KRaftVersion() int16 { return im.kraftVersion }

// Voters is the last voter set; nil with static voters.
func (im *Image) Voters() *VoterSet { return im.voters }

// LastLeaderChange is the last LeaderChange control record of the log; nil when there is none.
func (im *Image) LastLeaderChange() *LeaderChange { return im.leader }

// OpenTransaction is the transaction under way at the end; nil when there is none.
func (im *Image) OpenTransaction() *Transaction { return im.openAt }

// NextProducerID is the next producer ID to hand out; -1 when none ever was.
func (im *Image) NextProducerID() int64 { return im.nextProducerID }

// ZkMigrationState is 0 for a cluster that never was one of ZooKeeper (Kafka's ZkMigrationState).
func (im *Image) ZkMigrationState() int8 { return im.zkMigration }

// TopicCount and PartitionCount are totals.
func (im *Image) TopicCount() int { return len(im.topics.byName) }

// PartitionCount is the number of partitions of all topics.
func (im *Image) PartitionCount() int { return im.topics.count }

// Topics are the topics by name.
func (im *Image) Topics() []*Topic {
	byName := func(a, b *Topic) int { return strings.Compare(a.Name, b.Name) }
	return slices.SortedFunc(maps.Values(im.topics.byName), byName)
}

// Topic finds a topic by its name, nil when there is none.
func (im *Image) Topic(name string) *Topic { return im.topics.byName[name] }

// TopicByID finds a topic by its ID, nil when there is none.
func (im *Image) TopicByID(id UUID) *Topic { return im.topics.byID[id] }

// Brokers are the registered brokers by ID, fenced ones included.
func (im *Image) Brokers() []*Broker {
	return slices.SortedFunc(maps.Values(im.brokers), func(a, b *Broker) int { return cmp.Compare(a.ID, b.ID) })
}

// Broker finds a broker, nil when it is not registered.
func (im *Image) Broker(id int32) *Broker { return im.brokers[id] }

// Controllers are the registered controllers by ID (none before metadata.version 3.7-IV0).
func (im *Image) Controllers() []*Controller {
	return slices.SortedFunc(maps.Values(im.controllers), func(a, b *Controller) int { return cmp.Compare(a.ID, b.ID) })
}

// ConfigResources are the resources with configurations, by type and name.
func (im *Image) ConfigResources() []ConfigResource {
	return slices.SortedFunc(maps.Keys(im.configs), func(a, b ConfigResource) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name))
	})
}

// Config is the configuration of a resource; values may be secrets, see SensitiveConfig.
func (im *Image) Config(r ConfigResource) map[string]string { return im.configs[r] }

// Quotas are the client quotas, sorted by entity.
func (im *Image) Quotas() []*ClientQuota {
	keys := slices.Sorted(maps.Keys(im.quotas))
	out := make([]*ClientQuota, len(keys))
	for i, k := range keys {
		out[i] = im.quotas[k]
	}
	return out
}

// ACLs are the access control entries, by resource, principal, operation and ID.
func (im *Image) ACLs() []*ACL {
	return slices.SortedFunc(maps.Values(im.acls), func(a, b *ACL) int {
		return cmp.Or(cmp.Compare(a.ResourceType, b.ResourceType), strings.Compare(a.ResourceName, b.ResourceName),
			cmp.Compare(a.PatternType, b.PatternType), strings.Compare(a.Principal, b.Principal),
			cmp.Compare(a.Operation, b.Operation), slices.Compare(a.ID[:], b.ID[:]))
	})
}

// Users are the SCRAM credentials' names, by user and mechanism.
func (im *Image) Users() []ScramKey {
	return slices.SortedFunc(maps.Keys(im.scram), func(a, b ScramKey) int {
		return cmp.Or(strings.Compare(a.User, b.User), cmp.Compare(a.Mechanism, b.Mechanism))
	})
}

// Scram is a user's credential, nil when there is none.
func (im *Image) Scram(k ScramKey) *ScramCredential { return im.scram[k] }

// DelegationTokens are the tokens by ID.
func (im *Image) DelegationTokens() []*DelegationToken {
	return slices.SortedFunc(maps.Values(im.tokens), func(a, b *DelegationToken) int {
		return strings.Compare(a.TokenID, b.TokenID)
	})
}

// RemovedTopics are the topics that records from offset since on removed, in that order. What a snapshot already left
// out cannot be told.
func (im *Image) RemovedTopics(since int64) []RemovedTopic {
	var out []RemovedTopic
	for _, r := range im.removed {
		if r.Offset >= since {
			out = append(out, r)
		}
	}
	return out
}

// RemovedCredentials are the SCRAM credentials that the log took away and did not give back, in that order.
func (im *Image) RemovedCredentials() []RemovedCredential {
	return slices.SortedFunc(maps.Values(im.removedScram), func(a, b RemovedCredential) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), strings.Compare(a.User, b.User), int(a.Mechanism)-int(b.Mechanism))
	})
}

// Report says how sound the image is.
func (im *Image) Report() *Report { return &im.report }

// ACLCount is the number of access control entries.
func (im *Image) ACLCount() int { return len(im.acls) }

// Counts are totals over all topics.
func (im *Image) Counts() Counts {
	var total Counts
	for _, t := range im.topics.byName {
		c := t.Counts()
		total.Partitions += c.Partitions
		total.Offline += c.Offline
		total.UnderReplicated += c.UnderReplicated
		total.MaxReplication = max(total.MaxReplication, c.MaxReplication)
	}
	return total
}

// ACL is an access control entry by its ID, nil when there is none.
func (im *Image) ACL(id UUID) *ACL { return im.acls[id] }
