package strimzi

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ClaimName is what the name of a data claim says: data-<cluster>-<pool>-<node> for storage of type persistent-claim,
// data-<volume>-<cluster>-<pool>-<node> for JBOD, even with one volume (VolumeUtils.java, PersistentVolumeClaimUtils).
type ClaimName struct {
	Cluster string `json:"cluster"`
	Pool    string `json:"pool"`
	NodeID  int32  `json:"nodeId"`
	// Volume is the JBOD volume's ID; nil for persistent-claim.
	Volume *int32 `json:"volumeId,omitempty"`
}

// String returns the claim's name.
func (c ClaimName) String() string {
	return claimPrefix(c.Volume) + "-" + PodName(c.Cluster, c.Pool, c.NodeID)
}

func claimPrefix(volume *int32) string {
	if volume == nil {
		return "data"
	}
	return "data-" + strconv.Itoa(int(*volume))
}

// PodName returns the name of a node's pod, which is also its host name and that of its ConfigMap.
func PodName(cluster, pool string, node int32) string {
	return PodSetName(cluster, pool) + "-" + strconv.Itoa(int(node))
}

// ConfigMapName returns the name of a node's ConfigMap.
func ConfigMapName(cluster, pool string, node int32) string { return PodName(cluster, pool, node) }

// PodSetName returns the name of a pool's StrimziPodSet.
func PodSetName(cluster, pool string) string { return cluster + "-" + pool }

// ComponentName returns the value of NameLabel on the claims and pods of a Kafka cluster.
func ComponentName(cluster string) string { return cluster + "-kafka" }

// LogDirName returns the name of a node's log directory below a volume's root.
func LogDirName(node int32) string { return "kafka-log" + strconv.Itoa(int(node)) }

// MountPath returns where a Kafka pod mounts the data volume of that JBOD ID, or the only one.
func MountPath(volume *int32) string { return DataMountPath + "/" + claimPrefix(volume) }

// OperatorPodSelector selects the pods of every Cluster Operator, however it was installed.
const OperatorPodSelector = KindLabel + "=" + OperatorKind

// SelectKafka returns the label selector of the claims, pods and pod sets of a Kafka cluster, or of all of them for an
// empty name.
func SelectKafka(cluster string) string {
	s := KindLabel + "=" + KafkaKind + "," + ComponentLabel + "=" + KafkaComponent
	if cluster != "" {
		s += "," + ClusterLabel + "=" + cluster
	}
	return s
}

var claimPattern = regexp.MustCompile(`^data-(.+)-([0-9]{1,10})$`)

// zooKeeperClaim is the name of a ZooKeeper node's claim (operators up to 0.45), which is no Kafka data.
var zooKeeperClaim = regexp.MustCompile(`^data-.+-zookeeper-[0-9]+$`)

// IsZooKeeperClaim tells whether a claim's name and labels are those of a ZooKeeper node. A pool may be named
// "zookeeper", so the labels, where there are any, decide.
func IsZooKeeperClaim(name string, labels map[string]string) bool {
	if l := labels[NameLabel]; l != "" {
		return strings.HasSuffix(l, "-zookeeper")
	}
	return zooKeeperClaim.MatchString(name)
}

// MayBeKafkaClaim tells whether a claim may hold Kafka data of a Strimzi cluster: by its labels where Strimzi's are
// there, by the form of its name where not.
func MayBeKafkaClaim(name string, labels map[string]string) bool {
	if IsZooKeeperClaim(name, labels) {
		return false
	}
	if labels[ClusterLabel] != "" && labels[NameLabel] != "" {
		return labels[NameLabel] == ComponentName(labels[ClusterLabel])
	}
	return len(ParseClaimName(name)) > 0
}

// ParseClaimName returns every reading of a claim's name; none for a name that is no data claim's. Cluster and pool
// may both contain dashes, and a cluster's name may begin with a number, so that most names have several readings;
// Resolve finds the right one, or says that nobody can.
func ParseClaimName(name string) []ClaimName {
	m := claimPattern.FindStringSubmatch(name)
	if m == nil || len(name) > maxName {
		return nil
	}
	id, err := strconv.ParseInt(m[2], 10, 32)
	if err != nil || (len(m[2]) > 1 && m[2][0] == '0') {
		return nil
	}
	readings := splitOwner(m[1], int32(id), nil)
	if volume, rest, ok := leadingNumber(m[1]); ok {
		readings = append(readings, splitOwner(rest, int32(id), &volume)...)
	}
	return readings
}

// maxName is the length limit of Kubernetes object names.
const maxName = 253

// splitOwner returns all ways to split <cluster>-<pool>.
func splitOwner(owner string, id int32, volume *int32) []ClaimName {
	var out []ClaimName
	for i := 1; i < len(owner)-1; i++ {
		if owner[i] != '-' || !isName(owner[:i]) || !isName(owner[i+1:]) {
			continue
		}
		out = append(out, ClaimName{Cluster: owner[:i], Pool: owner[i+1:], NodeID: id, Volume: volume})
	}
	return out
}

// isName tells whether s can be the name of a Kafka resource or pool: it begins and ends alphanumeric.
func isName(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alnum && (c != '-' && c != '.' || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return true
}

func leadingNumber(s string) (n int32, rest string, ok bool) {
	head, rest, found := strings.Cut(s, "-")
	if !found || head == "" || rest == "" || (len(head) > 1 && head[0] == '0') {
		return 0, "", false
	}
	// Unsigned, for a sign is no part of a number in a claim's name: "+0" would be written again as "0".
	v, err := strconv.ParseUint(head, 10, 31)
	if err != nil {
		return 0, "", false
	}
	return int32(v), rest, true //nolint:gosec // 31 bits
}

// sortClaims sorts by cluster, pool, node and volume.
func sortClaims(names []ClaimName) {
	slices.SortFunc(names, compareClaims)
}

func compareClaims(a, b ClaimName) int {
	if c := strings.Compare(a.Cluster, b.Cluster); c != 0 {
		return c
	}
	if c := strings.Compare(a.Pool, b.Pool); c != 0 {
		return c
	}
	if a.NodeID != b.NodeID {
		return int(a.NodeID) - int(b.NodeID)
	}
	return int(volumeOrMinus(a.Volume)) - int(volumeOrMinus(b.Volume))
}

func volumeOrMinus(v *int32) int32 {
	if v == nil {
		return -1
	}
	return *v
}
