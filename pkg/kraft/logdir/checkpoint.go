package logdir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// epochStart is a line of leader-epoch-checkpoint: the epoch and the first offset written in it.
type epochStart struct {
	epoch int32
	start int64
}

// parseLeaderEpochs parses leader-epoch-checkpoint after CheckpointFile and LeaderEpochCheckpointFile: version 0, the
// number of entries, the entries. An empty file has none.
func parseLeaderEpochs(data []byte) ([]epochStart, error) {
	if len(data) == 0 {
		return nil, nil
	}
	lines := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if v := lines[0]; v != "0" {
		return nil, fmt.Errorf("expected version 0, found %q", Escape(v))
	}
	if len(lines) < 2 {
		return nil, nil
	}
	count, err := strconv.Atoi(lines[1])
	if err != nil {
		return nil, fmt.Errorf("expected the number of entries, found %q", Escape(lines[1]))
	}
	var entries []epochStart
	for _, line := range lines[2:] {
		var e epochStart
		fields := strings.Fields(line)
		if len(fields) != 2 {
			return nil, fmt.Errorf("expected an epoch and an offset, found %q", Escape(line))
		}
		epoch, err1 := strconv.ParseInt(fields[0], 10, 32)
		start, err2 := strconv.ParseInt(fields[1], 10, 64)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("expected an epoch and an offset, found %q", Escape(line))
		}
		e.epoch, e.start = int32(epoch), start
		entries = append(entries, e)
	}
	if len(entries) != count {
		return nil, fmt.Errorf("expected %d entries, found %d", count, len(entries))
	}
	return entries, nil
}

// ParsePartitionMetadata returns the topic ID in partition.metadata: "version: 0" and "topic_id: ID" on two lines.
func ParsePartitionMetadata(data []byte) (string, error) {
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != 2 {
		return "", fmt.Errorf("expected two lines, found %d", len(lines))
	}
	version, ok := strings.CutPrefix(lines[0], "version:")
	if n, err := strconv.Atoi(strings.TrimSpace(version)); !ok || err != nil || n < 0 {
		return "", fmt.Errorf("expected \"version: 0\", found %q", Escape(lines[0]))
	}
	id, ok := strings.CutPrefix(lines[1], "topic_id:")
	if !ok {
		return "", fmt.Errorf("expected \"topic_id: \" and a topic ID, found %q", Escape(lines[1]))
	}
	uuid, err := ParseUUID(strings.TrimSpace(id))
	if err != nil {
		return "", err
	}
	if uuid == ([16]byte{}) {
		return "", errors.New("expected a topic ID, found the reserved zero UUID")
	}
	return strings.TrimRight(strings.TrimSpace(id), "="), nil
}

// parseCleanShutdown parses .kafka_cleanshutdown. The file's presence is what counts; a content that cannot be parsed
// leaves the broker epoch unknown, as in CleanShutdownFileHandler.
func parseCleanShutdown(data []byte) *CleanShutdown {
	var content struct {
		BrokerEpoch *int64 `json:"brokerEpoch"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(data), &content); err != nil || content.BrokerEpoch == nil {
		return &CleanShutdown{BrokerEpoch: -1}
	}
	return &CleanShutdown{BrokerEpoch: *content.BrokerEpoch}
}
