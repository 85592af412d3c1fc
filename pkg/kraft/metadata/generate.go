package metadata

//go:generate go run ./internal/gen
