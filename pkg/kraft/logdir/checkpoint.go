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

// parseLeaderEpochs parses leader-epoch-checkpoint after LeaderEpochCheckpointFile.
func parseLeaderEpochs(data []byte) ([]epochStart, error) {
	var entries []epochStart
	err := eachEntry(data, func(fields []string) bool {
		if len(fields) != 2 {
			return false
		}
		epoch, err1 := strconv.ParseInt(fields[0], 10, 32)
		start, err2 := strconv.ParseInt(fields[1], 10, 64)
		entries = append(entries, epochStart{int32(epoch), start})
		return err1 == nil && err2 == nil
	}, "an epoch and an offset")
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// ParseOffsetCheckpoint returns the offset that a checkpoint of offsets (replication-offset-checkpoint and its like,
// after OffsetCheckpointFile) notes of each partition, by TOPIC-PARTITION.
func ParseOffsetCheckpoint(data []byte) (map[string]int64, error) {
	offsets := map[string]int64{}
	err := eachEntry(data, func(fields []string) bool {
		if len(fields) != 3 {
			return false
		}
		partition, err1 := strconv.ParseInt(fields[1], 10, 32)
		offset, err2 := strconv.ParseInt(fields[2], 10, 64)
		offsets[fields[0]+"-"+strconv.FormatInt(partition, 10)] = offset
		return err1 == nil && err2 == nil
	}, "a topic, a partition and an offset")
	if err != nil {
		return nil, err
	}
	return offsets, nil
}

// eachEntry goes through a checkpoint after CheckpointFile: version 0, the number of entries, the entries. An empty
// file has none. take tells whether an entry is what was expected.
func eachEntry(data []byte, take func(fields []string) bool, expected string) error {
	if len(data) == 0 {
		return nil
	}
	lines := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if v := lines[0]; v != "0" {
		return fmt.Errorf("expected version 0, found %q", Escape(v))
	}
	if len(lines) < 2 {
		return nil
	}
	count, err := strconv.Atoi(lines[1])
	if err != nil {
		return fmt.Errorf("expected the number of entries, found %q", Escape(lines[1]))
	}
	for _, line := range lines[2:] {
		if !take(strings.Fields(line)) {
			return fmt.Errorf("expected %s, found %q", expected, Escape(line))
		}
	}
	if n := len(lines) - 2; n != count {
		return fmt.Errorf("expected %d entries, found %d", count, n)
	}
	return nil
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
