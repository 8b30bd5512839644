# Two commands do everything on a fresh machine: `make train` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
OUT    ?= runs/$(shell date +%Y%m%d-%H%M%S)
BIN    := $(VENV)/bin
OUT    := $(OUT)

NATIVE := pyproject.toml CMakeLists.txt $(wildcard src/elman/kernels/native/*)

.PHONY: help setup train test lint format bench wheel sanitize sanitize-address sanitize-thread clean

help:            ## this list
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/:/'

setup: $(VENV)/.installed   ## an environment of its own, with the package and its development tools

$(VENV)/.installed: $(NATIVE)
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

bench: setup     ## against PyTorch and JAX (installs them): training, generation, evaluation, memory; half an hour
	$(BIN)/python -m pip install --quiet '.[benchmark]'
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/inference.py
	$(BIN)/python benchmarks/memory.py

wheel:           ## a wheel for $(PYTHON), in dist/
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist .

sanitize: sanitize-address sanitize-thread   ## the kernels' tests under AddressSanitizer and ThreadSanitizer

# A build that fails would be installed without the kernels, and their tests skipped: hence the last look.
$(VENV)-address/.installed $(VENV)-thread/.installed: $(VENV)-%/.installed: $(NATIVE)
	$(PYTHON) -m venv $(VENV)-$*
	CXX='$(CXX)' $(VENV)-$*/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' \
	  -C cmake.build-type=RelWithDebInfo -C cmake.define.ELMAN_SANITIZE=$*
	@grep -q '__[at]san_init' $(VENV)-$*/lib/python*/site-packages/elman/kernels/_native*.so
	@touch $@

# The runtime has to be there before Python is, and libstdc++ with AddressSanitizer's, which else finds nothing to throw
# exceptions with. Leaks are not looked for: CPython keeps memory to its end. Fresh memory is filled with NaN, as
# zeros would hide that it is read. For ThreadSanitizer: the place of memory is not left to chance, which may choose
# what it needs itself; a forked child may start threads; OpenBLAS, whose locks it does not see, starts none.
# Without --capture=sys pytest would swallow the report. There are no suppressions: nobody's races needed any.
runtime = $(shell $(CXX) -print-file-name=$(1))
UNDER_address = env LD_PRELOAD='$(call runtime,libasan.so) $(call runtime,libstdc++.so)' PYTHONMALLOC=malloc \
  ASAN_OPTIONS=detect_leaks=0:max_malloc_fill_size=1073741824:malloc_fill_byte=255 UBSAN_OPTIONS=print_stacktrace=1
UNDER_thread = $(shell setarch -R true 2>/dev/null && echo setarch -R) env LD_PRELOAD='$(call runtime,libtsan.so)' \
  TSAN_OPTIONS=halt_on_error=1:die_after_fork=0
sanitize-address sanitize-thread: sanitize-%: $(VENV)-%/.installed
	OPENBLAS_NUM_THREADS=1 $(UNDER_$*) $(VENV)-$*/bin/python -m pytest --capture=sys \
	  tests/kernels/test_kernels.py tests/kernels/test_kernel_threads.py

clean:           ## take away what this file made, but for runs/
	rm -rf $(VENV) $(VENV)-address $(VENV)-thread .pytest_cache .mypy_cache .ruff_cache
