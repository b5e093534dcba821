# The only door to the course: `make help` lists the verbs.
.DEFAULT_GOAL := help
.PHONY: help setup data run test lab bench sync format clean

PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEVICE ?= cpu
# Two test processes fit into the memory of any laptop; each file stays in one of them.
JOBS ?= 2
TORCH_BACKEND ?=
UV := "uv>=0.9,<1"

export CF_DEVICE := $(DEVICE)
# Two threads wait for each other on models this small: one is faster.
export OMP_NUM_THREADS ?= 1
# Compiled bytecode saves ten seconds at every start of a kernel.
export PYTHONDONTWRITEBYTECODE :=

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/ok ## Make the environment in .venv (once)

$(VENV)/ok: pyproject.toml
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed, {sys.executable} is {sys.version.split()[0]}: make setup PY=python3.12")'
	@echo "Making the environment in $(VENV) (one to five minutes, once)"
	@test -x $(BIN)/python || $(PY) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode \
		$(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)") \
		$(if $(TORCH_BACKEND),--torch-backend=$(TORCH_BACKEND)) -e ".[course,dev]"
	@touch $@

data: setup ## Fetch and verify MovieLens-100K
	@$(BIN)/python -m nbhelpers fetch ml-100k

run: data ## Execute the whole course and store its outputs
	@$(BIN)/python -m nbhelpers run notebooks
	@$(BIN)/python -m nbhelpers results --write README.md

test: data ## Lint, types, unit tests and every notebook (DEVICE=cuda for a GPU)
	@$(BIN)/python -m nbhelpers doctor
	@$(BIN)/ruff check nbhelpers tests notebooks
	@$(BIN)/ruff format --check nbhelpers tests notebooks
	@$(BIN)/mypy
	@CI=true CF_RESULTS="$(CURDIR)/.pytest_cache/honest_table.csv" \
		$(BIN)/python -m pytest tests notebooks \
		--nbval-lax --nbval-current-env --nbval-cell-timeout=300 \
		--numprocesses=$(JOBS) --dist=loadfile

lab: data ## Open the course in JupyterLab, on this machine only
	@cd notebooks && ../$(BIN)/jupyter lab --ip=127.0.0.1 $(if $(filter 0,$(shell id -u)),--allow-root) 00_start_here.ipynb

bench: data ## Compare speed with other libraries, as ratios measured in one run
	@$(BIN)/python -m tests.benchmarks

sync: setup ## Rebuild each .ipynb from its .md, keeping outputs of unchanged cells
	@$(BIN)/python -m nbhelpers sync notebooks

format: setup ## Format code and notebooks
	@$(BIN)/ruff check --quiet --fix nbhelpers tests
	@$(BIN)/ruff format --quiet nbhelpers tests
	@$(BIN)/python -m nbhelpers format notebooks

clean: ## Remove the environment and every build product (never your data cache)
	@rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@find . -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +
