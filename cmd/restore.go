package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/finding/show"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/redeclared"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
)

const restoreLong = `Bring a Strimzi Kafka cluster back on the volumes it left.

The volumes are set to Retain and read; the cluster ID that is on them is written into the status of the Kafka
resource and its pools while the operator is proven to be paused; then the resource is un-paused and the cluster is
verified against what was read before. Nothing is un-paused that is not proven paused and right, and what would be
silent loss is refused: each refusal says why and what to do.

Where the Kafka resource exists it is paused: crash-looping on a random cluster ID, or never started. Where it is gone,
with its claims or without, -f gives the manifests: volumes that no claim holds are read, claims are made and bound to
the ones that are theirs, and the resources are created paused, with the node IDs of the volumes. Pools, topics and
users that are there stay; pods that outlived the Kafka resource are restarted together where the operator cannot reach
them, which Secrets of the certificate authorities, given with -f too, spare them.

Kafka that a StatefulSet runs, without Strimzi, comes back the same way with --statefulset: its volumes are read, claims
of the names it looks for are made and bound to the ones that are theirs, and where it is gone it is created from -f,
after the cluster ID that its pods are given was compared with that of the volumes. One that is there is never scaled.

Where everything was created again too early, and a new cluster stands on new volumes beside the old ones, which lie
Released, --rebind-claims brings the old ones back: it says what the new cluster has accepted, stops its pods, and makes
the claims again for the old volumes. The new volumes are kept. Beside -f it does so where the Kafka resource of the new
cluster was deleted again and its claims stayed.`

const (
	defaultRestoreTimeout = 30 * time.Minute
	// defaultSettle is the time in which the operator may overwrite the ID; its paused path was seen to take 0.24 s.
	defaultSettle = 3 * time.Second
)

type restoreOptions struct {
	factory *Factory
	reading readFlags

	cluster         string
	set             string
	clusterID       string
	exclude         []string
	include         []string
	accept          []string
	setAside        []string
	lost            []string
	rebindClaims    bool
	yes             bool
	dryRun          *choice
	wait            bool
	timeout         time.Duration
	pauseTimeout    time.Duration
	settle          time.Duration
	restartOperator bool
	holdOperator    bool
	snapshot        snapshotClass
	manifests       []string
	volumes         volumesFlags
	namespaceFile   string
	alarm           alarmFlag
	handover        string

	name    string
	accepts []finding.Lift
	asides  []recovery.LogDirRef
}

func newRestoreCmd(f *Factory) *cobra.Command {
	o := &restoreOptions{
		factory: f,
		dryRun:  newChoice(string(recovery.DryRunNone), string(recovery.DryRunClient), string(recovery.DryRunServer)),
	}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:   "restore kafka/NAME | --statefulset NAME",
		Short: "Bring a cluster back on the volumes it left",
		Long:  restoreLong,
		Example: `kafkarecover restore kafka/my-cluster -n kafka --dry-run=client
kafkarecover restore kafka/my-cluster -n kafka
kafkarecover restore --cluster my-cluster -n kafka --yes -o json
kafkarecover restore kafka/my-cluster -n kafka -f manifests/
kafkarecover restore kafka/my-cluster -n kafka --rebind-claims
kafkarecover restore kafka/my-cluster -n kafka -f manifests/ --rebind-claims
kafkarecover restore --statefulset my-kafka -n kafka -f my-kafka.yaml`,
		GroupID:           groupRecover,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: f.fromCluster(clusterNames("kafka/")),
		RunE:              f.do(o, format),
	}
	o.addFlags(cmd)
	o.addSetFlag(cmd)
	o.reading.addFlags(cmd)
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

func (o *restoreOptions) addFlags(cmd *cobra.Command) {
	o.addRequestFlags(cmd)
	cmd.Flags().StringVar(&o.namespaceFile, "namespace-manifest", "",
		"Make the namespace as it was saved where it is gone, or once it is, with its quotas and limits, beside -f: "+
			"`FILE`; it is made before the plan is shown, and stays")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "Do not ask for confirmation")
	cmd.Flags().Var(o.dryRun, "dry-run", "Print the plan and change nothing that stays: volumes without a claim "+
		"are lent, and those of --volumes declared, to be read, and taken back; server also has the API server check every "+
		"write")
	completeFlag(cmd, "dry-run", o.dryRun.allowed...)
	o.alarm.addFlag(cmd)
	o.addHandoverFlag(cmd)
}

