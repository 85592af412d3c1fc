# make demo and make test do all their own set-up. See CONTRIBUTING.md.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# A clone owned by somebody else, as on build machines, must not stop Go from building.
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)
export GOWORK := off

BIN := bin
SUITE := $(BIN)/suite
MODULES := . test/sandbox test/kafka test/operator test/recovery test/e2e test/demo test/schema test/bench test/suite

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(SUITE) ## Show a cluster lost and brought back, on a real Kubernetes cluster with real Kafka
	@$(SUITE) prepare
	@cd test/demo && go build -o ../../$(BIN)/demo . && exec ../../$(BIN)/demo

.PHONY: transcript
transcript: $(SUITE) ## Run the demo, and put what it shows into README.md and docs/runbook.md
	@$(SUITE) prepare
	@cd test/demo && go build -o ../../$(BIN)/demo .
	@$(BIN)/demo -no-color | tee $(BIN)/transcript.txt
	@sed -e 's|/tmp/kafkarecover-ground-[0-9]*/home/state|~/.local/state|g' -e 's|/tmp/kafkarecover-ground-[0-9]*/||g' \
	  -e "s|$$HOME/|~/|g" $(BIN)/transcript.txt >docs/transcript.txt && go run ./internal/gen

.PHONY: test
test: $(SUITE) ## Run every test of the CI tier
	@exec $(SUITE) run

.PHONY: test-unit
test-unit: $(SUITE) ## Run the tests that need neither root nor a cluster
	@exec $(SUITE) -only unit run

.PHONY: test-full
test-full: $(SUITE) ## Run everything on real Kafka, and record the results in docs/test-full.md
	@exec $(SUITE) -tier full -record docs/test-full.md run

.PHONY: lint
lint: ## Check formatting, code, import rules, generated files, workflows and the release
	@tools/lint $(MODULES)

.PHONY: build
build: ## Build the program and the kubectl plugin into bin/
	go build -trimpath -o $(BIN)/kafkarecover .
	ln -sf kafkarecover $(BIN)/kubectl-kafkarecover

.PHONY: generate
generate: ## Write the generated code, schemas and command reference again
	go generate ./pkg/...
	go run ./internal/gen

.PHONY: fmt
fmt: ## Format the sources
	gofmt -w $$(git ls-files '*.go')

.PHONY: bench
bench: ## Measure against the tools of Kafka and Kubernetes, and write docs/benchmarks.md
	@cd test/bench && go build -o ../../$(BIN)/bench . && cd ../.. && exec $(BIN)/bench

.PHONY: clean
clean: ## Remove what was built here; caches stay in the user's cache directory
	rm -rf $(BIN) dist build coverage.out

# The program that runs the tests is built rather than `go run`, which would not pass on signals.
.PHONY: $(SUITE)
$(SUITE):
	@command -v go >/dev/null || { echo "Go is missing: install Go 1.26 or newer from https://go.dev/dl/"; exit 1; }
	@cd test/suite && go build -o ../../$(SUITE) .
