// Package e2e_test tells the stories of a recovery on a real Kubernetes cluster with real Kafka, from the loss to the
// same messages read again. By default a DOUBLE of the Cluster Operator is deployed (package operator); see package
// ground for the environment that puts a real one in its place.
package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// tier decides how much is told: "ci" a few stories within ten minutes, "full" all of them.
var tier = flag.String("tier", "ci", "ci or full")

var world struct {
	once sync.Once
	*ground.World
	err error
}

func TestMain(m *testing.M) {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := make(chan int, 1)
	go func() { code <- m.Run() }()
	result := 1
	select {
	case result = <-code:
	case <-ctx.Done():
		fmt.Fprintln(os.Stderr, "interrupted: ending the sandbox")
	}
	stop()
	if world.World != nil {
		if err := world.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			result = 1
		}
	}
	os.Exit(result)
}

// theWorld starts the Kubernetes cluster the stories share, at the first one that needs it.
func theWorld(t *testing.T) *ground.World {
	t.Helper()
	world.once.Do(func() {
		settings, err := ground.FromEnv(os.Stderr)
		if err != nil {
			world.err = err
			return
		}
		world.World, world.err = ground.Start(context.Background(), settings)
	})
	if world.err != nil {
		t.Fatal(world.err)
	}
	return world.World
}

// shared is made once, by the first story that needs it.
type shared[T any] struct {
	once  sync.Once
	value T
	err   error
}

func (s *shared[T]) get(t *testing.T, produce func() (T, error)) T {
	t.Helper()
	s.once.Do(func() { s.value, s.err = produce() })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.value
}

var (
	tool shared[*ground.Tool]
	seed shared[*ground.Seed]
)

// theTool is the program under test, built once.
func theTool(t *testing.T) *ground.Tool {
	t.Helper()
	w := theWorld(t)
	return tool.get(t, func() (*ground.Tool, error) { return w.BuildTool(context.Background()) })
}

// theSeed is the volumes of a cluster that was brought up with messages in it and lost again, once for all stories.
func theSeed(t *testing.T) *ground.Seed {
	t.Helper()
	w := theWorld(t)
	return seed.get(t, func() (*ground.Seed, error) { return grow(context.Background(), w) })
}

func grow(ctx context.Context, w *ground.World) (*ground.Seed, error) {
	const namespace = "origin"
	k := w.NewKafka(namespace, "my-cluster")
	steps := []func() error{
		func() error { return w.Namespace(ctx, namespace, nil) },
		func() error { return w.InstallOperator(ctx, namespace, quickOperator()) },
		func() error { return k.Volumes(ctx, 0) },
		func() error { return k.Create(ctx, false) },
		func() error { return k.WaitFor(ctx, "Ready", waitForKafka) },
		func() error { return k.Produce(ctx, messages) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	id, err := k.ClusterID(ctx)
	if err != nil {
		return nil, err
	}
	content, err := k.Read(ctx, messages)
	if err != nil {
		return nil, err
	}
	if err := k.Delete(ctx); err != nil {
		return nil, err
	}
	taken, err := k.Take(ctx, id, content)
	if err != nil {
		return nil, err
	}
	return taken, w.DeleteNamespace(ctx, namespace)
}

// full marks a story of the full tier.
func full(t *testing.T) {
	t.Helper()
	if *tier != "full" {
		t.Skip("told by -tier full only")
	}
}

// Bounds of waits: they only tell a hang from a slow machine.
const (
	waitForPause    = 8 * time.Minute
	waitForKafka    = 10 * time.Minute
	waitForEntities = 5 * time.Minute
)

// quickOperator has the interval the recordings were made with. The double's operation timeout is shorter than the real
// one's, because a story that begins with a crash loop waits for it; a real operator keeps its own, because it gives up
// on slow nodes.
func quickOperator() ground.Operator {
	o := ground.Operator{Interval: 30 * time.Second}
	if os.Getenv(ground.EnvManifests) == "" {
		o.Timeout = 60 * time.Second
	}
	return o
}
