package ground

import (
	"context"
	"fmt"

	"github.com/kafkarecover/kafkarecover/test/kafka/cache"
	"github.com/kafkarecover/kafkarecover/test/kafka/image"
)

// kafkaImage is the archive of the Kafka image, under the name that operators know; it is built when it is not in the
// cache.
func (w *World) kafkaImage(ctx context.Context) (string, error) {
	store, err := cache.Default(w.Log)
	if err != nil {
		return "", fmt.Errorf("build the Kafka image: %w", err)
	}
	archive, err := image.Archive(ctx, store, image.Options{Version: w.KafkaVersion})
	if err != nil {
		return "", fmt.Errorf("%w (or name an archive in %s)", err, EnvImages)
	}
	return archive, nil
}
