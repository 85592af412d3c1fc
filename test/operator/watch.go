package operator

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
)

func podsResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "pods"}
}

// watch starts the informers. Every event of a Kafka resource causes a reconcile, its status changes included; events
// of a node pool do so when its Kafka resource exists; events of pod sets and pods go to the pod set controller.
func (o *Operator) watch(ctx context.Context) error {
	sets := newPodSetController(o)
	for _, namespace := range o.namespaces() {
		factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(o.dynamic, 0, namespace, nil)
		handlers := map[schema.GroupVersionResource]func(*unstructured.Unstructured){
			o.at.kafkas: func(object *unstructured.Unstructured) {
				o.start(func() { o.event(ctx, keyOf(object), "watch") })
				sets.clusterChanged(ctx, keyOf(object))
			},
			o.at.pools:     func(object *unstructured.Unstructured) { o.start(func() { o.poolEvent(ctx, object) }) },
			o.at.podSets:   func(object *unstructured.Unstructured) { sets.changed(keyOf(object)) },
			podsResource(): func(object *unstructured.Unstructured) { sets.podChanged(object) },
		}
		for gvr, handle := range handlers {
			if err := on(factory.ForResource(gvr).Informer(), handle); err != nil {
				return fmt.Errorf("watch %s: %w", gvr.Resource, err)
			}
		}
		factory.Start(ctx.Done())
		for gvr, synced := range factory.WaitForCacheSync(ctx.Done()) {
			if !synced && ctx.Err() == nil {
				return fmt.Errorf("watch %s: the first list did not arrive", gvr.Resource)
			}
		}
	}
	o.start(func() { sets.run(ctx) })
	return nil
}

func on(informer cache.SharedIndexInformer, handle func(*unstructured.Unstructured)) error {
	take := func(object any) {
		if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = gone.Obj
		}
		if u, ok := object.(*unstructured.Unstructured); ok {
			handle(u)
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: take, UpdateFunc: func(_, object any) { take(object) }, DeleteFunc: take,
	})
	return err
}

func (o *Operator) poolEvent(ctx context.Context, object *unstructured.Unstructured) {
	key := Key{object.GetNamespace(), object.GetLabels()[labelCluster]}
	if key.Name == "" {
		return
	}
	kafka, err := o.getKafka(ctx, key)
	if err != nil || kafka == nil {
		return
	}
	o.event(ctx, key, "watch")
}
