package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// metadataView is a command that shows something of the image of one metadata log.
type metadataView struct {
	factory *Factory
	source  metadataSource
	at      int64
	show    func(im *metadata.Image, title string, v *metadataView) any
}

// Complete implements action.
func (v *metadataView) Complete(ctx context.Context, args []string) error {
	return v.source.open(ctx, v.factory, args)
}

// Validate implements action.
func (v *metadataView) Validate() error {
	if v.at < 0 {
		return errors.New("--at takes an offset of the log, 0 or more")
	}
	return nil
}

// Run implements action.
func (v *metadataView) Run(context.Context) (any, error) {
	defer v.source.close()
	im, title, err := v.source.single(v.at)
	if err != nil {
		return nil, err
	}
	return v.show(im, title, v), v.factory.tellReport(title, im.Report())
}

func newMetadataView(
	f *Factory, use, short string, show func(im *metadata.Image, title string, v *metadataView) any,
) *cobra.Command {
	v := &metadataView{factory: f, show: show}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:     use + " [PATH]",
		Short:   short,
		Long:    short + ", from the newest snapshot and the log behind it, as Kafka would load them.",
		Example: "kafkarecover metadata " + use + " --dir /mnt/controller-0",
		RunE:    f.do(v, format),
	}
	v.source.addFlags(cmd)
	v.addAtFlag(cmd)
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

func (v *metadataView) addAtFlag(cmd *cobra.Command) {
	cmd.Flags().Int64Var(&v.at, "at", 0, "Show the cluster as it was before this `OFFSET` of the log (default its end)")
}

// MetadataOrigin says what a view was read from.
type MetadataOrigin struct {
	output.TypeMeta
	Source string `json:"source"`
	// EndOffset is the offset behind the last record contained.
	EndOffset  int64 `json:"endOffset"`
	Incomplete bool  `json:"incomplete,omitempty"`
}

func origin(kind, title string, im *metadata.Image) MetadataOrigin {
	return MetadataOrigin{
		TypeMeta: output.Meta(kind), Source: title, EndOffset: im.EndOffset(), Incomplete: im.Report().Incomplete,
	}
}

func tableOf(columns []output.Column, rows [][]output.Cell) output.Document {
	return output.Document{{Table: &output.Table{Columns: columns, Rows: rows}}}
}

// MetadataTopics is what `metadata topics` prints.
type MetadataTopics struct {
	MetadataOrigin
	Topics []MetadataTopic `json:"topics"`
}

// MetadataTopic is one topic of MetadataTopics.
type MetadataTopic struct {
	Name string        `json:"name"`
	ID   metadata.UUID `json:"id"`
	metadata.Counts
	Config map[string]string `json:"config,omitempty"`
}

// Table implements output.Tabler.
func (t *MetadataTopics) Table(wide bool) output.Document {
	rows := make([][]output.Cell, 0, len(t.Topics))
	for i := range t.Topics {
		topic := &t.Topics[i]
		row := output.Row(topic.Name, topic.ID, topic.Partitions, topic.MaxReplication)
		if wide {
			row = append(row, output.Row(zeroDash(topic.Offline), zeroDash(topic.UnderReplicated),
				configText(topic.Config))...)
		}
		rows = append(rows, row)
	}
	names := []string{"TOPIC", "ID", ">PARTITIONS", ">REPLICATION"}
	if wide {
		names = append(names, ">OFFLINE", ">UNDER-REPLICATED", "CONFIG")
	}
	return tableOf(output.Columns(names...), rows)
}

// Names implements output.Namer.
func (t *MetadataTopics) Names() []string {
	out := make([]string, len(t.Topics))
	for i := range t.Topics {
		out[i] = "topic/" + t.Topics[i].Name
	}
	return out
}

