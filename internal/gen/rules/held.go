package rules

import "strings"

// Test is a test that shows a rule refusing.
type Test struct {
	// Dir is the directory it is in, from the project's root.
	Dir, Func string
}

// Table is the test that has a case for every rule that refuses, but for those of Elsewhere.
func Table() Test { return Test{"pkg/recovery", "TestEveryRefusalHoldsAndChangesNothing"} }

const (
	realServer = "test/recovery" // a real API server and volume controller, the double of the operator
	realKafka  = "test/e2e"      // and Kafka itself
)

// Elsewhere are the tests that hold the rules which cannot be brought about in the Table: they need volumes to be
// declared or claims to be made, by Kubernetes' controllers.
func Elsewhere() map[string][]Test {
	return map[string][]Test{
		"new-volumes-hold-records": {
			{realServer, "TestNewVolumesThatHoldRecordsAreNotDisplacedUnlessThatIsAccepted"},
			{realKafka, "TestVolumesShadowedByNewOnes"},
		},
		"no-node-for-volume": {
			{realServer, "TestVolumesAskForNodesThatAreThere"},
			{realKafka, "TestRestoreInAnotherKubernetesCluster"},
		},
		"old-cluster-may-run": {
			{realServer, "TestVolumesOfAnotherKubernetesClusterAreRefusedUntilAccepted"},
			{realKafka, "TestRestoreInAnotherKubernetesCluster"},
		},
	}
}

// Stories are tests in which rules of the Table refuse in a whole cluster too.
func Stories() map[string][]Test {
	one := func(dir, name string) []Test { return []Test{{dir, name}} }
	return map[string][]Test{
		"cluster-id-disagreement":          one(realKafka, "TestRestoreRefusesVolumesThatDisagree"),
		"empty-broker-in-isr":              one(realServer, "TestWhatCannotBeDoneWithoutIsRefused"),
		"empty-controller-before-catch-up": one(realServer, "TestWhatCannotBeDoneWithoutIsRefused"),
		"formatted-beside-data": {
			{realServer, "TestDirectoriesFormattedBesideDataAreRenamedWhereTheyAreNamed"},
			{realKafka, "TestRestoreRenamesWhatARandomStartFormatted"},
		},
		"lost-volume-is-there":     one(realKafka, "TestRestoreWithoutABrokerThatIsLostForGood"),
		"node-id-mismatch":         one(realServer, "TestSwappedVolumesOfAStatefulSetAreRefused"),
		"operator-scaled-by-other": one("pkg/recovery", "TestAnOperatorThatSomethingElseScalesIsNotHeld"),
		"pending-deletion":         one(realServer, "TestTopicsThatKafkaWouldEraseAreRefusedUntilAccepted"),
		"reclaim-policy-unknown":   one(realKafka, "TestRestoreWithTheDocumentedRoles"),
		"same-disk-twice":          one(realServer, "TestADiskThatAnotherVolumeHasIsNotDeclaredAgain"),
		"several-operators":        one(realKafka, "TestRestoreWithTheDocumentedRoles"),
		"shadowed-by-new-volume":   one(realKafka, "TestVolumesShadowedByNewOnes"),
		"slot-missing":             one(realKafka, "TestRestoreWithoutABrokerThatIsLostForGood"),
		"statefulset-cluster-id": {
			{realServer, "TestAWrongClusterIDOfAStatefulSetIsRefusedWithThePatch"},
			{realKafka, "TestRestoreOfAStatefulSet"},
		},
		"statefulset-disk-empty": one(realServer, "TestAnEmptiedControllerOfAStatefulSetIsNamed"),
		"volume-without-claim":   one(realKafka, "TestRestoreOfADeletedNamespace"),
		"would-be-formatted": {
			{realServer, "TestReleasedVolumesThatWereSwappedAreRefused"},
			{realKafka, "TestRestoreRefusesWhatWouldBeLossInSilence"},
		},
	}
}

// Held are the tests that hold a rule that refuses.
func Held(rule string) []Test {
	if tests := Elsewhere()[rule]; tests != nil {
		return tests
	}
	return append([]Test{Table()}, Stories()[rule]...)
}

// heldBy lists tests in a line.
func heldBy(tests []Test) string {
	lines := make([]string, 0, len(tests))
	for _, t := range tests {
		lines = append(lines, "`"+t.Func+"` ("+t.Dir+")")
	}
	return strings.Join(lines, ", ")
}
