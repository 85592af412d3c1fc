package metadata_test

import (
	"bufio"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// testdata/doubles.txt is what Java 25's Double.toString prints for the bits in front.
func TestDoublesAreWrittenAsJavaDoes(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/doubles.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	lines := 0
	for in.Scan() {
		digits, want, _ := strings.Cut(in.Text(), " ")
		bits, err := strconv.ParseUint(digits, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(metadata.AppendJavaDouble(nil, math.Float64frombits(bits))); got != want {
			t.Errorf("%s: %s, Java prints %s", digits, got, want)
		}
		lines++
	}
	if lines < 200 {
		t.Fatalf("%d lines", lines)
	}
}

func TestSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	secret := "s3cret"
	for _, c := range []struct {
		name    string
		message metadata.Message
		hidden  bool
	}{
		{"a SCRAM credential", &metadata.UserScramCredentialRecord{Salt: []byte(secret), StoredKey: []byte(secret)}, true},
		{"a password of a broker", &metadata.ConfigRecord{ResourceType: 4, Name: "ssl.key.password", Value: &secret}, true},
		{"one of a listener", &metadata.ConfigRecord{ResourceType: 4, Name: "listener.name.a.ssl.keystore.key", Value: &secret}, true},
		{"a mechanism's configuration", &metadata.ConfigRecord{ResourceType: 4, Name: "listener.name.a.scram-sha-512.sasl.jaas.config", Value: &secret}, true},
		{"a broker configuration Kafka does not know", &metadata.ConfigRecord{ResourceType: 4, Name: "my.plugin.thing", Value: &secret}, true},
		{"a resource of an unknown type", &metadata.ConfigRecord{ResourceType: 99, Name: "x", Value: &secret}, true},
		{"a topic's configuration that sounds secret", &metadata.ConfigRecord{ResourceType: 2, Name: "x.secret", Value: &secret}, true},
		{"a plain broker configuration", &metadata.ConfigRecord{ResourceType: 4, Name: "log.retention.ms", Value: &secret}, false},
		{"one of a listener that is plain", &metadata.ConfigRecord{ResourceType: 4, Name: "listener.name.a.max.connections", Value: &secret}, false},
		{"a topic's configuration", &metadata.ConfigRecord{ResourceType: 2, Name: "retention.ms", Value: &secret}, false},
	} {
		rec := metadata.Record{Frame: 1, Message: c.message}
		text, encoded := string(rec.AppendJSON(nil, true)), "czNjcmV0"
		shown := strings.Contains(text, secret) || strings.Contains(text, encoded)
		if shown == c.hidden {
			t.Errorf("%s: %s", c.name, text)
		}
		if full := string(rec.AppendJSON(nil, false)); !strings.Contains(full, secret) && !strings.Contains(full, encoded) {
			t.Errorf("%s: not even shown when asked for: %s", c.name, full)
		}
	}
	unknown := metadata.Decode(append([]byte{1, 99, 0}, secret...))
	if text, err := unknown.MarshalJSON(); err != nil || strings.Contains(string(text), "czNjcmV0") {
		t.Errorf("an unknown record: %s", text)
	}
}

func TestRecordsOfOldReleasesKeepTheirLayout(t *testing.T) {
	t.Parallel()
	for digits, want := range map[string]string{
		// FeatureLevelRecord of 3.0: name, lowest and highest level.
		"010c00056162636400010007" + "00": `{"type":"FEATURE_LEVEL_RECORD","version":0,"data":{"name":"abcd","minFeatureLevel":1,"maxFeatureLevel":7}}`,
		// TopicRecord of the 2.8 preview: frame 0, strings with a length of two bytes, no tags.
		"000200" + "0003666f6f" + strings.Repeat("00", 16): `{"type":"TOPIC_RECORD","version":0,"data":{"name":"foo","topicId":"AAAAAAAAAAAAAAAAAAAAAA"}}`,
		"011000" + "0361620000"[:6] + "00":                 `{"type":"REMOVE_FEATURE_LEVEL_RECORD","version":0,"data":{"name":"ab"}}`,
	} {
		value, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		rec := metadata.Decode(value)
		if got := string(rec.AppendJSON(nil, false)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", digits, got, want)
		}
	}
}

func TestUnknownRecordsSayWhy(t *testing.T) {
	t.Parallel()
	for digits, want := range map[string]error{
		"016300":         metadata.ErrUnknownType,
		"010209":         metadata.ErrUnknownVersion,
		"020200":         metadata.ErrUnknownFrame,
		"0102000a666f6f": metadata.ErrMalformed,
		"01":             metadata.ErrMalformed,
		"01ffffffff7f":   metadata.ErrMalformed,
	} {
		value, _ := hex.DecodeString(digits)
		rec := metadata.Decode(value)
		u, ok := rec.Message.(*metadata.UnknownRecord)
		if !ok || !errors.Is(u.Err, want) {
			t.Errorf("%s: %T, want %v", digits, rec.Message, want)
			continue
		}
		if back, err := rec.Append(nil); err != nil || hex.EncodeToString(back) != digits {
			t.Errorf("%s: written back as %x (%v)", digits, back, err)
		}
	}
}

func TestUUIDsAreKafkas(t *testing.T) {
	t.Parallel()
	u, err := metadata.ParseUUID("_taYYzwTTrWR0p2flPtlPw")
	if err != nil || u.String() != "_taYYzwTTrWR0p2flPtlPw" || metadata.DirectoryLost.String() != "AAAAAAAAAAAAAAAAAAAAAg" {
		t.Errorf("%s %v", u, err)
	}
	var back metadata.UUID
	if text, _ := u.MarshalText(); back.UnmarshalText(text) != nil || back != u {
		t.Errorf("%s", back)
	}
	for _, bad := range []string{"", "short", "!!!!!!!!!!!!!!!!!!!!!!", strings.Repeat("A", 25)} {
		if _, err := metadata.ParseUUID(bad); !errors.Is(err, metadata.ErrNotUUID) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestNamesAreKafkas(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		metadata.Version(29).String():              "4.2-IV1",
		metadata.Version(0).String():               "none",
		metadata.Version(99).String():              "unknown (99)",
		metadata.ACLResourceName(5):                "TRANSACTIONAL_ID",
		metadata.OperationName(99):                 "UNKNOWN(99)",
		metadata.ConfigResourceName(32):            "GROUP",
		metadata.ConfigResourceName(8):             "BROKER_LOGGER",
		metadata.ConfigResourceName(1):             "UNKNOWN(1)",
		metadata.SecurityProtocolName(3):           "SASL_SSL",
		metadata.SecurityProtocolName(77):          "UNKNOWN(77)",
		metadata.Type(77).String():                 "UNKNOWN_RECORD_77",
		batch.KRaftVoters.String():                 "KRAFT_VOTERS",
		metadata.PatternName(4):                    "PREFIXED",
		metadata.MechanismName(2):                  "SCRAM-SHA-512",
		metadata.TypeNoOp.String():                 "NO_OP_RECORD",
		metadata.TypeUnregisterController.String(): "UNREGISTER_CONTROLLER_RECORD",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, spelling := range []string{"topic", "TOPIC_RECORD", "TopicRecord", "topic-record"} {
		if typ, ok := metadata.ParseType(spelling); !ok || typ != metadata.TypeTopic {
			t.Errorf("%q is %v", spelling, typ)
		}
	}
	if _, ok := metadata.ParseType("nope"); ok {
		t.Error("a type nope")
	}
	if metadata.Version(34).Known() || !metadata.Version(33).Known() {
		t.Error("levels 1 to 33 are known")
	}
}
