package rules_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/kafkarecover/kafkarecover/internal/gen/rules"
)

var update = flag.Bool("update", false, "write docs/rules.md") //nolint:gochecknoglobals // flags of tests are

func TestPageIsUpToDate(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "..", "docs", "rules.md")
	if *update {
		if err := os.WriteFile(path, rules.Page(), 0o644); err != nil { //nolint:gosec // documentation is for everybody
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, rules.Page()) {
		t.Error("docs/rules.md is stale: go test ./internal/gen/rules -update")
	}
}
