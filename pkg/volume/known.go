package volume

import "slices"

// KnownNodes are the node IDs that metadata logs and quorum states speak of: registered brokers, and voters.
func KnownNodes(volumes []Volume) []int32 {
	var out []int32
	for i := range volumes {
		v := &volumes[i]
		if v.Image != nil {
			out = append(out, v.Image.Brokers...)
		}
		if v.Contents == nil {
			continue
		}
		for j := range v.Contents.Dirs {
			d := &v.Contents.Dirs[j]
			if d.Quorum != nil {
				out = append(out, d.Quorum.Voters...)
			}
			if d.Metadata == nil {
				continue
			}
			out = append(out, d.Metadata.LeaderChangeVoters...)
			if d.Metadata.Voters != nil {
				for _, voter := range d.Metadata.Voters.Voters {
					out = append(out, voter.ID)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
