package tree_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/tree"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// clusterImage is a small cluster: two topics, one with a name that would act on a terminal, a broker, a leader change.
func clusterImage(t *testing.T) *metadata.Image {
	t.Helper()
	im := metadata.NewImage()
	value := "v"
	for i, m := range []metadata.Message{
		&metadata.FeatureLevelRecord{Name: "metadata.version", FeatureLevel: 21},
		&metadata.TopicRecord{Name: "orders", TopicID: metadata.UUID{0: 1}},
		&metadata.PartitionRecord{TopicID: metadata.UUID{0: 1}, Replicas: []int32{1, 2}, ISR: []int32{1}, Leader: 1},
		&metadata.PartitionRecord{TopicID: metadata.UUID{0: 1}, PartitionID: 1, Replicas: []int32{2}, Leader: -1},
		&metadata.TopicRecord{Name: "bell\a", TopicID: metadata.UUID{0: 2}},
		&metadata.RegisterBrokerRecord{BrokerID: 1, BrokerEpoch: 3, Fenced: true},
		&metadata.ConfigRecord{ResourceType: metadata.ConfigBroker, Name: "ssl.key.password", Value: &value},
	} {
		rec := metadata.Record{Frame: 1, Message: m}
		encoded, err := rec.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := im.Apply(encoded, metadata.Position{Offset: int64(i), Epoch: 4, Timestamp: 1_700_000_000_000}); err != nil {
			t.Fatal(err)
		}
	}
	change := metadata.AppendControlValue(nil, &metadata.LeaderChangeMessage{LeaderID: 3})
	if err := im.ApplyControl([]byte{0, 0, 0, 2}, change, metadata.Position{Offset: 7, Epoch: 5}); err != nil {
		t.Fatal(err)
	}
	return im
}

func TestCommandsOfTheShell(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		lines   []string // commands, of which the last one's output counts
		want    string
		missing int
	}{
		{"ls of the root", []string{"ls"}, "image\nlocal\n", 0},
		{"ls of a file", []string{"ls /local/version"}, "version\n", 0},
		{"ls of files and directories", []string{"ls /local/version /image/topics /image/cluster"},
			"version\n\ntopics:\nbyId\nbyName\n\ncluster:\nbrokers\ncontrollers\n", 0},
		{"ls with a pattern", []string{"ls image/{topics,cluster}"}, "cluster:\nbrokers\ncontrollers\n\ntopics:\nbyId\nbyName\n", 0},
		{"ls of nothing", []string{"ls nowhere"}, "ls: nowhere: no such file or directory.\n", 1},
		{"cat", []string{"cat /local/version"}, "1.0\n", 0},
		{"cat of a directory", []string{"cat image"}, "cat: image: Is a directory\n", 1},
		{"cat of nothing", []string{"cat image/nope"}, "cat: image/nope: No such file or directory.\n", 1},
		{"cat with a pattern", []string{"cat image/topics/byName/ord*/[ni]*"}, "AQAAAAAAAAAAAAAAAAAAAA\norders\n", 0},
		{"cat of a partition", []string{"cat image/topics/byName/orders/1"}, "PartitionRegistration(replicas=[2], " +
			"directories=[AAAAAAAAAAAAAAAAAAAAAA], isr=[], removingReplicas=[], addingReplicas=[], elr=[], lastKnownElr=[], " +
			"leader=-1, leaderRecoveryState=RECOVERED, leaderEpoch=0, partitionEpoch=0)\n", 0},
		{"the version of 3.9", []string{"cat image/features/metadataVersion"}, "3.9-IV0\n", 0},
		{"a secret", []string{"cat image/configs/BROKER/*"}, "(redacted)\n", 0},
		{"the short layout", []string{"cat /topics/orders/0/data"}, "{\n  \"partitionId\" : 0,\n" +
			"  \"topicId\" : \"AQAAAAAAAAAAAAAAAAAAAA\",\n  \"replicas\" : [ 1, 2 ],\n  \"isr\" : [ 1 ],\n" +
			"  \"removingReplicas\" : [ ],\n  \"addingReplicas\" : [ ],\n  \"leader\" : 1,\n  \"leaderEpoch\" : 0,\n" +
			"  \"partitionEpoch\" : 0\n}\n", 0},
		{"the short layout's brokers", []string{"cat brokers/1/isFenced"}, "true\n", 0},
		{"the short layout's IDs", []string{"ls topicIds/AQAAAAAAAAAAAAAAAAAAAA"}, "0\n1\nid\nname\n", 0},
		{"the short layout's quorum", []string{"tree metadataQuorum"},
			"leader:\n  LeaderAndEpoch(leaderId=OptionalInt[3], epoch=5)\noffset:\n  7\n", 0},
		{"the short layout's configurations", []string{"ls configs"}, "BROKER\n", 0},
		{"cd and a relative path", []string{"cd image/topics", "cd byName", "ls orders"}, "0\n1\nid\nname\n", 0},
		{"cd up", []string{"cd image/topics", "cd ..", "pwd"}, "/image\n", 0},
		{"cd home", []string{"cd image", "cd", "pwd"}, "/\n", 0},
		{"cd to a file", []string{"cd local/version"}, "cd: local/version: not a directory.\n", 1},
		{"cd to nowhere", []string{"cd nowhere"}, "cd: nowhere: no such file or directory.\n", 1},
		{"find", []string{"find local"}, "local\nlocal/commitId\nlocal/version\n", 0},
		{"find with a pattern", []string{"find loc*"}, "local\nlocal/commitId\nlocal/version\n", 0},
		{"find of nothing", []string{"find x"}, "find: x: no such file or directory.\n", 1},
		{"tree", []string{"tree local"}, "commitId:\n  abc\nversion:\n  1.0\n", 0},
		{"tree of nothing", []string{"tree x"}, "tree: x: No such file or directory.\n", 1},
		{"man", []string{"man pwd"}, "pwd: Print the current working directory.\n\nusage: pwd\n", 0},
		{"man of nothing", []string{"man sudo"}, "man: sudo: there is no such command.\n", 1},
		{"history", []string{"pwd", "cd image", "history 2"}, "    1  cd image\n    2  history 2\n", 0},
		{"history of words", []string{"history all"}, "history: all: not a number of entries.\n", 1},
		{"an unknown command", []string{"rm x"}, "invalid choice: 'rm' (choose from '" +
			"cat', 'cd', 'exit', 'find', 'help', 'history', 'ls', 'man', 'pwd', 'tree')\n", 1},
		{"an escaped star is a name", []string{`ls \*`}, "ls: \\*: no such file or directory.\n", 1},
		{"a pattern that is none", []string{"ls [z-a]"}, "ls: [z-a]: no such file or directory.\n", 1},
		{"an escape sequence in a name", []string{"ls image/topics/byName"}, "bell\\a\norders\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			s := &tree.Shell{
				Root: tree.New(clusterImage(t), tree.Options{Version: "1.0", Commit: "abc"}), Out: &out, Escape: output.Escape,
			}
			for _, line := range c.lines {
				out.Reset()
				if err := s.Run(strings.Fields(line)...); err != nil {
					t.Fatal(err)
				}
			}
			if out.String() != c.want || s.Missing() != c.missing {
				t.Errorf("got\n%swant\n%s%d missing, want %d", out.String(), c.want, s.Missing(), c.missing)
			}
		})
	}
}

