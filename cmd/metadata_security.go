package cmd

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// MetadataUsers is what `metadata users` prints: SCRAM credentials, delegation tokens and quotas.
type MetadataUsers struct {
	MetadataOrigin
	Scram  []MetadataScram             `json:"scram"`
	Tokens []*metadata.DelegationToken `json:"delegationTokens,omitempty"`
	Quotas []*metadata.ClientQuota     `json:"quotas,omitempty"`
}

// MetadataScram is one SCRAM credential. The keys are base64 and there only with --show-secrets.
type MetadataScram struct {
	User       string `json:"user"`
	Mechanism  string `json:"mechanism"`
	Iterations int32  `json:"iterations"`
	Salt       []byte `json:"salt,omitempty"`
	StoredKey  []byte `json:"storedKey,omitempty"`
	ServerKey  []byte `json:"serverKey,omitempty"`
}

// Table implements output.Tabler.
func (t *MetadataUsers) Table(bool) output.Document {
	var users, tokens, quotas [][]output.Cell
	for i := range t.Scram {
		users = append(users, output.Row(t.Scram[i].User, t.Scram[i].Mechanism, t.Scram[i].Iterations))
	}
	for _, token := range t.Tokens {
		tokens = append(tokens, output.Row(token.TokenID, token.Owner, strings.Join(token.Renewers, ", "),
			millisText(token.ExpirationTimestamp)))
	}
	for _, q := range t.Quotas {
		for _, key := range q.QuotaKeys() {
			quotas = append(quotas, output.Row(q.EntityText(), key, string(metadata.AppendJavaDouble(nil, q.Values[key]))))
		}
	}
	return output.Document{
		{Table: &output.Table{Columns: output.Columns("USER", "MECHANISM", ">ITERATIONS"), Rows: users}},
		{Table: &output.Table{Columns: output.Columns("TOKEN", "OWNER", "~RENEWERS", "EXPIRES"), Rows: tokens}},
		{Table: &output.Table{Columns: output.Columns("QUOTA OF", "KEY", ">VALUE"), Rows: quotas}},
	}
}

// Names implements output.Namer.
func (t *MetadataUsers) Names() []string {
	var out []string
	for i := range t.Scram {
		if name := "user/" + t.Scram[i].User; len(out) == 0 || out[len(out)-1] != name {
			out = append(out, name)
		}
	}
	return out
}

func showUsers(im *metadata.Image, title string, v *metadataView) any {
	t := &MetadataUsers{
		MetadataOrigin: origin("MetadataUsers", title, im), Tokens: im.DelegationTokens(), Quotas: im.Quotas(),
	}
	for _, key := range im.Users() {
		c := im.Scram(key)
		s := MetadataScram{User: key.User, Mechanism: metadata.MechanismName(key.Mechanism), Iterations: c.Iterations}
		if v.source.secrets {
			s.Salt, s.StoredKey, s.ServerKey = c.Salt, c.StoredKey, c.ServerKey
		}
		t.Scram = append(t.Scram, s)
	}
	return t
}

// MetadataACLs is what `metadata acls` prints.
type MetadataACLs struct {
	MetadataOrigin
	ACLs []MetadataACL `json:"acls"`
}

// MetadataACL is one access control entry with Kafka's names.
type MetadataACL struct {
	ID           metadata.UUID `json:"id"`
	ResourceType string        `json:"resourceType"`
	ResourceName string        `json:"resourceName"`
	PatternType  string        `json:"patternType"`
	Principal    string        `json:"principal"`
	Host         string        `json:"host"`
	Operation    string        `json:"operation"`
	Permission   string        `json:"permissionType"`
}

// Table implements output.Tabler.
func (t *MetadataACLs) Table(wide bool) output.Document {
	rows := make([][]output.Cell, 0, len(t.ACLs))
	for i := range t.ACLs {
		a := &t.ACLs[i]
		row := output.Row(a.ResourceType, a.ResourceName, a.PatternType, a.Principal, a.Host, a.Operation, a.Permission)
		if wide {
			row = append(row, output.Row(a.ID)...)
		}
		rows = append(rows, row)
	}
	names := []string{"RESOURCE", "NAME", "PATTERN", "PRINCIPAL", "HOST", "OPERATION", "PERMISSION"}
	if wide {
		names = append(names, "ID")
	}
	return tableOf(output.Columns(names...), rows)
}

