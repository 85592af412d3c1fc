package api

import (
	"context"
	"fmt"
	"time"
)

type node struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Status struct {
		Conditions []struct {
			Type              string    `json:"type"`
			Status            string    `json:"status"`
			LastHeartbeatTime time.Time `json:"lastHeartbeatTime"`
		} `json:"conditions"`
	} `json:"status"`
}

// NodeReady is true when the node reported itself ready at or after since. With kept state an old report of the node
// is still there at first and means nothing. Reports have whole seconds.
func (c *Client) NodeReady(ctx context.Context, name string, since time.Time) (bool, error) {
	var n node
	found, err := c.Get(ctx, "/api/v1/nodes/"+name, &n)
	if err != nil || !found {
		return false, err
	}
	for _, condition := range n.Status.Conditions {
		if condition.Type == "Ready" {
			return condition.Status == "True" && !condition.LastHeartbeatTime.Before(since.Truncate(time.Second)), nil
		}
	}
	return false, nil
}

// HasDefaultServiceAccount is true when pods can be created in the namespace default.
func (c *Client) HasDefaultServiceAccount(ctx context.Context) (bool, error) {
	return c.Get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", &struct{}{})
}

// StorageClass is what the sandbox sets of a storage class.
type StorageClass struct {
	Name, Provisioner, ReclaimPolicy, BindingMode string
	Default                                       bool
}

type object map[string]any

// CreateStorageClass creates the class; ErrExists when it is there.
func (c *Client) CreateStorageClass(ctx context.Context, class StorageClass) error {
	metadata := object{"name": class.Name}
	if class.Default {
		metadata["annotations"] = object{"storageclass.kubernetes.io/is-default-class": "true"}
	}
	return c.Create(ctx, "/apis/storage.k8s.io/v1/storageclasses", object{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": metadata,
		"provisioner": class.Provisioner, "reclaimPolicy": class.ReclaimPolicy, "volumeBindingMode": class.BindingMode,
	})
}

// LocalVolume is a PersistentVolume of kind local: a directory of one node.
type LocalVolume struct {
	Name, Class, Size, Node, Path, ReclaimPolicy string
	AccessModes                                  []string
}

// CreateLocalVolume creates the PersistentVolume; ErrExists when it is there.
func (c *Client) CreateLocalVolume(ctx context.Context, v LocalVolume) error {
	term := object{"matchExpressions": []object{
		{"key": "kubernetes.io/hostname", "operator": "In", "values": []string{v.Node}},
	}}
	err := c.Create(ctx, "/api/v1/persistentvolumes", object{
		"apiVersion": "v1", "kind": "PersistentVolume", "metadata": object{"name": v.Name},
		"spec": object{
			"capacity": object{"storage": v.Size}, "accessModes": v.AccessModes, "storageClassName": v.Class,
			"persistentVolumeReclaimPolicy": v.ReclaimPolicy, "local": object{"path": v.Path},
			"nodeAffinity": object{"required": object{"nodeSelectorTerms": []object{term}}},
		},
	})
	if err != nil {
		return fmt.Errorf("create volume %q: %w", v.Name, err)
	}
	return nil
}
