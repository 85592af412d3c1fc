package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	e2e "github.com/kafkarecover/kafkarecover/test/e2e/ground"
	"github.com/kafkarecover/kafkarecover/test/kafka/image"
)

const (
	// sandboxID is the number of the cluster measured on, apart from those of tests and demo.
	sandboxID = 9
	namespace = "bench"
	cluster   = "my-cluster"
)

// onCluster measures on a Kubernetes cluster that is started for it, on claims that hold the volumes of a real cluster.
// No Kafka runs there and no operator: a lost cluster has neither.
func (g *ground) onCluster(ctx context.Context, o options) (results []result, err error) {
	settings, err := e2e.FromEnv(g.log)
	if err != nil {
		return nil, err
	}
	settings.SandboxID, settings.Fresh = sandboxID, true
	world, err := e2e.Start(ctx, settings)
	defer func() { err = errors.Join(err, world.Close()) }()
	if err != nil {
		return nil, err
	}
	for _, size := range []int{9, 100} {
		c := &claims{ground: g, world: world, namespace: fmt.Sprintf("%s-%d", namespace, size)}
		if err := c.plant(ctx, size); err != nil {
			return results, err
		}
		measured, err := measureAll(ctx, o, c.comparisons(), g.log)
		results = append(results, measured...)
		if err != nil {
			return results, err
		}
	}
	r, err := g.recover(ctx, world)
	if err != nil {
		return results, err
	}
	measured, err := measureAll(ctx, o, r.comparisons(), g.log)
	return append(results, measured...), err
}

// claims are a lost cluster's claims in a namespace of their own.
type claims struct {
	*ground
	world     *e2e.World
	namespace string
	names     []string
}

// plant makes the claims. More than the nine there are get copies of them: reading takes no shorter for that.
func (c *claims) plant(ctx context.Context, size int) error {
	entries, err := os.ReadDir(c.volumes)
	if err != nil {
		return fmt.Errorf("plant claims: %w", err)
	}
	from := map[string]string{}
	for i := range size {
		source := entries[i%len(entries)].Name()
		name := source
		if i >= len(entries) {
			name = fmt.Sprintf("data-0-%s-broker-%d", cluster, 1000+i)
		}
		from[name] = source
		c.names = append(c.names, name)
	}
	if err := c.world.Namespace(ctx, c.namespace, nil); err != nil {
		return err
	}
	kafka := c.world.NewKafka(c.namespace, cluster)
	return kafka.Plant(ctx, &e2e.Seed{Dir: c.volumes, Claims: c.names}, e2e.Planting{From: from})
}

func (c *claims) comparisons() []comparison {
	size := len(c.names)
	ours := fmt.Sprintf("kafkarecover scan --cluster %s -n NAMESPACE --via pod", cluster)
	args := []string{
		c.tool, "scan", "--cluster", cluster, "-n", c.namespace, "--via", "pod",
		"--image", image.Name(c.world.KafkaVersion), "--kubeconfig", c.world.KubeconfigPath,
	}
	scan := command(findings(), args...)
	each := comparison{
		name: fmt.Sprintf("scan of %d claims", size), ours: ours, runOurs: scan,
		theirs:    "kubectl run --rm -i … cat meta.properties, for each claim",
		runTheirs: c.oneAfterAnother,
	}
	told := each
	told.name, told.ours = "result of a "+each.name, ours+", until its result is printed"
	told.runOurs, told.goal.wall = untilTold(findings(), args...), 1.0/9
	floor := comparison{
		name: fmt.Sprintf("scan of %d claims, beside one pod", size), ours: ours, runOurs: scan,
		theirs:    "kubectl run --rm -i … cat meta.properties of all claims, in one pod; kubectl wait --for=delete",
		runTheirs: c.onePod,
	}
	if size <= 9 {
		return []comparison{told, each, floor}
	}
	each.goal.wall, each.theirRounds = 1.0/18, 1
	floor.goal.wall = 1.3
	return []comparison{floor, c.protection(), each}
}

