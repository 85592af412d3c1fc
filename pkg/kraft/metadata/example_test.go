package metadata_test

import (
	"fmt"
	"os"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

func ExampleReadImage() {
	logDir := os.DirFS("../logdir/testdata/single/kafka-log1")
	image, err := metadata.ReadImage(logDir, metadata.Dir, metadata.ReadOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	topic := image.Topic("s-none")
	partition, _ := topic.Partition(0)
	fmt.Println(image.MetadataVersion(), image.TopicCount(), "topics")
	fmt.Println(topic.Name, topic.ID, partition.Replicas)
	// Output:
	// 4.2-IV1 11 topics
	// s-none jtYhVovwQQaXkPVyZXo3FA [1]
}

func ExampleWalk() {
	logDir := os.DirFS("../logdir/testdata/single/kafka-log1")
	name := "__cluster_metadata-0/00000000000000000000.log"
	problems, err := metadata.Walk(logDir, name, batch.Limits{}, func(e *metadata.Entry) error {
		if e.Offset == 2 {
			fmt.Println(string(e.AppendPayload(nil, true)))
		}
		return nil
	})
	fmt.Println(len(problems), err)
	// Output:
	// {"type":"FEATURE_LEVEL_RECORD","version":0,"data":{"name":"metadata.version","featureLevel":29}}
	// 0 <nil>
}

func ExampleDecode() {
	record := metadata.Decode([]byte("\x01\x0c\x00\x11metadata.version\x00\x1b\x00"))
	if m, ok := record.Message.(*metadata.FeatureLevelRecord); ok {
		fmt.Println(m.Name, metadata.Version(m.FeatureLevel))
	}
	// Output: metadata.version 4.1-IV1
}
