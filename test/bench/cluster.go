package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

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
	return results, nil
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
	scan := command(findings(), c.tool, "scan", "--cluster", cluster, "-n", c.namespace, "--via", "pod",
		"--image", image.Name(c.world.KafkaVersion), "--kubeconfig", c.world.KubeconfigPath)
	each := comparison{
		name: fmt.Sprintf("scan of %d claims", size), ours: ours, runOurs: scan,
		theirs:    "kubectl run --rm -i … cat meta.properties, for each claim",
		runTheirs: c.oneAfterAnother, goal: goal{wall: 1.0 / 9},
	}
	if size <= 9 {
		return []comparison{each}
	}
	each.goal.wall, each.theirRounds = 1.0/18, 1
	return []comparison{each, {
		name: fmt.Sprintf("scan of %d claims, beside one pod", size), ours: ours, runOurs: scan,
		theirs: "kubectl run --rm -i … cat meta.properties of all claims, in one pod",
		runTheirs: func(ctx context.Context) (sample, error) {
			return c.pod("all", c.names)(ctx)
		},
		goal: goal{wall: 1.3},
	}}
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
