package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// kafka writes the Kafka resource.
func (b *builder) kafka() {
	at := ref(strimzi.KafkaKind, b.set.Cluster)
	spec := strimzi.KafkaSpec{Name: b.set.Cluster, Namespace: b.set.Namespace, Version: b.KafkaVersion}
	if spec.Version == "" {
		spec.Version = Todo
		b.fill("kafka-version", at, strimzi.FieldVersion, "the version of Kafka%s; a version that is older than the "+
			"metadata does not start", b.release())
	}
	spec.MetadataVersion = b.Image.MetadataVersion().String()
	if !b.Image.MetadataVersion().Known() {
		spec.MetadataVersion = Todo
		b.fill("metadata-version", at, strimzi.FieldMetadataVersion, "the finalized metadata.version is %s, which has no "+
			"name here", b.Image.MetadataVersion())
	}
	spec.Listeners = b.listeners(at)
	spec.Config = b.config(at)
	spec.Authorization = b.authorization(at)
	b.unseen(at)
	b.add(strimzi.KafkaKind, spec.Name, spec.Object(b.Version))
}

// release is what the brokers' registrations say of the version: the highest metadata.version they support is that of
// their release.
func (b *builder) release() string {
	var highest metadata.Version
	for _, r := range b.Image.Brokers() {
		for _, f := range r.Features {
			if f.Name == metadata.MetadataVersionFeature {
				highest = max(highest, metadata.Version(f.MaxSupportedVersion))
			}
		}
	}
	if !highest.Known() {
		return ""
	}
	release, _, _ := strings.Cut(highest.String(), "-")
	return fmt.Sprintf("; the brokers supported metadata.version up to %s, as Kafka %s.x does", highest, release)
}

// listener is one listener as the brokers registered it.
type listener struct {
	strimzi.ListenerSpec
	registered string
	protocols  []string
	hosts      []string
	brokers    int
}

// listeners are those that clients used. Strimzi's own are made by the operator.
func (b *builder) listeners(at string) []strimzi.ListenerSpec {
	found := map[string]*listener{}
	for _, r := range b.Image.Brokers() {
		for _, e := range r.EndPoints {
			if _, _, own, _ := strimzi.ParseListener(e.Name); own {
				continue
			}
			l := found[e.Name]
			if l == nil {
				l = &listener{registered: e.Name}
				found[e.Name] = l
				l.Port = int32(e.Port)
			}
			l.brokers++
			l.hosts = append(l.hosts, e.Host)
			if p := metadata.SecurityProtocolName(e.SecurityProtocol); !slices.Contains(l.protocols, p) {
				l.protocols = append(l.protocols, p)
			}
		}
	}
	var out []strimzi.ListenerSpec
	list := slices.SortedFunc(maps.Values(found), func(x, y *listener) int {
		return strings.Compare(x.registered, y.registered)
	})
	for i, l := range list {
		b.listener(at, i, l)
		out = append(out, l.ListenerSpec)
	}
	if len(out) == 0 {
		b.fill("listeners", at, strimzi.FieldListeners, "no broker registered a listener for clients; a Kafka resource "+
			"needs at least one")
	}
	return out
}

func (b *builder) listener(at string, i int, l *listener) {
	name, port, _, ok := strimzi.ParseListener(l.registered)
	if ok {
		l.Name, l.Port = name, port
	} else {
		l.Name = Todo
		b.fill("listener-name", at, strimzi.FieldListener(i, "name"), "the brokers registered %q, which is not named as "+
			"Strimzi names listeners; the port is the registered one", l.registered)
	}
	if !strimzi.IsListenerPort(l.Port) {
		b.fill("listener-port", at, strimzi.FieldListener(i, "port"), "port %d is below what a listener may have", l.Port)
	}
	l.Type = strimzi.ListenerInternal
	if kind := l.external(); kind != "" {
		l.Type = Todo
		b.fill("listener-type", at, strimzi.FieldListener(i, "type"), "%s; the settings of such a listener (host names, "+
			"classes, annotations, certificates) are on no volume", kind)
	}
	b.authentication(at, i, l)
	if n := len(b.Image.Brokers()); l.brokers < n {
		b.note("listener-not-everywhere", at, "listener %q was registered by %d of %d brokers", l.registered, l.brokers, n)
	}
}

