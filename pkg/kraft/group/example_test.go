package group_test

import (
	"fmt"
	"os"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/group"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
)

func Example() {
	logDir := os.DirFS("../logdir/testdata/single/kafka-log1")
	segments, err := partition.Segments(logDir, "__consumer_offsets-1")
	if err != nil {
		fmt.Println(err)
		return
	}
	groups := group.New()
	problems, err := groups.Read(logDir, segments, batch.Limits{})
	if err != nil || len(problems) > 0 {
		fmt.Println(problems, err)
		return
	}
	for _, g := range groups.List() {
		for _, c := range g.Offsets {
			fmt.Printf("group %s read %s-%d up to offset %d\n", g.ID, c.Topic, c.Partition, c.Offset)
		}
	}
	// Output: group readers read s-none-0 up to offset 40
}
