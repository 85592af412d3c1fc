package partition_test

import (
	"context"
	"fmt"
	"os"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
)

func ExampleWalk() {
	logDir := os.DirFS("../logdir/testdata/single/kafka-log1")
	segments, err := partition.Segments(logDir, "s-none-0")
	if err != nil {
		fmt.Println(err)
		return
	}
	within := partition.Range{FromOffset: 38}
	problems, err := partition.Walk(logDir, segments, within, batch.Limits{}, func(e *partition.Entry) error {
		fmt.Printf("%d %s\n", e.Offset, e.Key)
		return nil
	})
	fmt.Println(len(problems), err)
	// Output:
	// 38 key-38
	// 39 key-39
	// 0 <nil>
}

func ExampleVerify() {
	volume := os.DirFS("../logdir/testdata/single")
	places, _, err := partition.Find(volume)
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := partition.Verify(context.Background(), volume, places, partition.VerifyOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d partitions, %d records, %d issues\n", report.Partitions, report.Records, len(report.Issues))
	// Output: 3 partitions, 311 records, 0 issues
}
