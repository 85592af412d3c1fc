// Package recovery_test tries the order of a recovery against a real API server and a double of the Cluster Operator
// (test/operator), on volumes that real Kafka wrote. No Kafka runs: the double's simulated nodes play its start. What
// needs running Kafka is in test/e2e.
package recovery_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kafkarecover/kafkarecover/test/operator/crds"
	"github.com/kafkarecover/kafkarecover/test/sandbox/cluster"
)

// sandboxID is this suite's own, so that it runs beside the others.
const sandboxID = 41

var (
	config     *rest.Config //nolint:gochecknoglobals // one cluster for the whole suite
	kubeconfig string       //nolint:gochecknoglobals // of the same cluster
	kubectl    string       //nolint:gochecknoglobals // of the same cluster
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	limit := 28 * time.Minute
	if *tier == "full" {
		limit = 2 * time.Hour // every line of the journal, twice
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c, err := cluster.Open(cluster.Options{ID: sandboxID})
	if err != nil {
		return failed(err)
	}
	if err := c.Wipe(ctx); err != nil { // what a run left that was killed
		return failed(err)
	}
	if c, err = cluster.Up(ctx, cluster.Options{ID: sandboxID}); err != nil {
		return failed(err)
	}
	defer func() {
		if err := c.Wipe(context.WithoutCancel(ctx)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	kubeconfig = c.Kubeconfig()
	if kubectl, err = c.Kubectl(); err != nil {
		return failed(err)
	}
	if config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig()); err != nil {
		return failed(err)
	}
	config.QPS, config.Burst = 500, 1000
	definitions, err := crds.Generate(ctx, "", crds.V1)
	if err != nil {
		return failed(err)
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return failed(err)
	}
	if err := crds.Install(ctx, dyn, definitions); err != nil {
		return failed(err)
	}
	code := make(chan int, 1)
	go func() { code <- m.Run() }()
	select {
	case result := <-code:
		return result
	case <-ctx.Done():
		return failed(fmt.Errorf("interrupted, or too slow: %w", context.Cause(ctx)))
	}
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "set up the suite:", err)
	return 1
}
