package finding

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

const sourceEnvironment = "controller.quorum.voters in the environment of "

// entriesFor are the rules that can be judged: outside of Strimzi those of any Kafka, and those of a StatefulSet.
func entriesFor(s *scene) []entry {
	if s.in.Set == nil {
		return entries()
	}
	quorum := quorumRules()
	if !s.votes() {
		// The controllers are another set's, with which they are judged.
		quorum = slices.DeleteFunc(quorum, func(e entry) bool {
			return slices.Contains([]string{
				"committed-metadata-at-risk", "controller-empty", "controllers-behind-brokers", "controllers-disagree",
			}, e.ID)
		})
	}
	return slices.Concat(identityRules(), contentRules(), quorum, objectRules(), severalRules(), voterRules(), setRules())
}

// votes tells whether a node of the set is a controller, or nobody knows who is.
func (s *scene) votes() bool {
	ids := s.controllers.ids()
	return len(ids) == 0 || slices.ContainsFunc(ids, func(id int32) bool { return len(s.nodes[id]) > 0 })
}

// givenVoters are the static voters that the pods of the set are told of.
func (s *scene) givenVoters() []int32 {
	if s.in.Set == nil {
		return nil
	}
	var out []int32
	for _, voter := range s.in.Set.Voters {
		text, _, _ := strings.Cut(strings.TrimSpace(voter), "@")
		id, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil // put together from other variables: it does not say
		}
		out = append(out, int32(id))
	}
	slices.Sort(out)
	return out
}

// holdsKafka tells whether the volumes of a volume's claim template are Kafka's: one of them has a log directory, or
// none of the set has one. A pod may have volumes for other things.
func holdsKafka(in Input, v *volume.Volume) bool {
	if v.Slot == nil || len(in.Set.Templates) < 2 {
		return true
	}
	some := false
	for i := range in.Volumes {
		other := &in.Volumes[i]
		if other.Slot == nil || other.Contents == nil || len(other.Contents.Dirs) == 0 {
			continue
		}
		if some = true; other.Slot.Pool == v.Slot.Pool {
			return true
		}
	}
	return !some
}

// NodeOffset tells by how much the node IDs on a set's volumes are above the ordinals of their claims; ok is false
// where they do not fit, whatever the order they are in. Where volumes were swapped the IDs of all of them together
// still tell: they are as many, and follow each other as the ordinals do.
func NodeOffset(set *statefulset.Set, volumes []volume.Volume) (offset int32, ok bool) {
	var nodes, ordinals []int32
	same := true
	for i := range volumes {
		claim, known := set.ParseClaim(claimNameOf(&volumes[i]))
		node, has := NodeOn(volumes[i].Contents)
		if !known || !has {
			continue
		}
		if len(nodes) > 0 {
			same = same && node-claim.Ordinal == offset
		}
		offset = node - claim.Ordinal
		nodes, ordinals = append(nodes, node), append(ordinals, claim.Ordinal)
	}
	if same {
		return offset, true // with nothing on them there is nothing to contradict
	}
	nodes, ordinals = distinct(nodes), distinct(ordinals)
	if len(nodes) != len(ordinals) {
		return 0, false
	}
	offset = nodes[0] - ordinals[0]
	for i := range nodes {
		if nodes[i]-ordinals[i] != offset {
			return 0, false
		}
	}
	return offset, true
}

func distinct(ids []int32) []int32 {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// claimNameOf is the name of the claim that a volume has, or had.
func claimNameOf(v *volume.Volume) string {
	switch {
	case v.Claim != nil:
		return v.Claim.Name
	case v.PV != nil:
		return v.PV.ClaimName
	}
	return ""
}

// planned tells whether a claim is to be made.
func planned(v *vol) bool { return v.Claim != nil && v.Claim.UID == volume.PlannedUID }

// unmade are the claims of the set's pods that are not there, or not bound.
func (s *scene) unmade() []string {
	bound := map[string]bool{}
	for _, v := range s.vols {
		if v.Claim != nil && !planned(v) && v.Claim.Phase == volume.PhaseBound {
			bound[v.Claim.Name] = true
		}
	}
	var out []string
	for _, c := range s.in.Set.Expected() {
		if name := s.in.Set.ClaimName(c.Template, c.Ordinal); !bound[name] {
			out = append(out, name)
		}
	}
	return out
}

// expected are the claims of the pods that the set asks for; of one that is scaled to zero, those up to the last that a
// volume is of.
func (s *scene) expected() []statefulset.Claim {
	set := *s.in.Set
	for i := range s.in.Volumes {
		if c, ok := set.ParseClaim(claimNameOf(&s.in.Volumes[i])); ok && s.in.Set.Replicas == 0 {
			set.Replicas = max(set.Replicas, c.Ordinal-set.Start+1)
		}
	}
	return set.Expected()
}

// volumeless are the claims of the set's pods for which there is no volume, with the ordinal of each.
func (s *scene) volumeless() []statefulset.Claim {
	there := map[string]bool{}
	for _, v := range s.vols {
		if !v.excluded {
			there[claimNameOf(v.Volume)] = true
		}
	}
	for i := range s.in.Others {
		if pv := &s.in.Others[i]; !s.in.Excluded["pv/"+pv.Name] {
			there[pv.ClaimName] = true
		}
	}
	return slices.DeleteFunc(s.expected(), func(c statefulset.Claim) bool {
		return there[s.in.Set.ClaimName(c.Template, c.Ordinal)]
	})
}

// noClaimRemedy is that of a volume without a claim; empty under Strimzi, where the rule's own fits.
func (s *scene) noClaimRemedy(v *vol) string {
	if s.in.Set == nil {
		return ""
	}
	return fmt.Sprintf("`kafkarecover restore --statefulset %s` makes the claim, with -f where the StatefulSet is gone; "+
		"where that refuses for this volume, the other findings say why, and --exclude %s gives it up", s.in.Set.Name, v.Name)
}

// shadowedRemedy says what to do about a claim that was made anew beside a volume that had it; nothing of it is done by
// this program, which deletes no claim of a StatefulSet.
func (s *scene) shadowedRemedy(v *vol) string {
	set := s.in.Set
	if set == nil || v.Claim == nil {
		return ""
	}
	ns, pv := set.Namespace, v.Claim.Volume
	return fmt.Sprintf("stop the new pods: `%s`; keep the new volume: `kafkarecover protect pv/%s`; see what was "+
		"written to it: `kafkarecover scan --statefulset %s -n %s`; then let its claim go: `kubectl delete "+
		"pvc/%s -n %s`, and restore without it: `kafkarecover restore --statefulset %s -n %s --exclude pv/%s`",
		set.ScaleCommand(0), pv, set.Name, ns, v.Claim.Name, ns, set.Name, ns, pv)
}

// holdsNoLogDir says of a volume of Kafka's that a node would start empty on it; empty where it would not.
func holdsNoLogDir(v *vol) (evidence []string) {
	if v.excluded || !v.hasNode || !v.Known() {
		return nil
	}
	for _, d := range v.own {
		if d.MetaState != logdir.MetaAbsent {
			return nil
		}
		evidence = append(evidence, at(v.Volume, d)+": no meta.properties")
		evidence = append(evidence, contentsOf(v.Volume, d)...)
	}
	if len(v.own) == 0 {
		evidence = append(evidence, v.Name+": no log directory, "+bytes(v.Contents.UsedBytes)+" used")
	}
	return evidence
}
