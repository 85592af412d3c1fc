package finding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// objectRules judge the claims and PersistentVolumes.
func objectRules() []entry { return slices.Concat(retentionRules(), bindingRules()) }

// retentionRules judge what would remove a volume.
func retentionRules() []entry {
	return []entry{
		{Rule{
			ID: "reclaim-policy-delete", Severity: Warning,
			Title:  "the disk is removed together with its claim",
			What:   "The reclaim policy of every PersistentVolume.",
			Why:    "With Delete the disk goes when the claim goes: with the namespace, with the pool where deleteClaim is set.",
			Source: "Kubernetes: persistentVolumeReclaimPolicy",
			Remedy: "`kafkarecover protect` sets Retain; restore does so first of all",
		}, judgeReclaimDelete},
		{Rule{
			ID: "reclaim-policy-unknown", Severity: Warning, Refuses: true, Without: DataLost,
			Title:  "reclaim policy not checked",
			What:   "Whether PersistentVolumes may be listed.",
			Why:    "A volume with the policy Delete is gone with its claim, and Retain cannot be set before anything else.",
			Source: "safety contract, line 2",
			Remedy: "grant the ClusterRole of docs/rbac/volumes-clusterrole.yaml, or have an administrator make sure of " +
				"Retain and accept it",
		}, judgeReclaimUnknown},
		{Rule{
			ID: "delete-claim", Severity: Warning,
			Title:  "the operator may delete the claim",
			What:   "The annotation strimzi.io/delete-claim of claims, and deleteClaim in the pools' storage.",
			Why:    "Such a claim is deleted with its pool, and when the operator thinks that its node is no longer wanted.",
			Source: "Strimzi: PvcReconciler.deletePersistentClaims, PersistentVolumeClaimUtils",
			Remedy: "set deleteClaim: false in the pool's storage; make sure of Retain with `kafkarecover protect`",
		}, judgeDeleteClaim},
		{Rule{
			ID: "claim-terminating", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "a claim is being deleted",
			What:  "Whether a claim has a deletion timestamp, and what still holds it.",
			Why: "It goes as soon as no pod uses it. Restarting a pod would let it go, and the operator makes an empty one " +
				"in its place.",
			Source: "Kubernetes: kubernetes.io/pvc-protection",
			Remedy: "`kafkarecover protect` at once; the volume is Released when the claim is gone, and a new claim can be " +
				"bound to it",
		}, judgeClaimTerminating},
		{Rule{
			ID: "volume-terminating", Severity: Critical, Refuses: true, Without: DataLost,
			Title:  "a PersistentVolume is being deleted",
			What:   "Whether a PersistentVolume has a deletion timestamp, and what still holds it.",
			Why:    "With the policy Delete its disk goes with it, as soon as its claim goes.",
			Source: "Kubernetes: kubernetes.io/pv-protection, external-provisioner finalizers",
			Remedy: "`kafkarecover protect` at once, which also saves what is needed to declare it anew",
		}, judgeVolumeTerminating},
	}
}

