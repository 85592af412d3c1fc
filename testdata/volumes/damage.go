package volumes

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Claims of SplitRoles that damage is done to.
const (
	firstOfBroker0  = "data-0-my-cluster-broker-0"
	secondOfBroker0 = "data-1-my-cluster-broker-0"
	firstOfBroker1  = "data-0-my-cluster-broker-1"
	controller3     = "data-0-my-cluster-controller-3"
)

// OtherClusterID is the ID that another cluster's volume has.
const OtherClusterID = "5L6g3nShT-eMCtK--X86sw"

// Damage is one way in which volumes are found that are not as Kafka left them. All are done to SplitRoles.
type Damage struct {
	// Name is for the test, Text says what was done.
	Name, Text string
	// Claims are those whose volumes differ from the undamaged fixture.
	Claims []string

	do func(dir string) error
}

// Unpack writes the damaged volumes into a new directory.
func (d Damage) Unpack(t testing.TB) string {
	t.Helper()
	dir := Unpack(t, SplitRoles)
	if err := d.do(dir); err != nil {
		t.Fatalf("damage the volumes (%s): %v", d.Name, err)
	}
	return dir
}

// Damaged are all kinds of damage.
func Damaged() []Damage {
	return append(wrongPlace(), wrongProperties()...)
}

// wrongPlace is damage in which whole things are where they do not belong, or nowhere.
func wrongPlace() []Damage {
	return []Damage{
		{
			Name: "swapped", Text: "the first volumes of brokers 0 and 1 are under each other's claims",
			Claims: []string{firstOfBroker0, firstOfBroker1}, do: swap,
		},
		{
			Name: "empty-volume", Text: "controller 3's volume has nothing in it", Claims: []string{controller3},
			do: func(dir string) error {
				return os.RemoveAll(filepath.Join(dir, controller3, "kafka-log3"))
			},
		},
		{
			Name: "lost-and-found", Text: "broker 0's first volume has a lost+found, as file systems do",
			Claims: []string{firstOfBroker0},
			do: func(dir string) error {
				return os.Mkdir(filepath.Join(dir, firstOfBroker0, "lost+found"), 0o700)
			},
		},
		{
			Name: "second-log-dir", Text: "broker 0's first volume also has a kafka-log1, a copy of broker 1's",
			Claims: []string{firstOfBroker0},
			do: func(dir string) error {
				from := os.DirFS(filepath.Join(dir, firstOfBroker1, "kafka-log1"))
				return os.CopyFS(filepath.Join(dir, firstOfBroker0, "kafka-log1"), from)
			},
		},
		{
			Name: "symlink-out", Text: "broker 0's meta.properties is a link to a file outside of the volume",
			Claims: []string{firstOfBroker0},
			do: func(dir string) error {
				path, outside := properties(dir, firstOfBroker0), filepath.Base(dir)+"-outside.properties"
				if err := os.Rename(path, filepath.Join(filepath.Dir(dir), outside)); err != nil {
					return err
				}
				return os.Symlink("../../../"+outside, path)
			},
		},
	}
}

// wrongProperties is damage to meta.properties alone.
func wrongProperties() []Damage {
	id := regexp.MustCompile(`(?m)^cluster\.id=.*\n`)
	return []Damage{
		{
			Name: "other-cluster", Text: "broker 0's second volume has another cluster's ID",
			Claims: []string{secondOfBroker0}, do: rewrite(secondOfBroker0, func(text string) (string, error) {
				return id.ReplaceAllLiteralString(text, "cluster.id="+OtherClusterID+"\n"), nil
			}),
		},
		{
			Name: "no-properties", Text: "broker 0's first volume has no meta.properties",
			Claims: []string{firstOfBroker0},
			do:     func(dir string) error { return os.Remove(properties(dir, firstOfBroker0)) },
		},
		{
			Name: "cut-properties", Text: "broker 0's meta.properties ends in the middle of the cluster ID",
			Claims: []string{firstOfBroker0}, do: rewrite(firstOfBroker0, cut),
		},
		{
			Name: "no-cluster-id", Text: "broker 0's meta.properties is of version 1 and has no cluster ID",
			Claims: []string{firstOfBroker0}, do: rewrite(firstOfBroker0, func(text string) (string, error) {
				return id.ReplaceAllLiteralString(text, ""), nil
			}),
		},
		{
			Name: "same-directory-id", Text: "broker 0's two volumes have the same directory ID",
			Claims: []string{secondOfBroker0}, do: copyDirectoryID,
		},
		{
			Name: "terminal-escapes", Text: "broker 0's cluster ID has terminal escapes before and after it",
			Claims: []string{firstOfBroker0}, do: rewrite(firstOfBroker0, func(text string) (string, error) {
				return id.ReplaceAllLiteralString(text, "cluster.id=\x1b[2J\x1b]0;owned\x07"+OtherClusterID+"\x1b[0m\n"), nil
			}),
		},
		{
			Name: "huge-properties", Text: "broker 0's meta.properties is followed by 50 MB of one line",
			Claims: []string{firstOfBroker0}, do: rewrite(firstOfBroker0, func(text string) (string, error) {
				return text + strings.Repeat("A", 50_000_000), nil
			}),
		},
	}
}

func properties(dir, claim string) string {
	return filepath.Join(dir, claim, "kafka-log"+claim[len(claim)-1:], "meta.properties")
}

// rewrite changes a meta.properties; a change that changes nothing is an error.
func rewrite(claim string, change func(text string) (string, error)) func(dir string) error {
	return func(dir string) error {
		path := properties(dir, claim)
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text, err := change(string(raw))
		if err != nil {
			return err
		}
		if text == string(raw) {
			return fmt.Errorf("%q was not changed", path)
		}
		return os.WriteFile(path, []byte(text), 0o644)
	}
}

func cut(text string) (string, error) {
	const key = "cluster.id="
	start := strings.Index(text, key)
	if start < 0 {
		return "", fmt.Errorf("there is no %q", key)
	}
	return text[:start+len(key)+7], nil
}

func swap(dir string) error {
	a, b := filepath.Join(dir, firstOfBroker0), filepath.Join(dir, firstOfBroker1)
	aside := filepath.Join(dir, "aside")
	for _, move := range [][2]string{{a, aside}, {b, a}, {aside, b}} {
		if err := os.Rename(move[0], move[1]); err != nil {
			return err
		}
	}
	return nil
}

func copyDirectoryID(dir string) error {
	raw, err := os.ReadFile(properties(dir, firstOfBroker0))
	if err != nil {
		return err
	}
	line := regexp.MustCompile(`(?m)^directory\.id=.*\n`)
	first := line.FindString(string(raw))
	return rewrite(secondOfBroker0, func(text string) (string, error) {
		return line.ReplaceAllLiteralString(text, first), nil
	})(dir)
}