// Names implements output.Namer.
func (t *MetadataACLs) Names() []string {
	out := make([]string, len(t.ACLs))
	for i := range t.ACLs {
		out[i] = "acl/" + t.ACLs[i].ID.String()
	}
	return out
}

func showACLs(im *metadata.Image, title string, _ *metadataView) any {
	t := &MetadataACLs{MetadataOrigin: origin("MetadataACLs", title, im)}
	for _, a := range im.ACLs() {
		t.ACLs = append(t.ACLs, MetadataACL{
			ID: a.ID, ResourceType: metadata.ACLResourceName(a.ResourceType), ResourceName: a.ResourceName,
			PatternType: metadata.PatternName(a.PatternType), Principal: a.Principal, Host: a.Host,
			Operation: metadata.OperationName(a.Operation), Permission: metadata.PermissionName(a.PermissionType),
		})
	}
	return t
}

// MetadataConfigs is what `metadata configs` prints.
type MetadataConfigs struct {
	MetadataOrigin
	Configs []MetadataConfig `json:"configs"`
}

// MetadataConfig is the configuration of one resource. An empty Name of type BROKER is the cluster-wide default.
type MetadataConfig struct {
	Type   string            `json:"type"`
	Name   string            `json:"name"`
	Values map[string]string `json:"values"`
}

// Table implements output.Tabler.
func (t *MetadataConfigs) Table(bool) output.Document {
	var rows [][]output.Cell
	for i := range t.Configs {
		c := &t.Configs[i]
		name := c.Name
		if name == "" {
			name = "(default)"
		}
		for _, key := range metadata.ConfigKeys(c.Values) {
			rows = append(rows, output.Row(c.Type, name, key, c.Values[key]))
		}
	}
	return tableOf(output.Columns("TYPE", "NAME", "CONFIGURATION", "~VALUE"), rows)
}

// Names implements output.Namer.
func (t *MetadataConfigs) Names() []string {
	out := make([]string, len(t.Configs))
	for i := range t.Configs {
		out[i] = strings.ToLower(t.Configs[i].Type) + "/" + t.Configs[i].Name
	}
	return out
}

func showConfigs(im *metadata.Image, title string, v *metadataView) any {
	t := &MetadataConfigs{MetadataOrigin: origin("MetadataConfigs", title, im)}
	for _, r := range im.ConfigResources() {
		t.Configs = append(t.Configs, MetadataConfig{
			Type: metadata.ConfigResourceName(r.Type), Name: r.Name, Values: v.config(im, r),
		})
	}
	return t
}

// MetadataSummary is what `metadata summary` prints: one screen of what was on the cluster.
type MetadataSummary struct {
	MetadataOrigin
	MetadataVersion string              `json:"metadataVersion"`
	Features        map[string]int16    `json:"features"`
	KRaftVersion    int16               `json:"kraftVersion"`
	Provenance      metadata.Provenance `json:"provenance"`
	Snapshot        string              `json:"snapshot,omitempty"`
	LogEnd          int64               `json:"logEnd"`
	Voters          []int32             `json:"voters,omitempty"`
	Brokers         []*metadata.Broker  `json:"brokers"`
	Controllers     int                 `json:"controllers"`
	Topics          int                 `json:"topics"`
	metadata.Counts
	Users   int                     `json:"scramCredentials"`
	Tokens  int                     `json:"delegationTokens"`
	ACLs    int                     `json:"acls"`
	Configs int                     `json:"configuredResources"`
	Quotas  int                     `json:"quotas"`
	Removed []metadata.RemovedTopic `json:"removedTopics,omitempty"`
	Open    *metadata.Transaction   `json:"openTransaction,omitempty"`
}

