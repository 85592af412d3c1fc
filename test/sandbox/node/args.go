package node

import (
	"fmt"
	"strconv"

	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
)

// Verb is the hidden command of the sandbox program that becomes a node's process 1.
const Verb = "__node"

// InitArgs are the arguments that make the sandbox program the process 1 of node i. Descriptor 3 must be the reading
// end of a pipe: the node waits for one byte, so that whoever starts it can record it and give it a network link first.
// When the pipe closes without a byte the node ends, leaving nothing.
func InitArgs(l layout.Layout, i int) []string {
	return []string{Verb, strconv.Itoa(i), strconv.Itoa(l.ID), l.State}
}

// ParseInitArgs reads what InitArgs wrote, without the verb.
func ParseInitArgs(args []string) (l layout.Layout, i int, err error) {
	if len(args) != 3 {
		return l, 0, fmt.Errorf("start node: %d arguments instead of 3", len(args))
	}
	if i, err = strconv.Atoi(args[0]); err != nil {
		return l, 0, fmt.Errorf("start node: %w", err)
	}
	id, err := strconv.Atoi(args[1])
	if err != nil {
		return l, 0, fmt.Errorf("start node: %w", err)
	}
	l, err = layout.New(id, args[2])
	return l, i, err
}
