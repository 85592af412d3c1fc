package storage

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// Controller is one of the controllers a dynamic quorum begins with.
type Controller struct {
	ID          int32
	DirectoryID metadata.UUID
	Host        string
	Port        uint16
}

// ParseControllers reads ID@HOST:PORT:DIRECTORY_ID, separated by commas, after Kafka's DynamicVoters.
func ParseControllers(text string) ([]Controller, error) {
	var out []Controller
	for part := range strings.SplitSeq(text, ",") {
		c, err := parseController(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("read initial controller %q: %w", part, err)
		}
		for _, other := range out {
			if other.ID == c.ID {
				return nil, fmt.Errorf("read initial controllers %q: node ID %d is there twice", text, c.ID)
			}
			if other.DirectoryID == c.DirectoryID {
				return nil, fmt.Errorf("read initial controllers %q: directory ID %s is there twice", text, c.DirectoryID)
			}
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Controller) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

func parseController(text string) (c Controller, err error) {
	id, rest, found := strings.Cut(text, "@")
	last := strings.LastIndexByte(rest, ':')
	if !found || last < 0 {
		return c, fmt.Errorf("expected ID@HOST:PORT:DIRECTORY_ID")
	}
	n, err := strconv.ParseInt(id, 10, 32)
	if err != nil || n < 0 {
		return c, fmt.Errorf("expected a node ID of 0 or more, found %q", id)
	}
	if c.Host, c.Port, err = ParseEndpoint(rest[:last]); err != nil {
		return c, err
	}
	if c.DirectoryID, err = metadata.ParseUUID(rest[last+1:]); err != nil {
		return c, err
	}
	if reserved(c.DirectoryID) {
		return c, fmt.Errorf("directory ID %s is reserved by Kafka", c.DirectoryID)
	}
	c.ID = int32(n)
	return c, nil
}

// reserved tells whether Kafka keeps the ID for itself: the first hundred, DirectoryId.reserved.
func reserved(id metadata.UUID) bool {
	const first = 100
	for _, b := range id[:15] {
		if b != 0 {
			return false
		}
	}
	return id[15] < first
}

// ParseEndpoint reads HOST:PORT, an IPv6 address in brackets.
func ParseEndpoint(text string) (host string, port uint16, err error) {
	host, portText, err := net.SplitHostPort(text)
	if err != nil || host == "" {
		return "", 0, fmt.Errorf("expected HOST:PORT, found %q", text)
	}
	n, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("expected a port of 0 to 65535, found %q", portText)
	}
	return host, uint16(n), nil
}
