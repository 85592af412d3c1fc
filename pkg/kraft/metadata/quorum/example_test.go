package quorum_test

import (
	"fmt"
	"os"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/quorum"
)

func ExampleJudge() {
	contents, err := logdir.Read(os.DirFS("../../logdir/testdata/single"), logdir.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	q := quorum.Judge(quorum.FromContents("controller-0", contents))
	fmt.Println("committed up to", q.Committed, "because", q.CommittedBy)
	fmt.Println("safe to start:", q.SafeToStart())
	// Output:
	// committed up to 185 because 1 of 1 voters hold it in epoch 1
	// safe to start: true
}
