package batch_test

import (
	"fmt"
	"os"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

func Example() {
	data, err := os.ReadFile("testdata/small.log")
	if err != nil {
		fmt.Println(err)
		return
	}
	decoder := batch.NewDecoder(batch.Limits{})
	r := batch.NewBytesReader(data, batch.Options{File: "small.log"})
	for r.Next() {
		b := r.Batch()
		fmt.Printf("offsets %d to %d, epoch %d, %s, %d bytes\n",
			b.BaseOffset, b.LastOffset(), b.PartitionLeaderEpoch, b.Codec(), b.Size())
		records, err := decoder.Records(b)
		if err != nil {
			fmt.Println(err)
			return
		}
		for records.Next() {
			if b.Codec() == batch.Gzip {
				fmt.Printf("  %d: %.12s…\n", records.Record().Offset, records.Record().Value)
			}
		}
	}
	if err := r.Err(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// offsets 0 to 0, epoch 1, none, 96 bytes
	// offsets 1 to 3, epoch 2, none, 129 bytes
	// offsets 4 to 6, epoch 2, gzip, 133 bytes
	//   4: …
	//   5: value 1 valu…
	//   6: value 2 valu…
	// offsets 7 to 9, epoch 2, snappy, 133 bytes
	// offsets 10 to 12, epoch 2, lz4, 141 bytes
	// offsets 13 to 15, epoch 2, zstd, 128 bytes
}

func ExampleAppend() {
	records := []batch.Record{
		{Offset: 7, Timestamp: 1700000000000, Key: []byte("k"), Value: []byte("v")},
		{Offset: 8, Timestamp: 1700000000001, Value: []byte{}},
	}
	header := batch.NewHeader(3, batch.Attributes(batch.Zstd), records)
	data, err := batch.Append(nil, header, records)
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := batch.Parse(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(b.BaseOffset, b.LastOffset(), b.RecordCount, b.Codec())
	// Output: 7 8 2 zstd
}
