package logdir

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// ParseQuorumState parses __cluster_metadata-0/quorum-state, data_version 0 or 1, as FileQuorumStateStore does: only
// the first line counts, and fields it does not know are left out.
func ParseQuorumState(data []byte) (*QuorumState, error) {
	if len(data) > maxQuorumState {
		return nil, fmt.Errorf("expected at most %d bytes, found %d", maxQuorumState, len(data))
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if len(bytes.TrimSpace(line)) == 0 {
		return nil, kafkaError("File ended prematurely.")
	}
	// One value is read and what follows it is left, as Jackson's readTree does. Names are compared exactly, which
	// decoding into a struct would not do.
	var node map[string]json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(line)).Decode(&node); err != nil || node == nil {
		return nil, kafkaError("Deserialized node %q is not an object node", Escape(string(line)))
	}
	if _, ok := node["data_version"]; !ok {
		return nil, kafkaError("Deserialized node %q does not have data_version field", Escape(string(line)))
	}
	f := quorumFields{node: node}
	q := &QuorumState{}
	var version int16
	f.get("data_version", &version)
	if f.err == nil && (version < 0 || version > 1) {
		return nil, fmt.Errorf("data_version (%d) is not within the min (0) and max (1) supported version", version)
	}
	q.DataVersion = int(version)
	f.get("leaderId", &q.LeaderID)
	f.get("leaderEpoch", &q.LeaderEpoch)
	f.get("votedId", &q.VotedID)
	if version == 0 {
		f.version0(q)
	} else {
		f.version1(q)
	}
	if f.err != nil {
		return nil, f.err
	}
	return q, nil
}

// quorumFields reads the fields of QuorumStateData.json and keeps the first error.
type quorumFields struct {
	node map[string]json.RawMessage
	err  error
}

func (f *quorumFields) get(name string, into any) {
	if f.err != nil {
		return
	}
	raw, ok := f.node[name]
	if !ok {
		f.err = fmt.Errorf("unable to locate field '%s', which is mandatory", name)
		return
	}
	if err := json.Unmarshal(raw, into); err != nil || string(raw) == "null" {
		f.err = fmt.Errorf("field '%s': expected another kind of value, found %q", name, Escape(string(raw)))
	}
}

func (f *quorumFields) version0(q *QuorumState) {
	var clusterID string
	var appliedOffset int64
	var voters []map[string]json.RawMessage
	f.get("clusterId", &clusterID)
	f.get("appliedOffset", &appliedOffset)
	f.get("currentVoters", &voters)
	for _, v := range voters {
		voter := quorumFields{node: v}
		var id int32
		voter.get("voterId", &id)
		if f.err == nil {
			f.err = voter.err
		}
		q.Voters = append(q.Voters, id)
	}
}

func (f *quorumFields) version1(q *QuorumState) {
	var text string
	f.get("votedDirectoryId", &text)
	if f.err != nil {
		return
	}
	id, err := ParseUUID(text)
	if err != nil {
		f.err = fmt.Errorf("field 'votedDirectoryId': %w", err)
	}
	if id != ([16]byte{}) {
		q.VotedDirectoryID = base64.RawURLEncoding.EncodeToString(id[:])
	}
}
