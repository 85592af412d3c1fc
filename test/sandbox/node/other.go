//go:build !linux

package node

import (
	"context"
	"errors"
	"syscall"

	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
)

var errNotLinux = errors.New("nodes need Linux namespaces")

// Main is only for Linux.
func Main(context.Context, layout.Layout, int) error { return errNotLinux }

// Namespaces are only for Linux.
func Namespaces() *syscall.SysProcAttr { return nil }
