package node

import (
	"encoding/json"
	"fmt"
	"os"
)

// stampOf changes whenever the file is replaced or written: size and modification time.
func stampOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("find image archive: %w", err)
	}
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano()), nil
}

// readStamps answers "nothing imported" when there is no readable record; importing again is harmless.
func readStamps(path string) map[string]string {
	stamps := map[string]string{}
	content, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(content, &stamps) != nil {
		return map[string]string{}
	}
	return stamps
}

func writeStamps(path string, stamps map[string]string) error {
	content, err := json.Marshal(stamps)
	if err != nil {
		return fmt.Errorf("record imported images: %w", err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("record imported images: %w", err)
	}
	return nil
}
