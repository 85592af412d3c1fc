package verify_test

import (
	"fmt"
	"os"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/verify"
)

func ExampleCheck() {
	fsys := os.DirFS("../../logdir/testdata/single")
	contents, err := logdir.Read(fsys, logdir.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := verify.Check([]verify.Volume{{Name: "broker-1", FS: fsys, Contents: contents}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d metadata files, %d partition directories, newest on %s\n", result.Files, result.Partitions, result.Newest)
	// Output: 4 metadata files, 2 partition directories, newest on broker-1/kafka-log1
}