// onePod reads all claims in one pod and waits until it is gone, as kafkarecover does.
func (c *claims) onePod(ctx context.Context) (sample, error) {
	started := time.Now()
	if _, err := c.pod("all", c.names)(ctx); err != nil {
		return sample{}, err
	}
	wait := command(nil, c.kubectl, "wait", "--for=delete", "pod/all", "--timeout=60s", "--kubeconfig",
		c.world.KubeconfigPath, "--namespace", c.namespace)
	_, err := wait(ctx)
	return sample{wall: time.Since(started)}, err
}

// protection sets Retain on every volume, which had Delete before each run.
func (c *claims) protection() comparison {
	ours := command(nil, "env", "XDG_STATE_HOME="+filepath.Join(c.work, "state"), c.tool, "protect", "--namespace",
		c.namespace, "--kubeconfig", c.world.KubeconfigPath)
	return comparison{
		name: fmt.Sprintf("protect of %d volumes", len(c.names)), ours: "kafkarecover protect -n NAMESPACE",
		theirs:    "kubectl patch pv NAME -p …Retain…, for each volume",
		runOurs:   c.unprotected(ours),
		runTheirs: c.unprotected(c.patchEach), goal: goal{time: 5 * time.Second},
	}
}

// unprotected gives the volumes the policy Delete, which is not measured, and acts.
func (c *claims) unprotected(a act) act {
	return func(ctx context.Context) (sample, error) {
		layout, err := c.world.NewKafka(c.namespace, cluster).Layout(ctx)
		if err != nil {
			return sample{}, err
		}
		for _, volume := range layout {
			_, err := c.world.Client.CoreV1().PersistentVolumes().Patch(ctx, volume, types.MergePatchType,
				[]byte(`{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}`), metav1.PatchOptions{})
			if err != nil {
				return sample{}, fmt.Errorf("give volume %q the policy Delete: %w", volume, err)
			}
		}
		return a(ctx)
	}
}

// patchEach is what a person would do with kubectl, the names being known.
func (c *claims) patchEach(ctx context.Context) (sample, error) {
	layout, err := c.world.NewKafka(c.namespace, cluster).Layout(ctx)
	if err != nil {
		return sample{}, err
	}
	started := time.Now()
	for _, volume := range layout {
		patch := command(nil, c.kubectl, "patch", "pv", volume, "--patch",
			`{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}`, "--kubeconfig", c.world.KubeconfigPath)
		if _, err := patch(ctx); err != nil {
			return sample{}, err
		}
	}
	return sample{wall: time.Since(started)}, nil
}

// oneAfterAnother is what the documented procedure does.
func (c *claims) oneAfterAnother(ctx context.Context) (sample, error) {
	started := time.Now()
	for i, name := range c.names {
		if _, err := c.pod(fmt.Sprintf("claim-%d", i), []string{name})(ctx); err != nil {
			return sample{}, err
		}
	}
	return sample{wall: time.Since(started)}, nil
}

// pod runs a pod with kubectl that prints meta.properties of the claims and is removed.
func (c *claims) pod(name string, names []string) act {
	type object = map[string]any
	var volumes, mounts []object
	for i, claim := range names {
		volume := fmt.Sprintf("v%d", i)
		volumes = append(volumes, object{
			"name": volume, "persistentVolumeClaim": object{"claimName": claim, "readOnly": true},
		})
		mounts = append(mounts, object{"name": volume, "mountPath": "/data/" + volume, "readOnly": true})
	}
	kafkaImage := image.Name(c.world.KafkaVersion)
	overrides, err := json.Marshal(object{"spec": object{"volumes": volumes, "containers": []object{{
		"name": name, "image": kafkaImage, "stdin": true, "volumeMounts": mounts,
		"command": []string{"sh", "-c", "cat /data/*/kafka-log*/meta.properties"},
	}}}})
	if err != nil { // strings and numbers only
		return func(context.Context) (sample, error) { return sample{}, fmt.Errorf("describe a pod: %w", err) }
	}
	args := strings.Fields("run --rm -i --quiet --restart=Never " + name)
	args = append(args, "--kubeconfig", c.world.KubeconfigPath, "--namespace", c.namespace, "--image", kafkaImage,
		"--overrides", string(overrides))
	return command(nil, append([]string{c.kubectl}, args...)...)
}