// addRequestFlags adds what says what to restore and how.
func (o *restoreOptions) addRequestFlags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&o.cluster, "cluster", "", "`NAME` of the cluster, the form for scripts of kafka/NAME")
	fs.StringVar(&o.clusterID, "cluster-id", "", "The cluster `ID` to write back, where the volumes do not agree on one")
	fs.StringArrayVar(&o.exclude, "exclude", nil,
		"`CLAIM` to give up, or pv/NAME: what it held counts as lost; may be repeated")
	fs.StringArrayVar(&o.include, "include", nil,
		"A volume that names no claim any more, as `pv/NAME`, beside -f: what is on it says where it belongs; may be "+
			"repeated")
	fs.StringArrayVar(&o.accept, "accept", nil, "Lift one rule for one subject, as `RULE=SUBJECT`; may be repeated")
	fs.StringArrayVar(&o.setAside, "set-aside", nil,
		"Rename a freshly formatted log directory, as `pvc/CLAIM:DIRECTORY`; may be repeated")
	fs.StringArrayVar(&o.lost, "lost", nil,
		"A Kafka node that is lost for good, as `node/ID`, node/POD, or a claim, as pvc/CLAIM: recovered without it, and it "+
			"starts, empty, once the others have caught up; may be repeated")
	fs.BoolVar(&o.rebindClaims, "rebind-claims", false,
		"Where claims hold new volumes beside the old ones, or each other's, stop the pods and make the claims again for "+
			"the volumes with their nodes' data; volumes that lose theirs are kept")
	fs.StringArrayVarP(&o.manifests, "filename", "f", nil,
		"Manifests of the Kafka resource, its pools, topics, users and Secrets, created where they are gone: `FILE`, "+
			"folder, kustomization, or - for standard input; may be repeated")
	o.volumes.addFlags(cmd, "Volumes to declare anew where the whole Kubernetes cluster is lost, beside -f")
	fs.BoolVar(&o.wait, "wait", true, "Wait for the cluster and verify it; false ends un-paused and not verified, exit 5")
	fs.DurationVar(&o.timeout, "timeout", defaultRestoreTimeout,
		"How long the cluster may take to start, its snapshots to be ready, and a namespace that is being deleted to go")
	fs.DurationVar(&o.pauseTimeout, "pause-timeout", 0,
		"How long the operator may take to confirm the pause (default: its operation timeout plus its interval, "+
			"at least 10m)")
	fs.DurationVar(&o.settle, "settle", defaultSettle, "How long the ID must stay before it is trusted")
	fs.BoolVar(&o.restartOperator, "restart-operator", false,
		"Delete the operator's pod, so that a reconcile in flight ends at once; other clusters wait for it too")
	fs.BoolVar(&o.holdOperator, "hold-operator", false,
		"Keep the operator at zero replicas from before the namespace or the first resource is made until Kafka is stored "+
			"paused, beside -f; nobody looks after its other clusters meanwhile, which are named")
	fs.Var(&o.snapshot, "snapshot",
		"Take a VolumeSnapshot of every volume before anything starts on it, of CLASS or of the "+
			"default class of the volume's driver, and keep it; volumes that can have none are named")
	fs.Lookup("snapshot").NoOptDefVal = anyClass
	complete := map[string]cobra.CompletionFunc{
		"cluster": o.factory.fromCluster(clusterNames("")), "exclude": o.factory.fromCluster(claimNames),
	}
	for flag, find := range complete {
		if err := cmd.RegisterFlagCompletionFunc(flag, find); err != nil {
			panic(err) // the flag was added above
		}
	}
}

// Complete implements action.
func (o *restoreOptions) Complete(_ context.Context, args []string) error {
	targets, err := parseTargets(args, targetKafka)
	if err != nil {
		return exitcode.With(exitcode.Usage, err)
	}
	o.name = o.cluster
	if o.set != "" {
		if len(targets) > 0 {
			return usagef("%s and --%s %s are two", targets[0], setFlag, o.set)
		}
		o.name = o.set
	}
	if len(targets) == 1 {
		if o.cluster != "" && o.cluster != targets[0].Name {
			return usagef("kafka/%s and --cluster %s name two clusters", targets[0].Name, o.cluster)
		}
		o.name = targets[0].Name
	}
	return errors.Join(o.parseLifts(), o.volumes.complete())
}

