package storage

import (
	"fmt"
	"io"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// RandomUUID returns a random ID as Kafka's Uuid.randomUuid makes them: version 4 of RFC 9562, neither one of Kafka's
// reserved IDs nor one whose text begins with a dash, which a command line would take for a flag.
func RandomUUID(random io.Reader) (metadata.UUID, error) {
	for {
		var id metadata.UUID
		if _, err := io.ReadFull(random, id[:]); err != nil {
			return id, fmt.Errorf("make a random ID: %w", err)
		}
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if id.String()[0] != '-' {
			return id, nil
		}
	}
}