func TestHelpExitAndNothing(t *testing.T) {
	t.Parallel()
	s, out := shell(t, tree.Options{})
	if err := s.Run("exit"); !errors.Is(err, tree.ErrExit) {
		t.Errorf("exit: %v", err)
	}
	if err := s.Run(); err != nil || out.Len() > 0 {
		t.Errorf("nothing typed: %v, %q", err, out)
	}
	for _, command := range []string{"help", "man"} {
		out.Reset()
		if err := s.Run(command); err != nil || strings.Count(out.String(), "\n") != len(tree.CommandNames()) {
			t.Errorf("%s: %v, %q", command, err, out)
		}
	}
	if s.Dir() != "/" {
		t.Errorf("begins in %s", s.Dir())
	}
}

func TestColumnsFillTheWidth(t *testing.T) {
	t.Parallel()
	s, out := shell(t, tree.Options{})
	s.Width = 40
	if err := s.Run("ls", "image"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) < 2 || len(lines) > 5 {
		t.Errorf("%d lines:\n%s", len(lines), out)
	}
	for _, l := range lines {
		if len(l) > 40 {
			t.Errorf("%d columns: %q", len(l), l)
		}
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	s, _ := shell(t, tree.Options{})
	if err := s.Run("cd", "image"); err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string][]string{
		"h": {"help", "history"}, "": tree.CommandNames(), "cat fea": {"features/"}, "ls topics/by": {"topics/byId/", "topics/byName/"},
		"ls /lo": {"/local/"}, "cat /local/v": {"/local/version"}, "ls nowhere/x": nil, "ls topics ": s.Root.Find("image").Names(),
	} {
		got := s.Complete(typed)
		if typed == "ls topics " {
			if len(got) != len(want) {
				t.Errorf("%q completes to %q", typed, got)
			}
			continue
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q completes to %q, want %q", typed, got, want)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWritingThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	s, _ := shell(t, tree.Options{})
	s.Out = full{}
	for _, command := range []string{"ls", "tree", "find", "pwd", "help", "history"} {
		if err := s.Run(command); err == nil {
			t.Errorf("%s: no error", command)
		}
	}
}

func TestTheStyleFollowsTheMetadataVersion(t *testing.T) {
	t.Parallel()
	for level, want := range map[metadata.Version]tree.Style{21: tree.Style39, 25: tree.Style42, 29: tree.Style42, 30: tree.Style43} {
		if got := tree.StyleOf(level); got != want {
			t.Errorf("%s is printed as %s, want %s", level, got, want)
		}
	}
	if !slices.Equal(tree.Styles(), []tree.Style{tree.Style39, tree.Style42, tree.Style43}) {
		t.Errorf("%v", tree.Styles())
	}
	root := tree.New(metadata.NewImage(), tree.Options{Style: tree.Style43})
	if got := root.Find("image/features/metadataVersion").Text(); got != "Optional.empty" {
		t.Errorf("without a version: %s", got)
	}
	if root.Find("image/provenance").Names() != nil || root.Find("image").Text() != "" || root.Find("x/y") != nil {
		t.Error("files have names, or directories text")
	}
}
