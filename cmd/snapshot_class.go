package cmd

import (
	"fmt"
	"regexp"
)

// anyClass is what --snapshot without a class stands for, and what help shows of it; no class can be called that.
const anyClass = "CLASS"

// snapshotClass is --snapshot[=CLASS]; it implements pflag.Value.
type snapshotClass struct {
	asked bool
	// name is empty for the default class of each driver.
	name string
}

// className is the name of a cluster-scoped object (RFC 1123 subdomain).
var className = regexp.MustCompile(`^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$`)

// String implements pflag.Value.
func (c *snapshotClass) String() string { return c.name }

// Type implements pflag.Value. Help shows [=CLASS] for a class that may be left out.
func (c *snapshotClass) Type() string { return "" }

// Set implements pflag.Value.
func (c *snapshotClass) Set(s string) error {
	if s == anyClass {
		c.asked, c.name = true, ""
		return nil
	}
	if !className.MatchString(s) {
		return fmt.Errorf("%q is no name of a VolumeSnapshotClass", s)
	}
	c.asked, c.name = true, s
	return nil
}
