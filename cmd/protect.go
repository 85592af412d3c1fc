package cmd

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/progress"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

const protectLong = `Set the reclaim policy Retain on every volume of a cluster or namespace, at once
and without asking, and save everything that is still visible: the first minute
of a disaster. No pod is made and no disk is read.

Volumes are those bound to the claims of the cluster or namespace, and those
that are left of claims that are gone. Each is then one of these, as far as
Kubernetes shows it:

  safe         Retain was read back
  in flight    something is deleting it, or was: look for the disk in the storage system
  gone         there is no such volume any more
  unprotected  Retain could not be set, with the reason

PersistentVolumes, claims, Kafka resources, pools, pod sets, topics, users,
ConfigMaps and VolumeAttachments are saved in a folder of their own below
$XDG_STATE_HOME/kafkarecover, Secrets by name only. What holds an object that is
being deleted is told and never touched. "unprotect" sets the policies back one
day.`

// volumeScope is how the commands that change volumes are told which.
type volumeScope struct {
	factory *Factory
	cluster string
	scope   protect.Scope
}

func (s *volumeScope) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.cluster, "cluster", "", "`NAME` of the Kafka cluster, as kafka/NAME")
	s.factory.completeCluster(cmd)
	cmd.ValidArgsFunction = s.factory.fromCluster(protectedNames)
}

// completeCluster completes --cluster to the Kafka resources there are.
func (f *Factory) completeCluster(cmd *cobra.Command) {
	if err := cmd.RegisterFlagCompletionFunc("cluster", f.fromCluster(clusterNames(""))); err != nil {
		panic(err) // the flag was not added first: every command is built in every test
	}
}

// protectedNames lists what can be protected: Kafka resources and volumes.
func protectedNames(ctx context.Context, client *kube.Client) ([]string, error) {
	names, err := clusterNames("kafka/")(ctx, client)
	if err != nil {
		return nil, err
	}
	volumes, err := objectNames(ctx, client, kube.Volumes(), "", "pv/")
	return append(names, volumes...), err
}

// complete reads the targets. Without any, the namespace is meant.
func (s *volumeScope) complete(args []string) error {
	targets, err := parseTargets(args, targetKafka, targetVolume)
	if err != nil {
		return exitcode.With(exitcode.Usage, err)
	}
	for _, t := range targets {
		switch {
		case t.Kind == targetVolume:
			s.scope.Volumes = append(s.scope.Volumes, t.Name)
		case s.cluster != "" && s.cluster != t.Name:
			return usagef("name one cluster, not both %q and %q", s.cluster, t.Name)
		default:
			s.cluster = t.Name
		}
	}
	s.scope.Cluster = s.cluster
	if s.cluster != "" && len(s.scope.Volumes) > 0 {
		return usagef("name a cluster or volumes, not both")
	}
	return nil
}

// deps builds what pkg/protect works with, and settles the namespace.
func (s *volumeScope) deps() (protect.Deps, error) {
	client, err := s.factory.Kube()
	if err != nil {
		return protect.Deps{}, err
	}
	s.scope.Namespace = client.Namespace()
	return protect.Deps{
		Kube: client, Now: s.factory.Now, Random: rand.Reader, StateDir: stateFolder(s.factory.Getenv),
	}, nil
}

type protectOptions struct {
	volumeScope
	saveDir string
}

func newProtectCmd(f *Factory) *cobra.Command {
	o := &protectOptions{volumeScope: volumeScope{factory: f}}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:   "protect [kafka/NAME | pv/NAME…]",
		Short: "Set Retain on every volume and save what is still visible",
		Long:  protectLong,
		Example: "kafkarecover protect kafka/my-cluster -n kafka\nkafkarecover protect -n kafka\n" +
			"kafkarecover protect pv/pvc-4711",
		GroupID: groupRecover,
		RunE:    f.do(o, format),
	}
	o.addFlags(cmd)
	cmd.Flags().StringVar(&o.saveDir, "save-dir", "",
		"`FOLDER` that gets the folder with what is saved (default $XDG_STATE_HOME/kafkarecover)")
	if err := cmd.MarkFlagDirname("save-dir"); err != nil {
		panic(err) // the flag was added above
	}
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.NotFound, exitcode.Incomplete)
}

// Complete implements action.
func (o *protectOptions) Complete(_ context.Context, args []string) error { return o.complete(args) }

// Validate implements action.
func (*protectOptions) Validate() error { return nil }

// Run implements action.
func (o *protectOptions) Run(ctx context.Context) (any, error) {
	deps, err := o.deps()
	if err != nil {
		return nil, err
	}
	if o.saveDir != "" {
		deps.StateDir = o.saveDir
	}
	step := o.factory.Progress().Step("protect", fmt.Sprintf("setting Retain on the volumes of %s", o.scope))
	deps.OnVolume = func(done, total int) { step.Count(int64(done), int64(total), progress.Items) }
	result, err := protect.Run(ctx, deps, o.scope)
	if result == nil {
		step.Fail("%v", err)
		return nil, err
	}
	if err == nil {
		err = result.Err()
	}
	if err != nil {
		step.Fail("not every volume is safe")
	} else {
		step.Done("%s safe", wording.Count(len(result.Volumes), "volume is", "volumes are"))
	}
	return result, err
}
