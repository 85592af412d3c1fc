package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

const scanLong = `Read the volumes of Kafka clusters and say what is wrong with them: which cluster each one is of,
whether every node would find its own data, whether the controllers can elect a leader that has everything, and what
the live resources say against what is on the disks.

Without a target it is every cluster found in the namespace, those included of which only claims or volumes are left.
Claims in use are read inside the Kafka pods that use them, the others through temporary pods that mount them
read-only and are gone when the scan ends. Nothing is changed on volumes or objects; with --released volumes that no
claim holds are lent to claims of a temporary name for the time it takes to read them, and given back as they were.
With --dir a folder of volumes is read instead, and no API server is asked for anything.

The result as JSON (-o json) holds the claims and volumes as they are, which is enough to declare them again: keep it.`

const scanExample = `kafkarecover scan
kafkarecover scan kafka/my-cluster
kafkarecover scan kafka/my-cluster --via objects
kafkarecover scan pvc/data-0-my-cluster-broker-0
kafkarecover scan -A -o json > tonight.json
kafkarecover scan kafka/my-cluster --released
kafkarecover scan --dir /mnt/volumes --fail-on warning
kafkarecover scan --against tonight.json
kafkarecover scan --statefulset my-kafka --released`

const failNever = "never"

type scanOptions struct {
	factory *Factory
	read    readFlags
	// cluster is --cluster, targets the arguments and it.
	cluster string
	// set is --statefulset, manifests --filename.
	set       string
	manifests []string
	targets   []target
	all       bool
	dir       string
	failOn    *choice
	ignore    []string
	exclude   []string
	against   string
	deep      bool
	// released is --released.
	released bool

	ignores []finding.Lift
	before  *scan.Scan
	removal scan.Removal
}

func newScanCmd(f *Factory) *cobra.Command {
	o := &scanOptions{
		factory: f,
		failOn:  newChoice(string(finding.Error), string(finding.Critical), string(finding.Warning), failNever),
	}
	format := output.NewValue(output.FormatJUnit)
	cmd := &cobra.Command{
		Use:               "scan [kafka/NAME | pvc/NAME…]",
		Short:             "Read the volumes and say what is wrong with them",
		Long:              scanLong,
		Example:           scanExample,
		GroupID:           groupRecover,
		ValidArgsFunction: f.fromCluster(targetNames),
		RunE:              f.do(o, format),
	}
	o.addFlags(cmd)
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

func (o *scanOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.cluster, "cluster", "", "The Kafka cluster `NAME`: the same as kafka/NAME, for scripts")
	flags.StringVar(&o.set, setFlag, "",
		"The StatefulSet `NAME` that runs Kafka without Strimzi, with its claims and volumes")
	flags.StringArrayVarP(&o.manifests, "filename", "f", nil,
		"The StatefulSet's manifest where it is gone, beside --statefulset: `FILE`, folder, kustomization, or - for "+
			"standard input; may be repeated")
	flags.BoolVarP(&o.all, "all-namespaces", "A", false, "Look at the clusters of all namespaces")
	flags.StringVar(&o.dir, "dir", "", "Read the volumes in the folder `PATH`, or the one volume or log directory it is")
	flags.Var(o.failOn, "fail-on", "Exit with 3 when there are findings of this severity or worse")
	flags.StringArrayVar(&o.ignore, "ignore", nil, "Leave out findings of a rule: `RULE[=SUBJECT]`; may be repeated")
	flags.StringArrayVar(&o.exclude, "exclude", nil,
		"Judge as if the volume of this `CLAIM`, or pv/NAME, were lost; may be repeated")
	flags.BoolVar(&o.deep, "deep", false,
		"Hold the metadata logs of all volumes against each other and against the partitions too")
	flags.BoolVar(&o.released, "released", false,
		"Read volumes that no claim holds too: claims of a temporary name borrow them, which must be Retain")
	flags.StringVar(&o.against, "against", "", "Say what changed since an earlier scan, the `FILE` that -o json gave")
	o.read.addFlags(cmd)
	completeFlag(cmd, "fail-on", o.failOn.allowed...)
	for flag, complete := range map[string]cobra.CompletionFunc{
		"cluster": o.factory.fromCluster(clusterNames("")), "exclude": o.factory.fromCluster(claimNames), "ignore": ruleNames,
	} {
		if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic(err) // the flag was not added first: every command is built in every test
		}
	}
	if err := errors.Join(cmd.MarkFlagDirname("dir"), cmd.MarkFlagFilename("against", "json")); err != nil {
		panic(err) // the flags were added above
	}
}

func ruleNames(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var ids []string
	for _, r := range finding.Rules() {
		ids = append(ids, r.ID)
	}
	return startingWith(ids, typed), cobra.ShellCompDirectiveNoFileComp
}

