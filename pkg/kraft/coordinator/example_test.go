package coordinator_test

import (
	"fmt"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/coordinator"
)

// A committed offset, as the group coordinator writes it.
func ExampleDecoder_Key() {
	decoder, err := coordinator.New(coordinator.Offsets, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := decoder.Key([]byte("\x00\x01\x00\x07billing\x00\x06orders\x00\x00\x00\x03"))
	fmt.Println(string(key), err)
	// Output: {"type":"1","data":{"group":"billing","topic":"orders","partition":3}} <nil>
}
