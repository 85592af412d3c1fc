package scan

import (
	"fmt"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// SavedVolumes are the PersistentVolumes that this look saved of one cluster: those of its claims, and those that name
// one of its claims and that no claim held. An error says why there are none.
func (s *Scan) SavedVolumes(namespace, name string) ([]volume.PersistentVolume, error) {
	i := slices.IndexFunc(s.Clusters, func(c Cluster) bool { return c.Namespace == namespace && c.Name == name })
	if i < 0 {
		var there []string
		for _, c := range s.Clusters {
			there = append(there, c.Namespace+"/"+c.Name)
		}
		return nil, fmt.Errorf("it holds nothing of kafka %q; what it holds is %q", namespace+"/"+name, there)
	}
	c := &s.Clusters[i]
	var out []volume.PersistentVolume
	for j := range c.Volumes {
		if c.Volumes[j].PV != nil {
			out = append(out, *c.Volumes[j].PV)
		}
	}
	out = append(out, c.Others...)
	switch {
	case len(out) == 0 && c.VolumesForbidden:
		return nil, fmt.Errorf("it holds no PersistentVolume of kafka %q: who made it was not allowed to list them",
			namespace+"/"+name)
	case len(out) == 0:
		return nil, fmt.Errorf("it holds no PersistentVolume of kafka %q", namespace+"/"+name)
	}
	return out, nil
}
