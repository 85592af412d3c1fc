package cmd

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// Version is what `version` prints.
type Version struct {
	output.TypeMeta
	// Version is the release, "dev" for a build from a working tree.
	Version string `json:"version"`
	// Commit and Date are those of the source; Modified tells that the working tree had changes.
	Commit   string `json:"commit,omitempty"`
	Date     string `json:"date,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Table implements output.Tabler.
func (v *Version) Table(wide bool) output.Document {
	line := fmt.Sprintf("%s %s %s", program, v.Version, v.Platform)
	if !wide {
		return output.Document{{Lines: []output.Line{output.Text(line)}}}
	}
	rows := [][]output.Cell{
		output.Row("Version:", v.Version), output.Row("Commit:", v.Commit), output.Row("Date:", v.Date),
		output.Row("Go:", v.Go), output.Row("Platform:", v.Platform),
	}
	return output.Document{{Table: &output.Table{Columns: output.Columns("", ""), Rows: rows}}}
}

// Names implements output.Namer.
func (v *Version) Names() []string { return []string{v.Version} }

func newVersionCmd(f *Factory) *cobra.Command {
	o := &versionOptions{}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Long:    "Print the version of this program. No cluster is contacted.",
		Example: "kafkarecover version\nkafkarecover version -o json",
		GroupID: groupOther,
		Args:    cobra.NoArgs,
		RunE:    f.do(o, format),
	}
	addOutputFlag(cmd, format)
	return exits(cmd)
}

type versionOptions struct{}

// Complete implements action.
func (*versionOptions) Complete(context.Context, []string) error { return nil }

// Validate implements action.
func (*versionOptions) Validate() error { return nil }

// Run implements action.
func (*versionOptions) Run(context.Context) (any, error) {
	v := &Version{
		TypeMeta: output.Meta("Version"), Version: buildVersion(),
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Commit = s.Value
			case "vcs.time":
				v.Date = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
			}
		}
	}
	return v, nil
}

// buildVersion is the version of the main module, which Go stamps from the tag the binary was built at.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return info.Main.Version
}
