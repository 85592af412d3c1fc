package metadata

import "strconv"

// MetadataVersionFeature is the feature name of the metadata version.
const MetadataVersionFeature = "metadata.version"

// Version is a level of metadata.version.
type Version int16

// versionNames are the names of levels 1 on (Kafka's MetadataVersion, 3.0 to 4.4).
func versionNames() []string {
	return []string{
		"3.0-IV1", "3.1-IV0", "3.2-IV0", "3.3-IV0", "3.3-IV1", "3.3-IV2", "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1",
		"3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0",
		"3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
		"4.4-IV0", "4.4-IV1", "4.4-IV2",
	}
}

// String is the name Kafka gives the level, such as 4.2-IV1; "unknown (99)" for a level of no known release and
// "none" for 0.
func (v Version) String() string {
	names := versionNames()
	switch {
	case v == 0:
		return "none"
	case v < 1 || int(v) > len(names):
		return "unknown (" + strconv.Itoa(int(v)) + ")"
	}
	return names[v-1]
}

// Known tells whether the level is one of a known release.
func (v Version) Known() bool { return v >= 1 && int(v) <= len(versionNames()) }
