package rules_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/kafkarecover/kafkarecover/internal/gen/rules"
)

func TestPageIsUpToDate(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "..", "docs", "rules.md")
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, rules.Page()) {
		t.Error("docs/rules.md is stale: make generate")
	}
}
