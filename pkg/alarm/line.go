package alarm

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// pattern is a line that says what a start does to a volume: by a text that must be in it, which spares the expression
// on all others, and by what it says.
type pattern struct {
	has   string
	says  *regexp.Regexp
	judge func(p *Prediction, pod, line string, said []string) *Alarm
}

// Judge holds what is seen against a prediction.
type Judge struct {
	prediction *Prediction
	patterns   []pattern
}

// New returns a judge of what is said while the cluster starts.
func New(p *Prediction) *Judge {
	of := func(has, says string, judge func(*Prediction, string, string, []string) *Alarm) pattern {
		return pattern{has: has, says: regexp.MustCompile(says), judge: judge}
	}
	return &Judge{prediction: p, patterns: []pattern{
		// kafka-storage, which the container runs at every start. Before Kafka 3.9 it does not say what kind of directory
		// it is. What the start script of the image prints of formatting ("Making sure the Kraft storage is formatted …",
		// "KRaft storage formatting is done") says nothing of a directory.
		of("Formatting ", `^Formatting (?:[a-z ]+ directory )?(/\S+) with metadata\.version \S+$`, (*Prediction).formatting),
		// UnifiedLog.truncateTo, of any log: only that of the metadata says what was committed.
		of("Truncating to offset ", `\bpartition=__cluster_metadata-0\b[^\]]*\] Truncating to offset (\d{1,18})\b`,
			(*Prediction).truncating),
		// KafkaRaftClient.handleFetchResponse: a follower cuts off what the leader does not have.
		of("Truncated to offset ", `\[RaftManager id=\d+\] Truncated to offset (\d{1,18}) from Fetch response from leader`,
			(*Prediction).truncating),
		// KafkaRaftClient.handleFetchSnapshotResponse, also of a log that was empty or behind.
		of("Fully truncated the log at ", `\[RaftManager id=\d+\] Fully truncated the log at .*`+
			`after downloading snapshot OffsetAndEpoch[\[(]offset=(\d{1,18})\b`, (*Prediction).replacing),
		of("stray log", `Found stray log dir .*\bdir=(/[^,)]+)`, (*Prediction).stray),
		of("stray log", `The topicId does not exist in .*\bdir=(/[^,)]+).*, treat it as a stray log`,
			(*Prediction).stray),
		of("Invalid cluster.id in", `Invalid cluster\.id in: (/\S+)\. Expected (\S+), but read (\S+)`,
			(*Prediction).otherID),
		of("I/O error trying to read log directory", `I/O error trying to read log directory (/\S+?)\.? Ignoring`,
			(*Prediction).leftOut),
		// kafka_run.sh, which then removes the directory.
		of("The current directory will be deleted.",
			`^The desired KRaft metadata log directory \(\S+\) and the current one \((/\S+)\) differ\.`,
			(*Prediction).deleted),
	}}
}

// Line judges one line of a Kafka container's log; nil means that nothing is wrong with it.
func (j *Judge) Line(pod, line string) *Alarm {
	for i := range j.patterns {
		p := &j.patterns[i]
		if !strings.Contains(line, p.has) {
			continue
		}
		if said := p.says.FindStringSubmatch(line); said != nil {
			return p.judge(j.prediction, pod, line, said[1:])
		}
	}
	return nil
}

// whose finds the claim of a path in a pod, and the path below the claim's volume.
func whose(pod, file string) (claim, below string) {
	rest, ok := strings.CutPrefix(path.Clean(file), strimzi.DataMountPath+"/")
	if !ok {
		return "", ""
	}
	mount, below, _ := strings.Cut(rest, "/")
	return mount + "-" + pod, below
}

func (p *Prediction) formatting(pod, line string, said []string) *Alarm {
	claim, dir := whose(pod, said[0])
	known, planned := p.Claims[claim]
	const lost = "it starts empty, and what was on the volume lies unused; an empty controller votes, and two of three " +
		"have the metadata of the third cut off"
	switch {
	case p.Formatted[claim+"/"+dir], planned && known.Held == HeldGivenUp:
		return nil
	case planned && known.Held == HeldData:
		return p.alarm(FormattedOverData, pod, line, claim, "",
			"the volume held data when it was read, and nothing was to be formatted there", lost)
	case planned && known.Held == HeldNothing:
		return p.alarm(FormattedUnpredicted, pod, line, claim, "",
			"the volume was empty when it was read, and nobody accepted that it is formatted", lost)
	}
	return p.alarm(FormattedUnpredicted, pod, line, claim, "", "nobody knows what the volume held: it was not read", lost)
}

const lostMetadata = "topics and whatever else was in the records that are cut off are gone from the metadata, and " +
	"brokers set their partitions aside as stray; the copies that the operation made of the controllers' metadata logs " +
	"still have them"

// truncating judges a follower that cuts its metadata log off where the leader's differs. It is grave where the log
// agreed with the newest copy and held more, below what is proven to be committed: the leader does not have it.
func (p *Prediction) truncating(pod, line string, said []string) *Alarm {
	return p.truncated(pod, line, said[0], true)
}

// replacing judges a follower that takes the leader's snapshot for its whole log. It fetches the rest afterwards, which
// may be everything.
func (p *Prediction) replacing(pod, line string, said []string) *Alarm {
	return p.truncated(pod, line, said[0], false)
}

