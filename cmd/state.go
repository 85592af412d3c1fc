package cmd

import (
	"os"
	"path/filepath"
)

// stateFolder is where operations keep their folders: $XDG_STATE_HOME/kafkarecover, ~/.local/state/kafkarecover where
// that is unset (XDG Base Directory Specification, which also has relative values ignored).
func stateFolder(getenv func(string) string) string {
	base := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			home = "."
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, program)
}
