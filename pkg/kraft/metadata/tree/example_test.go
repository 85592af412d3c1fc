package tree_test

import (
	"fmt"
	"os"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/tree"
)

func ExampleShell() {
	logDir := os.DirFS("../../logdir/testdata/single/kafka-log1")
	image, err := metadata.ReadImage(logDir, metadata.Dir, metadata.ReadOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	shell := &tree.Shell{Root: tree.New(image, tree.Options{}), Out: os.Stdout}
	if err := shell.Run("ls", "image/topics/byName/s-*"); err != nil {
		fmt.Println(err)
	}
	// Output:
	// s-gzip:
	// 0
	// id
	// name
	//
	// s-lz4:
	// 0
	// id
	// name
	//
	// s-none:
	// 0
	// id
	// name
	//
	// s-snappy:
	// 0
	// id
	// name
	//
	// s-zstd:
	// 0
	// id
	// name
}
