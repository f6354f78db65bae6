# Thin front of CMake. `make help` lists the targets: each has its sentence behind `##`.
# Tests are ctest tests; labels say when they run: `once` in the shipped build only, `tsan` also under
# ThreadSanitizer, `torture` `simulate` `isolation` `crash` `sampling` `long` only when asked for, everything else in `make test`.

SHELL := /bin/bash
PYTHON := /usr/bin/python3
SECONDS := 60
SEEDS := 1000
SEED := 1
PREFIX := /usr/local
# Sources that clang-format decides about.
C_SOURCES = git ls-files -co --exclude-standard '*.c' '*.h' '*.hpp' '*.cc'

.DEFAULT_GOAL := build
.PHONY: build setup demo test bench instructions bench-peers collector-parity fuzz torture simulate isolation crash sampling lint symbols format install clean help

build: setup ## builds the libraries and the program: build/bin/flowtrace
	@cmake --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null
	@cmake --build build

setup: ## installs the Debian packages that are missing (tools/packages.txt)
	@tools/setup.sh

demo: build ## runs a real pipeline, shows its flow and the address of the UI
	@build/bin/flowtrace demo

test: setup ## runs lints and every test that is not listed as long below; closes with the totals
	@$(PYTHON) tools/run_tests.py test

bench: build ## measures speed against baselines; writes build/bench.json
	@$(PYTHON) bench/run.py --build build --output build/bench.json

instructions: setup build ## counts the instructions of recording and of hops (valgrind) against bench/instructions.json
	@$(PYTHON) bench/instructions.py --build build

bench-peers: build ## builds fastrace, tokio tracing and the OpenTelemetry SDKs for Rust and Go; measures them next to us
	@$(PYTHON) bench/peers.py --build build --output build/bench-peers.json

collector-parity: build ## long: builds the OpenTelemetry Collector; both run the same configurations of its form
	@$(PYTHON) tests/interop/collector/parity.py --build build

fuzz: setup ## long: fuzzes each decoder for SECONDS=60 under ASan and UBSan
	@FTR_FUZZ_SECONDS=$(SECONDS) $(PYTHON) tools/run_tests.py fuzz

torture: setup ## long: many threads and every fault, under ASan and TSan
	@$(PYTHON) tools/run_tests.py torture

simulate: setup ## long: random graphs with random faults under a virtual clock, SEEDS=1000 of them from SEED=1 on
	@FTR_SIMULATE_SEEDS=$(SEEDS) FTR_SIMULATE_FIRST=$(SEED) $(PYTHON) tools/run_tests.py simulate

isolation: SEEDS := 10000
isolation: setup ## long: random flows of two pipelines and three customers; SEEDS=10000 of them from SEED=1 on
	@FTR_ISOLATION_SEEDS=$(SEEDS) FTR_ISOLATION_FIRST=$(SEED) $(PYTHON) tools/run_tests.py isolation

crash: setup ## long: kills the store in the middle of writing, again and again, and checks it
	@$(PYTHON) tools/run_tests.py crash

sampling: setup ## long: builds the Collector's server of sampling strategies (Go 1.25); jaeger_remote asks it
	@$(PYTHON) tools/run_tests.py sampling

lint: setup ## runs the lints alone (tools/lint/run.py RULE... runs some of them)
	@$(PYTHON) tools/lint/run.py

symbols: build ## writes packaging/*.symbols anew: what the shared libraries export (a lint compares)
	@$(PYTHON) tools/lint/run.py --write-symbols symbol-lists

format: setup ## lets clang-format rewrite the sources
	@$(C_SOURCES) | xargs -r clang-format-14 -i

install: build ## installs headers, libraries and the program below PREFIX=/usr/local
	@cmake --install build --prefix "$(PREFIX)"

clean: ## removes the build directories
	@rm -rf build build-test build-asan build-tsan build-fuzz build-dev

help: ## lists the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1	\2/p' Makefile | expand -t 22
