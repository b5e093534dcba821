# The only door to the course: `make help` lists the verbs.
.DEFAULT_GOAL := help
.PHONY: help setup data run check unit test machines lab app reset site bench sync format lock clean

PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEVICE ?= cpu
# Two test processes fit into the memory of any laptop; each file stays in one of them.
JOBS ?= 2
# Where torch comes from (cpu, cu126, auto ...); empty for the package index.
TORCH_BACKEND ?=
# Versions: those of requirements.lock, or the highest / lowest-direct of pyproject.toml's bounds.
RESOLUTION ?= lock
# LABS=1 runs the labs with the lessons.
LABS ?=
# SLOW=1 adds the tests of many seeds and long faults.
export SLOW ?=

export CF_DEVICE := $(DEVICE)
# Two threads wait for each other on models this small: one is faster.
export OMP_NUM_THREADS ?= 1
# Compiled bytecode saves ten seconds at every start of a kernel.
export PYTHONDONTWRITEBYTECODE :=

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/ok ## Make the environment in .venv (once)

$(VENV)/ok: pyproject.toml requirements.lock
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed, {sys.executable} is {sys.version.split()[0]}: make setup PY=python3.12")'
	@echo "Making the environment in $(VENV) (one to five minutes, once)"
	@test -x $(BIN)/python || $(PY) -m venv $(VENV)
	@$(BIN)/python -m nbhelpers.course.install --resolution=$(RESOLUTION) \
		--torch-backend=$(TORCH_BACKEND)
	@touch $@

data: setup ## Fetch and verify MovieLens-100K
	@$(BIN)/python -m nbhelpers fetch ml-100k

run: data ## Execute the lessons and store their outputs (LABS=1: the labs, too)
	@$(BIN)/python -m nbhelpers run notebooks $(if $(LABS),--labs)
	@$(BIN)/python -m nbhelpers results --write README.md docs/*.md

check: setup ## Lint, format and types (seconds)
	@$(BIN)/ruff check nbhelpers tests notebooks conftest.py
	@$(BIN)/ruff format --check nbhelpers tests conftest.py
	@$(BIN)/ruff format --check --line-length 88 notebooks
	@$(BIN)/mypy

UNIT := tests nbhelpers --doctest-modules
NOTEBOOKS := notebooks --nbval-lax --nbval-current-env --nbval-cell-timeout=900 \
	--nbval-kernel-startup-timeout=300
PYTEST := CI=true $(BIN)/python -m pytest --numprocesses=$(JOBS) --dist=loadfile \
	$(if $(SLOW),,-m "not slow")
FRESH := $(CURDIR)/.pytest_cache/honest_table.csv

unit: data ## All unit tests and examples, without the notebooks (SLOW=1 for the slow ones, too)
	@$(PYTEST) $(UNIT)

test: data check ## Lint, types, unit tests and every notebook (SLOW=1, DEVICE=cuda for a GPU)
	@$(BIN)/python -m nbhelpers doctor
	@rm -f "$(FRESH)"
	@CF_RESULTS="$(FRESH)" $(PYTEST) $(UNIT) $(NOTEBOOKS)
	@$(BIN)/python -m nbhelpers results --compare "$(FRESH)" notebooks/honest_table.csv
	@$(BIN)/python -m nbhelpers cells notebooks

machines: data ## Run make test as on other processors, with 1 and 2 threads (hours; BUSY=1 adds load)
	@.ci/machines

lab: data ## Open your own copy of the course (work/) in JupyterLab, on this machine only
	@$(BIN)/python -m nbhelpers copy notebooks work
	@cd work && ../$(BIN)/jupyter lab --ip=127.0.0.1 $(if $(filter 0,$(shell id -u)),--allow-root) 00_start_here.ipynb

app: data ## Open the app on MovieLens, or on a folder of nbhelpers train (DIR=mine)
	@$(BIN)/python -m nbhelpers app $(DIR) --open

reset: setup ## Give one notebook of your copy afresh (NB=03 or NB=01_weight_decay), keep yours
	@test -n "$(NB)" || { echo "which one? make reset NB=03, or a name: NB=01_weight_decay"; exit 2; }
	@$(BIN)/python -m nbhelpers copy notebooks work --reset $(NB)

site: setup ## Write the course as web pages into site/
	@$(BIN)/python -m nbhelpers pages notebooks site

bench: data ## Compare speed with other libraries, as ratios measured in one run
	@$(BIN)/python -m tests.benchmarks

sync: setup ## Rebuild each .ipynb from its .md, keeping outputs of unchanged cells
	@$(BIN)/python -m nbhelpers sync notebooks

lock: setup ## Resolve the newest versions within the bounds into requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version=3.11 --generate-hashes \
		--exclude-newer="7 days" --extra=course --extra=app --extra=excel \
		--extra=dev --no-annotate --upgrade \
		--custom-compile-command="make lock" --output-file=requirements.lock pyproject.toml

format: setup ## Format code and notebooks
	@$(BIN)/ruff check --quiet --fix nbhelpers tests conftest.py
	@$(BIN)/ruff format --quiet nbhelpers tests conftest.py
	@$(BIN)/python -m nbhelpers format notebooks

clean: ## Remove the environment and every build product (never your data cache or work/)
	@rm -rf $(VENV) build site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@find . -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +
