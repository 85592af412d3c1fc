package cmd

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// result runs a command on a fixture's volumes and decodes what it says as JSON.
func result(t *testing.T, into any, args ...string) {
	t.Helper()
	r := runOffline(t, "", append(args, "-o", "json")...)
	if r.code != exitcode.OK {
		t.Fatalf("%v: exit code %d: %s", args, r.code, r.err)
	}
	if err := json.Unmarshal([]byte(r.out), into); err != nil {
		t.Fatal(err)
	}
}

// What the commands read from the disks is what the running cluster told Kafka's own client before it was ended.
func TestCommandsSayWhatTheRunningClusterSaid(t *testing.T) {
	t.Parallel()
	for _, fixture := range []string{
		volumes.SplitRoles, volumes.SplitRoles39, volumes.DualRole, volumes.SingleNode, volumes.EveryRecord,
		volumes.EveryRecord39, volumes.OldVersions,
	} {
		t.Run(fixture, func(t *testing.T) {
			t.Parallel()
			m, dir := volumes.ReadManifest(t, fixture), volumes.Unpack(t, fixture)
			sameGroups(t, m, dir)
			sameOffsets(t, m, dir)
			var verified struct {
				Issues  []any
				Records int
			}
			result(t, &verified, "partition", "verify", "--dir", dir)
			if len(verified.Issues) > 0 || verified.Records == 0 {
				t.Errorf("%+v", verified)
			}
			var info struct{ Problems []string }
			result(t, &info, "storage", "info", "--dir", dir)
			if len(info.Problems) > 0 {
				t.Errorf("%v", info.Problems)
			}
			var quorum struct {
				Voters      []struct{ ID int }
				SafeToStart bool
				ClusterIDs  []string
			}
			result(t, &quorum, "metadata", "quorum", "--dir", dir)
			var voters []int
			for _, v := range quorum.Voters {
				voters = append(voters, v.ID)
			}
			if !slices.Equal(voters, m.Voters) || !quorum.SafeToStart || !slices.Equal(quorum.ClusterIDs, []string{m.ClusterID}) {
				t.Errorf("%+v, want voters %v of %s", quorum, m.Voters, m.ClusterID)
			}
		})
	}
}

func sameGroups(t *testing.T, m volumes.Manifest, dir string) {
	t.Helper()
	var groups struct {
		Groups []struct {
			ID      string
			Kind    string
			Offsets []struct {
				Topic     string
				Partition int
				Offset    int64
				Lag       *int64
			}
		}
	}
	result(t, &groups, "metadata", "groups", "--dir", dir)
	got := map[string]map[string]int64{}
	for _, g := range groups.Groups {
		for _, o := range g.Offsets {
			if got[g.ID] == nil {
				got[g.ID] = map[string]int64{}
			}
			got[g.ID][fmt.Sprintf("%s-%d", o.Topic, o.Partition)] = o.Offset
			if o.Lag == nil {
				t.Errorf("%s: the end of %s-%d was not read", g.ID, o.Topic, o.Partition)
			}
		}
	}
	if diff := cmp.Diff(m.Groups, got); diff != "" {
		t.Errorf("groups (-Kafka +ours):\n%s", diff)
	}
}

func sameOffsets(t *testing.T, m volumes.Manifest, dir string) {
	t.Helper()
	var list struct {
		Partitions []struct {
			Topic     string
			Partition int
			State     string
			TopicID   string
			EndOffset int64
		}
	}
	result(t, &list, "partition", "ls", "--dir", dir)
	ends, ids := map[string]int64{}, map[string]string{}
	for _, p := range list.Partitions {
		name := fmt.Sprintf("%s-%d", p.Topic, p.Partition)
		if p.State == "current" && !strings.HasPrefix(p.Topic, "__cluster") {
			ends[name], ids[p.Topic] = max(ends[name], p.EndOffset), p.TopicID
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(m.Topics)) {
		if ids[topic] != m.Topics[topic].ID {
			t.Errorf("%s has ID %s, Kafka says %s", topic, ids[topic], m.Topics[topic].ID)
		}
		for n, p := range m.Topics[topic].Partitions {
			if strings.HasPrefix(topic, "__") {
				continue // they were written to until the end
			}
			if name := fmt.Sprintf("%s-%d", topic, n); ends[name] != p.End {
				t.Errorf("%s ends at %d, Kafka says %d", name, ends[name], p.End)
			}
		}
	}
}

// The records of the internal topics, as kafka-dump-log prints them with its decoders.
func TestInternalTopicsPrintAsKafkasToolPrintsThem(t *testing.T) {
	t.Parallel()
	kinds := map[string]int{}
	for _, fixture := range volumes.Names() {
		if fixture == volumes.ZooKeeper {
			continue // its recordings are those of no tool
		}
		m, dir, says := volumes.ReadManifest(t, fixture), volumes.Unpack(t, fixture), volumes.UnpackSays(t, fixture)
		recordings, err := filepath.Glob(filepath.Join(says, "*", "*", "__*_*-*", "*.log.dump"))
		if err != nil {
			t.Fatal(err)
		}
		for _, recording := range recordings {
			topic := filepath.Base(filepath.Dir(recording))
			topic = topic[:strings.LastIndex(topic, "-")]
			if topic == "__cluster_metadata" {
				continue
			}
			kinds[topic]++
			theirs, err := os.ReadFile(recording)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, strings.TrimSuffix(strings.TrimPrefix(recording, says), ".dump"))
			args := []string{"partition", "records", "-o", "kafka", "--dir", file}
			if strings.HasPrefix(m.Kafka, "3.") {
				args = append(args, "--style", "3.9")
			}
			r := runOffline(t, "", args...)
			// The first line names the file as the tool was given it.
			_, want, _ := strings.Cut(string(theirs), "\n")
			_, got, _ := strings.Cut(r.out, "\n")
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" || r.code != exitcode.OK {
				t.Errorf("%s: exit code %d, other than Kafka's (-Kafka's +ours):\n%s%s", recording, r.code, diff, r.err)
			}
		}
	}
	for _, topic := range []string{"__consumer_offsets", "__transaction_state", "__share_group_state"} {
		if kinds[topic] == 0 {
			t.Errorf("there is no recording of %s", topic)
		}
	}
}
