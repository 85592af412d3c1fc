package finding

import "fmt"

// severalRules judge what is left where a cluster was created more than once.
func severalRules() []entry {
	return []entry{
		{Rule{
			ID: "several-volumes-for-slot", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "more than one volume would fit one place",
			What:  "Volumes whose claims, there or gone, have the name of the same node and volume.",
			Why: "A cluster that was created again under its old names leaves both, and the wrong one starts without a word, " +
				"while the data lies unused. Neither age nor number tells which is wanted.",
			Source: "safety contract, line 4",
			Remedy: "look at what is on each, and give up those that are not wanted with --exclude",
		}, judgeSeveral},
	}
}

func judgeSeveral(s *scene) []found {
	slots := map[string][]*vol{}
	for _, v := range s.vols {
		if name := v.Slot.ClaimName(); name != "" && !v.excluded && !v.isFolder() {
			slots[name] = append(slots[name], v)
		}
	}
	var out []found
	for name, vols := range slots {
		if len(vols) < 2 {
			continue
		}
		f := found{subject: "slot/" + name, message: fmt.Sprintf("%d volumes would fit", len(vols))}
		held, free := false, false
		for _, v := range vols {
			f.evidence = append(f.evidence, fits(v)...)
			held, free = held || v.Claim != nil, free || v.Claim == nil
		}
		if command := s.rebindCommand(); held && free && command != "" {
			f.remedy = command + " " + rebindRemedy + "; or give up the one that is not wanted with --exclude"
		}
		out = append(out, f)
	}
	return out
}

// fits says of one of several volumes what tells it from the others.
func fits(v *vol) []string {
	if v.Contents == nil {
		return []string{v.Name + ": not read"}
	}
	lines := []string{fmt.Sprintf("%s: %s used", v.Name, bytes(v.Contents.UsedBytes))}
	for i := range v.Contents.Dirs {
		lines = append(lines, meant(v.Volume, &v.Contents.Dirs[i]))
		lines = append(lines, contentsOf(v.Volume, &v.Contents.Dirs[i])...)
	}
	return lines
}
