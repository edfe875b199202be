# What you can ask for here. Everything installs what it lacks, says so, and
# wastes no time the second time.

SHELL   := /bin/bash
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PORT    ?= 4000
NODES   ?= 3

# Vite and the type checker look at these.
PAGES := $(shell find web -type f -not -path '*/node_modules/*' -not -path 'web/dist/*' -not -name '*.go' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: references help run cluster build test unit race e2e browser chaos bench bench-once fuzz soak lint pages clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: build postgresql ## Start a server with a ready-made tenant on port 4000 (PORT=… for another)
	@PORT=$(PORT) exec bin/tutti dev

cluster: build postgresql ## Start three nodes of one cluster on ports 4000 to 4002 (NODES=… for another number)
	@PORT=$(PORT) exec bin/tutti dev --nodes $(NODES)

build: web/dist/index.html ## Build bin/tutti, one static binary with the pages in it
	@GO='$(GO)' VERSION='$(VERSION)' scripts/compile bin/tutti

test: unit vuln chaos soak-short e2e bench-once ## Run all tests

unit: web/dist/index.html race-tools postgresql ## Vet, and run the Go tests with the race detector, and those of the pages
	@echo '== gofmt, vet'
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo 'not formatted:'; gofmt -l $$(git ls-files '*.go'); exit 1; }
	@$(GO) vet ./...
	@echo '== Go tests'
	@$(GO) test -race $$($(GO) list ./... | grep -v /internal/chaos)
	@cd examples/counter && $(GO) vet ./... && $(GO) test -race ./...
	@echo '== page tests'
	@cd web && npm run --silent check && npm test --silent

chaos: postgresql ## Kill, freeze, cut off and restart nodes under load (TUTTI_CHAOS=long for longer)
	@scripts/debian iproute2:ip
	@echo '== three processes, and what may happen to them'
	@$(GO) test -count=1 ./internal/chaos

.PHONY: race-tools postgresql
race-tools:
	@scripts/debian gcc:gcc libc6-dev:/usr/include/stdlib.h

postgresql:
	@scripts/debian postgresql:/usr/lib/postgresql

e2e: build postgresql e2e/node_modules/.done ## Run the official clients against a real server, in Node and in Chromium
	@scripts/debian chromium:chromium
	@echo '== end to end: supabase-js in Node and in Chromium'
	@cd e2e && npm test --silent

bench: build postgresql ## Measure, side by side with rivals (takes some minutes; leave the machine alone)
	@$(GO) run ./bench/run
	@$(GO) run ./bench/rows -server bin/tutti
	@$(GO) run ./bench/nodes -server bin/tutti
	@$(GO) run ./bench/music -server bin/tutti

bench-once: build postgresql ## Run every benchmark once, only to see that it works
	@echo '== benchmarks, once each'
	@$(GO) test -run '^$$' -bench . -benchtime 1x ./... >bin/bench-once.log || { cat bin/bench-once.log; exit 1; }
	@grep -c '^Benchmark' bin/bench-once.log | sed 's/$$/ benchmarks ran/'
	@$(GO) run ./bench/run -short
	@$(GO) run ./bench/rows -short -server bin/tutti
	@$(GO) run ./bench/nodes -short -server bin/tutti >/dev/null
	@$(GO) run ./bench/music -short -server bin/tutti >/dev/null

fuzz: ## Fuzz every parser, FUZZTIME each (default 30s)
	@scripts/fuzz $${FUZZTIME:-30s}

soak: build postgresql ## Half an hour of load, churn and faults on three nodes, and a table of what was promised and seen (SOAK='-for 2h -seed 7' for another)
	@scripts/debian iproute2:ip
	@$(GO) run ./bench/soak -server bin/tutti $(SOAK)

.PHONY: soak-short
soak-short: build postgresql ## The same in less than a minute
	@scripts/debian iproute2:ip
	@echo '== the reliability run, in short'
	@$(GO) run ./bench/soak -short -seed 1 -server bin/tutti

references: ## Write the parts of the documents that are made of the code
	@UPDATE_REFERENCES=1 $(GO) test -count=1 -run TestReferences ./cmd/tutti ./internal/app >/dev/null

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what the server uses (VULN=required fails where the database cannot be reached)
	@echo '== known vulnerabilities'
	@scripts/vuln ./cmd/tutti

lint: ## Run golangci-lint
	@$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run

pages: web/dist/index.html ## Build the browser pages

web/dist/index.html: web/node_modules/.done $(PAGES)
	@echo '== building the pages'
	@cd web && npm run --silent build
	@touch $@

%/node_modules/.done: %/package-lock.json
	@echo '== npm packages for $*'
	@cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
IMAGE     ?= ghcr.io/tutti-realtime/tutti

.PHONY: release reproducible image packaging
release: web/dist/index.html ## Build the binaries of a release, with checksums, into bin/release (PLATFORMS=… for others)
	@GO='$(GO)' VERSION='$(VERSION)' scripts/release $(PLATFORMS)

reproducible: ## Build a release twice, in two places, and compare the bytes (PLATFORMS=…; linux/amd64 unless given)
	@GO='$(GO)' VERSION='$(VERSION)' scripts/reproducible $(if $(filter file,$(origin PLATFORMS)),,$(PLATFORMS))

image: ## Build the container image, with the version as its tag (IMAGE=… for another name; needs Docker)
	@. scripts/identity && docker build -t '$(IMAGE):$(VERSION)' \
		--build-arg VERSION="$$VERSION" --build-arg COMMIT="$$COMMIT" --build-arg DATE="$$DATE" .

packaging: ## Check the files in deploy/ with the parsers of Docker, Compose and Kubernetes, and run nginx and Caddy with them
	@scripts/debian nginx:nginx caddy:caddy strace:strace systemd:systemd-analyze
	@$(GO) test -count=1 ./deploy
	@cd deploy/check && $(GO) vet ./... && $(GO) test ./...

clean: ## Remove what was built
	@rm -rf bin web/dist/assets web/dist/index.html web/node_modules e2e/node_modules
