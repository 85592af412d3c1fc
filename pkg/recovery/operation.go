package recovery

import (
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/protect"
)

// Names of what an operation leaves in the cluster while it is under way.
const (
	// OperationLabel is on every object an operation creates; its value is the operation's ID.
	OperationLabel = "kafkarecover.io/operation"
	// OperationAnnotation is on the Kafka resource and on every volume while an operation holds them.
	OperationAnnotation = protect.OperationAnnotation
	// CreatedAnnotation says on what an operation made, and what stays when it is over, which operation made it. It is
	// no label: those of Kafka and pools are copied to everything the operator makes.
	CreatedAnnotation = "kafkarecover.io/created-by"
	// DeclaredAnnotation is on a volume that a dry run declared to read it: the spec that it was declared with. A volume
	// that a restore declares has none.
	DeclaredAnnotation = "kafkarecover.io/declared-to-be-read"
	// ClusterLabel names the Kafka cluster an object belongs to.
	ClusterLabel = "kafkarecover.io/cluster"
	// ManagedByLabel, ManagedBy mark objects of this tool.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "kafkarecover"
	// FieldManager is sent with every write, so that managedFields tell who wrote.
	FieldManager = protect.FieldManager
)

var operationID = regexp.MustCompile(`^restore-[0-9]{8}-[0-9]{6}-[0-9a-f]{4}$`)

// NewOperationID returns an ID such as restore-20261124-031502-9f3a: sortable by start time (UTC), a valid Kubernetes
// object name and label value of 28 bytes. random yields the last two bytes.
func NewOperationID(now time.Time, random io.Reader) (string, error) {
	var tail [2]byte
	if _, err := io.ReadFull(random, tail[:]); err != nil {
		return "", fmt.Errorf("make operation ID: %w", err)
	}
	return "restore-" + now.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(tail[:]), nil
}

// ValidOperationID tells whether id has the form of NewOperationID. IDs become paths and object names, so nothing
// else is ever taken from a command line.
func ValidOperationID(id string) bool { return operationID.MatchString(id) }

// objectName returns the name of an operation's own object of the given part, such as its journal. Kubernetes allows
// 253 bytes and the ID has 28, so no shortening is needed.
func objectName(operation, part string) string {
	if part == "" {
		return "kafkarecover-" + operation
	}
	return "kafkarecover-" + operation + "-" + part
}

// lockName is the Lease that excludes a second run on the same Kafka resource. Names longer than Kubernetes allows
// cannot be: a Kafka resource's own name is shorter than 240 bytes, or Strimzi could not name its pods.
func lockName(cluster string) string { return "kafkarecover-" + strings.ToLower(cluster) }
