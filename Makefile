# Two commands do everything on a fresh machine: `make train` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
OUT    ?= runs/$(shell date +%Y%m%d-%H%M%S)
BIN    := $(VENV)/bin
OUT    := $(OUT)

.PHONY: help setup train test lint format bench clean

help:            ## this list
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/:/'

setup: $(VENV)/.installed   ## an environment of its own, with the package and its development tools

$(VENV)/.installed: pyproject.toml CMakeLists.txt $(wildcard src/elman/kernels/native/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Elman needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

train: setup     ## train on the embedded corpus for about a minute, and show a sample
	$(BIN)/elman train --max-time 60 --out $(OUT)
	@echo && echo "A sample:"
	$(BIN)/elman generate $(OUT) "The" --max-tokens 60 --temperature 0.8 --seed 1

test: setup      ## all tests
	$(BIN)/python -m pytest

lint: setup      ## linter, formatter and type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup    ## put the code into its standard form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup     ## the training step against PyTorch (installs it into the environment)
	$(BIN)/python -m pip install --quiet '.[benchmark]'
	$(BIN)/python benchmarks/training_step.py

clean:           ## take away what this file made, but for runs/
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
