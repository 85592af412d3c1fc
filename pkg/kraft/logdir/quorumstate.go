package logdir

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// quorumStateJSON is QuorumStateData.json; pointers tell a missing field from zero.
type quorumStateJSON struct {
	DataVersion      *int16        `json:"data_version"`
	LeaderID         *int32        `json:"leaderId"`
	LeaderEpoch      *int32        `json:"leaderEpoch"`
	VotedID          *int32        `json:"votedId"`
	VotedDirectoryID *string       `json:"votedDirectoryId"`
	CurrentVoters    []voterIDJSON `json:"currentVoters"`
}

type voterIDJSON struct {
	VoterID *int32 `json:"voterId"`
}

// ParseQuorumState parses __cluster_metadata-0/quorum-state, data_version 0 or 1, as FileQuorumStateStore does: only
// the first line counts, and fields it does not know are left out.
func ParseQuorumState(data []byte) (*QuorumState, error) {
	if len(data) > maxQuorumState {
		return nil, fmt.Errorf("expected at most %d bytes, found %d", maxQuorumState, len(data))
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if len(bytes.TrimSpace(line)) == 0 {
		return nil, errors.New("File ended prematurely.") //nolint:staticcheck,revive // Kafka's sentence
	}
	var raw quorumStateJSON
	if err := json.Unmarshal(line, &raw); err != nil {
		return nil, fmt.Errorf("expected one line of JSON: %w", err)
	}
	if raw.DataVersion == nil {
		return nil, errors.New("Deserialized node does not have data_version field") //nolint:staticcheck,revive // Kafka's
	}
	if v := *raw.DataVersion; v < 0 || v > 1 {
		return nil, fmt.Errorf("data_version (%d) is not within the min (0) and max (1) supported version", v)
	}
	for _, field := range []struct {
		name    string
		missing bool
	}{
		{"leaderId", raw.LeaderID == nil},
		{"leaderEpoch", raw.LeaderEpoch == nil},
		{"votedId", raw.VotedID == nil},
		{"votedDirectoryId", *raw.DataVersion == 1 && raw.VotedDirectoryID == nil},
	} {
		if field.missing {
			return nil, fmt.Errorf("unable to locate field '%s', which is mandatory in version %d", field.name, *raw.DataVersion)
		}
	}
	q := &QuorumState{
		DataVersion: int(*raw.DataVersion), LeaderID: *raw.LeaderID, LeaderEpoch: *raw.LeaderEpoch, VotedID: *raw.VotedID,
	}
	if q.DataVersion == 1 {
		id, err := ParseUUID(*raw.VotedDirectoryID)
		if err != nil {
			return nil, fmt.Errorf("votedDirectoryId: %w", err)
		}
		if id != ([16]byte{}) {
			q.VotedDirectoryID = base64.RawURLEncoding.EncodeToString(id[:])
		}
		return q, nil
	}
	for _, v := range raw.CurrentVoters {
		if v.VoterID == nil {
			return nil, errors.New("unable to locate field 'voterId', which is mandatory in version 0")
		}
		q.Voters = append(q.Voters, *v.VoterID)
	}
	return q, nil
}
