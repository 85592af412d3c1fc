package finding_test

import "github.com/kafkarecover/kafkarecover/pkg/volume"

func severalCases() []ruleCase {
	const slot = "slot/data-0-my-cluster-broker-0"
	// released is a volume whose claim was of the same name as that of broker 0.
	released := func(w *world) {
		v := *w.vol("0-broker-0")
		pv := *v.PV
		pv.Name, pv.Phase, pv.ClaimUID = "pv-old", volume.PhaseReleased, "an earlier claim's"
		v.Name, v.PV, v.Claim = "pv/pv-old", &pv, nil
		w.Volumes = append(w.Volumes, v)
	}
	return []ruleCase{
		{
			rule: "several-volumes-for-slot", name: "one bound, one released", want: []string{slot}, change: released,
			says: []string{pvcB00, "pv/pv-old", clusterID, "--rebind-claims", "with --exclude"},
		},
		{
			rule: "several-volumes-for-slot", name: "one given up",
			change: func(w *world) { released(w); w.Excluded = map[string]bool{"pv/pv-old": true} },
		},
	}
}