func zeroDash(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func configText(config map[string]string) string {
	var parts []string
	for k, v := range config {
		parts = append(parts, k+"="+v)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func showTopics(im *metadata.Image, title string, v *metadataView) any {
	t := &MetadataTopics{MetadataOrigin: origin("MetadataTopics", title, im)}
	for _, topic := range im.Topics() {
		resource := metadata.ConfigResource{Type: metadata.ConfigTopic, Name: topic.Name}
		t.Topics = append(t.Topics, MetadataTopic{
			Name: topic.Name, ID: topic.ID, Counts: topic.Counts(), Config: v.config(im, resource),
		})
	}
	return t
}

// config is the configuration of a resource, secrets redacted unless asked for.
func (v *metadataView) config(im *metadata.Image, r metadata.ConfigResource) map[string]string {
	values := im.Config(r)
	if len(values) == 0 || v.source.secrets {
		return values
	}
	out := make(map[string]string, len(values))
	for name, value := range values {
		if metadata.SensitiveConfig(r.Type, name) {
			value = "(redacted)"
		}
		out[name] = value
	}
	return out
}

// MetadataBrokers is what `metadata brokers` prints: brokers and controllers as they registered.
type MetadataBrokers struct {
	MetadataOrigin
	Brokers     []*metadata.Broker     `json:"brokers"`
	Controllers []*metadata.Controller `json:"controllers,omitempty"`
}

// Table implements output.Tabler.
func (t *MetadataBrokers) Table(wide bool) output.Document {
	var brokers, controllers [][]output.Cell
	for _, b := range t.Brokers {
		row := output.Row(b.ID, rackText(b), brokerState(b), endPointsText(b.EndPoints))
		if wide {
			row = append(row, output.Row(b.Epoch, b.IncarnationID, uuidsText(b.LogDirs))...)
		}
		brokers = append(brokers, row)
	}
	for _, c := range t.Controllers {
		points := make([]metadata.BrokerEndpoint, len(c.EndPoints))
		for i, e := range c.EndPoints {
			points[i] = metadata.BrokerEndpoint{Name: e.Name, Host: e.Host, Port: e.Port}
		}
		row := output.Row(c.ID, endPointsText(points))
		if wide {
			row = append(row, output.Row(c.IncarnationID)...)
		}
		controllers = append(controllers, row)
	}
	names, controllerNames := []string{">BROKER", "RACK", "STATE", "~LISTENERS"}, []string{">CONTROLLER", "~LISTENERS"}
	if wide {
		names = append(names, ">EPOCH", "INCARNATION", "DIRECTORY IDS")
		controllerNames = append(controllerNames, "INCARNATION")
	}
	return output.Document{
		{Table: &output.Table{Columns: output.Columns(names...), Rows: brokers}},
		{Table: &output.Table{Columns: output.Columns(controllerNames...), Rows: controllers}},
	}
}

// Names implements output.Namer.
func (t *MetadataBrokers) Names() []string {
	var out []string
	for _, b := range t.Brokers {
		out = append(out, "broker/"+strconv.Itoa(int(b.ID)))
	}
	for _, c := range t.Controllers {
		out = append(out, "controller/"+strconv.Itoa(int(c.ID)))
	}
	return out
}

// rackText is empty for a broker without a rack, so that a cluster without racks has no column of them.
func rackText(b *metadata.Broker) string {
	if b.Rack == nil {
		return ""
	}
	return *b.Rack
}

func brokerState(b *metadata.Broker) string {
	switch {
	case b.Fenced:
		return "fenced"
	case b.InControlledShutdown:
		return "shutting down"
	}
	return "active"
}

func endPointsText(points []metadata.BrokerEndpoint) string {
	out := make([]string, len(points))
	for i, p := range points {
		out[i] = fmt.Sprintf("%s://%s:%d", p.Name, p.Host, p.Port)
	}
	return strings.Join(out, ", ")
}

func uuidsText(ids []metadata.UUID) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.String()
	}
	return strings.Join(out, ", ")
}

func showBrokers(im *metadata.Image, title string, _ *metadataView) any {
	return &MetadataBrokers{
		MetadataOrigin: origin("MetadataBrokers", title, im), Brokers: im.Brokers(), Controllers: im.Controllers(),
	}
}
