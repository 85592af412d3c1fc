package diff

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// TestTheOrderOfListenersMeansNothing has the listeners of a broker as Kafka 4.2 wrote them: in one order into the
// record that registered it, in another into the next snapshot.
func TestTheOrderOfListenersMeansNothing(t *testing.T) {
	t.Parallel()
	replication := metadata.BrokerEndpoint{Name: "REPLICATION-9091", Host: "broker-0", Port: 9091}
	plain := metadata.BrokerEndpoint{Name: "PLAIN-9092", Host: "broker-0", Port: 9092}
	record := &metadata.Broker{EndPoints: []metadata.BrokerEndpoint{replication, plain}}
	snapshot := &metadata.Broker{EndPoints: []metadata.BrokerEndpoint{plain, replication}}
	unexported := cmp.AllowUnexported(property{})
	if a, b := brokerObject(record), brokerObject(snapshot); !cmp.Equal(a, b, unexported) {
		t.Errorf("the same broker twice: %v and %v", a, b)
	}
	gone := &metadata.Broker{EndPoints: record.EndPoints[:1]}
	if a, b := brokerObject(record), brokerObject(gone); cmp.Equal(a, b, unexported) {
		t.Errorf("a listener that is gone is a difference: %v", a)
	}
}
