//go:build !unix

package storage

// syncDir does nothing where directories cannot be synchronised.
func syncDir(string) error { return nil }
