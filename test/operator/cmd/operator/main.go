// Command operator runs the DOUBLE of Strimzi's Cluster Operator, against a kubeconfig or inside the cluster. Every
// flag can be given by the environment variable the real operator has for it, so that its Deployment looks like the
// real one's.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kafkarecover/kafkarecover/test/operator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "operator double:", err)
		os.Exit(1)
	}
}

// arguments are the command line's.
type arguments struct {
	kubeconfig, namespaces, images, version, race string
	timeout, interval                             time.Duration
	ready                                         string
	restricted, debug                             bool
}

func parse(args []string) (arguments, error) {
	a := arguments{}
	flags := flag.NewFlagSet("operator", flag.ContinueOnError)
	flags.StringVar(&a.kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "kubeconfig file; empty inside a cluster")
	flags.StringVar(&a.namespaces, "namespace", env("STRIMZI_NAMESPACE", "*"), "namespaces watched, by comma; * for all")
	flags.StringVar(&a.images, "image", os.Getenv("STRIMZI_KAFKA_IMAGES"), "Kafka images as version=image …")
	flags.StringVar(&a.version, "version", env("DOUBLE_STRIMZI_VERSION", operator.DefaultVersion),
		"Strimzi release played")
	flags.DurationVar(&a.timeout, "operation-timeout",
		milliseconds("STRIMZI_OPERATION_TIMEOUT_MS", operator.DefaultOperationTimeout), "bound of each wait")
	flags.DurationVar(&a.interval, "interval",
		milliseconds("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", operator.DefaultInterval), "full reconciliation interval")
	flags.StringVar(&a.race, "race", os.Getenv("DOUBLE_RACE"),
		"widen a race: a=DURATION between the paused path's reads, b=DURATION before a final status; by comma")
	flags.StringVar(&a.ready, "ready", os.Getenv("DOUBLE_READY_ADDRESS"), "address to answer readiness probes on")
	flags.BoolVar(&a.restricted, "restricted", os.Getenv("STRIMZI_POD_SECURITY_PROVIDER_CLASS") == "restricted",
		"pods that follow the restricted Pod Security standard")
	flags.BoolVar(&a.debug, "debug", false, "log more")
	return a, flags.Parse(args)
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func milliseconds(name string, otherwise time.Duration) time.Duration {
	if ms, err := strconv.ParseInt(os.Getenv(name), 10, 64); err == nil {
		return time.Duration(ms) * time.Millisecond
	}
	return otherwise
}

func run(ctx context.Context, args []string) error {
	a, err := parse(args)
	if err != nil {
		return err
	}
	config, err := connect(a.kubeconfig)
	if err != nil {
		return err
	}
	images, err := operator.ParseImages(a.images)
	if err != nil {
		return err
	}
	hooks, err := races(a.race)
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if a.debug {
		level = slog.LevelDebug
	}
	o, err := operator.New(operator.Options{
		Config: config, Namespaces: strings.Split(a.namespaces, ","), Version: a.version, KafkaImages: images,
		OperationTimeout: a.timeout, Interval: a.interval, Restricted: a.restricted, Hooks: hooks,
		Log: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: level})),
	})
	if err != nil {
		return err
	}
	if a.ready != "" {
		go answerProbes(a.ready)
	}
	return o.Run(ctx)
}

// answerProbes says ready on every path once the operator has found its resources.
func answerProbes(address string) {
	server := &http.Server{Addr: address, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })}
	if err := server.ListenAndServe(); err != nil {
		fmt.Fprintln(os.Stderr, "operator double: answer readiness probes:", err)
	}
}

func connect(kubeconfig string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	config.QPS, config.Burst = 200, 400
	return config, nil
}

// races reads "a=2s,b=20s".
func races(s string) (operator.Hooks, error) {
	var hooks operator.Hooks
	if s == "" {
		return hooks, nil
	}
	for item := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(item, "=")
		wait, err := time.ParseDuration(value)
		if err != nil {
			return hooks, fmt.Errorf("read --race: %w", err)
		}
		pause := func(ctx context.Context, _ operator.Key) {
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
		switch name {
		case "a":
			hooks.PausedRead = pause
		case "b":
			hooks.BeforeFinalStatus = pause
		default:
			return hooks, fmt.Errorf("read --race: %q is neither a nor b", name)
		}
	}
	return hooks, nil
}
