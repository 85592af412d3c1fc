package storage

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// The levels of metadata.version that can be formatted: the oldest that Kafka 4.x reads, the newest that is in
// production (4.3).
const (
	oldestRelease = 7
	newestRelease = 30
	scramRelease  = 11 // 3.5-IV2
)

const kraftVersion = "kraft.version"

// feature is a feature of org.apache.kafka.server.common.Feature.PRODUCTION_FEATURES.
type feature struct {
	name string
	// since maps a level to the metadata.version from which on it is the default.
	since map[int16]int16
	// highest is the highest level in production.
	highest int16
	// needs maps a level to the metadata.version it depends on.
	needs map[int16]int16
}

// features are those of Kafka 4.2 and 4.3, without kraft.version, which goes by the kind of quorum.
func features() []feature {
	return []feature{
		{name: "eligible.leader.replicas.version", since: map[int16]int16{1: 26}, highest: 1, needs: map[int16]int16{1: 23}},
		{name: "group.version", since: map[int16]int16{1: 22}, highest: 1},
		{name: "share.version", since: map[int16]int16{1: 28}, highest: 1},
		{name: "streams.version", since: map[int16]int16{1: 29}, highest: 1},
		{name: "transaction.version", since: map[int16]int16{2: 24}, highest: 2},
	}
}

func (f *feature) defaultLevel(release int16) int16 {
	level := int16(0)
	for l, since := range f.since {
		if release >= since {
			level = max(level, l)
		}
	}
	return level
}

// ParseRelease returns the level of metadata.version for a release as --release-version takes it: "4.2-IV1" is that
// level, "4.2" and "4.2.1" are the newest one of the release.
func ParseRelease(text string) (int16, error) {
	name := text
	if parts := strings.SplitN(text, ".", 3); len(parts) == 3 && !strings.Contains(text, "-") {
		name = parts[0] + "." + parts[1]
	}
	for level := int16(newestRelease); level >= oldestRelease; level-- {
		known := metadata.Version(level).String()
		if known == name || strings.HasPrefix(known, name+"-IV") {
			return level, nil
		}
	}
	return 0, fmt.Errorf("read release version %q: expected one from %s to %s", text,
		metadata.Version(oldestRelease), metadata.Version(newestRelease))
}

// featureLevels works out the level of every feature, as Formatter.calculateEffectiveFeatureLevels does.
func featureLevels(release int16, asked map[string]int16, dynamic bool) (map[string]int16, error) {
	levels := map[string]int16{}
	for _, f := range features() {
		levels[f.name] = f.defaultLevel(release)
	}
	names := slices.Sorted(maps.Keys(levels))
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if name == kraftVersion {
			if err := checkKRaftVersion(asked[name], dynamic); err != nil {
				return nil, err
			}
			continue
		}
		if _, known := levels[name]; !known {
			return nil, fmt.Errorf("unsupported feature %q; supported features are %s, %s and %s", name, kraftVersion,
				strings.Join(names, ", "), metadata.MetadataVersionFeature)
		}
		levels[name] = asked[name]
	}
	for _, f := range features() {
		level := levels[f.name]
		if level < 0 || level > f.highest {
			return nil, fmt.Errorf("feature %s has no level %d; its levels are 0 to %d", f.name, level, f.highest)
		}
		if need := f.needs[level]; release < need {
			return nil, fmt.Errorf("%s could not be set to %d because it depends on %s level %d", f.name, level,
				metadata.MetadataVersionFeature, need)
		}
	}
	return levels, nil
}

func checkKRaftVersion(level int16, dynamic bool) error {
	switch {
	case level != 0 && level != 1:
		return fmt.Errorf("feature %s has no level %d; its levels are 0 and 1", kraftVersion, level)
	case level == 0 && dynamic:
		return fmt.Errorf("cannot set %s to 0 for a quorum with initial controllers", kraftVersion)
	case level == 1 && !dynamic:
		return fmt.Errorf("cannot set %s to 1 without initial controllers: static voters are not kept in the log",
			kraftVersion)
	}
	return nil
}

// ParseFeature reads NAME=LEVEL.
func ParseFeature(text string) (name string, level int16, err error) {
	name, value, found := strings.Cut(text, "=")
	if !found {
		return "", 0, fmt.Errorf("can't parse feature=level string %q: equals sign not found", text)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("can't parse feature=level string %q: unable to parse the level", text)
	}
	return strings.TrimSpace(name), int16(n), nil
}
