package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/manifest"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

func newExportCmd(f *Factory) *cobra.Command {
	return branch(&cobra.Command{
		Use:     "export",
		Short:   "Write what is needed to declare a cluster again",
		GroupID: groupRecover,
	}, newExportManifestsCmd(f))
}

const exportManifestsLong = `Write the Kafka, KafkaNodePool, KafkaTopic and KafkaUser resources of a cluster of which
only volumes are left: pools with their node IDs, roles and storage, listeners, versions and dynamic configuration,
topics, users with their access control entries and quotas.

A PATH is a volume or a folder of volumes, named as their claims were (data-0-my-cluster-broker-3). In its place
pvc/NAME reads a claim and kafka/NAME all claims of a cluster, as scan does, and with --released its volumes that no
claim holds. Sizes and storage classes are those of the claims: of live ones, or of those in an earlier "scan -o json",
which -f names; without them, what the volumes have.

What the volumes do not say is written as TODO, with a comment that says what is known of it, and listed: passwords,
certificate authorities, resources, the settings of external listeners. Nothing is guessed and no secret is written.
The Kafka resource is paused and topics are not managed, so that applying the manifests starts and changes nothing.

Without --output-dir the manifests go to standard output and the list to standard error; -o prints the list, and with
json or yaml the manifests in it, instead.`

const exportManifestsExample = `kafkarecover export manifests --dir /mnt/volumes --output-dir ./manifests
kafkarecover export manifests --dir /mnt/volumes -f tonight.json > cluster.yaml
kafkarecover export manifests kafka/my-cluster -n kafka --output-dir ./manifests
kafkarecover export manifests kafka/my-cluster -n kafka --released --output-dir ./manifests`

type exportManifestsOptions struct {
	factory *Factory
	source  volumeSource
	// earlierFile is -f, earlier the scan in it.
	earlierFile string
	earlier     *scan.Scan
	outputDir   string
	apiVersion  *choice
	// asked tells that -o was given.
	asked bool
}

func newExportManifestsCmd(f *Factory) *cobra.Command {
	o := &exportManifestsOptions{factory: f, apiVersion: newChoice(strimzi.Versions()...)}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:               "manifests [PATH | kafka/NAME | pvc/NAME…]",
		Short:             "Write the Strimzi resources of a cluster from its volumes alone",
		Long:              exportManifestsLong,
		Example:           exportManifestsExample,
		ValidArgsFunction: f.fromCluster(targetNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.asked = cmd.Flags().Changed("output")
			return f.do(o, format)(cmd, args)
		},
	}
	o.source.addFlags(cmd)
	o.source.takeClaims(cmd, isMetadata)
	flags := cmd.Flags()
	flags.StringVarP(&o.earlierFile, "filename", "f", "",
		"Take sizes, classes and the version of Kafka from an earlier scan, the `FILE` that -o json gave")
	flags.StringVar(&o.outputDir, "output-dir", "", "Write a file for every kind and pool into `DIR`; none is replaced")
	flags.Var(o.apiVersion, "api-version", "API version of the resources: Strimzi has v1 since 0.49, v1beta2 up to 0.51")
	completeFlag(cmd, "api-version", o.apiVersion.allowed...)
	if err := errors.Join(cmd.MarkFlagFilename("filename", "json"), cmd.MarkFlagDirname("output-dir")); err != nil {
		panic(err) // the flags were added above
	}
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// Complete implements action.
func (o *exportManifestsOptions) Complete(ctx context.Context, args []string) error {
	o.source.dirs = append(o.source.dirs, args...)
	if len(o.source.dirs) == 0 {
		return usagef("name the folder of the volumes, for example --dir /mnt/volumes, or the cluster, as kafka/NAME")
	}
	var err error
	if o.earlierFile != "" {
		if o.earlier, err = readScan(o.earlierFile); err != nil {
			return exitcode.With(exitcode.Usage, fmt.Errorf("-f %q: %w", o.earlierFile, err))
		}
	}
	if err := o.source.fetch(ctx, o.factory); err != nil {
		return err
	}
	return o.source.open(false)
}

// Validate implements action.
func (*exportManifestsOptions) Validate() error { return nil }

// Run implements action.
func (o *exportManifestsOptions) Run(context.Context) (any, error) {
	defer o.source.close()
	read, err := o.read()
	if err != nil {
		return nil, err
	}
	set, err := manifest.Build(read.input)
	if errors.Is(err, manifest.ErrNoStrimzi) {
		return nil, exitcode.With(exitcode.NotFound, err)
	}
	if err != nil {
		return nil, exitcode.With(exitcode.Refused, err)
	}
	set.Notes = append(set.Notes, read.notes...)
	result := o.result(set, read)
	incomplete := errors.Join(o.factory.tellReport(read.title, read.input.Image.Report()),
		o.source.incomplete(o.factory, 0))
	files, err := filesOf(set, result.header())
	if err != nil {
		return nil, err
	}
	if o.outputDir != "" {
		if err := writeFiles(o.outputDir, files); err != nil {
			return nil, err
		}
		result.placed(o.outputDir, files)
		return result, incomplete
	}
	if o.asked {
		return result, incomplete
	}
	if err := o.print(set, result); err != nil {
		return nil, err
	}
	return nil, incomplete
}

// print writes the manifests to standard output, where nothing else may be, and the list beside it.
func (o *exportManifestsOptions) print(set *manifest.Set, result *Manifests) error {
	text, err := set.YAML(set.Objects, result.header())
	if err != nil {
		return fmt.Errorf("write the manifests: %w", err)
	}
	if _, err := o.factory.IO.Out.Write(text); err != nil {
		return fmt.Errorf("write the manifests: %w", err)
	}
	if o.factory.global.quiet {
		return nil
	}
	if o.factory.global.logFormat == logJSON {
		o.factory.Progress().Infof("%d manifests with %d TODOs; -o json lists them", len(set.Objects), len(set.Todos))
		return nil
	}
	o.factory.Progress().Close() // nothing may repaint over the list
	return o.factory.show(result)
}
