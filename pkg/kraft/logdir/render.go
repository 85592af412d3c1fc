package logdir

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Render returns meta.properties as Kafka writes it (PropertiesUtils.writePropertiesFile): an empty comment, the time
// in its own zone, then the keys in the order that java.util.Properties has them on Java 17. Newer Java releases sort
// them; the order means nothing to readers.
//
// Characters outside of ASCII are escaped. Kafka writes them as UTF-8 and reads them back as ISO-8859-1, so a cluster
// ID with such characters would change on its way; escaped it stays the same.
func (m *MetaProperties) Render(now time.Time) []byte {
	var sb strings.Builder
	sb.WriteString("#\n#" + now.Format("Mon Jan 02 15:04:05 MST 2006") + "\n")
	if m.NodeID != nil {
		key := "node.id"
		if m.Version == 0 {
			key = "broker.id"
		}
		sb.WriteString(key + "=" + strconv.Itoa(int(*m.NodeID)) + "\n")
	}
	if m.DirectoryID != "" {
		sb.WriteString("directory.id=" + m.DirectoryID + "\n")
	}
	sb.WriteString("version=" + strconv.Itoa(m.Version) + "\n")
	if m.ClusterID != nil {
		sb.WriteString("cluster.id=" + javaEscape(*m.ClusterID) + "\n")
	}
	return []byte(sb.String())
}

// javaEscape escapes a value as Properties.saveConvert does.
func javaEscape(value string) string {
	var sb strings.Builder
	for i, r := range value {
		switch r {
		case ' ':
			if i == 0 {
				sb.WriteByte('\\')
			}
			sb.WriteByte(' ')
		case '\t':
			sb.WriteString(`\t`)
		case '\n':
			sb.WriteString(`\n`)
		case '\r':
			sb.WriteString(`\r`)
		case '\f':
			sb.WriteString(`\f`)
		case '\\', '=', ':', '#', '!':
			sb.WriteString(`\` + string(r))
		default:
			if r >= ' ' && r <= '~' {
				sb.WriteRune(r)
				continue
			}
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&sb, `\u%04X`, unit)
			}
		}
	}
	return sb.String()
}
