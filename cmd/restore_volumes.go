package cmd

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/redeclared"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
)

// volumesFlags say which volumes are declared anew, and what is called otherwise than it was.
type volumesFlags struct {
	file      string
	nodes     []string
	disks     []string
	nodeNames map[string]string
	diskNames map[string]string
}

// addFlags adds them; what says when they are given.
func (v *volumesFlags) addFlags(cmd *cobra.Command, what string) {
	fs := cmd.Flags()
	fs.StringVar(&v.file, "volumes", "", what+": `FILE` of an earlier scan -o json, or - for standard input")
	fs.StringArrayVar(&v.nodes, "map-node", nil,
		"What a node, zone or region of the saved volumes is called here, as `OLD=NEW`; may be repeated")
	fs.StringArrayVar(&v.disks, "map-volume", nil,
		"A copy of a saved volume's disk to take instead, as `CLAIM=HANDLE` or pv/NAME=HANDLE: a CSI handle, a path, or "+
			"SERVER:PATH of an NFS share; may be repeated")
}

// complete reads the pairs.
func (v *volumesFlags) complete() error {
	var err error
	if v.nodeNames, err = pairs("--map-node", "OLD=NEW", v.nodes); err != nil {
		return err
	}
	if v.diskNames, err = pairs("--map-volume", "CLAIM=HANDLE", v.disks); err != nil {
		return err
	}
	if v.file == "" && len(v.nodes)+len(v.disks) > 0 {
		return usagef("--map-node and --map-volume are for the volumes of a scan: give --volumes FILE")
	}
	return nil
}

// namespaceManifest reads the namespace as it was saved; nil where no file was given.
func (o *restoreOptions) namespaceManifest(ctx context.Context, namespace string) (*declared.Namespace, error) {
	if o.namespaceFile == "" {
		return nil, nil //nolint:nilnil // none given is no error
	}
	objects, err := declared.Load(ctx, []string{o.namespaceFile}, o.factory.IO.In)
	if err != nil {
		return nil, exitcode.With(exitcode.Usage, fmt.Errorf("--namespace-manifest: %w", err))
	}
	picked, err := declared.PickNamespace(objects, namespace)
	if err != nil {
		return nil, exitcode.With(exitcode.Usage, fmt.Errorf("--namespace-manifest: %w", err))
	}
	for _, warning := range picked.Warnings {
		o.factory.Progress().Warnf("%s", warning)
	}
	if len(picked.Left) > 0 {
		o.factory.Progress().Warnf("left out of --namespace-manifest, for they are no namespace, quota or limit of %q: %s",
			namespace, strings.Join(picked.Left, ", "))
	}
	return picked, nil
}

// pairs reads KEY=VALUE; a key that is given twice is an error. A claim may be written as everywhere, pvc/NAME.
func pairs(flag, form string, texts []string) (map[string]string, error) {
	out := map[string]string{}
	for _, text := range texts {
		key, value, found := strings.Cut(text, "=")
		key = strings.TrimPrefix(key, "pvc/")
		if !found || key == "" || value == "" {
			return nil, usagef("%s %q: want %s", flag, text, form)
		}
		if _, twice := out[key]; twice {
			return nil, usagef("%s: %q is given twice", flag, key)
		}
		out[key] = value
	}
	return out, nil
}

// redeclared reads the volumes that a scan saved; nil where none were given.
func (o *restoreOptions) redeclared(namespace string) (*redeclared.Volumes, error) {
	v := &o.volumes
	if v.file == "" {
		return nil, nil //nolint:nilnil // none given is no error
	}
	saved, err := v.read(o.factory)
	if err != nil {
		return nil, exitcode.With(exitcode.Usage, fmt.Errorf("--volumes %q: %w", v.file, err))
	}
	volumes, err := saved.SavedVolumes(namespace, o.name)
	if err != nil {
		return nil, exitcode.With(exitcode.Usage, fmt.Errorf("--volumes %q: %w", v.file, err))
	}
	list, err := redeclared.Write(volumes, redeclared.Request{
		Namespace: namespace, Cluster: o.name, Nodes: v.nodeNames, Disks: v.diskNames,
	})
	if err != nil {
		return nil, exitcode.With(exitcode.Usage, fmt.Errorf("--volumes %q: %w", v.file, err))
	}
	return &redeclared.Volumes{List: list, Origin: redeclared.Origin{
		File: v.file, Time: saved.Time, ServerID: saved.ServerID, Server: saved.Server, Context: saved.Context,
	}}, nil
}

func (v *volumesFlags) read(f *Factory) (*scan.Scan, error) {
	if v.file == "-" {
		return scan.Read(f.IO.In)
	}
	file, err := os.Open(v.file)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // nothing was written
	return scan.Read(file)
}
