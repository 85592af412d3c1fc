package probe

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	// OneOfSeveral tells that whoever names the image names others too, and that nothing says which of them the cluster
	// ran: one that a node has already needs no registry.
	OneOfSeveral bool `json:"-"`
}

// ErrNoImage says that nothing in the cluster names an image; a public one is never pulled unasked.
var ErrNoImage = errors.New(
	"no image for temporary pods is known: name one that has sh, find, tar, stat and cat with --image")

// ChooseImage takes the first offer that names an image. Of an image that is one of several it takes the first that a
// node has already, if any does. Where no offer names an image, it looks for one that a node has and that onNodes
// likes. The images on nodes may only be read with a role for the whole cluster, so that not being allowed to is no
// error.
func ChooseImage(
	ctx context.Context, c *kube.Client, offers []ImageOffer, onNodes func(name string) bool,
) (ImageOffer, error) {
	offers = slices.DeleteFunc(slices.Clone(offers), func(o ImageOffer) bool { return o.Image == "" })
	if len(offers) > 0 && !offers[0].OneOfSeveral {
		return offers[0], nil
	}
	found, err := imagesOnNodes(ctx, c)
	if err != nil && !kube.IsForbidden(err) {
		return ImageOffer{}, fmt.Errorf("look for an image on the nodes: %w", err)
	}
	for _, o := range offers {
		if node := found[o.Image]; node != "" || !o.OneOfSeveral {
			if o.OneOfSeveral {
				o.Origin += fmt.Sprintf(", which node %q has", node)
			}
			o.OneOfSeveral = false
			return o, nil
		}
	}
	if len(offers) > 0 {
		offers[0].OneOfSeveral = false
		return offers[0], nil
	}
	maps.DeleteFunc(found, func(name, _ string) bool { return !onNodes(name) })
	names := sortedKeys(found)
	if len(names) == 0 {
		return ImageOffer{}, ErrNoImage
	}
	newest := slices.Max(names)
	return ImageOffer{Image: newest, Origin: fmt.Sprintf("found on node %q", found[newest])}, nil
}

// imagesOnNodes maps the names of images to a node that has each. A digest alone is what a node shows of an image that
// was untagged; it is left out.
func imagesOnNodes(ctx context.Context, c *kube.Client) (map[string]string, error) {
	nodes, err := kube.ListAs[corev1.Node](ctx, c, kube.Nodes(), "", kube.ListOptions{})
	found := map[string]string{}
	for i := range nodes {
		for _, image := range nodes[i].Status.Images {
			for _, name := range image.Names {
				if !strings.Contains(name, "@") && found[name] == "" {
					found[name] = nodes[i].Name
				}
			}
		}
	}
	return found, err //nolint:wrapcheck // the caller says what it was for
}
