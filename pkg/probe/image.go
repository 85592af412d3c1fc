package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// ImageOffer is an image that temporary pods could run, and who names it.
type ImageOffer struct {
	Image string `json:"image"`
	// Origin says where the name comes from, for people.
	Origin      string   `json:"origin"`
	PullSecrets []string `json:"pullSecrets,omitempty"`
}

// ErrNoImage says that nothing in the cluster names an image; a public one is never pulled unasked.
var ErrNoImage = errors.New(
	"no image for temporary pods is known: name one that has sh, find, tar, stat and cat with --image")

// ChooseImage takes the first offer that names an image. Where none does, it looks for an image that a node has already
// and that onNodes likes; the images on nodes may only be read with a role for the whole cluster, so that not being
// allowed to is no error.
func ChooseImage(
	ctx context.Context, c *kube.Client, offers []ImageOffer, onNodes func(name string) bool,
) (ImageOffer, error) {
	for _, o := range offers {
		if o.Image != "" {
			return o, nil
		}
	}
	nodes, err := kube.ListAs[corev1.Node](ctx, c, kube.Nodes(), "", kube.ListOptions{})
	if kube.IsForbidden(err) {
		return ImageOffer{}, ErrNoImage
	}
	if err != nil {
		return ImageOffer{}, fmt.Errorf("look for an image on the nodes: %w", err)
	}
	found := map[string]string{}
	for i := range nodes {
		for _, image := range nodes[i].Status.Images {
			for _, name := range image.Names {
				// a digest alone is what a node shows of an image that was untagged
				if onNodes(name) && !strings.Contains(name, "@") && found[name] == "" {
					found[name] = nodes[i].Name
				}
			}
		}
	}
	names := sortedKeys(found)
	if len(names) == 0 {
		return ImageOffer{}, ErrNoImage
	}
	newest := slices.Max(names)
	return ImageOffer{Image: newest, Origin: fmt.Sprintf("found on node %q", found[newest])}, nil
}
