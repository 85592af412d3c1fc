// Kafkarecover brings Strimzi Kafka clusters back from retained volumes.
package main

import (
	"context"
	"os"

	"github.com/kafkarecover/kafkarecover/cmd"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
)

func main() {
	os.Exit(int(cmd.Main(context.Background(), os.Args, iostreams.System())))
}
