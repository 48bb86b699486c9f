# `make demo` and `make test` need make and a Python of 3.11 or newer; they build .venv themselves,
# once, from the versions in constraints.txt. `make` alone says what there is.

PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo $$python; break; }; done)
ARGS ?=
JUNIT ?=
WORKERS ?= auto

VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
CWT := .venv-cwt
# Wheels only: nothing is compiled here. (The one package without a wheel is pure Python.)
PIP := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	$(BIN)/python -m pip --disable-pip-version-check -qq install --only-binary :all:

.DEFAULT_GOAL := help
.PHONY: help demo test test-network test-interop test-bluez check format screenshots recording bench bench-heal bench-idle bench-short cold-start simulate simulate-chaos simulate-table clean
.NOTPARALLEL:

help:  ## say what there is
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.run  ## a mesh of real engines on this machine: the dashboard, or JSON into a pipe
	@$(BIN)/presence-tui --demo $(ARGS)

# The tests of mDNS hear whoever else speaks on this machine, and those of networks measure times.
APART := tests/discovery tests/network

# A seed of the simulator is the same mesh every time only if sets have one order.
test: export PYTHONHASHSEED := 0
test: $(VENV)/.dev  ## all tests; those of networks run when root, otherwise they say why not
ifeq ($(ARGS),)
	$(BIN)/python -m pytest -n $(WORKERS) $(APART:%=--ignore=%) $(if $(JUNIT),--junitxml=$(JUNIT)-all.xml)
	$(BIN)/python -m pytest $(APART) $(if $(JUNIT),--junitxml=$(JUNIT)-apart.xml)
else
	$(BIN)/python -m pytest $(ARGS)
endif

test-network: $(VENV)/.dev  ## only the tests in network namespaces; needs root
	$(BIN)/python -m pytest -m network $(ARGS)

test-interop: $(VENV)/.dev $(CWT)  ## identity tokens beside another library for them
	$(BIN)/python -m pytest tests/interop $(ARGS)

# BlueZ 5.66 with several ATT bearers, which overtake each other, and with one; then 5.82.
test-bluez: $(VENV)/.dev  ## real bluetoothds in guests (QEMU), end to end; needs root and a quarter of an hour
	tests/bluez/guest.sh build bookworm
	tests/bluez/guest.sh build trixie
	tests/bluez/guest.sh run bookworm 3 $(or $(MEGABYTES),1)
	tests/bluez/guest.sh run bookworm 1 $(or $(MEGABYTES),1)
	tests/bluez/guest.sh run trixie 1 $(or $(MEGABYTES),1)

check: $(VENV)/.dev  ## format, lint, types, and the rules between the layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## put the code into its form
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

screenshots: $(VENV)/.dev  ## make the pictures in screenshots/ anew
	$(BIN)/python screenshots/make.py

recording: $(VENV)/.dev  ## record the demo anew: screenshots/demo.svg, which moves
	$(BIN)/python screenshots/record.py $(ARGS)

bench: $(VENV)/.dev $(PEERS)  ## the benchmarks but those that take long; networks need root
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/first_frame.py
	$(BIN)/python benchmarks/table_bench.py
	$(BIN)/python benchmarks/ui_latency.py
	$(BIN)/python benchmarks/graph_layout.py
	$(BIN)/python benchmarks/big_mesh.py
	$(BIN)/python benchmarks/first_sync.py
	$(BIN)/python benchmarks/identity.py
	$(BIN)/python benchmarks/lan.py
	$(BIN)/python benchmarks/hops.py
	$(BIN)/python benchmarks/logins.py

bench-heal: $(VENV)/.dev $(PEERS)  ## cuts, silence and loss in a mesh of 30, beside others; needs root
	$(BIN)/python benchmarks/heal.py $(ARGS)

bench-idle: $(VENV)/.dev $(PEERS)  ## traffic and memory of a mesh of 30, beside others; needs root
	$(BIN)/python benchmarks/idle.py $(ARGS)

bench-short: $(VENV)/.dev  ## the quick form of all benchmarks, beside what is installed already
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/first_frame.py --short
	$(BIN)/python benchmarks/table_bench.py --short
	$(BIN)/python benchmarks/ui_latency.py --short
	$(BIN)/python benchmarks/graph_layout.py --short
	$(BIN)/python benchmarks/big_mesh.py --short
	$(BIN)/python benchmarks/first_sync.py --short
	$(BIN)/python benchmarks/identity.py --short
	$(BIN)/python benchmarks/lan.py --short
	$(BIN)/python benchmarks/hops.py --short
	$(BIN)/python benchmarks/heal.py --short
	$(BIN)/python benchmarks/idle.py --short
	$(BIN)/python benchmarks/logins.py --short

simulate: $(VENV)/.dev  ## a simulated mesh; N=100 SEED=1 SCENARIO=cold,update,join,kill,death,heal,merge
	@$(BIN)/python -m tests.simulation N=$(N) SEED=$(SEED) SCENARIO=$(SCENARIO)

simulate-table: $(VENV)/.dev  ## the same for 10, 100, 300 and 1,000 peers, as in docs; takes a while
	@$(BIN)/python -m tests.simulation --table SEED=$(SEED)

simulate-chaos: $(VENV)/.dev  ## simulated chaos; SEEDS=200, from SEED=0 on
	@$(BIN)/python -m tests.simulation --chaos $(or $(SEEDS),200) SEED=$(SEED)

cold-start: $(VENV)/.dev  ## what starting each command costs
	$(BIN)/python benchmarks/cold_start.py

clean:  ## remove everything that was built
	rm -rf $(VENV) $(PEERS) $(CWT) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What is said here goes to stderr: stdout of `make demo` is data. A half made .venv is not kept.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "presence-tui needs Python 3.11 or newer: install one, or say \
	make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo \
	"$(PYTHON) is not a Python of 3.11 or newer: say make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "building $(VENV) with $(PYTHON) (once)" >&2
	@"$(PYTHON)" -m venv --clear $(VENV) >/dev/null 2>&1 && $@ -m pip --version >/dev/null || { \
	rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment: install its venv module \
	(Debian: apt install python3-venv)" >&2; exit 1; }

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) -e . >&2
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) --no-binary forbiddenfruit --use-pep517 -e '.[serve,test,check,screenshots]' >&2
	@touch $(VENV)/.run $@

# What the benchmarks compare with, apart from what we are made of. What is not to be had, they leave
# out; `make clean` makes them try again.
$(PEERS): benchmarks/peers.txt | $(BIN)/python
	@echo "building $@ (once)" >&2
	@$(BIN)/python -m venv --clear $@ && for peer in eclipse-zenoh rns nomadnet contact; do \
	$@/bin/python -m pip --disable-pip-version-check -qq install --only-binary :all: -c $< $$peer \
	|| echo "$$peer is not to be had: the benchmarks go without it" >&2; done; touch $@

# The library that test-interop compares with; it wants an older cbor2 than we do.
$(CWT): tests/interop/cwt.txt | $(BIN)/python
	@echo "building $@ (once)" >&2
	@$(BIN)/python -m venv --clear $@ && { \
	$@/bin/python -m pip --disable-pip-version-check -qq install --only-binary :all: -r $< \
	|| echo "cwt is not to be had: the tests go without it" >&2; }; touch $@
