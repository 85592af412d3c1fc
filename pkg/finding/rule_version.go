package finding

import (
	"fmt"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/storage"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

const sourceVersion = "Strimzi: KRaftVersionChangeCreator, KRaftMetadataManager"

// versionRules judge the Kafka version and metadata.version that the cluster would start with.
func versionRules() []entry {
	return []entry{
		{Rule{
			ID: "binary-older-than-metadata", Severity: Critical, Refuses: true, Without: Stuck,
			Title: "the Kafka version is older than the metadata",
			What:  "spec.kafka.version (else the operator's default) against the finalized metadata.version on the volumes.",
			Why: "Kafka stops with \"Tried to apply FeatureLevelRecord … only supports versions 1-N\". The operator takes " +
				"the version in the resource without comparing it with the disks.",
			Source: "Kafka: FeatureControlManager; " + sourceVersion,
			Remedy: "set spec.kafka.version to the version that ran before, or a later one",
		}, judgeBinaryOlder},
		{Rule{
			ID: "metadata-version-unset", Severity: Error, Refuses: true, Without: Irreversible,
			Title: "the default metadata.version would upgrade what is on disk",
			What:  "spec.kafka.metadataVersion, where it is not set, against the finalized metadata.version on the volumes.",
			Why: "Without it the operator raises metadata.version to the default of the Kafka version right after the " +
				"start. That cannot be taken back, and shuts out an older Kafka.",
			Source: sourceVersion,
			Remedy: "set spec.kafka.metadataVersion to what is on the volumes",
		}, judgeMetadataUnset},
		{Rule{
			ID: "metadata-version-would-upgrade", Severity: Warning,
			Title:  "metadata.version would be raised",
			What:   "spec.kafka.metadataVersion against the finalized metadata.version on the volumes.",
			Why:    "The operator raises it right after the start. That cannot be taken back, and shuts out an older Kafka.",
			Source: sourceVersion,
			Remedy: "recover first with spec.kafka.metadataVersion as on the volumes, and upgrade later",
		}, judgeMetadataUpgrade},
		{Rule{
			ID: "metadata-version-unknown", Severity: Error, Refuses: true, Without: Irreversible,
			Title: "the metadata.version on disk is not known",
			What: "Whether the replayed metadata says which metadata.version is finalized, and whether it is of a known " +
				"release.",
			Why:    "Without it nobody can tell whether this Kafka reads the metadata, and whether the start would upgrade it.",
			Source: sourceVersion,
			Remedy: "see `kafkarecover metadata summary`",
		}, judgeMetadataUnknown},
	}
}

// kafkaVersion returns the Kafka version that would start and where it is from; empty where it is not known.
func (s *scene) kafkaVersion() (version, from string) {
	c := s.in.Cluster
	if c.Kafka.Version != "" {
		return c.Kafka.Version, "spec.kafka.version"
	}
	for _, op := range c.Operators {
		if v := op.DefaultKafkaVersion(); v != "" && len(c.Operators) == 1 {
			return v, "default of operator " + op.Name()
		}
	}
	return "", ""
}

// newestKnown is the newest Kafka release whose levels of metadata.version are known.
const newestKnown = "4.3"

// newerThanKnown tells whether a Kafka version is later than all whose levels are known.
func newerThanKnown(version string) bool {
	return strimzi.CompareVersions(version, newestKnown+".9999") > 0
}

func judgeBinaryOlder(s *scene) []found {
	level, from := s.metadataLevel()
	if s.in.Cluster == nil || level == 0 {
		return nil
	}
	version, source := s.kafkaVersion()
	f := found{
		subject:  s.kafkaSubject(),
		evidence: []string{fmt.Sprintf("%s: metadata.version %s (level %d)", from, metadata.Version(level), level)},
	}
	highest, err := storage.ParseRelease(version)
	switch {
	case version == "":
		f.unevaluated, f.message = true, "does not say which Kafka version would start"
		f.remedy = "set spec.kafka.version to the version that ran before"
	case err != nil && newerThanKnown(version):
		return nil // a later Kafka reads what earlier ones wrote
	case err != nil:
		f.unevaluated = true
		f.message = fmt.Sprintf("Kafka %s (%s): its levels of metadata.version are not known", quoted(version), source)
	case highest < level:
		f.message = fmt.Sprintf("Kafka %s (%s) supports metadata.version up to %s, on disk is %s", version, source,
			metadata.Version(highest), metadata.Version(level))
	default:
		return nil
	}
	return []found{f}
}

func judgeMetadataUnset(s *scene) []found {
	level, from := s.metadataLevel()
	if s.in.Cluster == nil || level == 0 || s.in.Cluster.Kafka.MetadataVersion != "" {
		return nil
	}
	version, source := s.kafkaVersion()
	onDisk := metadata.Version(level)
	f := found{
		subject:  s.kafkaSubject(),
		evidence: []string{fmt.Sprintf("%s: metadata.version %s (level %d)", from, onDisk, level)},
	}
	if onDisk.Known() {
		f.remedy = s.kubectl(fmt.Sprintf(`patch kafka %s --type merge -p '{"spec":{"kafka":{"metadataVersion":"%s"}}}'`,
			s.in.Cluster.Kafka.Name, onDisk))
	}
	highest, err := storage.ParseRelease(version)
	switch {
	case version == "":
		f.unevaluated, f.message = true, "sets neither metadataVersion nor version, and the operator's default is not known"
	case err != nil:
		f.unevaluated = true
		f.message = fmt.Sprintf("sets no metadataVersion, and the default of Kafka %s (%s) is not known",
			quoted(version), source)
	case highest > level:
		f.message = fmt.Sprintf("sets no metadataVersion: Kafka %s (%s) would raise %s to %s", version, source, onDisk,
			metadata.Version(highest))
	default:
		return nil
	}
	return []found{f}
}

func judgeMetadataUpgrade(s *scene) []found {
	level, from := s.metadataLevel()
	if s.in.Cluster == nil || level == 0 || s.in.Cluster.Kafka.MetadataVersion == "" {
		return nil
	}
	want := s.in.Cluster.Kafka.MetadataVersion
	asked, err := storage.ParseRelease(want)
	if err == nil && asked <= level {
		return nil
	}
	f := found{
		subject:  s.kafkaSubject(),
		message:  fmt.Sprintf("spec.kafka.metadataVersion is %s, on disk is %s", quoted(want), metadata.Version(level)),
		evidence: []string{fmt.Sprintf("%s: metadata.version %s (level %d)", from, metadata.Version(level), level)},
	}
	if err != nil {
		f.unevaluated, f.message = true, f.message+": which is the later is not known"
	}
	return []found{f}
}

func judgeMetadataUnknown(s *scene) []found {
	newest := s.newestImage()
	if s.in.Cluster == nil || newest == nil {
		return nil // metadata-not-replayed says so
	}
	level, from := s.metadataLevel()
	switch {
	case level == 0 && newest.Image.End.Offset > 0:
		return []found{{
			subject: s.kafkaSubject(), unevaluated: true,
			message: "the metadata on " + newest.Name + " says no metadata.version",
		}}
	case level != 0 && !metadata.Version(level).Known():
		return []found{{
			subject: s.kafkaSubject(), unevaluated: true,
			message: fmt.Sprintf("%s has metadata.version level %d, which is of no release known to this program", from, level),
		}}
	}
	return nil
}
