# citytune: the same verbs at home and in CI.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
TEST   ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench docs clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

# One thread each: two processes share two cores.
test: $(READY)  ## every test, on two processes (TEST="-k name" for some)
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n 2 --dist worksteal -m "not network" $(TEST)

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

clean:  ## take the environment and caches away
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