// bindingRules judge which disk a claim stands for.
func bindingRules() []entry {
	return []entry{
		{Rule{
			ID: "claim-not-bound", Severity: Error, Refuses: true, Without: DataLost,
			Title: "a claim is not certain to stand for a volume",
			What:  "Whether claim and PersistentVolume are Bound and name each other by UID.",
			Why: "An unbound claim is bound to whatever fits, to an empty volume as well, on which its node starts empty. " +
				"Only claims that are Bound both ways are mounted.",
			Source: "safety contract, line 1; Kubernetes: the volume controller",
			Remedy: "bind the claim to the volume with its data: spec.volumeName in the claim, the claim's UID in the " +
				"volume's claimRef",
		}, judgeNotBound},
		{Rule{
			ID: "volume-without-claim", Severity: Error, Refuses: true, Without: DataLost,
			Title: "a volume with data has no claim",
			What:  "PersistentVolumes whose claim is gone.",
			Why: "The operator finds volumes by the names of claims alone: it would make an empty one. `restore -f` makes " +
				"a claim only for a volume that alone fits one place.",
			Source: "Strimzi: PvcReconciler",
			Remedy: "where the Kafka resource is gone, give the manifests to `kafkarecover restore -f`, which makes the " +
				"claim; where that refuses for this volume, the other findings say why, and --exclude pv/NAME gives it up",
		}, judgeNoClaim},
		{Rule{
			ID: "shadowed-by-new-volume", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "the claim's former volume lies beside the one it is bound to",
			What:  "Released, Available and Failed volumes whose claimRef names a claim that is Bound to another volume.",
			Why: "It is what is left when everything was created again by itself: the new cluster looks healthy and is " +
				"empty, the data lies on the old volumes.",
			Source: "Kubernetes: claimRef; the picture after a namespace was deleted and synchronised again",
			Remedy: "`restore --rebind-claims`, beside -f where the Kafka resource is gone, " + rebindRemedy +
				oldUnwanted,
		}, judgeShadowed},
		{Rule{
			ID: "released-volumes", Severity: Info,
			Title:  "volumes of this cluster are held by no claim",
			What:   "Released, Available and Failed volumes whose claimRef names a claim that is gone or not bound.",
			Why:    "They may hold the cluster's data, and nothing protects those without Retain.",
			Source: "Kubernetes: PersistentVolume phases",
			Remedy: "`kafkarecover protect` sets Retain on them and saves their description",
		}, judgeReleased},
		{Rule{
			ID: "same-disk-twice", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "two PersistentVolumes are the same disk",
			What:  "Driver and volume handle (or path, and nodes for local paths) of all PersistentVolumes looked at.",
			Why: "Two nodes would write to one disk; and deleting one of the two with the policy Delete removes the disk " +
				"of both.",
			Source: "Kubernetes: CSI volumeHandle",
			Remedy: "find out which of them is used; set Retain on both and delete the object that is not",
		}, judgeSameDisk},
		{Rule{
			ID: "claim-in-use", Severity: Info,
			Title:  "pods use the claim",
			What:   "Running and pending pods that mount the claim.",
			Why:    "What was read may have changed since; a pod of another node cannot mount the claim.",
			Source: "Kubernetes: ReadWriteOnce",
			Remedy: "nothing to do while the cluster runs",
		}, judgeInUse},
	}
}

// allPVs are the PersistentVolumes of the claims and the others, each once.
func (s *scene) allPVs() []*volume.PersistentVolume {
	var out []*volume.PersistentVolume
	seen := map[string]bool{}
	add := func(pv *volume.PersistentVolume) {
		if pv != nil && !seen[pv.Name] {
			seen[pv.Name] = true
			out = append(out, pv)
		}
	}
	for _, v := range s.vols {
		add(v.PV)
	}
	for i := range s.in.Others {
		add(&s.in.Others[i])
	}
	if s.in.Redeclared != nil {
		for i := range s.in.Redeclared.Volumes {
			add(&s.in.Redeclared.Volumes[i])
		}
	}
	for i := range s.in.Displaced {
		add(s.in.Displaced[i].PV)
	}
	return out
}

func judgeReclaimDelete(s *scene) []found {
	var out []found
	for _, pv := range s.allPVs() {
		if pv.ReclaimPolicy != volume.PolicyRetain && pv.ReclaimPolicy != "" {
			out = append(out, found{
				subject: "pv/" + pv.Name, message: "has the reclaim policy " + pv.ReclaimPolicy,
				evidence: []string{fmt.Sprintf("pv/%s: %s, claim %s", pv.Name, pv.Phase, claimOf(pv))},
			})
		}
	}
	return out
}

func claimOf(pv *volume.PersistentVolume) string {
	if pv.ClaimName == "" {
		return "none"
	}
	return pv.ClaimNamespace + "/" + pv.ClaimName
}