// parseLifts reads --accept, --set-aside, --lost and --include.
func (o *restoreOptions) parseLifts() error {
	for i, text := range o.include {
		name, err := recovery.ParseIncluded(text)
		if err != nil {
			return exitcode.With(exitcode.Usage, fmt.Errorf("--include: %w", err))
		}
		o.include[i] = name
	}
	for _, text := range o.accept {
		lift, err := finding.ParseAccept(text)
		if err != nil {
			return exitcode.With(exitcode.Usage, fmt.Errorf("--accept: %w", err))
		}
		o.accepts = append(o.accepts, lift)
	}
	for _, text := range o.setAside {
		ref, err := recovery.ParseLogDirRef(text)
		if err != nil {
			return exitcode.With(exitcode.Usage, fmt.Errorf("--set-aside: %w", err))
		}
		o.asides = append(o.asides, ref)
	}
	for _, text := range o.lost {
		if err := recovery.ParseLost(text); err != nil {
			return exitcode.With(exitcode.Usage, fmt.Errorf("--lost: %w", err))
		}
	}
	return nil
}

// Validate implements action.
func (o *restoreOptions) Validate() error {
	switch {
	case o.name == "":
		return errors.New("name the cluster to restore, as kafka/NAME or --cluster NAME")
	case o.namespaceFile != "" && len(o.manifests) == 0:
		return errors.New("--namespace-manifest makes the namespace of a cluster that is made from manifests: give those " +
			"with -f")
	case o.volumes.file != "" && len(o.manifests) == 0:
		return errors.New("--volumes declares volumes of a cluster that is made from manifests: give those with -f")
	case o.holdOperator && len(o.manifests) == 0:
		return errors.New("--hold-operator keeps the operator away while resources are made: give their manifests with -f")
	case o.holdOperator && o.restartOperator:
		return errors.New("--hold-operator ends a reconcile in flight as --restart-operator does: give one of them")
	case o.volumes.file == "-" && slices.Contains(o.manifests, "-"):
		return errors.New("-f - and --volumes - cannot both be standard input")
	case len(o.include) > 0 && len(o.manifests) == 0:
		return errors.New("--include takes volumes for a cluster that is made from manifests: give those with -f")
	case len(o.include) > 0 && o.rebindClaims:
		return errors.New("--include and --rebind-claims cannot go together: have the claimRef of each volume name its claim")
	case o.rebindClaims && len(o.setAside) > 0:
		return errors.New("--rebind-claims and --set-aside are two runs: claims get other volumes by the former")
	case o.rebindClaims && len(o.lost) > 0:
		return errors.New("--rebind-claims and --lost cannot go together: the claims of a new cluster are in the places of " +
			"the lost ones")
	case len(o.lost) > 0 && !o.wait:
		return errors.New("--lost lets a node in once the others have caught up: with --wait=false nobody would do it")
	case o.rebindClaims && o.volumes.file != "":
		return errors.New("--rebind-claims and --volumes cannot go together: volumes are declared for claims that are not " +
			"there")
	case slices.Contains(o.exclude, ""):
		return errors.New("--exclude: the claim's name is empty")
	case o.timeout <= 0 || o.pauseTimeout < 0 || o.settle < 0:
		return errors.New("--timeout must be positive, --pause-timeout and --settle not negative")
	case !o.yes && o.dryRun.value == string(recovery.DryRunNone) && !o.factory.IO.CanPrompt():
		return errors.New("there is no terminal to confirm on: look at the plan with --dry-run=client, then give --yes")
	case o.reading.via.value == string(scan.Objects):
		return errors.New("--via objects reads no volume, and nothing is restored on volumes that were not read")
	}
	return o.reading.validate()
}

// Run implements action.
func (o *restoreOptions) Run(ctx context.Context) (any, error) {
	client, err := o.factory.Kube()
	if err != nil {
		return nil, err
	}
	if o.set != "" {
		return o.restoreSet(ctx, client)
	}
	declaration, err := o.declared(ctx, client.Namespace())
	if err != nil {
		return nil, err
	}
	volumes, err := o.redeclared(client.Namespace())
	if err != nil {
		return nil, err
	}
	request := o.request(client.Namespace(), declaration, volumes)
	if request.NamespaceManifest, err = o.namespaceManifest(ctx, client.Namespace()); err != nil {
		return nil, err
	}
	tell, deps, err := o.begin(client)
	if err != nil {
		return nil, err
	}
	defer tell.end()
	result, err := recovery.Restore(ctx, request, deps)
	return result, restoreError(result, err)
}

