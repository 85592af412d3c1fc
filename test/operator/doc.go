// Package operator is a DOUBLE of Strimzi's Cluster Operator. It is not Strimzi and must never be used to run a
// cluster that matters: it exists so that a recovery can be tried, quickly and with every race at will, against
// something that behaves as the real operator was seen to behave.
//
// It owns the parts a recovery meets: pause and un-pause with the status rewritten as the real one rewrites it, the
// two races around status.clusterId, the reconcile in flight that holds its lock for the operation timeout, the choice
// of the cluster ID, the assignment of node IDs, claims adopted by name or created empty, the per-node ConfigMaps,
// StrimziPodSets and the controller that keeps re-creating pods while paused, rolling, the removal of claims at the
// end of a reconcile, and NotReady with reasons. The order of steps and the texts follow Strimzi 1.2.0; what it writes
// is compared with recordings of that release in testdata.
//
// It leaves out: certificates (Secrets hold stand-ins, listeners are plain text), Entity Operator, Cruise Control and
// other components, network policies, pod disruption budgets, external listeners, unregistration of brokers, the
// upgrade of metadata.version on a running cluster, dynamic configuration, ZooKeeper.
package operator
