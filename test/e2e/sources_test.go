package e2e_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// lookup is a command that looks into volumes, wherever they are.
type lookup struct {
	// args are the command line. ALL stands for the cluster or the folder of its volumes, CONTROLLER and BROKER for the
	// volume with such a node's metadata.
	args string
	// differs tells that the exit code depends on what the volumes hold; else it is 0.
	differs bool
	// drop are parts of what it says that a claim cannot give, as documented, or that are not about volumes.
	drop *regexp.Regexp
}

// lookups are the commands that take claims where they take folders, each in a form that programs read or that shows a
// content whole.
func lookups() []lookup {
	destination := regexp.MustCompile(`,\s*"to": "[^"]*"`)
	ends := regexp.MustCompile(`,\s*"(endOffset|lag)": -?\d+`)
	return []lookup{
		{args: "metadata summary ALL -o json"},
		{args: "metadata topics ALL -o json"},
		{args: "metadata brokers CONTROLLER -o json"},
		{args: "metadata users CONTROLLER -o json"},
		{args: "metadata acls BROKER -o json"},
		{args: "metadata configs BROKER -o json"},
		{args: "metadata records CONTROLLER -o jsonl"},
		{args: "metadata ls CONTROLLER image/topics/byName"},
		{args: "metadata tree BROKER image/cluster"},
		{args: "metadata find CONTROLLER image/features"},
		{args: "metadata cat CONTROLLER image/provenance"},
		{args: "metadata quorum --dir ALL -o json"},
		{args: "metadata verify --dir ALL -o json"},
		{args: "metadata diff CONTROLLER BROKER -o json", differs: true},
		// Only __consumer_offsets is read of a claim, so the ends of other topics are not known.
		{args: "metadata groups --dir ALL --offsets -o json", drop: ends},
		{args: "storage info --dir ALL -o json"},
		{args: "partition ls --dir ALL orders -o json"},
		{args: "partition records --dir BROKER orders -o jsonl"},
		{args: "partition verify --dir ALL orders __consumer_offsets -o json"},
		{args: "volume ls --dir BROKER -R -o json"},
		{args: "volume cat --dir CONTROLLER LOGDIR/meta.properties"},
		{args: "volume get --dir CONTROLLER LOGDIR/__cluster_metadata-0 COPY -o json", drop: destination},
	}
}

// TestLookingIntoClaimsIsLookingIntoFolders runs every command that looks into volumes on claims, through temporary
// pods, and on folders of the same content: they say the same, nothing is changed and nothing is left.
func TestLookingIntoClaimsIsLookingIntoFolders(t *testing.T) {
	s := newStory(t, "sources", quickOperator())
	seed := s.fixture()
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	before := s.fingerprint()
	controller, broker := s.claimsOf(seed)
	logDir := "kafka-log" + controller[strings.LastIndexByte(controller, '-')+1:]
	for i, l := range lookups() {
		copies := [2]string{filepath.Join(t.TempDir(), "cluster"), filepath.Join(t.TempDir(), "folder")}
		at := func(all, prefix, copied string) []string {
			return strings.Fields(strings.NewReplacer("ALL", all, "CONTROLLER", prefix+controller,
				"BROKER", prefix+broker, "LOGDIR", logDir, "COPY", copied).Replace(l.args))
		}
		onClaims, code := s.look(l, seed, append(at("kafka/my-cluster", "pvc/", copies[0]), "--namespace", s.Namespace))
		inFolders, same := s.look(l, seed, at(seed.Dir, seed.Dir+"/", copies[1]))
		if code != same || (code != 0 && !l.differs) {
			t.Errorf("%s: exit code %d on claims, %d in folders", l.args, code, same)
		}
		if diff := cmp.Diff(inFolders, onClaims); diff != "" {
			t.Errorf("%s: the same volumes must give the same (-folders +claims):\n%s", l.args, diff)
		}
		if strings.Contains(l.args, "COPY") {
			if diff := cmp.Diff(s.files(copies[1]), s.files(copies[0])); diff != "" {
				t.Errorf("%s: the copies differ (-folders +claims):\n%s", l.args, diff)
			}
		}
		if len(inFolders) < 10 && !strings.Contains(l.args, " users ") && !strings.Contains(l.args, " acls ") {
			t.Errorf("%d: %s says nothing: %q", i, l.args, inFolders)
		}
	}
	if diff := cmp.Diff(before, s.fingerprint()); diff != "" {
		t.Errorf("looking must leave every file and every object as they were:\n%s", diff)
	}
	s.noPods()
	left, err := os.ReadDir(temporary)
	s.must(err)
	for _, e := range left {
		t.Errorf("%q was left in the folder for temporary files", e.Name())
	}
}

// fixture plants the volumes of a cluster with something of every kind on it, and its resource, paused: no Kafka pod
// runs.
func (s *story) fixture() *ground.Seed {
	s.Helper()
	m := volumes.ReadManifest(s.T, volumes.SplitRoles)
	seed := &ground.Seed{
		Dir: volumes.Unpack(s.T, volumes.SplitRoles), Claims: slices.Sorted(maps.Keys(m.Volumes)), ClusterID: m.ClusterID,
	}
	s.must(s.Plant(s.ctx, seed, ground.Planting{}))
	s.must(s.Create(s.ctx, true))
	s.must(s.WaitFor(s.ctx, "ReconciliationPaused", waitForPause))
	return seed
}

// claimsOf chooses claims that the metadata of a controller and of a broker is on.
func (s *story) claimsOf(seed *ground.Seed) (controller, broker string) {
	s.Helper()
	for _, claim := range seed.Claims {
		switch {
		case strings.Contains(claim, "-controller-"):
			controller = claim
		case strings.HasPrefix(claim, "data-0-"):
			broker = claim // the last one: its copy of the log goes farther than the first one's
		}
	}
	if controller == "" || broker == "" {
		s.Fatalf("want a controller and a broker among %v", seed.Claims)
	}
	return controller, broker
}

// look runs a lookup and returns what it printed, volumes named by their claims alone, and its exit code.
func (s *story) look(l lookup, seed *ground.Seed, args []string) (said string, code int) {
	s.Helper()
	result, err := theTool(s.T).Run(s.ctx, nil, args...)
	s.must(err)
	s.Logf("$ kafkarecover %s\n%s(exit %d, %d bytes)", strings.Join(args, " "), result.Stderr, result.Code,
		len(result.Stdout))
	said = result.Stdout
	if l.drop != nil {
		said = l.drop.ReplaceAllString(said, "")
	}
	return strings.NewReplacer(seed.Dir+"/", "", "pvc/", "", "dir/", "").Replace(said), result.Code
}

// files are the contents of a folder by name.
func (s *story) files(dir string) map[string]string {
	s.Helper()
	found := map[string]string{}
	entries, err := os.ReadDir(dir)
	s.must(err)
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		s.must(err)
		found[e.Name()] = string(content)
	}
	if len(found) == 0 {
		s.Errorf("nothing was copied to %s", dir)
	}
	return found
}
