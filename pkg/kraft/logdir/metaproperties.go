package logdir

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/magiconair/properties"
)

// ParseMetaProperties parses meta.properties, version 0 or 1, after Kafka's MetaProperties and MetaPropertiesVersion.
// The errors are Kafka's own sentences, so that they can be looked up. The grammar is that of java.util.Properties:
// ISO-8859-1, backslash escapes and continuations, the last of equal keys wins, and no ${…} expansion.
func ParseMetaProperties(data []byte) (*MetaProperties, error) {
	if len(data) > maxMetaProperties {
		return nil, fmt.Errorf("expected at most %d bytes, found %d", maxMetaProperties, len(data))
	}
	loader := properties.Loader{Encoding: properties.ISO_8859_1, DisableExpansion: true}
	p, err := loader.LoadBytes(logicalLines(data))
	if err != nil {
		return nil, fmt.Errorf("expected Java properties: %w", err)
	}
	// The order of the checks is Kafka's, so that a file with several faults gets the same sentence.
	m := &MetaProperties{}
	if m.Version, err = metaVersion(p); err != nil {
		return nil, err
	}
	if m.NodeID, err = metaNodeID(p, m.Version); err != nil {
		return nil, err
	}
	if id, ok := p.Get("directory.id"); ok {
		uuid, err := ParseUUID(id)
		if err != nil {
			return nil, kafkaError("Unable to read directory.id as a Uuid: %w", err)
		}
		m.DirectoryID = base64.RawURLEncoding.EncodeToString(uuid[:])
	}
	if id, ok := p.Get("cluster.id"); ok {
		m.ClusterID = &id
	} else if m.Version > 0 {
		return nil, kafkaError("cluster.id was not found.")
	}
	return m, nil
}

// kafkaError makes an error whose text is a sentence of Kafka's, capital and full stop included.
func kafkaError(format string, args ...any) error { return fmt.Errorf(format, args...) }

func metaVersion(p *properties.Properties) (int, error) {
	text, ok := p.Get("version")
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseInt(javaTrim(text), 10, 32)
	if err != nil {
		return 0, kafkaError("Invalid meta.properties version string '%s'", Escape(text))
	}
	if n != 0 && n != 1 {
		return 0, kafkaError("Unknown meta.properties version number %d", n)
	}
	return int(n), nil
}

// javaTrim is String.trim: everything up to the space character goes.
func javaTrim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

func metaNodeID(p *properties.Properties, version int) (*int32, error) {
	key := "broker.id"
	if version > 0 {
		key = "node.id"
	}
	text, ok := p.Get(key)
	if !ok {
		if version > 0 {
			return nil, kafkaError("Failed to find %s", key)
		}
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return nil, kafkaError("Unable to read %s as a base-10 number.", key)
	}
	id := int32(n)
	return &id, nil
}

// ParseUUID parses Kafka's text form of a UUID, URL-safe base64 of 16 bytes, as Uuid.fromString does: at most 24
// characters, with or without padding.
func ParseUUID(text string) (id [16]byte, err error) {
	const longest = 24
	if len(text) > longest {
		return id, kafkaError("Input string with prefix `%s` is too long to be decoded as a base64 UUID",
			Escape(text[:longest]))
	}
	raw := strings.TrimRight(text, "=")
	decoded, err := base64.RawURLEncoding.DecodeString(raw)
	// The decoder passes over line ends, Java's does not.
	if err != nil || strings.ContainsAny(text, "\r\n") || len(raw) != len(text) && len(text)%4 != 0 {
		return id, fmt.Errorf("`%s` is not URL-safe base64", Escape(text))
	}
	if len(decoded) != len(id) {
		return id, kafkaError("Input string `%s` decoded as %d bytes, which is not equal to the expected 16 bytes "+
			"of a base64-encoded UUID", Escape(text), len(decoded))
	}
	copy(id[:], decoded)
	return id, nil
}
