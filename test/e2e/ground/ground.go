// Package ground brings up what a recovery is tried on: a Kubernetes cluster, a Cluster Operator, a Kafka cluster with
// messages in it, and the kafkarecover program. It is written against whatever operator is there: by default the
// DOUBLE of package operator is deployed, and with E2E_OPERATOR_MANIFESTS and E2E_IMAGES any real one, with nothing
// else changed. It judges nothing: what must hold is said by the stories that use it.
package ground

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kafkarecover/kafkarecover/test/sandbox/cluster"
)

// The environment that changes the ground.
const (
	// EnvKubeconfig names a cluster to use instead of starting a sandbox.
	EnvKubeconfig = "E2E_KUBECONFIG"
	// EnvManifests names a directory of YAML that installs an operator instead of the double.
	EnvManifests = "E2E_OPERATOR_MANIFESTS"
	// EnvImages lists OCI archives, by colon or comma, to load instead of those built here.
	EnvImages = "E2E_IMAGES"
	// EnvStorageClass is the class of Kafka's claims; "local" with volumes made here when empty.
	EnvStorageClass = "E2E_STORAGE_CLASS"
	// EnvSnapshotClass is the class of snapshots of the driver that EnvStorageClass is of.
	EnvSnapshotClass = "E2E_SNAPSHOT_CLASS"
	// EnvKafkaVersion is the Kafka version of the clusters made.
	EnvKafkaVersion = "E2E_KAFKA_VERSION"
	// EnvSandboxID is the number of the sandbox cluster.
	EnvSandboxID = "E2E_SANDBOX_ID"
	// EnvKeep keeps the sandbox after the tests when set.
	EnvKeep = "E2E_KEEP"
)

// Settings say what ground to bring up. FromEnv reads them.
type Settings struct {
	Kubeconfig, Manifests, StorageClass, KafkaVersion string
	Images                                            []string
	SandboxID                                         int
	Keep                                              bool
	// Fresh ends a sandbox of the same number that an earlier run left, and its state, before starting one.
	Fresh bool
	// Log receives the narrative.
	Log io.Writer
}

// FromEnv reads the settings from the environment.
func FromEnv(log io.Writer) (Settings, error) {
	s := Settings{
		Kubeconfig: os.Getenv(EnvKubeconfig), Manifests: os.Getenv(EnvManifests),
		StorageClass: os.Getenv(EnvStorageClass), KafkaVersion: os.Getenv(EnvKafkaVersion),
		Images: strings.FieldsFunc(os.Getenv(EnvImages), func(r rune) bool { return r == ':' || r == ',' }),
		Keep:   os.Getenv(EnvKeep) != "", SandboxID: 7, Log: log,
	}
	if s.KafkaVersion == "" {
		s.KafkaVersion = "4.2.0"
	}
	if id := os.Getenv(EnvSandboxID); id != "" {
		var err error
		if s.SandboxID, err = strconv.Atoi(id); err != nil {
			return s, fmt.Errorf("read %s: %w", EnvSandboxID, err)
		}
	}
	return s, nil
}

// World is a running Kubernetes cluster with images loaded. Close ends it.
type World struct {
	Settings
	Config  *rest.Config
	Client  kubernetes.Interface
	Dynamic dynamic.Interface
	// KubeconfigPath is the file the tool is given.
	KubeconfigPath string
	// Sandbox is nil on a cluster that was there before.
	Sandbox *cluster.Cluster

	mapper *restmapper.DeferredDiscoveryRESTMapper
	work   string
}

// Start brings the world up. What it started is ended by Close, also after an error.
func Start(ctx context.Context, s Settings) (w *World, err error) {
	w = &World{Settings: s, KubeconfigPath: s.Kubeconfig}
	if w.Log == nil {
		w.Log = io.Discard
	}
	if w.work, err = os.MkdirTemp("", "kafkarecover-ground-"); err != nil {
		return w, fmt.Errorf("make a working directory: %w", err)
	}
	if s.Kubeconfig == "" {
		if err := w.startSandbox(ctx); err != nil {
			return w, err
		}
	}
	if err := w.connect(); err != nil {
		return w, err
	}
	return w, w.loadImages(ctx)
}

func (w *World) startSandbox(ctx context.Context) error {
	w.say("starting a Kubernetes cluster (sandbox %d)", w.SandboxID)
	started := time.Now()
	options := cluster.Options{ID: w.SandboxID, Log: w.Log, APIServerArgs: []string{
		// Beta and off by default in the Kubernetes of the sandbox; some stories put a policy in the tool's way.
		"--feature-gates=MutatingAdmissionPolicy=true", "--runtime-config=admissionregistration.k8s.io/v1beta1=true",
	}}
	if w.Fresh {
		left, err := cluster.Open(cluster.Options{ID: w.SandboxID})
		if err != nil {
			return fmt.Errorf("end an earlier sandbox: %w", err)
		}
		if err := left.Wipe(ctx); err != nil {
			return fmt.Errorf("end an earlier sandbox: %w", err)
		}
	}
	box, err := cluster.Up(ctx, options)
	w.Sandbox = box
	if err != nil {
		return fmt.Errorf("start the sandbox: %w", err)
	}
	w.KubeconfigPath = box.Kubeconfig()
	w.say("Kubernetes is up after %s", time.Since(started).Round(100*time.Millisecond))
	return nil
}

func (w *World) connect() error {
	config, err := clientcmd.BuildConfigFromFlags("", w.KubeconfigPath)
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	config.QPS, config.Burst = 200, 400
	w.Config = config
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	w.Client = client
	if w.Dynamic, err = dynamic.NewForConfig(config); err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	w.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	return nil
}

// Close ends what Start started. With Keep the sandbox stays as it is.
func (w *World) Close() error {
	var failed error
	if w.work != "" {
		failed = os.RemoveAll(w.work)
	}
	if w.Sandbox == nil || w.Keep {
		return failed
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(failed, w.Sandbox.Wipe(ctx))
}

// WorkDir is a directory that Close removes.
func (w *World) WorkDir() string { return w.work }

func (w *World) say(format string, args ...any) { fmt.Fprintf(w.Log, format+"\n", args...) }

// mapping finds the resource of a kind; it looks again when a definition was installed since.
func (w *World) mapping(apiVersion, kind string) (*meta.RESTMapping, error) {
	group, version := "", apiVersion
	if g, v, ok := strings.Cut(apiVersion, "/"); ok {
		group, version = g, v
	}
	mapping, err := w.mapper.RESTMapping(groupKind(group, kind), version)
	if meta.IsNoMatchError(err) {
		w.mapper.Reset()
		mapping, err = w.mapper.RESTMapping(groupKind(group, kind), version)
	}
	if err != nil {
		return nil, fmt.Errorf("find resource of %s %s: %w", apiVersion, kind, err)
	}
	return mapping, nil
}

// repository is the root of the project's sources, known from where this was compiled.
func repository() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return "", errors.New("find the project's sources: compiled without paths")
	}
	return filepath.Join(filepath.Dir(file), "..", "..", ".."), nil
}
