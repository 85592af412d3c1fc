package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
)

// ComponentState is what a node's process 1 records of a component. PID is its number inside the node; Ended is empty
// while it runs. The entry "node-<i>" of node 0 is the process 1 of another node.
type ComponentState struct {
	Name  string `json:"name"`
	PID   int    `json:"pid"`
	Ended string `json:"ended,omitempty"`
}

// ReadComponents reads what node i recorded; nothing recorded yet is an empty list.
func ReadComponents(l layout.Layout, i int) ([]ComponentState, error) {
	content, err := os.ReadFile(l.Components(i))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read components of node %d: %w", i, err)
	}
	var states []ComponentState
	if err := json.Unmarshal(content, &states); err != nil {
		return nil, fmt.Errorf("read components of node %d: %w", i, err)
	}
	return states, nil
}
