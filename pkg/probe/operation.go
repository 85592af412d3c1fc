package probe

import (
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"time"
)

var operationForm = regexp.MustCompile(`^[a-z]+-[0-9]{8}-[0-9]{6}-[0-9a-f]{4}$`)

// NewOperation returns a name for one reading, such as scan-20261124-031502-9f3a: sortable by start time (UTC), a valid
// label value. random yields its last two bytes.
func NewOperation(now time.Time, random io.Reader) (string, error) {
	var tail [2]byte
	if _, err := io.ReadFull(random, tail[:]); err != nil {
		return "", fmt.Errorf("name the operation: %w", err)
	}
	return "scan-" + now.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(tail[:]), nil
}

// ValidOperation tells whether a text has the form of an operation's name. Names become label selectors, so nothing
// else is taken from a command line.
func ValidOperation(id string) bool { return operationForm.MatchString(id) }
