package ground

import (
	"fmt"
	"slices"
	"strings"
)

// Pool is one node pool.
type Pool struct {
	Name     string
	Roles    []string
	Replicas int
	// Volumes is the number of JBOD volumes, from 0 on; Metadata is the one with the metadata log.
	Volumes, Metadata int
	// IDs is what the annotation strimzi.io/next-node-ids says, such as "[100-102]"; empty for none.
	IDs string
}

// splitRoles are the pools of the cluster that was recorded: three controllers, three brokers with two volumes each.
func splitRoles() []Pool {
	return []Pool{
		{Name: "controller", Roles: []string{"controller"}, Replicas: 3, Volumes: 1},
		{Name: "broker", Roles: []string{"broker"}, Replicas: 3, Volumes: 2},
	}
}

// Claims is the number of claims the cluster has.
func (k *Kafka) Claims() int {
	n := 0
	for _, p := range k.Pools {
		n += p.Replicas * p.Volumes
	}
	return n
}

// brokers is the number of nodes with that role.
func (k *Kafka) brokers() int {
	n := 0
	for _, p := range k.Pools {
		if slices.Contains(p.Roles, "broker") {
			n += p.Replicas
		}
	}
	return n
}

// manifest is a pool's resource. The heap is small: six of them start side by side.
func (k *Kafka) manifest(p Pool) string {
	class := k.StorageClass
	if class == "" {
		class = "local"
	}
	annotations := ""
	if p.IDs != "" {
		annotations = fmt.Sprintf("\n  annotations: {strimzi.io/next-node-ids: %q}", p.IDs)
	}
	heap := "-Xms: 192m, -Xmx: 256m"
	if !slices.Contains(p.Roles, "broker") {
		heap = "-Xms: 128m, -Xmx: 192m"
	}
	text := fmt.Sprintf(`---
apiVersion: kafka.strimzi.io/%s
kind: KafkaNodePool
metadata:
  name: %s
  labels: {strimzi.io/cluster: %s}%s
spec:
  replicas: %d
  roles: [%s]
  jvmOptions: {%s}
  storage:
    type: jbod
    volumes:
`, k.apiVersion(), p.Name, k.Name, annotations, p.Replicas, strings.Join(p.Roles, ", "), heap)
	for id := range p.Volumes {
		metadata := ""
		if id == p.Metadata {
			metadata = ", kraftMetadata: shared"
		}
		text += fmt.Sprintf("      - {id: %d, type: persistent-claim, size: 1Gi, class: %s, deleteClaim: false%s}\n",
			id, class, metadata)
	}
	return text
}