func showSummary(im *metadata.Image, title string, _ *metadataView) any {
	s := &MetadataSummary{
		MetadataOrigin:  origin("MetadataSummary", title, im),
		MetadataVersion: im.MetadataVersion().String(), Features: im.Features(), KRaftVersion: im.KRaftVersion(),
		Provenance: im.Provenance(), Snapshot: im.Report().Snapshot, LogEnd: im.Report().LogEnd, Voters: im.VoterIDs(),
		Brokers: im.Brokers(), Controllers: len(im.Controllers()), Topics: im.TopicCount(),
		Users: len(im.Users()), Tokens: len(im.DelegationTokens()), ACLs: im.ACLCount(),
		Configs: len(im.ConfigResources()), Quotas: len(im.Quotas()), Removed: im.RemovedTopics(0),
		Open: im.OpenTransaction(), Counts: im.Counts(),
	}
	return s
}

// Table implements output.Tabler.
func (s *MetadataSummary) Table(bool) output.Document {
	var features, brokers, removed [][]output.Cell
	for _, name := range metadata.FeatureNames(s.Features) {
		if name != metadata.MetadataVersionFeature {
			features = append(features, output.Row(name, s.Features[name]))
		}
	}
	for _, b := range s.Brokers {
		brokers = append(brokers, output.Row(b.ID, rackText(b), brokerState(b), endPointsText(b.EndPoints)))
	}
	for _, r := range s.Removed {
		removed = append(removed, output.Row(r.Name, r.ID, r.Partitions, r.Offset, millisText(r.Timestamp)))
	}
	rows := [][]output.Cell{
		output.Row("Source:", s.Source),
		output.Row("Newest record:", fmt.Sprintf("offset %d, epoch %d, %s",
			s.Provenance.LastOffset, s.Provenance.LastEpoch, millisText(s.Provenance.LastTimestamp))),
		output.Row("Snapshot:", dash(s.Snapshot)),
		output.Row("metadata.version:", s.MetadataVersion),
		output.Row("kraft.version:", fmt.Sprintf("%d (%s voters)", s.KRaftVersion,
			map[bool]string{true: "dynamic", false: "static"}[s.KRaftVersion > 0])),
		output.Row("Voters:", dash(idsText(s.Voters))),
		output.Row("Brokers:", fmt.Sprintf("%d, and %d controllers registered", len(s.Brokers), s.Controllers)),
		output.Row("Topics:", fmt.Sprintf("%d with %d partitions, %d offline, %d under-replicated",
			s.Topics, s.Partitions, s.Offline, s.UnderReplicated)),
		output.Row("SCRAM credentials:", strconv.Itoa(s.Users)),
		output.Row("ACLs:", strconv.Itoa(s.ACLs)),
		output.Row("Delegation tokens:", strconv.Itoa(s.Tokens)),
		output.Row("Quotas:", strconv.Itoa(s.Quotas)),
		output.Row("Configurations:", fmt.Sprintf("of %d resources", s.Configs)),
	}
	if s.Open != nil {
		rows = append(rows, output.Row("Open transaction:", fmt.Sprintf(
			"%q since offset %d, %d records, not applied", s.Open.Name, s.Open.Offset, s.Open.Records)))
	}
	return output.Document{
		{Table: &output.Table{Columns: output.Columns("", "~"), Rows: rows}},
		{Table: &output.Table{Columns: output.Columns("FEATURE", ">LEVEL"), Rows: features}},
		{Table: &output.Table{
			Columns: output.Columns(">BROKER", "RACK", "STATE", "~LISTENERS"), Rows: brokers,
		}},
		{
			Title: "Topics removed by the log",
			Table: &output.Table{Columns: output.Columns("TOPIC", "ID", ">PARTITIONS", ">OFFSET", "TIME"), Rows: removed},
		},
	}
}

// Names implements output.Namer.
func (s *MetadataSummary) Names() []string { return []string{"metadata/" + s.Source} }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func idsText(ids []int32) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strconv.Itoa(int(id))
	}
	return strings.Join(out, ", ")
}
