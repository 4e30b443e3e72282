# Everything that is done with this repository; `make` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 1000000x
PKG ?= ./...

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/hookswitch
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/hookswitch ./cmd/hookswitch

.PHONY: demo
demo: build ## simulated calls on this terminal, kept in data/demo; ARGS=--once places one to each campaign
	bin/hookswitch demo --data data/demo $(ARGS)

.PHONY: test
test: gcc postgres strace ## formatting, vet, and all tests with the race detector
	@unformatted="$$(gofmt -l .)"; if [[ -n "$$unformatted" ]]; then echo "not formatted, run gofmt -w:"; echo "$$unformatted"; exit 1; fi
	go vet $(PKG)
	CGO_ENABLED=1 go test -race -v -timeout 40m $(PKG)

.PHONY: test-freeswitch
test-freeswitch: ## SIP calls through a real FreeSWITCH of its own, where one is installed
	go vet -tags freeswitch ./e2e/...
	go test -tags freeswitch -count=1 -timeout 30m -v ./e2e

.PHONY: bench
bench: ## the table of docs/benchmarks.md; fails where a limit is missed, profiles in bench-out/
	go build -trimpath -o bin/bench ./e2e/bench
	bin/bench -profile bench-out

.PHONY: bench-large
bench-large: ## the call log with ten million calls: 40 GB on the disk, and hours
	go build -trimpath -o bin/bench ./e2e/bench
	bin/bench -only 'call log' -calls 10000000

.PHONY: bench-webhooks
bench-webhooks: ## deliveries of webhooks from PostgreSQL, beside River; needs the network once, for River
	cd e2e/river && go build -trimpath -o ../../bin/river .
	go build -trimpath -o bin/hooks ./e2e/hooks
	bin/hooks -river bin/river

.PHONY: bench-all
bench-all: bench ## that, and the benchmarks of the packages
	go test -run '^$$' -bench . -benchmem $(PKG)

.PHONY: fuzz
fuzz: ## every fuzz target in turn, FUZZTIME each
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
		grep -h '^func Fuzz' "$$dir"/*_test.go | sed 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/' | while read -r target; do \
			echo "$$dir $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x "$$dir"; \
		done; \
	done

.PHONY: clean
clean: ## remove what was built
	rm -rf bin bench-out

# The race detector needs a C compiler. On Debian root can have it installed.
.PHONY: gcc
gcc:
	@if ! command -v gcc >/dev/null; then \
		if [[ "$$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then \
			apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev; \
		else \
			echo "The race detector needs gcc: install gcc and the C library's headers (Debian: apt-get install gcc libc6-dev)."; exit 1; \
		fi; \
	fi

# The store's tests start a PostgreSQL of their own; its programs are not on the PATH on Debian. Its server must not run as
# root, and so needs a user: the package makes it.
.PHONY: postgres
postgres:
	@if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && ! command -v initdb >/dev/null; then \
		if [[ "$$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then \
			apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql; \
		else \
			echo "The store's tests need the programs of a PostgreSQL server: install it (Debian: apt-get install postgresql)."; exit 1; \
		fi; \
	fi

# With strace a test lets fsync fail under a server; without it that test is skipped aloud.
.PHONY: strace
strace:
	@if ! command -v strace >/dev/null && [[ "$$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends strace || echo "strace cannot be installed: a failing fsync is not tested."; \
	fi
