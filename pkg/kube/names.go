package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// metadataOnly makes the API server leave out everything but the metadata. Nothing else is accepted: a server that
// cannot answers 406, and the contents of a Secret never cross the wire.
const metadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

type namesPage struct {
	Metadata struct {
		Continue string `json:"continue"`
	} `json:"metadata"`
	Items []struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	} `json:"items"`
}

// Names lists the names of all objects of a kind without receiving the objects themselves, page by page. It is how
// Secrets are looked at (safety contract, line 8).
func (c *Client) Names(ctx context.Context, gvr schema.GroupVersionResource, ns string) ([]string, error) {
	at := Error{Verb: "list", Resource: gvr, Namespace: ns}
	names := []string{}
	for next := ""; ; {
		var page namesPage
		err := c.do(ctx, at, func() error {
			request := c.raw.Get().AbsPath(apiPath(gvr)).NamespaceIfScoped(ns, ns != "").Resource(gvr.Resource).
				SetHeader("Accept", metadataOnly).Param("limit", strconv.Itoa(pageSize))
			if next != "" {
				request = request.Param("continue", next)
			}
			body, err := request.DoRaw(ctx)
			if err != nil {
				return err
			}
			if err := json.Unmarshal(body, &page); err != nil {
				return fmt.Errorf("decode the answer: %w", err)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			names = append(names, item.Metadata.Name)
		}
		if next = page.Metadata.Continue; next == "" {
			return names, nil
		}
	}
}

// apiPath is where a group and version are served.
func apiPath(gvr schema.GroupVersionResource) string {
	if gvr.Group == "" {
		return "/api/" + gvr.Version
	}
	return "/apis/" + gvr.Group + "/" + gvr.Version
}
