# Every target builds what it needs. `make demo` and `make test` need Python >= 3.11 and nothing else.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test test-network check screenshots bench bench-short cold-start clean
.DEFAULT_GOAL := help

help:  ## say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.run  ## a mesh of real engines on this machine, in the dashboard (or as JSON into a pipe)
	@$(BIN)/presence-tui --demo

test: $(VENV)/.dev  ## all tests (those of networks need root and skip themselves without it)
	$(BIN)/python -m pytest

test-network: $(VENV)/.dev  ## only the tests in network namespaces; needs root
	$(BIN)/python -m pytest -m network tests/network

check: $(VENV)/.dev  ## format, lint, types, and the rules of the house
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

screenshots: $(VENV)/.dev  ## remake screenshots/ (SVG, and PNG with the usual fonts installed)
	$(BIN)/python screenshots/make.py

bench: $(VENV)/.dev  ## all benchmarks; those of networks need root
	$(BIN)/python benchmarks/table_bench.py
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/lan.py

bench-short: $(VENV)/.dev  ## the quick form of the benchmarks
	$(BIN)/python benchmarks/table_bench.py --short
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/lan.py --short

cold-start: $(VENV)/.dev  ## what starting each command costs
	$(BIN)/python benchmarks/cold_start.py

clean:  ## remove what was built
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "presence-tui needs Python 3.11 or newer: install it, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -c constraints.txt -e '.[test,check,screenshots]'
	@touch $@ $(VENV)/.run