// external says what the hosts tell of a listener that is not of type internal, "" for one that is.
func (l *listener) external() string {
	for _, host := range l.hosts {
		if _, ok := strimzi.ParseNodeHost(host); ok {
			continue
		}
		if strimzi.IsServiceHost(host) {
			return fmt.Sprintf("clients were sent to the service %q, as a listener of type cluster-ip does", host)
		}
		return fmt.Sprintf("clients were sent to %q, outside: loadbalancer, nodeport, ingress or route", host)
	}
	return ""
}

// authentication derives what the security protocol tells. Where it was SASL a listener without authentication would
// be open, so the type is a Todo that the API server refuses.
func (b *builder) authentication(at string, i int, l *listener) {
	field := strimzi.FieldListener(i, "authentication")
	if len(l.protocols) > 1 {
		b.note("listener-protocols", at, "listener %q was registered with %s; the last one is written", l.registered,
			strings.Join(l.protocols, " and "))
	}
	switch l.protocols[len(l.protocols)-1] {
	case "PLAINTEXT":
	case "SSL":
		l.TLS = true
		b.todo("authentication", at, field, "whether clients had to show a certificate (type: tls) is on no volume; without "+
			"it everybody may connect who trusts the authority%s", b.certificateUsers())
	default:
		l.TLS = strings.HasSuffix(l.protocols[len(l.protocols)-1], "SSL")
		l.Authentication = Todo
		b.fill("authentication", at, field, "clients logged in with SASL, by which mechanism is on no volume%s",
			b.scramUsers())
	}
}

func (b *builder) scramUsers() string {
	if n := len(b.Image.Users()); n > 0 {
		return fmt.Sprintf("; there are %d SCRAM credentials, so it was scram-sha-512 on one listener at least", n)
	}
	return ""
}

func (b *builder) certificateUsers() string {
	if slices.ContainsFunc(b.Image.ACLs(), func(a *metadata.ACL) bool {
		return strings.HasPrefix(a.Principal, userPrefix+certificatePrefix)
	}) {
		return "; there are access control entries for certificates (User:CN=…), so one listener at least asked for them"
	}
	return ""
}

// authorization infers that there was an authorizer from the entries that only one writes. Without it the cluster would
// come up open.
func (b *builder) authorization(at string) string {
	if b.Image.ACLCount() == 0 {
		b.todo("authorization", at, strimzi.FieldAuthorization, "there are no access control entries; whether the cluster "+
			"had an authorizer is on no volume")
		return ""
	}
	b.todo("authorization", at, strimzi.FieldAuthorization, "%d access control entries are in the metadata, so there "+
		"was an authorizer: simple keeps them there, others may have been in front of it; superUsers are on no volume",
		b.Image.ACLCount())
	return strimzi.AuthorizationSimple
}

