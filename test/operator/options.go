package operator

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

// Defaults of the real operator.
const (
	DefaultVersion          = "1.2.0"
	DefaultOperationTimeout = 300 * time.Second
	DefaultInterval         = 120 * time.Second
	DefaultLockTimeout      = 10 * time.Second
	// DefaultLatency is how long the real operator was seen to need, at least, to answer a change of the status.
	DefaultLatency = 80 * time.Millisecond
)

// Key names a Kafka resource.
type Key struct{ Namespace, Name string }

// String returns namespace/name.
func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Hooks stop the double at the moments that matter to a recovery. Each is called from the reconcile itself, which goes
// on when the hook returns; nil hooks are passed over.
type Hooks struct {
	// PausedRead runs between the paused path's read of the Kafka resource and its second read before writing the
	// status. A clusterId patched meanwhile is lost without a conflict (race A).
	PausedRead func(ctx context.Context, key Key)
	// BeforeFinalStatus runs in an un-paused reconcile before its final status is written; that status is built from the
	// resource as it was when the reconcile began (race B).
	BeforeFinalStatus func(ctx context.Context, key Key)
	// Step runs before each step of an un-paused reconcile, with the step's name. An error fails the reconcile there.
	Step func(ctx context.Context, key Key, step string) error
}

// Options configure an Operator. Config is required; everything else has the real operator's defaults.
type Options struct {
	Config *rest.Config
	// Namespaces are those watched; empty or "*" means all.
	Namespaces []string
	// Version is the Strimzi release played: it decides whether clusterSecurity is written (from 1.2.0) and what
	// status.operatorLastSuccessfulVersion says.
	Version string
	// KafkaImages maps Kafka versions to images.
	KafkaImages map[string]string
	// DefaultKafka is the Kafka version of a resource that names none; the highest of KafkaImages when empty.
	DefaultKafka string
	// OperationTimeout bounds each wait of a reconcile.
	OperationTimeout time.Duration
	// Interval is the full reconciliation interval.
	Interval time.Duration
	// LockTimeout is how long an event waits for the reconcile in flight before it is dropped.
	LockTimeout time.Duration
	// Latency passes between an event and the reconcile it causes.
	Latency time.Duration
	// Restricted makes pods follow the restricted Pod Security standard, as the operator's "restricted" provider does.
	Restricted bool
	// Nodes runs Kafka; nil means real pods of the Kafka image.
	Nodes Nodes
	Hooks Hooks
	Clock clock.WithTicker
	Log   *slog.Logger
}

func (o *Options) complete() error {
	if o.Config == nil {
		return fmt.Errorf("start the operator double: no connection to a cluster given")
	}
	if o.Version == "" {
		o.Version = DefaultVersion
	}
	if len(o.KafkaImages) == 0 {
		return fmt.Errorf("start the operator double: no Kafka image given")
	}
	if o.DefaultKafka == "" {
		for version := range o.KafkaImages {
			if compareVersions(version, o.DefaultKafka) > 0 {
				o.DefaultKafka = version
			}
		}
	}
	defaultTo(&o.OperationTimeout, DefaultOperationTimeout)
	defaultTo(&o.Interval, DefaultInterval)
	defaultTo(&o.LockTimeout, DefaultLockTimeout)
	defaultTo(&o.Latency, DefaultLatency)
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

func defaultTo(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// watchesAll tells whether no list of namespaces restricts the operator.
func (o *Options) watchesAll() bool {
	if len(o.Namespaces) == 0 {
		return true
	}
	for _, ns := range o.Namespaces {
		if ns == "*" {
			return true
		}
	}
	return false
}

// ParseImages reads the format of STRIMZI_KAFKA_IMAGES: version=image, separated by spaces, commas, tabs or lines.
func ParseImages(s string) (map[string]string, error) {
	images := map[string]string{}
	for _, token := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,\t\n\r", r) }) {
		version, image, ok := strings.Cut(token, "=")
		if !ok || version == "" || image == "" {
			return nil, fmt.Errorf("read the Kafka images: %q is not version=image", token)
		}
		images[version] = image
	}
	return images, nil
}

// compareVersions compares dotted numbers; what follows a dash is ignored.
func compareVersions(a, b string) int {
	as, bs := versionParts(a), versionParts(b)
	for i := range max(len(as), len(bs)) {
		if d := at(as, i) - at(bs, i); d != 0 {
			return d
		}
	}
	return 0
}

func versionParts(v string) []int {
	v, _, _ = strings.Cut(v, "-")
	var parts []int
	for field := range strings.SplitSeq(v, ".") {
		n := 0
		_, _ = fmt.Sscanf(field, "%d", &n)
		parts = append(parts, n)
	}
	return parts
}

func at(parts []int, i int) int {
	if i < len(parts) {
		return parts[i]
	}
	return 0
}
