package logdir_test

import (
	"fmt"
	"os"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

func ExampleRead() {
	contents, err := logdir.Read(os.DirFS("testdata/single"), logdir.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range contents.Dirs {
		fmt.Println(d.Path, *d.Meta.NodeID, *d.Meta.ClusterID)
		fmt.Println("metadata up to offset", d.Metadata.End.Offset, "of epoch", d.Metadata.End.Epoch)
		for _, p := range d.Partitions {
			fmt.Println(p.Dir, p.State)
		}
	}
	// Output:
	// kafka-log1 1 5L6g3nShT-eMCtK--X86sw
	// metadata up to offset 185 of epoch 1
	// __consumer_offsets-1 current
	// s-none-0 current
}