func (p *Prediction) truncated(pod, line, at string, certain bool) *Alarm {
	claim := p.metadataClaim(pod, line)
	known, c := p.Claims[claim], p.Committed
	offset, err := strconv.ParseInt(at, 10, 64)
	switch {
	case err != nil:
		return nil // it is no offset
	case c != nil && (c.Lifted || offset >= c.Offset), known.Held == HeldGivenUp, known.Held == HeldNothing:
		return nil
	case known.Held == HeldData && known.Metadata == nil: // it had none to lose
		return nil
	case known.Metadata != nil && known.Metadata.harmlessAt(offset):
		return nil
	case c == nil:
		return p.alarm(TruncatedUnpredicted, pod, line, claim, "", fmt.Sprintf("the metadata log is cut off at offset %d, "+
			"and the volumes did not prove what was committed", offset), lostMetadata)
	case known.Metadata == nil || offset >= known.Metadata.End:
		return p.alarm(TruncatedUnpredicted, pod, line, claim, "", fmt.Sprintf("the metadata log is cut off at offset %d, "+
			"below offset %d, up to which everything was proven to be committed (%s), and nobody knows what it held", offset,
			c.Offset, c.By), lostMetadata)
	case !certain:
		return p.alarm(TruncatedUnpredicted, pod, line, claim, "", fmt.Sprintf("the metadata log, which ended at offset %d, "+
			"was replaced by a snapshot that ends at %d, below offset %d, up to which everything was proven to be committed "+
			"(%s)", known.Metadata.End, offset, c.Offset, c.By), lostMetadata)
	}
	return p.alarm(CommittedTruncated, pod, line, claim, "", fmt.Sprintf("the metadata log is cut off at offset %d; it "+
		"ended at %d, and everything below offset %d was proven to be committed (%s)", offset, known.Metadata.End, c.Offset,
		c.By), lostMetadata)
}

// harmlessAt tells whether cutting the copy off there was predicted, or cuts nothing.
func (c *Copy) harmlessAt(offset int64) bool {
	return c.MayTruncate && offset >= c.Snapshot || c.EndKnown && offset >= c.End
}

// metadataClaim is the claim of the metadata log that a line is about: as it says, or the only one of the pod, or the
// one that has a copy of it.
func (p *Prediction) metadataClaim(pod, line string) string {
	if _, after, ok := strings.Cut(line, "dir="); ok {
		dir, _, _ := strings.Cut(after, "]")
		claim, _ := whose(pod, dir)
		return claim
	}
	var own []string
	for name := range p.Claims {
		if slices.ContainsFunc(strimzi.ParseClaimName(name), func(c strimzi.ClaimName) bool {
			return strimzi.PodName(c.Cluster, c.Pool, c.NodeID) == pod
		}) {
			own = append(own, name)
		}
	}
	if len(own) == 1 {
		return own[0]
	}
	for _, name := range own {
		if p.Claims[name].Metadata != nil {
			return name
		}
	}
	return ""
}

func (p *Prediction) stray(pod, line string, said []string) *Alarm {
	claim, dir := whose(pod, said[0])
	if p.Strays[claim+"/"+dir] || p.Removed[topicID(line)] {
		return nil
	}
	return p.alarm(StrayPartition, pod, line, claim, "",
		"a partition that was on the volume is set aside: the metadata that the cluster started with does not know it",
		"its records are kept in a directory that Kafka no longer reads, and its topic is gone or has another ID")
}

// topicID is the ID that the text of a log says, as in Log(dir=…, topicId=ID, topic=…).
func topicID(line string) string {
	_, after, _ := strings.Cut(line, "topicId=")
	id, _, _ := strings.Cut(after, ",")
	return id
}

func (p *Prediction) otherID(pod, line string, said []string) *Alarm {
	claim, _ := whose(pod, said[0])
	expected, read := said[1], strings.TrimRight(said[2], ".")
	switch {
	case read == p.ClusterID && expected != p.ClusterID:
		return nil // its ConfigMap did not carry the recovered ID yet; it starts nothing, and is restarted
	case p.Claims[claim].Held == HeldGivenUp:
		return nil
	}
	return p.alarm(OtherClusterID, pod, line, claim, "", fmt.Sprintf("the volume says cluster ID %q, and %q was recovered",
		read, p.ClusterID), "the node does not start; the volume is not of this cluster, or was replaced")
}

func (p *Prediction) leftOut(pod, line string, said []string) *Alarm {
	claim, _ := whose(pod, said[0])
	if p.Claims[claim].Held == HeldGivenUp {
		return nil
	}
	return p.alarm(LogDirectoryLeftOut, pod, line, claim, "", "Kafka cannot read a log directory, and goes on without it",
		"what is on the volume is not served, and replicas may be made anew elsewhere")
}

func (p *Prediction) deleted(pod, line string, said []string) *Alarm {
	claim, _ := whose(pod, said[0])
	return p.alarm(MetadataLogDeleted, pod, line, claim, "",
		"the start script deletes the metadata log, because the pool's storage names another volume for it",
		"this node's copy of the metadata; on a majority of the controllers, all metadata. The copies that the operation "+
			"made of the controllers' metadata logs still have it")
}