func (o *restoreOptions) request(
	namespace string, declaration *declared.Cluster, volumes *redeclared.Volumes,
) recovery.Request {
	return recovery.Request{
		Namespace: namespace, Name: o.name, ClusterID: o.clusterID, Exclude: o.exclude, Include: o.include,
		Accept: o.accepts, SetAside: o.asides, Lost: o.lost, RebindClaims: o.rebindClaims, Declared: declaration,
		Redeclared: volumes,
		DryRun:     recovery.DryRun(o.dryRun.value), Wait: o.wait, Timeout: o.timeout, PauseTimeout: o.pauseTimeout,
		Settle: o.settle, RestartOperator: o.restartOperator, HoldOperator: o.holdOperator,
		Snapshot: o.snapshot.asked, SnapshotClass: o.snapshot.name,
	}
}

// declared reads the manifests that were given; nil where none were.
func (o *restoreOptions) declared(ctx context.Context, namespace string) (*declared.Cluster, error) {
	if len(o.manifests) == 0 {
		return nil, nil //nolint:nilnil // none given is no error
	}
	objects, err := declared.Load(ctx, o.manifests, o.factory.IO.In)
	if err != nil {
		return nil, exitcode.With(exitcode.Usage, fmt.Errorf("--filename: %w", err))
	}
	cluster, err := declared.Pick(objects, namespace, o.name)
	if err != nil {
		return nil, exitcode.With(exitcode.Usage, fmt.Errorf("--filename: %w", err))
	}
	for _, warning := range cluster.Warnings {
		o.factory.Progress().Warnf("%s", warning)
	}
	if n := len(cluster.Left); n > 0 {
		o.factory.Progress().Warnf("left out of the manifests, for they are not of kafka/%s: %s", o.name,
			strings.Join(cluster.Left, ", "))
	}
	return cluster, nil
}

// confirm shows the plan and has NAMESPACE/NAME typed.
func (o *restoreOptions) confirm(
	ctx context.Context, plan *recovery.Plan, findings []finding.Finding,
) (bool, error) {
	if o.yes {
		return true, nil
	}
	o.factory.Progress().Close() // nothing may repaint over the question
	shown := &restorePlan{plan: plan, findings: findings}
	if err := o.factory.show(shown); err != nil {
		return false, err
	}
	want := plan.Namespace + "/" + plan.Cluster
	meanwhile := plan.Meanwhile()
	if meanwhile != "" {
		meanwhile = "\n" + meanwhile
	}
	return o.factory.IO.ConfirmByTyping(ctx, fmt.Sprintf("%s\nContext %q, server %s.\nType %s to go on: ",
		meanwhile, plan.Context, plan.Server, want), want)
}

// restorePlan is what a person is shown before the confirmation.
type restorePlan struct {
	plan     *recovery.Plan
	findings []finding.Finding
}

// Table implements output.Tabler.
func (p *restorePlan) Table(wide bool) output.Document {
	doc := p.plan.Table(wide)
	var told []finding.Finding
	for _, f := range p.findings {
		if f.Severity.AtLeast(finding.Warning) { // notes would push the plan off the screen
			told = append(told, f)
		}
	}
	if len(told) > 0 {
		doc = append(doc, show.Section("Findings", told, false))
	}
	return doc
}

// restoreError gives the end of a restore its exit code.
func restoreError(result *recovery.Result, err error) error {
	if err == nil {
		if code := result.Code(); code != exitcode.OK {
			return exitcode.With(code, errors.New(result.Reason))
		}
		return nil
	}
	var (
		denied   *recovery.AccessError
		notFound *recovery.NotFoundError
		none     *recovery.NoVolumesError
		held     *recovery.HeldError
		aside    *recovery.AsideError
		flag     *recovery.FlagError
		going    *recovery.GoingError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &flag):
		return exitcode.With(exitcode.Usage, err)
	case errors.As(err, &denied):
		return exitcode.With(exitcode.Incomplete, err)
	case errors.As(err, &notFound), errors.As(err, &none):
		return exitcode.With(exitcode.NotFound, err)
	case errors.As(err, &held), errors.As(err, &aside), errors.As(err, &going), errors.Is(err, declared.ErrNotConvertible):
		return exitcode.With(exitcode.Refused, err)
	case result != nil && result.Plan != nil && result.Code() != exitcode.OK:
		return exitcode.With(result.Code(), err) // how far it came matters more than what stopped it
	}
	return lookError(err)
}
