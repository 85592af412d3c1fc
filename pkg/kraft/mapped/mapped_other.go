//go:build !unix

package mapped

import "os"

func mapFile(*os.File, int) ([]byte, func() error, error) { return nil, nil, ErrUnsupported }
