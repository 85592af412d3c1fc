package metadata

import (
	"bytes"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// Filter chooses records. The zero value chooses all; every field that is set must match. It is not changed by Match.
type Filter struct {
	// Types are the record types wanted; control records only when none is named.
	Types []Type
	// FromOffset and ToOffset bound the offset, ToOffset exclusive; 0 is no bound.
	FromOffset, ToOffset int64
	// FromTime and ToTime bound the timestamp in milliseconds since 1970, ToTime exclusive; 0 is no bound.
	FromTime, ToTime int64
	// Topics are names of topics or their IDs; TopicIDs what ResolveTopics found for the names.
	Topics   []string
	TopicIDs []UUID
	// Keys are values of which one field of the record must have one: a name, a principal, an ID.
	Keys []string
}

// Match tells whether the record is one of those wanted.
func (f *Filter) Match(at Position, rec *Record) bool {
	if at.Offset < f.FromOffset || (f.ToOffset > 0 && at.Offset >= f.ToOffset) {
		return false
	}
	if at.Timestamp < f.FromTime || (f.ToTime > 0 && at.Timestamp >= f.ToTime) {
		return false
	}
	if rec == nil {
		return len(f.Types) == 0 && len(f.Topics) == 0 && len(f.Keys) == 0
	}
	if len(f.Types) > 0 && !slices.Contains(f.Types, rec.Message.Type()) {
		return false
	}
	if len(f.Topics) > 0 && !f.topic(rec.Message) {
		return false
	}
	return len(f.Keys) == 0 || f.key(rec)
}

func (f *Filter) topic(m Message) bool {
	name, id := topicOf(m)
	if name != "" && slices.Contains(f.Topics, name) {
		return true
	}
	return id != UUID{} && slices.Contains(f.TopicIDs, id)
}

// topicOf is the topic that a record is about, by name, ID or both.
func topicOf(m Message) (name string, id UUID) {
	switch m := m.(type) {
	case *TopicRecord:
		return m.Name, m.TopicID
	case *PartitionRecord:
		return "", m.TopicID
	case *PartitionChangeRecord:
		return "", m.TopicID
	case *RemoveTopicRecord:
		return "", m.TopicID
	case *ClearElrRecord:
		return m.TopicName, id
	case *ConfigRecord:
		if m.ResourceType == ConfigTopic {
			return m.ResourceName, id
		}
	}
	return "", id
}

// key looks for the value among the JSON values of the record, so that every field of every type can be asked for.
func (f *Filter) key(rec *Record) bool {
	text := rec.AppendJSON(nil, true)
	for _, k := range f.Keys {
		quoted := jsonString([]byte{':'}, k)
		if bytes.Contains(text, quoted) {
			return true
		}
		if _, err := strconv.ParseInt(k, 10, 64); err == nil {
			for _, end := range []string{",", "}"} {
				if bytes.Contains(text, []byte(":"+k+end)) {
					return true
				}
			}
		}
	}
	return false
}

// ResolveTopics adds the IDs of the topics named: those that any of the files ever gave the names to, and names that
// are IDs themselves. Partition records name their topic by its ID only.
func (f *Filter) ResolveTopics(fsys fs.FS, names []string, limits batch.Limits) error {
	for _, t := range f.Topics {
		if id, err := ParseUUID(t); err == nil && len(strings.TrimRight(t, "=")) == 22 {
			f.TopicIDs = append(f.TopicIDs, id)
		}
	}
	for _, name := range names {
		_, err := Walk(fsys, name, limits, func(e *Entry) error {
			if e.Record == nil {
				return nil
			}
			m, ok := e.Record.Message.(*TopicRecord)
			if ok && slices.Contains(f.Topics, m.Name) && !slices.Contains(f.TopicIDs, m.TopicID) {
				f.TopicIDs = append(f.TopicIDs, m.TopicID)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
