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

// full marks a story of the full tier.
func full(t *testing.T) {
	t.Helper()
	if *tier != "full" {
		t.Skip("told by -tier full only")
	}
}

// quickOperator has the times the recordings were made with, but for a shorter operation timeout.
func quickOperator() ground.Operator {
	return ground.Operator{Timeout: 60 * time.Second, Interval: 30 * time.Second}
}