// config is the cluster-wide dynamic configuration, and what every broker has the same: the operator writes what can be
// changed at run time to each broker.
func (b *builder) config(at string) map[string]any {
	out := map[string]any{}
	for name, value := range b.Image.Config(metadata.ConfigResource{Type: metadata.ConfigBroker}) {
		out[name] = value
	}
	ids := b.Image.Brokers()
	per := map[string]map[string][]int32{} // name to value to brokers
	for _, r := range ids {
		resource := metadata.ConfigResource{Type: metadata.ConfigBroker, Name: strconv.Itoa(int(r.ID))}
		for name, value := range b.Image.Config(resource) {
			if per[name] == nil {
				per[name] = map[string][]int32{}
			}
			per[name][value] = append(per[name][value], r.ID)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(per)) {
		value := slices.Sorted(maps.Keys(per[name]))[0]
		if len(per[name]) == 1 && len(per[name][value]) == len(ids) {
			out[name] = value // a broker's own goes before the cluster's
			continue
		}
		b.note("config-of-one-broker", at, "%s is set on broker(s) %s alone, or not the same on all; it stays in the "+
			"metadata, and no resource has a place for it", quoted(name), brokersOf(per[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(out)) {
		switch {
		case metadata.SensitiveConfig(metadata.ConfigBroker, name):
			delete(out, name)
			b.todo("secret-config", at, strimzi.FieldConfig, "%s is set, and its value may be a secret; it stays in the "+
				"metadata", quoted(name))
		case !strimzi.AllowsConfig(name):
			delete(out, name)
			b.todo("forbidden-config", at, strimzi.FieldConfig, "%s is set, and Strimzi does not let a resource set it; it "+
				"stays in the metadata", quoted(name))
		default:
			out[name] = typed(out[name])
		}
	}
	b.todo("static-config", at, strimzi.FieldConfig, "settings that brokers read from their file when they start are on "+
		"no volume: default.replication.factor, log.retention.*, num.partitions and others%s", b.internalReplication())
	return out
}

// internalReplication says how Kafka's own topics are replicated: their settings are only read when they are made.
func (b *builder) internalReplication() string {
	var parts []string
	for _, name := range []string{"__consumer_offsets", "__transaction_state"} {
		if t := b.Image.Topic(name); t != nil {
			parts = append(parts, fmt.Sprintf("%s has %d", name, t.Counts().MaxReplication))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ". Replicas of Kafka's own topics: " + strings.Join(parts, ", ")
}

func brokersOf(values map[string][]int32) string {
	var ids []int32
	for _, list := range values {
		ids = append(ids, list...)
	}
	slices.Sort(ids)
	return idText(ids)
}

// unseen lists what is on no volume whatever the cluster.
func (b *builder) unseen(at string) {
	racks := map[string]bool{}
	for _, r := range b.Image.Brokers() {
		if r.Rack != nil {
			racks[*r.Rack] = true
		}
	}
	if len(racks) > 0 {
		b.todo("rack", at, strimzi.FieldRack, "brokers registered the racks %s; the topologyKey they come from is on no "+
			"volume", quotedList(slices.Sorted(maps.Keys(racks))))
	}
	b.todo("settings", at, strimzi.FieldKafkaSettings, "template, image, metricsConfig, logging, jmxOptions, probes, "+
		"quotas and tieredStorage are on no volume")
	b.todo("certificate-authorities", at, strimzi.FieldAuthorities, "restore the Secrets %[1]s-cluster-ca, "+
		"%[1]s-cluster-ca-cert, %[1]s-clients-ca and %[1]s-clients-ca-cert with their labels before Kafka starts, or "+
		"clients have to trust new authorities", b.set.Cluster)
	b.todo("entity-operator", at, strimzi.FieldEntityOperator, "left out: add topicOperator and userOperator last. The "+
		"User Operator deletes every user, with its access control entries, that has no KafkaUser")
	for _, t := range b.Image.Topics() {
		if strings.HasPrefix(t.Name, "strimzi.cruisecontrol.") {
			b.todo("cruise-control", at, strimzi.FieldCruiseControl, "topics of Cruise Control are there; its settings are on "+
				"no volume")
			break
		}
	}
	if n := len(b.Image.DelegationTokens()); n > 0 {
		b.todo("delegation-tokens", at, strimzi.FieldConfig, "%d delegation tokens are in the metadata; the secret key "+
			"they are checked with is on no volume", n)
	}
	b.kept(at)
}

// kept notes what the metadata holds and no resource has a place for.
func (b *builder) kept(at string) {
	kinds := map[string]int{}
	for _, r := range b.Image.ConfigResources() {
		if r.Type == metadata.ConfigClientMetrics || r.Type == metadata.ConfigGroup {
			kinds[metadata.ConfigResourceName(r.Type)]++
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		b.note("no-resource", at, "configurations of type %s: %d; they stay in the metadata, and no resource has a place "+
			"for them", kind, kinds[kind])
	}
}

// typed makes a configuration's value what a person would write: 3, true, and text for all that a number would change.
func typed(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
		return n
	}
	switch s {
	case "true":
		return true
	case "false":
		return false
	}
	return s
}