// Complete implements action.
func (o *scanOptions) Complete(_ context.Context, args []string) error {
	if o.cluster != "" {
		args = append(args, string(targetKafka)+"/"+o.cluster)
	}
	var err error
	if o.targets, err = parseTargets(args, targetKafka, targetClaim); err != nil {
		return exitcode.With(exitcode.Usage, err)
	}
	for _, s := range o.ignore {
		lift, err := finding.ParseIgnore(s)
		if err != nil {
			return exitcode.With(exitcode.Usage, fmt.Errorf("--ignore: %w", err))
		}
		o.ignores = append(o.ignores, lift)
	}
	if o.against == "" {
		return nil
	}
	if o.before, err = readScan(o.against); err != nil {
		return exitcode.With(exitcode.Usage, fmt.Errorf("--against %q: %w", o.against, err))
	}
	return nil
}

func readScan(path string) (*scan.Scan, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	return scan.Read(file)
}

// Validate implements action.
func (o *scanOptions) Validate() error {
	switch {
	case o.set != "" && (len(o.targets) > 0 || o.all || o.dir != "" || o.against != ""):
		return errors.New("--statefulset names one set: it cannot be combined with other targets, --all-namespaces, --dir, " +
			"--against")
	case o.set == "" && len(o.manifests) > 0:
		return errors.New("--filename is the manifest of a StatefulSet that is gone: name it with --statefulset")
	case o.dir != "" && len(o.targets) > 0:
		return fmt.Errorf("--dir reads a folder: it cannot be combined with %s", o.targets[0])
	case o.dir != "" && o.all:
		return errors.New("--dir reads a folder: it cannot be combined with --all-namespaces")
	case o.dir != "" && o.read.via.value != string(scan.Auto):
		return errors.New("--dir reads a folder: it cannot be combined with --via")
	case o.deep && o.read.via.value == string(scan.Objects):
		return errors.New("--deep reads volumes: it cannot be combined with --via objects")
	case o.released && o.dir != "":
		return errors.New("--dir reads a folder: it cannot be combined with --released")
	case o.released && o.read.mayBorrow() != nil:
		return o.read.mayBorrow()
	case o.released && len(o.claims()) > 0:
		return errors.New("--released reads what no claim holds: it cannot be combined with pvc/NAME")
	case o.all && len(o.targets) > 0:
		return fmt.Errorf("--all-namespaces looks at every cluster: it cannot be combined with %s", o.targets[0])
	case len(o.clusters()) > 0 && len(o.claims()) > 0:
		return errors.New("name a cluster or claims, not both")
	case len(o.claims()) > 0 && o.against != "":
		return errors.New("--against compares whole clusters: it cannot be combined with pvc/NAME")
	case len(o.clusters()) > 1:
		return errors.New("name one cluster, or none for every cluster of the namespace")
	}
	return o.read.validate()
}

func (o *scanOptions) clusters() []string { return o.named(targetKafka) }
func (o *scanOptions) claims() []string   { return o.named(targetClaim) }

func (o *scanOptions) named(kind targetKind) []string {
	var names []string
	for _, t := range o.targets {
		if t.Kind == kind && !slices.Contains(names, t.Name) {
			names = append(names, t.Name)
		}
	}
	return names
}

// Run implements action.
func (o *scanOptions) Run(ctx context.Context) (any, error) {
	look := o.kubernetes
	if o.dir != "" {
		look = o.folder
	}
	result, err := look(ctx)
	if result == nil {
		return nil, err
	}
	result.Ignore(o.ignores)
	if o.before != nil {
		o.before.Ignore(o.ignores)
		result.Against(o.before)
	}
	o.tellUnusedExclusions(result)
	if err != nil {
		return result, err
	}
	return result, o.verdict(result)
}

func (o *scanOptions) folder(ctx context.Context) (*scan.Scan, error) {
	result, err := scan.Folder(ctx, o.dir, o.factory.Now(), scan.Options{
		Parallel: o.read.parallel, Excluded: o.excluded("dir/"), Deep: o.deep,
	})
	if errors.Is(err, volume.ErrNoVolume) || errors.Is(err, fs.ErrNotExist) {
		return nil, exitcode.With(exitcode.NotFound, err)
	}
	return result, err
}

func (o *scanOptions) kubernetes(ctx context.Context) (*scan.Scan, error) {
	client, err := o.factory.Kube()
	if err != nil {
		return nil, err
	}
	operation, err := probe.NewOperation(o.factory.Now(), rand.Reader)
	if err != nil {
		return nil, err
	}
	opts, settle := o.factory.lookOptions(operation, &o.read)
	defer settle()
	opts.Excluded, opts.Deep, opts.Released = o.excluded("pvc/"), o.deep, o.released
	opts.Removal = &o.removal
	result, err := o.look(ctx, client, opts)
	if errors.Is(err, probe.ErrNoImage) {
		result = nil // a look without its volumes is not what was asked for
	}
	return result, lookError(err)
}

