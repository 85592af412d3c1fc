package mapped_test

import (
	"errors"
	"fmt"
	"os"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/mapped"
)

func ExampleUse() {
	file, err := os.Open("../batch/testdata/small.log")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close() //nolint:errcheck // nothing was written
	info, err := file.Stat()
	if err != nil {
		fmt.Println(err)
		return
	}
	batches := 0
	err = mapped.Use(file, info.Size(), func(data []byte) error {
		for r := batch.NewBytesReader(data, batch.Options{}); r.Next(); {
			batches++
		}
		return nil
	})
	if errors.Is(err, mapped.ErrUnsupported) {
		fmt.Println("read the file instead")
	}
	fmt.Println(batches > 0, err)
	// Output: true <nil>
}
