// Package manifest is the form of the manifests that lie beside the volumes: test/kafka writes them, package volumes
// reads them.
package manifest

// Manifest is what is known of a fixture from Kafka itself: what it was configured with, and what the running cluster
// told Kafka's own client right before it was ended.
type Manifest struct {
	Text    string `json:"text"`
	Kafka   string `json:"kafka"`
	Cluster string `json:"cluster"`
	Killed  bool   `json:"killed"`
	// Dynamic says that the voters are in the log (kraft.version 1), not in the configuration.
	Dynamic    bool                          `json:"dynamic"`
	Volumes    map[string]Volume             `json:"volumes"`
	ClusterID  string                        `json:"clusterId"`
	Topics     map[string]Topic              `json:"topics"`
	Groups     map[string]map[string]int64   `json:"groups"`
	SCRAMUsers []string                      `json:"scramUsers"`
	ACLs       []string                      `json:"acls"`
	Quotas     map[string]map[string]float64 `json:"quotas"`
	Voters     []int                         `json:"voters"`
	Observers  []int                         `json:"observers"`
	Features   map[string]int                `json:"features"`
}

// Volume is what one claim's volume has.
type Volume struct {
	Node   int      `json:"node"`
	Pool   string   `json:"pool"`
	Roles  []string `json:"roles"`
	LogDir string   `json:"logDir"`
	// Metadata says that the node's metadata log is on this volume.
	Metadata bool `json:"metadata"`
	// Properties are the entries of meta.properties.
	Properties map[string]string `json:"properties"`
	// Partitions are those of topics, as the broker told; nil where no broker ran.
	Partitions []string `json:"partitions,omitempty"`
}

// Topic is a topic that was there at the end.
type Topic struct {
	ID         string      `json:"id"`
	Partitions []Partition `json:"partitions"`
}

// Partition has the first offset and the one after the last.
type Partition struct {
	Replicas []int `json:"replicas"`
	Start    int64 `json:"start"`
	End      int64 `json:"end"`
}
