package operator

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// applying is the options of an apply that takes every field it names.
func applying() metav1.PatchOptions {
	force := true
	return metav1.PatchOptions{FieldManager: fieldManager, Force: &force}
}

func encode(object any, name string) ([]byte, error) {
	body, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode %q: %w", name, err)
	}
	return body, nil
}

// serviceAccount is the one the cluster's pods run under.
func (r *reconciliation) serviceAccount(ctx context.Context) error {
	name := r.key.Name + "-kafka"
	body, err := encode(&corev1.ServiceAccount{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: r.key.Namespace,
			Labels:          clusterLabels(r.kafka, r.key.Name, name, "kafka", "kafka"),
			OwnerReferences: []metav1.OwnerReference{ownedBy(r.kafka, false)},
		},
	}, name)
	if err != nil {
		return err
	}
	_, err = r.typed.CoreV1().ServiceAccounts(r.key.Namespace).Patch(ctx, name, types.ApplyPatchType, body, applying())
	if err != nil {
		return apiFailure("PATCH", "/api/v1/namespaces/"+r.key.Namespace+"/serviceaccounts/"+name, err)
	}
	return nil
}

// configMaps writes each node's ConfigMap. Its content is no part of a pod's revision: a changed cluster ID reaches
// pods when they restart, it does not restart them.
func (r *reconciliation) configMaps(ctx context.Context) error {
	maps := r.typed.CoreV1().ConfigMaps(r.key.Namespace)
	for _, n := range r.nodes {
		name := n.podName()
		labels := poolLabels(n.pool)
		labels[labelPodName] = name
		body, err := encode(&corev1.ConfigMap{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: metav1.ObjectMeta{
				Name: name, Namespace: r.key.Namespace, Labels: labels,
				OwnerReferences: []metav1.OwnerReference{ownedBy(n.pool.object, false)},
			},
			Data: map[string]string{
				"cluster.id": r.clusterID, "metadata.version": r.metadataVersion,
				"server.config": r.serverConfig(n), "log4j2.properties": loggingConfig,
			},
		}, name)
		if err != nil {
			return err
		}
		if _, err := maps.Patch(ctx, name, types.ApplyPatchType, body, applying()); err != nil {
			return apiFailure("PATCH", "/api/v1/namespaces/"+r.key.Namespace+"/configmaps/"+name, err)
		}
	}
	return nil
}

// services are the headless service of the nodes and the bootstrap service of the clients.
func (r *reconciliation) services(ctx context.Context) error {
	for _, service := range []*corev1.Service{r.headlessService(), r.bootstrapService()} {
		body, err := encode(service, service.Name)
		if err != nil {
			return err
		}
		_, err = r.typed.CoreV1().Services(r.key.Namespace).
			Patch(ctx, service.Name, types.ApplyPatchType, body, applying())
		if err != nil && !apierrors.IsConflict(err) {
			return apiFailure("PATCH", "/api/v1/namespaces/"+r.key.Namespace+"/services/"+service.Name, err)
		}
	}
	return nil
}

func (r *reconciliation) service(name string, ports []corev1.ServicePort) *corev1.Service {
	component := r.key.Name + "-kafka"
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: r.key.Namespace,
			Labels:          clusterLabels(r.kafka, r.key.Name, component, "kafka", "kafka"),
			OwnerReferences: []metav1.OwnerReference{ownedBy(r.kafka, false)},
		},
		Spec: corev1.ServiceSpec{Selector: selectorLabels(r.key.Name, ""), Ports: ports},
	}
}

func (r *reconciliation) headlessService() *corev1.Service {
	ports := []corev1.ServicePort{
		{Name: "tcp-ctrlplane", Port: 9090, Protocol: corev1.ProtocolTCP},
		{Name: "tcp-replication", Port: 9091, Protocol: corev1.ProtocolTCP},
		{Name: "tcp-kafkaagent", Port: 8443, Protocol: corev1.ProtocolTCP},
	}
	service := r.service(r.key.Name+"-kafka-brokers", append(ports, r.listenerPorts()...))
	service.Spec.ClusterIP = corev1.ClusterIPNone
	service.Spec.PublishNotReadyAddresses = true
	return service
}

func (r *reconciliation) bootstrapService() *corev1.Service {
	ports := []corev1.ServicePort{{Name: "tcp-replication", Port: 9091, Protocol: corev1.ProtocolTCP}}
	service := r.service(r.key.Name+"-kafka-bootstrap", append(ports, r.listenerPorts()...))
	service.Spec.Selector["strimzi.io/broker-role"] = "true"
	return service
}

func (r *reconciliation) listenerPorts() []corev1.ServicePort {
	var ports []corev1.ServicePort
	for _, l := range r.listeners {
		ports = append(ports, corev1.ServicePort{Name: l.portName(), Port: int32(l.port), Protocol: corev1.ProtocolTCP})
	}
	return ports
}
