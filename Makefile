# Every target works from a fresh clone, as root on Debian 12 with Go, git and make.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BINARY := bin/vivarium
LINT := $(GO) tool -modfile=.ci/tools/go.mod golangci-lint
SERVERS := $(GO) run ./test/servers/cmd/servers

# Without the clone's path in it, what one clone has built serves the next. SQLite is C translated to Go: the race detector can find
# nothing of ours in it, and makes it several times slower. Only its package without generic code may be left out: others would share
# theirs with the rest of the program. So it is with compress/flate, of the standard library: it holds nothing that goroutines share
# but tables, and what it packs in gzip is read by the checksum, too, where the detector looks.
export GOFLAGS := $(GOFLAGS) -trimpath -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=compress/flate=-race=false

.PHONY: build run demo demo-full bootstrap-demo check test test-kubernetes test-bootstrap test-faults test-arangodb unit bench fmt lint generate clean help

build: export CGO_ENABLED = 0
build: ## build bin/vivarium, and bin/vivarium-draw, with which it draws graphs
	@mkdir -p bin
	$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o $(BINARY) ./cmd/vivarium
	$(GO) build -trimpath -o bin/vivarium-draw ./cmd/vivarium-draw

run: build ## start a server, deploy the sample environment and stay until Ctrl-C
	@terraform=$$($(SERVERS) opentofu -prefer-path) && \
	VIVARIUM_TERRAFORM="$${VIVARIUM_TERRAFORM:-$$terraform}" exec $(BINARY) demo --stay

demo: build ## deploy the sample in a temporary folder, destroy it again and exit
	@terraform=$$($(SERVERS) opentofu -prefer-path) && \
	VIVARIUM_TERRAFORM="$${VIVARIUM_TERRAFORM:-$$terraform}" exec $(BINARY) demo

demo-full: build ## the sample on a real RabbitMQ, Consul, Vault, Docker and Traefik, from create to nothing left (root, Debian)
	$(GO) build -o bin/demo-full ./test/demo
	@exec bin/demo-full -program $(BINARY)

bootstrap-demo: export CGO_ENABLED = 0
bootstrap-demo: build ## a Vivarium that manages itself, from configuration repositories, on this machine: LOCATION=process or local (STAY=1 leaves it)
	$(GO) build -trimpath -o bin/bootstrap-demo ./test/bootstrap/demo
	@exec bin/bootstrap-demo -program $(BINARY) -location $(or $(LOCATION),process) $(if $(STAY),-stay)

check: lint unit ## build, vet, lint and the tests that need no server

unit:
	$(GO) build ./...
	$(GO) vet ./...
	$(GO) test -short -timeout 5m $$($(GO) list ./... | grep -v '/test/')

# A program with the race detector waits for a second before it exits, in case goroutines that are left still race. Of hundreds of short
# commands and helpers that is minutes, and what lives longer is stopped in order.
test: export GORACE ?= atexit_sleep_ms=20
test: lint ## vet, lint and all tests with the race detector, a real RabbitMQ, Docker, Traefik, OpenTofu, Consul and Vault
	$(GO) vet ./...
	@echo "The servers that the tests use:"
	@tofu=$$($(SERVERS) opentofu) && "$$tofu" version | sed -n 1p
	@$(SERVERS) rabbitmq
	@$(SERVERS) docker
	@consul=$$($(SERVERS) consul) && "$$consul" version | sed -n 1p
	@vault=$$($(SERVERS) vault) && "$$vault" version | sed -n 1p
	@traefik=$$($(SERVERS) traefik) && echo "Traefik $$("$$traefik" version | sed -n 's/^Version: *//p')"
	@test -n "$${VIVARIUM_TEST_ARANGODB:-}" || echo "NO REAL ARANGODB: its driver is tested on a stand-in only; make test-arangodb wants one."
	$(GO) test -race -vet=off -ldflags=-w -p 4 -timeout 25m ./test/faults ./test/e2e ./test/... ./...
	@echo "Kubernetes was not part of this: make test-kubernetes builds and starts a cluster and runs the tests that need one."

test-kubernetes: ## the tests on a real Kubernetes cluster of one node, which it builds and starts (root; cold, 10 minutes)
	@echo "The cluster that the tests use:"
	@$(SERVERS) kubernetes
	$(GO) vet -tags kubernetes ./test/servers/... ./test/deployments/... ./pkg/executor/container/kubernetes/... ./pkg/executor/helm/...
	$(GO) test -tags kubernetes -race -count=1 -timeout 40m ./test/servers -run Kubernetes
	$(GO) test -tags kubernetes -race -count=1 -timeout 40m ./pkg/executor/container/kubernetes/...
	$(GO) test -tags kubernetes -race -count=1 -timeout 40m ./pkg/executor/helm/...
	$(GO) test -tags kubernetes -race -count=1 -timeout 40m ./test/deployments -run Cluster
	@echo "A bootstrap in the cluster was not part of this: make test-bootstrap."

test-bootstrap: ## a bootstrap killed at every step, and those in Docker and in a Kubernetes with images packed for them (root, Debian; many minutes)
	VIVARIUM_FAULTS=long VIVARIUM_BOOTSTRAP=local,kubernetes $(GO) test -count=1 -timeout 60m -v ./test/bootstrap

test-faults: ## the long fault tests: kills, cuts, full disk, forged results; 10,000 stories of the decider; prints a table
	$(GO) test -count=1 -timeout 30m -run 'TestSimulation$$' ./pkg/environment -rapid.checks=10000 -rapid.nofailfile
	VIVARIUM_FAULTS=long $(GO) test -count=1 -timeout 90m -v ./test/faults

test-arangodb: ## the store's contract on a real ArangoDB: VIVARIUM_TEST_ARANGODB, or one started with docker compose
	@if [ -z "$${VIVARIUM_TEST_ARANGODB:-}" ]; then \
		docker compose -f deployments/compose.arangodb.yaml up -d --wait; \
		export VIVARIUM_TEST_ARANGODB="arangodb://root:$${ARANGO_ROOT_PASSWORD:-vivarium}@127.0.0.1:8529/any"; \
	fi; \
	$(GO) test -race -count=1 -timeout 30m -v ./pkg/store/arango

bench: ## measure throughput, latency and memory, beside the floors of this machine
	$(GO) run ./test/bench

fmt: ## format Go, HCL and module files
	gofmt -w cmd pkg templates test
	$(GO) mod edit -fmt

lint: ## golangci-lint, built from its pinned module the first time
	@test -d "$$($(GO) env GOCACHE)" || echo "Building golangci-lint; the first time takes a minute or more."
	$(LINT) run ./...

generate: ## write the schemas and documents that are made from the code
	$(GO) generate ./...

clean: ## remove what was built, and the data of make run
	rm -rf bin .vivarium

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14