func judgeReclaimUnknown(s *scene) []found {
	if !s.in.VolumesForbidden || !s.inKubernetes() {
		return nil
	}
	return []found{{
		subject: "cluster", unevaluated: true,
		message: "PersistentVolumes may not be listed: reclaim policy not checked",
	}}
}

func judgeDeleteClaim(s *scene) []found {
	out := s.eachVolume(func(v *vol) []found {
		if v.Claim == nil || !v.Claim.DeleteClaim {
			return nil
		}
		return []found{{subject: v.Name, message: `carries strimzi.io/delete-claim: "true"`}}
	})
	if s.in.Cluster == nil {
		return out
	}
	for _, p := range s.in.Cluster.Pools {
		var evidence []string
		for _, sv := range p.Storage.Volumes {
			if sv.DeleteClaim {
				evidence = append(evidence, "volume "+idOrOnly(sv.ID)+": deleteClaim: true")
			}
		}
		out = append(out, one("pool/"+p.Name, "has storage that is deleted with it", evidence)...)
	}
	return out
}

func judgeClaimTerminating(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		if v.Claim == nil || !v.Claim.Terminating {
			return nil
		}
		return []found{{
			subject: v.Name, message: "is being deleted", evidence: append(finalizers(v.Claim.Finalizers), users(v.Claim)...),
		}}
	})
}

func judgeVolumeTerminating(s *scene) []found {
	var out []found
	for _, pv := range s.allPVs() {
		if pv.Terminating {
			out = append(out, found{
				subject: "pv/" + pv.Name, message: "is being deleted; its reclaim policy is " + pv.ReclaimPolicy,
				evidence: append(finalizers(pv.Finalizers), fmt.Sprintf("pv/%s: %s, claim %s", pv.Name, pv.Phase, claimOf(pv))),
			})
		}
	}
	return out
}

func finalizers(names []string) []string {
	if len(names) == 0 {
		return []string{"no finalizer holds it"}
	}
	return []string{"held by " + strings.Join(names, ", ")}
}

func users(c *volume.Claim) []string {
	var out []string
	for _, p := range c.UsedBy {
		line := "used by pod/" + p.Name + ", " + p.Phase
		if p.Ready {
			line += ", ready"
		}
		if p.Node != "" {
			line += ", on " + p.Node
		}
		out = append(out, line)
	}
	return out
}

func judgeNotBound(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		c := v.Claim
		if c == nil || v.BoundBothWays() || s.in.VolumesForbidden && c.Phase == volume.PhaseBound {
			return nil // where volumes may not be listed, reclaim-policy-unknown says so
		}
		evidence := []string{fmt.Sprintf("%s: %s, uid %s, volumeName %q", v.Name, c.Phase, c.UID, c.Volume)}
		if v.PV != nil {
			evidence = append(evidence, fmt.Sprintf("pv/%s: %s, claimRef %s, uid %s", v.PV.Name, v.PV.Phase, claimOf(v.PV),
				v.PV.ClaimUID))
		}
		message := "is " + c.Phase + ", not bound to a volume"
		if c.Phase == volume.PhaseBound {
			message = "is Bound, but its volume does not name it"
		}
		return []found{{subject: v.Name, message: message, evidence: append(evidence, s.naming(c)...)}}
	})
}

// naming lists the volumes that name a claim without being bound to it, but for those that lost it on purpose or were
// given up.
func (s *scene) naming(c *volume.Claim) []string {
	var out []string
	for i := range s.in.Others {
		pv := &s.in.Others[i]
		if pv.ClaimName == c.Name && pv.ClaimNamespace == c.Namespace && pv.DisplacedBy == "" &&
			!s.in.Excluded["pv/"+pv.Name] {
			out = append(out, fmt.Sprintf("pv/%s: %s, names the claim", pv.Name, pv.Phase))
		}
	}
	return out
}

