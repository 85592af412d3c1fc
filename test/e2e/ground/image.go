package ground

import (
	"context"
	"errors"
)

// kafkaImage builds the archive of the Kafka image.
func (w *World) kafkaImage(context.Context) (string, error) {
	return "", errors.New("build the Kafka image: name an archive in " + EnvImages)
}
