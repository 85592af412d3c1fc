package metadata

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// UUID is Kafka's Uuid: 16 bytes, most significant first. Topic, directory, incarnation and ACL IDs are UUIDs.
type UUID [16]byte

// Directory IDs with a meaning of their own (Kafka's DirectoryId).
var (
	// DirectoryMigrating stands for a replica assigned before Kafka knew directories; also the zero UUID.
	DirectoryMigrating = UUID{}
	// DirectoryUnassigned stands for a replica whose broker has not said yet where it put it.
	DirectoryUnassigned = UUID{15: 1}
	// DirectoryLost stands for a replica in a directory that failed.
	DirectoryLost = UUID{15: 2}
)

// ErrNotUUID is wrapped by every error of ParseUUID.
var ErrNotUUID = errors.New("not a Kafka UUID")

const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// IsZero tells whether all bits are zero.
func (u UUID) IsZero() bool { return u == UUID{} }

// String is the text Kafka prints: 22 characters of URL-safe base64 without padding.
func (u UUID) String() string { return string(u.AppendText22(nil)) }

// MarshalText is String as bytes, for encoding/json.
func (u UUID) MarshalText() ([]byte, error) { return u.AppendText22(nil), nil }

// UnmarshalText is ParseUUID.
func (u *UUID) UnmarshalText(text []byte) error {
	v, err := ParseUUID(string(text))
	if err == nil {
		*u = v
	}
	return err
}

// AppendText22 appends the 22 characters of String to b.
func (u UUID) AppendText22(b []byte) []byte {
	hi, lo := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	return append(b,
		base64URL[hi>>58], base64URL[hi>>52&63], base64URL[hi>>46&63], base64URL[hi>>40&63], base64URL[hi>>34&63],
		base64URL[hi>>28&63], base64URL[hi>>22&63], base64URL[hi>>16&63], base64URL[hi>>10&63], base64URL[hi>>4&63],
		base64URL[hi<<2&60|lo>>62], base64URL[lo>>56&63], base64URL[lo>>50&63], base64URL[lo>>44&63],
		base64URL[lo>>38&63], base64URL[lo>>32&63], base64URL[lo>>26&63], base64URL[lo>>20&63], base64URL[lo>>14&63],
		base64URL[lo>>8&63], base64URL[lo>>2&63], base64URL[lo<<4&48])
}

// ParseUUID reads the text form as Kafka's Uuid.fromString does: at most 24 characters, padding allowed.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	if len(s) > 24 {
		return u, fmt.Errorf("parse %.24q: %w: longer than 24 characters", s, ErrNotUUID)
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return u, fmt.Errorf("parse %q: %w: %w", s, ErrNotUUID, err)
	}
	if len(raw) != len(u) {
		return u, fmt.Errorf("parse %q: %w: %d bytes, want 16", s, ErrNotUUID, len(raw))
	}
	copy(u[:], raw)
	return u, nil
}
