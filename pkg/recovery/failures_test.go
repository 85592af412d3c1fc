package recovery_test

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
)

func volumeGVR(string) schema.GroupVersionResource { return kube.Volumes() }

func claimGVR(string) schema.GroupVersionResource { return kube.Claims() }

// deny answers one verb on one resource as to somebody who may not.
func deny(verb, resource string) func(*kubetest.Request) *kubetest.Failure {
	return func(r *kubetest.Request) *kubetest.Failure {
		if r.Verb == verb && r.Resource == resource {
			return kubetest.Forbidden(r)
		}
		return nil
	}
}
