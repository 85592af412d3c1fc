package diff_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/diff"
)

func ExampleImages() {
	logDir := os.DirFS("../../logdir/testdata/single/kafka-log1")
	then, err := metadata.ReadImage(logDir, metadata.Dir, metadata.ReadOptions{Until: 100})
	if err != nil {
		fmt.Println(err)
		return
	}
	now, err := metadata.ReadImage(logDir, metadata.Dir, metadata.ReadOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range diff.Images(then, now, false) {
		if strings.HasPrefix(c.Object, "topic/s-") {
			fmt.Println(c.Kind, c.Object)
		}
	}
	// Output:
	// added topic/s-gzip
	// added topic/s-lz4
	// added topic/s-none
	// added topic/s-snappy
	// added topic/s-zstd
}
