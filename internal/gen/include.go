package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// pages are those that show the transcript of the demo, between the markers below.
func pages() []string { return []string{"README.md", "docs/runbook.md"} }

const (
	transcript   = "docs/transcript.txt"
	markerBefore = "<!-- transcript: " + transcript + " -->\n"
	markerAfter  = "<!-- end of transcript -->"
)

// included are the pages with the transcript as it is now. Without a transcript there is nothing to include.
func included(root string) (files, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(transcript)))
	if errors.Is(err, fs.ErrNotExist) {
		return files{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("include the transcript: %w", err)
	}
	out := files{}
	for _, page := range pages() {
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
		if err != nil {
			return nil, fmt.Errorf("include the transcript: %w", err)
		}
		shown := string(text)
		if page == "README.md" {
			shown = ending(shown)
		}
		filled, err := include(string(content), shown)
		if err != nil {
			return nil, fmt.Errorf("include the transcript in %q: %w", page, err)
		}
		out[page] = []byte(filled)
	}
	return out, nil
}

// ending is the part of a transcript that shows the program: from the act after the sixth on.
func ending(text string) string {
	if i := strings.Index(text, "\n7. "); i >= 0 {
		return text[i+1:]
	}
	return text
}

// include puts text as a block between the markers of a page.
func include(page, text string) (string, error) {
	before, rest, ok := strings.Cut(page, markerBefore)
	if !ok {
		return "", fmt.Errorf("there is no marker %q", strings.TrimSpace(markerBefore))
	}
	_, after, ok := strings.Cut(rest, markerAfter)
	if !ok {
		return "", fmt.Errorf("there is no marker %q behind the first", markerAfter)
	}
	return before + markerBefore + "\n" + fence(text) + "\n\n" + markerAfter + after, nil
}
