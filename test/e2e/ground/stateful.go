package ground

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/test/kafka/image"
)

// PlainClusterID is the cluster ID of a cluster that a StatefulSet runs.
const PlainClusterID = "Zk1vbnN0ZXJzSW5UaGVEYQ"

// NewPlain describes three nodes of both roles that a StatefulSet runs, with voters in the log (kraft.version 1).
func (w *World) NewPlain(namespace, set string) *Kafka {
	return &Kafka{World: w, Namespace: namespace, Name: set, Set: set, Pools: []Pool{{
		Name: set, Roles: []string{"broker", "controller"}, Replicas: 3, Volumes: 1,
	}}}
}

// PlainVolumes makes local volumes for the claims of the StatefulSet.
func (k *Kafka) PlainVolumes(ctx context.Context) error {
	_, err := k.makeVolumes(ctx, k.brokers(), []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce})
	return err
}

// voterDirectories are the directory IDs that the first voters are formatted with.
func voterDirectories() []string {
	return []string{"MDAwMDAwMDAwMDAwMDAwMA", "MTExMTExMTExMTExMTExMQ", "MjIyMjIyMjIyMjIyMjIyMg"}
}

// PlainManifests are what a person would apply: the headless Service and the StatefulSet, whose pods are given that
// cluster ID.
func (k *Kafka) PlainManifests(clusterID string) string {
	var voters, servers []string
	for i, directory := range voterDirectories() {
		server := fmt.Sprintf("%s-%d.%s:9093", k.Set, i, k.Set)
		voters = append(voters, fmt.Sprintf("%d@%s:%s", i, server, directory))
		servers = append(servers, server)
	}
	class := k.StorageClass
	if class == "" {
		class = "local"
	}
	return strings.NewReplacer("SET", k.Set, "IMAGE", image.Name(k.KafkaVersion), "CLUSTER-ID", clusterID,
		"SERVERS", strings.Join(servers, ","), "VOTERS", strings.Join(voters, ","), "CLASS", class).Replace(plain)
}

const plain = `---
apiVersion: v1
kind: Service
metadata: {name: SET}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {app: SET}
  ports:
  - {name: clients, port: 9092}
  - {name: controllers, port: 9093}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: SET}
spec:
  replicas: 3
  serviceName: SET
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: SET}}
  template:
    metadata: {labels: {app: SET}}
    spec:
      containers:
      - name: kafka
        image: IMAGE
        env:
        - {name: CLUSTER_ID, value: CLUSTER-ID}
        - {name: KAFKA_HEAP_OPTS, value: "-Xms128m -Xmx256m"}
        command:
        - /bin/bash
        - -ceu
        - |
          node=${HOSTNAME##*-}
          cat >/tmp/server.properties <<END
          process.roles=broker,controller
          node.id=$node
          controller.quorum.bootstrap.servers=SERVERS
          listeners=PLAINTEXT://:9092,CONTROLLER://:9093
          advertised.listeners=PLAINTEXT://$HOSTNAME.SET:9092,CONTROLLER://$HOSTNAME.SET:9093
          controller.listener.names=CONTROLLER
          inter.broker.listener.name=PLAINTEXT
          listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
          log.dirs=/var/lib/kafka/kraft
          default.replication.factor=3
          min.insync.replicas=2
          offsets.topic.replication.factor=3
          offsets.topic.num.partitions=6
          END
          /opt/kafka/bin/kafka-storage.sh format -t="$CLUSTER_ID" -c=/tmp/server.properties -g \
            --initial-controllers=VOTERS
          export KAFKA_LOG4J_OPTS=-Dlog4j2.configurationFile=/opt/kafka/config/node-log4j2.properties
          exec /opt/kafka/bin/kafka-run-class.sh kafka.Kafka /tmp/server.properties
        readinessProbe:
          tcpSocket: {port: 9092}
          periodSeconds: 2
        volumeMounts:
        - {name: data, mountPath: /var/lib/kafka}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ReadWriteOnce]
      storageClassName: CLASS
      resources: {requests: {storage: 1Gi}}
`

// WaitPlain waits until every pod of the StatefulSet is ready.
func (k *Kafka) WaitPlain(ctx context.Context, bound time.Duration) error {
	return Wait(ctx, bound, fmt.Sprintf("StatefulSet %s/%s is ready", k.Namespace, k.Set),
		func(ctx context.Context) error {
			set, err := k.Client.AppsV1().StatefulSets(k.Namespace).Get(ctx, k.Set, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if set.Status.ReadyReplicas != int32(k.brokers()) {
				return fmt.Errorf("%d pods are ready", set.Status.ReadyReplicas)
			}
			return nil
		})
}

// DeletePlain deletes the StatefulSet and its claims, and waits until their volumes are let go.
func (k *Kafka) DeletePlain(ctx context.Context) error {
	foreground := metav1.DeletePropagationForeground
	err := k.Client.AppsV1().StatefulSets(k.Namespace).Delete(ctx, k.Set, metav1.DeleteOptions{
		PropagationPolicy: &foreground,
	})
	if err != nil {
		return fmt.Errorf("delete StatefulSet %q: %w", k.Set, err)
	}
	err = k.Client.CoreV1().PersistentVolumeClaims(k.Namespace).DeleteCollection(ctx, metav1.DeleteOptions{},
		metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("delete claims: %w", err)
	}
	return Wait(ctx, 4*time.Minute, "pods and claims are gone, and volumes let go", func(ctx context.Context) error {
		pods, err := k.Pods(ctx)
		if err != nil {
			return err
		}
		volumes, err := k.Client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list volumes: %w", err)
		}
		held := 0
		for i := range volumes.Items {
			pv := &volumes.Items[i]
			if ref := pv.Spec.ClaimRef; ref != nil && ref.Namespace == k.Namespace && pv.Status.Phase != corev1.VolumeReleased {
				held++
			}
		}
		if len(pods)+held > 0 {
			return fmt.Errorf("%d pods and %d volumes are left", len(pods), held)
		}
		return nil
	})
}
