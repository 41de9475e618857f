# The commands of a day, by intent. `make` alone lists them.
#
# All build output lies in one folder outside the clone (CARGO_TARGET_DIR, by default in the user's cache), because RocksDB
# takes long to compile: a second clone, or `git clean`, does not pay for it again. `target` and `bin/shoppulse` lead there.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/highwater/target
# For a shell that has not been opened anew since Rust was installed.
export PATH := $(PATH):$(HOME)/.cargo/bin

ARGS ?=
BROKERS ?= 1

.PHONY: help demo demo-full test build check doc kafka-up kafka-down links

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## the whole pipeline on this machine, checking itself (ARGS="--seconds 20 --sabotage")
	bin/shoppulse demo $(ARGS)

demo-full: build ## the same with real parts around it: Kafka, PostgreSQL, Debezium, SDKs, files (ARGS="--keep")
	dev/setup test sdk
	dev/demo-full $(ARGS)

# The tests of the whole run the binary, which Cargo builds by itself only for the tests of its own package.
test: build ## every test, those against a real Kafka too (ARGS="-p highwater-state")
	dev/setup test sdk
	cargo test --locked $(or $(ARGS),--workspace)

build: links ## bin/shoppulse
	dev/setup build
	cargo build --locked -p shoppulse --bin shoppulse

check: links ## formatting and lints, as strict as CI
	dev/setup build lint
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	shellcheck dev/setup .ci/run

doc: links ## the API's documentation, in target/doc
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

kafka-up: ## a real Kafka and a schema registry (BROKERS=3); prints what to export
	@dev/setup test
	@dev/kafka up --brokers $(BROKERS)

kafka-down: ## end them, delete their data
	@dev/kafka down

# A folder or a link that somebody made is left alone. Cargo tells by the times of files what to build again, and takes the crates of
# two clones for the same: so whoever comes into the folder after another clone touches its own.
links:
	@mkdir -p "$(CARGO_TARGET_DIR)" bin
	@[ "$$(cat "$(CARGO_TARGET_DIR)/clone" 2>/dev/null)" = "$(CURDIR)" ] || { \
		find . -path ./target -prune -o -type f \( -name '*.rs' -o -name '*.avsc' \) -exec touch {} +; \
		echo "$(CURDIR)" >"$(CARGO_TARGET_DIR)/clone"; }
	@[ -e target ] || ln -sfn "$(abspath $(CARGO_TARGET_DIR))" target
	@ln -sfn "$(abspath $(CARGO_TARGET_DIR))/debug/shoppulse" bin/shoppulse
