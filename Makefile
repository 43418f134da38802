SHELL := /bin/bash
# `make serve` and `make test` are all you need; both install what is missing, once.
.PHONY: help serve test bench build dist setup clean screenshots
.DEFAULT_GOAL := help

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: build ## build the page, start the aggregator on loopback, print the links (ARGS="--listen 127.0.0.1:9000")
	@.tools/serve $(ARGS)

build: ## build the page, its workers and the aggregator
	@.tools/setup build
	@.tools/build-page
	@. .tools/env.sh && cargo build --quiet --release -p emofed-server

dist: ## one program for a bare machine: page, lite models and aggregator
	@.tools/setup build
	@.tools/build-page
	@.tools/dist

test: ## everything CI checks; some steps only: make test STEPS="format lint native openapi embedded e2e browser"
	@.tools/setup test
	@.tools/test $(STEPS)

bench: ## ours beside the peers: make bench [NAME…]
	@.tools/setup bench
	@.tools/build-page
	@. .tools/env.sh && cargo build --quiet --release -p emofed-server && cargo run --quiet --release -p emofed-tests --features e2e --bin bench -- $(NAMES) $(filter-out $@,$(MAKECMDGOALS))

screenshots: ## the page in each state, into docs/screenshots
	@.tools/setup test
	@.tools/build-page
	@. .tools/env.sh && cargo build --quiet --release -p emofed-server && cargo run --quiet --release -p emofed-tests --features e2e --bin screenshots -- docs/screenshots

setup: ## only install the tools
	@.tools/setup test

clean: ## delete build products, keep tools and the aggregator's data
	@. .tools/env.sh && rm -rf "$$EMOFED_DIST" "$$CARGO_TARGET_DIR"

# `make bench NAME…`: the names are arguments, not targets.
ifeq (bench,$(firstword $(MAKECMDGOALS)))
$(eval $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS)):;@:)
endif
