# citytune: the same verbs at home and in CI.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
EXTRAS := $(VENV)/.extras
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
TEST   ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-extras check format bench docs lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# torch first and alone: asked for together with others, pip may choose a build with gigabytes of
# GPU packages. The stamp is older than a changed lock file, so a new lock makes a new environment.
$(READY): requirements.lock pyproject.toml
	@echo "Making $(VENV) from requirements.lock (once; a minute or two) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "citytune needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) "$$(grep '^torch==' requirements.lock)"
	@$(PIP) -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY)  ## the whole job on the bundled sample, offline: traffic, air, energy
	$(BIN)/citytune demo

# The group `extras` of pyproject.toml. Without an index its tests skip and say so, and the next
# `make test-extras` tries again. pip reads groups from 25.1 on; a new environment brings an older one.
$(EXTRAS): $(READY)
	@{ $(PIP) "pip>=25.1" && $(PIP) -c requirements.lock --group extras && touch $(EXTRAS); } \
		|| echo "The extras could not be installed: tests that need them are skipped." >&2

# One thread each: two processes share two cores.
PYTEST := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest

test: $(READY)  ## every light test, on two processes (TEST="-k name" for some)
	$(PYTEST) -n 2 --dist worksteal -p no:schemathesis -m "not network and not extras" $(TEST)

test-extras: $(EXTRAS)  ## the heavy tests: browser, database, corpora, the demo; installs what they need
	$(PYTEST) -n 2 --dist worksteal -m "extras and not network" $(TEST)

check: $(READY)  ## format, lint, types, import contract, spelling, prose
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell src tests docs benchmarks README.md CHANGELOG.md
	$(BIN)/python scripts/prose.py

format: $(READY)  ## put the code in shape
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .

bench: $(READY)  ## what fine-tuning gains, and how fast, on real data (ARGS="..." passed on)
	$(BIN)/python benchmarks/adaptation.py $(ARGS)
	$(BIN)/python benchmarks/head.py

docs: $(READY)  ## write docs/cli.md from --help, run every example, check names and links
	$(BIN)/python -m citytune.cli._reference docs/cli.md
	$(BIN)/python -m pytest tests/test_docs_examples.py tests/test_docs_reference.py

# pip keeps what requirements.lock says, and adds what pyproject.toml asks for besides. To move a
# package to a newer version, take its line out of requirements.lock first.
lock:  ## write requirements.lock from pyproject.toml, in a fresh environment
	$(PYTHON) -m venv --clear .lock
	.lock/bin/python -m pip install --quiet "pip>=25.1"
	.lock/bin/python -m pip install --quiet "$$(grep '^torch==' requirements.lock || echo torch)"
	.lock/bin/python -m pip install --quiet -c requirements.lock -e ".[hf,boost,hdf5]" \
		--group test --group lint --group bench hatchling
	.lock/bin/python -m pip freeze --exclude-editable | sed "s/+cpu$$//" > .lock/frozen
	{ head -1 requirements.lock; grep "^torch==" .lock/frozen; grep -v "^torch==" .lock/frozen; } \
		> .lock/new && mv .lock/new requirements.lock
	rm -rf .lock

clean:  ## take the environment and caches away
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
