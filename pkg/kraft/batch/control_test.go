package batch_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// controls parses every control record of a file.
func controls(t *testing.T, data []byte) []batch.ControlRecord {
	t.Helper()
	var out []batch.ControlRecord
	r := batch.NewBytesReader(data, batch.Options{})
	for r.Next() {
		if !r.Batch().IsControl() {
			continue
		}
		for _, rec := range recordsOf(t, r.Batch()) {
			c, err := batch.ParseControl(rec.Key, rec.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, *c)
		}
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return out
}

func TestControlRecordsOfAVoterSnapshot(t *testing.T) {
	t.Parallel()
	// kafka-storage format --initial-controllers of Kafka 4.2.0, expectations from kafka-dump-log.
	id := func(b byte) (u [16]byte) {
		for i := range u {
			u[i] = b
		}
		return u
	}
	want := []batch.ControlRecord{
		{Type: batch.SnapshotHeader, LastContainedLogTimestamp: 1795511350224},
		{Type: batch.KRaftVersion, KRaftVersion: 1},
		{Type: batch.KRaftVoters, Voters: []batch.ControlVoter{
			{
				ID: 4, DirectoryID: id(2), MaxSupportedVersion: 1,
				Endpoints: []batch.Endpoint{{Name: "CONTROLPLANE-9090", Host: "c4.example", Port: 9090}},
			},
			{
				ID: 3, DirectoryID: id(1), MaxSupportedVersion: 1,
				Endpoints: []batch.Endpoint{{Name: "CONTROLPLANE-9090", Host: "c3.example", Port: 9090}},
			},
		}},
		{Type: batch.SnapshotFooter},
	}
	got := controls(t, read(t, "voters.checkpoint"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("control records (-Kafka +this):\n%s", diff)
	}
	if got := got[2].Voters[1].DirectoryIDString(); got != "AQEBAQEBAQEBAQEBAQEBAQ" {
		t.Errorf("directory ID: got %s", got)
	}
}

func TestControlRecordsOfALog(t *testing.T) {
	t.Parallel()
	want := []batch.ControlRecord{{
		Type: batch.LeaderChange, LeaderID: 3,
		Voters:         []batch.ControlVoter{{ID: 3}, {ID: 4}},
		GrantingVoters: []batch.ControlVoter{{ID: 3}},
	}}
	if diff := cmp.Diff(want, controls(t, read(t, "small.log"))); diff != "" {
		t.Errorf("leader change (-Kafka +this):\n%s", diff)
	}
	want = []batch.ControlRecord{{Type: batch.Commit, CoordinatorEpoch: 9}}
	if diff := cmp.Diff(want, controls(t, read(t, "codec-none.log"))); diff != "" {
		t.Errorf("transaction marker (-Kafka +this):\n%s", diff)
	}
}

func TestControlTypeNames(t *testing.T) {
	t.Parallel()
	want := "ABORT COMMIT LEADER_CHANGE SNAPSHOT_HEADER SNAPSHOT_FOOTER KRAFT_VERSION KRAFT_VOTERS UNKNOWN"
	var names []string
	for i := range batch.ControlType(8) {
		names = append(names, i.String())
	}
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got %s", got)
	}
}

func TestDamagedControlRecordsAreErrors(t *testing.T) {
	t.Parallel()
	voters := controlsRaw(t, batch.KRaftVoters)
	key := func(version, kind uint16) []byte {
		return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, version), kind)
	}
	for n := range voters {
		if _, err := batch.ParseControl(key(0, 6), voters[:n]); err == nil {
			t.Errorf("a voters record cut to %d of %d bytes parses", n, len(voters))
		}
	}
	tests := map[string]struct{ key, value []byte }{
		"no key":                      {nil, voters},
		"a short key":                 {[]byte{0, 0, 0}, voters},
		"a negative key version":      {key(0xffff, 6), voters},
		"bytes after the last field":  {key(0, 6), append(append([]byte(nil), voters...), 0)},
		"an array longer than it can": {key(0, 6), []byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0}},
		"a null array":                {key(0, 2), []byte{0, 0, 0, 0, 0, 1, 0}},
		"too long an integer":         {key(0, 6), []byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 1, 1, 1}},
		"too many tagged fields":      {key(0, 4), []byte{0, 0, 200, 1}},
		"a tagged field too long":     {key(0, 4), []byte{0, 0, 1, 1, 9, 0}},
		"no value":                    {key(0, 3), nil},
	}
	for name, test := range tests {
		if c, err := batch.ParseControl(test.key, test.value); err == nil {
			t.Errorf("%s: got %+v, want an error", name, c)
		}
	}
	if c, err := batch.ParseControl(key(0, 99), []byte("whatever")); err != nil || c.Type != 99 {
		t.Errorf("a type of a later release: got %+v, %v; Kafka ignores it", c, err)
	}
	if c, err := batch.ParseControl(key(0, 4), []byte{0, 0, 1, 7, 2, 9, 9}); err != nil || c.Type != batch.SnapshotFooter {
		t.Errorf("an unknown tagged field: got %+v, %v; Kafka skips it", c, err)
	}
}

// controlsRaw returns the value of the first control record of that type in the voter snapshot.
func controlsRaw(t *testing.T, want batch.ControlType) []byte {
	t.Helper()
	r := batch.NewBytesReader(read(t, "voters.checkpoint"), batch.Options{})
	for r.Next() {
		for _, rec := range recordsOf(t, r.Batch()) {
			if k, err := batch.ParseControlKey(rec.Key); err == nil && k == want {
				return rec.Value
			}
		}
	}
	t.Fatalf("no %s record", want)
	return nil
}

func TestLeaderChangeWithDirectoryIDs(t *testing.T) {
	t.Parallel()
	// LeaderChangeMessage version 1 by its schema: no release writes it yet, the readers accept it.
	value := []byte{0, 1, 0, 0, 0, 3, 2, 0, 0, 0, 3}
	value = append(value, make([]byte, 15)...)
	value = append(value, 9, 0, 1, 0)
	c, err := batch.ParseControl([]byte{0, 0, 0, 2}, value)
	if err != nil || len(c.Voters) != 1 || c.Voters[0].DirectoryIDString() != "AAAAAAAAAAAAAAAAAAAACQ" {
		t.Errorf("got %+v, %v", c, err)
	}
}
