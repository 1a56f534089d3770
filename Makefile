# Front door of the project. `make help` lists what there is.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
ONCE ?=

# A fresh Debian has neither ensurepip nor the right to touch the system's packages: the venv is
# made without pip, and the system's pip installs into it (`pip --python`, pip >= 22.3).
PIP_INSTALL = $(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help sync sync-dev demo up test test-unit bench check fix lint types imports protos \
        check-protos check-docs docs guests lock wheel clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing the pinned dependencies into $(VENV) (once, about a minute) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements.lock
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "Installing the pinned development dependencies into $(VENV) (once) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements-dev.lock
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.runtime

sync: $(VENV)/.runtime ## Create the virtual environment with what running needs

sync-dev: $(VENV)/.dev ## Create it with what developing needs, too

demo: sync ## Run the main job and stay up until Ctrl-C (ONCE=1: exit when it is shown)
	@$(BIN)/extctl demo $(if $(ONCE),--once)

up: sync ## Start the whole stack on loopback and stay up until Ctrl-C
	@$(BIN)/extctl up

test: sync-dev guests ## Run all tests, with every server they need
	$(BIN)/python -m pytest

test-unit: sync-dev ## Run the tests that open no socket
	$(BIN)/python -m pytest tests/unit tests/architecture

bench: sync-dev guests ## Measure, and print ratios
	$(BIN)/python -m pytest tests/bench --override-ini 'python_files=bench_*.py' --benchmark-only

guests: sync-dev ## Build the test guests (cached by the hash of their sources)
	@$(BIN)/python examples/build.py

check: lint types imports check-protos check-docs ## Everything CI checks besides the tests

lint: sync-dev ## Style (fix with `make fix`)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd protos && ../$(BIN)/buf lint

types: sync-dev ## mypy, strict
	$(BIN)/mypy

imports: sync-dev ## The import contracts of docs/adr
	$(BIN)/lint-imports

check-protos: sync-dev ## Generated code equals what the protos say, and breaks no client
	$(BIN)/python protos/generate.py --check

check-docs: sync-dev ## Generated pages equal what the code says
	$(BIN)/python docs/generate.py --check

protos: sync-dev ## Regenerate shared/pb
	$(BIN)/python protos/generate.py

docs: sync-dev ## Regenerate docs/errors.md and docs/settings.md
	$(BIN)/python docs/generate.py

fix: sync-dev ## Format and repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python protos/generate.py
	$(BIN)/python docs/generate.py

lock: sync-dev ## Resolve the pins anew (hashes, no index address)
	$(UV) pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header pyproject.toml --group build -o requirements.lock
	$(UV) pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header pyproject.toml --group dev -o requirements-dev.lock

clean: ## Remove what was made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .stack build
