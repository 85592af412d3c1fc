package storage_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/storage"
)

func ExampleFormat() {
	dir, err := os.MkdirTemp("", "kafka")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the example's own
	release, err := storage.ParseRelease("4.2")
	if err != nil {
		fmt.Println(err)
		return
	}
	done, err := storage.Format(storage.FormatOptions{
		Dirs: []string{dir}, ClusterID: "5L6g3nShT-eMCtK--X86sw", NodeID: 3, Release: release,
		Now: time.Now, Random: rand.Reader,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(done.MetadataVersion, done.Dirs[0].Type, done.Dirs[0].Files)
	// Output: 4.2-IV1 metadata directory [bootstrap.checkpoint meta.properties]
}
