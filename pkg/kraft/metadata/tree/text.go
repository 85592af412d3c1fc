package tree

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// brokerText is Kafka's BrokerRegistration.toString.
func (v *view) brokerText(b *metadata.Broker) string {
	rack := "Optional.empty"
	if b.Rack != nil {
		rack = "Optional[" + *b.Rack + "]"
	}
	text := "BrokerRegistration(id=" + strconv.Itoa(int(b.ID)) + ", epoch=" + strconv.FormatInt(b.Epoch, 10) +
		", incarnationId=" + b.IncarnationID.String() + ", listeners=" + listeners(b.EndPoints) +
		", supportedFeatures=" + features(b.Features) + ", rack=" + rack +
		", fenced=" + strconv.FormatBool(b.Fenced) +
		", inControlledShutdown=" + strconv.FormatBool(b.InControlledShutdown) +
		", isMigratingZkBroker=" + strconv.FormatBool(b.IsMigratingZkBroker) +
		", directories=" + string(appendUUIDs(nil, signed(b.LogDirs)))
	if v.opts.Style == Style43 {
		cordoned := "null"
		if b.CordonedLogDirs != nil {
			cordoned = string(appendUUIDs(nil, signed(b.CordonedLogDirs)))
		}
		text += ", cordonedDirectories=" + cordoned
	}
	return text + ")"
}

// controllerText is Kafka's ControllerRegistration.toString.
func controllerText(c *metadata.Controller) string {
	points := make([]metadata.BrokerEndpoint, len(c.EndPoints))
	for i, e := range c.EndPoints {
		points[i] = metadata.BrokerEndpoint{
			Name: e.Name, Host: e.Host, Port: e.Port, SecurityProtocol: e.SecurityProtocol,
		}
	}
	supported := make([]metadata.BrokerFeature, len(c.Features))
	for i, f := range c.Features {
		supported[i] = metadata.BrokerFeature{
			Name: f.Name, MinSupportedVersion: f.MinSupportedVersion, MaxSupportedVersion: f.MaxSupportedVersion,
		}
	}
	return "ControllerRegistration(id=" + strconv.Itoa(int(c.ID)) + ", incarnationId=" + c.IncarnationID.String() +
		", zkMigrationReady=" + strconv.FormatBool(c.ZkMigrationReady) + ", listeners=" + listeners(points) +
		", supportedFeatures=" + features(supported) + ")"
}

func listeners(points []metadata.BrokerEndpoint) string {
	var parts []string
	for _, p := range sortedBy(points, func(p metadata.BrokerEndpoint) string { return p.Name }) {
		parts = append(parts, "Endpoint(listenerName='"+p.Name+"', securityProtocol="+
			metadata.SecurityProtocolName(p.SecurityProtocol)+", host='"+p.Host+"', port="+strconv.Itoa(int(p.Port))+")")
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func features(supported []metadata.BrokerFeature) string {
	var parts []string
	for _, f := range sortedBy(supported, func(f metadata.BrokerFeature) string { return f.Name }) {
		text := f.Name + ": " + strconv.Itoa(int(f.MinSupportedVersion))
		if f.MaxSupportedVersion != f.MinSupportedVersion {
			text += "-" + strconv.Itoa(int(f.MaxSupportedVersion))
		}
		parts = append(parts, text)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (v *view) scramText(c *metadata.ScramCredential) string {
	salt, stored, server := redacted, redacted, redacted
	if v.opts.ShowSecrets {
		salt, stored = hex.EncodeToString(c.Salt), hex.EncodeToString(c.StoredKey)
		server = hex.EncodeToString(c.ServerKey)
	}
	return "ScramCredentialData(salt=" + salt + ", storedKey=" + stored + ", serverKey=" + server +
		", iterations=" + strconv.Itoa(int(c.Iterations)) + ")"
}

// signed is the list in the order of Kafka's Uuid.compareTo, which compares two signed numbers of 64 bits.
func signed(list []metadata.UUID) []metadata.UUID {
	out := slices.Clone(list)
	slices.SortFunc(out, func(a, b metadata.UUID) int {
		half := func(p []byte) int64 { return int64(binary.BigEndian.Uint64(p)) }
		return cmp.Or(cmp.Compare(half(a[:8]), half(b[:8])), cmp.Compare(half(a[8:]), half(b[8:])))
	})
	return out
}