// look looks at what was named.
func (o *scanOptions) look(ctx context.Context, client *kube.Client, opts scan.Options) (*scan.Scan, error) {
	if o.set == "" {
		return scan.Kubernetes(ctx, client, scan.Targets{
			Namespace: client.Namespace(), All: o.all, Clusters: o.clusters(), Claims: o.claims(),
		}, o.factory.Now(), opts)
	}
	set, err := declaredSet(ctx, o.factory, o.manifests, client.Namespace(), o.set)
	if err != nil {
		return nil, err
	}
	if set != nil {
		opts.Set, opts.Configs = set.Planned(), set.Configs()
	}
	result, err := scan.KubernetesSet(ctx, client, client.Namespace(), o.set, o.factory.Now(), opts)
	if missing := setError(err); missing != err { //nolint:errorlint // it is the same one, or has an exit code now
		return nil, missing
	}
	return result, err
}

// Finish implements finisher: the result is not held back while temporary pods end.
func (o *scanOptions) Finish(ctx context.Context) error {
	told := time.AfterFunc(removalPatience, func() {
		o.factory.Progress().Infof("waiting until the temporary pods are gone")
	})
	defer told.Stop()
	return lookError(o.removal.Wait(ctx))
}

// removalPatience is how long the end of temporary pods may take without a word.
const removalPatience = 3 * time.Second

// lookError gives what ended a look its exit code.
func lookError(err error) error {
	var missing *scan.NoClaimError
	var left *scan.LeftBehindError
	switch {
	case errors.Is(err, probe.ErrNoImage):
		return exitcode.With(exitcode.Usage, err)
	case errors.As(err, &missing):
		return exitcode.With(exitcode.NotFound, err)
	case kube.IsForbidden(err), kube.IsTimeout(err), errors.As(err, &left):
		return exitcode.With(exitcode.Incomplete, err)
	}
	return err
}

// excluded are the volumes given up, by name.
func (o *scanOptions) excluded(prefix string) map[string]bool {
	out := map[string]bool{}
	for _, name := range o.exclude {
		out[volume.NameOf(prefix, name)] = true
	}
	return out
}

// tellUnusedExclusions warns of names that no volume has: a slip of the pen would judge what was to be given up.
func (o *scanOptions) tellUnusedExclusions(result *scan.Scan) {
	names := result.Names()
	for _, name := range o.exclude {
		if !slices.ContainsFunc(names, func(n string) bool { return n == name || strings.HasSuffix(n, "/"+name) }) {
			o.factory.Progress().Warnf("--exclude %s: there is no such volume, nothing was left out", name)
		}
	}
}

// limit is the severity of --fail-on.
func (o *scanOptions) limit() finding.Severity {
	if o.failOn.value == failNever {
		return ""
	}
	return finding.Severity(o.failOn.value)
}

// verdict is the error that a result stands for, with its exit code.
func (o *scanOptions) verdict(s *scan.Scan) error {
	var reasons []string
	failing, unread, incomplete := 0, 0, false
	for i := range s.Clusters {
		c := &s.Clusters[i]
		reasons = append(reasons, c.Changed...)
		failing += c.Failing(o.limit())
		unread += c.Unread()
		incomplete = incomplete || c.Incomplete()
	}
	if failing > 0 {
		reasons = append(reasons, fmt.Sprintf("findings of severity %s or worse: %d", o.limit(), failing))
	}
	if s.Changes.Any() {
		reasons = append(reasons, fmt.Sprintf("changes since the earlier scan: %d", len(s.Changes.List)))
	}
	switch {
	case unread > 0:
		reasons = append(reasons, fmt.Sprintf("volumes not read, or not to the end: %d", unread))
	case incomplete:
		reasons = append(reasons, "not everything could be looked at or judged")
	}
	if len(s.Clusters) == 0 {
		reasons = append(reasons, o.nothingFound())
	}
	if len(reasons) == 0 {
		return nil
	}
	return exitcode.With(s.Code(o.limit()), errors.New(strings.Join(reasons, "\n")))
}

func (o *scanOptions) nothingFound() string {
	switch {
	case o.all:
		return "no Kafka cluster, and no claim or volume of one, was found in any namespace"
	case len(o.targets) > 0:
		return fmt.Sprintf("%s was not found: no such resource, and no claim or volume named after it", o.targets[0])
	default:
		return "no Kafka cluster, and no claim or volume of one, was found in the namespace"
	}
}