func judgeNoClaim(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		if v.Claim != nil || v.PV == nil {
			return nil
		}
		return []found{{
			subject: v.Name, message: "is " + v.PV.Phase + ": no claim holds it",
			evidence: []string{fmt.Sprintf("%s: claimRef %s, uid %s", v.Name, claimOf(v.PV), v.PV.ClaimUID)},
			remedy:   s.noClaimRemedy(v),
		}}
	})
}

func judgeShadowed(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		if v.Claim == nil || v.Claim.Phase != volume.PhaseBound {
			return nil
		}
		evidence := s.naming(v.Claim)
		if len(evidence) == 0 {
			return nil
		}
		return []found{{
			subject:  v.Name,
			message:  "is bound to pv/" + v.Claim.Volume + ", and another volume was bound to a claim of that name",
			evidence: append([]string{"pv/" + v.Claim.Volume + ": bound to it now"}, evidence...),
			remedy:   cmp.Or(s.shadowedRemedy(v), s.shadowedCommand()),
		}}
	})
}

// rebindRemedy is what becomes of two volumes of one claim, oldUnwanted the other way.
const (
	rebindRemedy = "reads both, says what was written to the new one, and binds the claim to the old one"
	oldUnwanted  = "; accept it if the old one is not wanted"
)

func (s *scene) shadowedCommand() string {
	command := s.rebindCommand()
	if command == "" {
		return ""
	}
	return command + " " + rebindRemedy + oldUnwanted
}

// rebindCommand is the command that binds claims to other volumes, as it is to be typed; empty where it is not known
// whether the Kafka resource is there.
func (s *scene) rebindCommand() string {
	if s.in.Cluster == nil {
		return ""
	}
	k, manifests := &s.in.Cluster.Kafka, ""
	if k.UID == "" { // what is to be created has none yet
		manifests = " -f FILE"
	}
	return fmt.Sprintf("`kafkarecover restore kafka/%s -n %s%s --rebind-claims`", k.Name, k.Namespace, manifests)
}

func judgeReleased(s *scene) []found {
	bound := map[string]bool{}
	for _, v := range s.vols {
		if v.Claim != nil && v.Claim.Phase == volume.PhaseBound {
			bound[v.Claim.Namespace+"/"+v.Claim.Name] = true
		}
	}
	var out []found
	for i := range s.in.Others {
		pv := &s.in.Others[i]
		message := fmt.Sprintf("is %s and was of claim %s; its reclaim policy is %s", pv.Phase, claimOf(pv),
			pv.ReclaimPolicy)
		if pv.DisplacedBy != "" {
			message += "; operation " + pv.DisplacedBy + " gave its claim to another volume"
		}
		if pv.DisplacedBy != "" || !bound[claimOf(pv)] {
			out = append(out, found{subject: "pv/" + pv.Name, message: message})
		}
	}
	return out
}

func judgeSameDisk(s *scene) []found {
	disks := map[string][]*volume.PersistentVolume{}
	for _, pv := range s.allPVs() {
		if disk := pv.Disk(); disk != "" {
			disks[disk] = append(disks[disk], pv)
		}
	}
	var out []found
	for _, pvs := range disks {
		if len(pvs) < 2 {
			continue
		}
		var evidence []string
		for _, pv := range pvs {
			evidence = append(evidence, fmt.Sprintf("pv/%s: %s, claim %s, %s %s", pv.Name, pv.Phase, claimOf(pv), pv.Driver,
				quoted(pv.Handle)))
		}
		slices.Sort(evidence)
		names := []string{pvs[0].Name, pvs[1].Name}
		slices.Sort(names)
		out = append(out, found{
			subject: "pv/" + names[0], evidence: evidence,
			message: fmt.Sprintf("%d PersistentVolumes stand for the same disk", len(pvs)),
		})
	}
	return out
}

func judgeInUse(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		if v.Claim == nil {
			return nil
		}
		return one(v.Name, "is mounted by a pod", users(v.Claim))
	})
}
