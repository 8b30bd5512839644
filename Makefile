# `make train` and `make test` do all set-up and run on a fresh machine; `make help` lists the rest.
PYTHON ?= python3
VENV   ?= .venv
OUT    ?= runs/$(shell date +%Y%m%d-%H%M%S)
BIN    := $(VENV)/bin
OUT    := $(OUT)

# One test process for each processor; a process that is done takes tests from the others.
PARALLEL := --numprocesses=auto --dist=worksteal
KERNEL_SOURCES := $(wildcard src/elman/kernels/native/*)
CATALOGUES := src/elman/locale/zh/LC_MESSAGES
NATIVE := pyproject.toml CMakeLists.txt $(KERNEL_SOURCES)

.PHONY: help setup train test test-pure lint format bench docs messages wheel man image sanitize sanitize-address sanitize-thread clean

help:            ## this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/:/'

setup: $(VENV)/.installed   ## make an environment in $(VENV) with the package and its development tools

$(VENV)/.installed: $(NATIVE)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Elman needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

train: setup     ## train on the embedded corpus for a minute, and print a sample
	$(BIN)/elman train --max-time 60 --out $(OUT)
	@echo && echo "A sample:"
	$(BIN)/elman generate $(OUT) "The" --max-tokens 60 --temperature 0.8 --seed 1

test: setup      ## run all tests, in parallel
	$(BIN)/python -m pytest $(PARALLEL)

test-pure: $(VENV)-pure/.installed   ## test the package as it installs without a C++ compiler (slow tests left out)
	ELMAN_TESTS_PURE=1 $(VENV)-pure/bin/python -m pytest $(PARALLEL) -m 'not slow'

# Built without the kernels on purpose, whether there is a compiler or not.
$(VENV)-pure/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-pure
	$(VENV)-pure/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' -C wheel.cmake=false
	@touch $@

lint: setup      ## run the linter, the formatters and the type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(KERNEL_SOURCES)
	$(BIN)/mypy

format: setup    ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(KERNEL_SOURCES)

bench: setup     ## compare with PyTorch and JAX (installs them): training, generation, evaluation, memory; half an hour
	$(BIN)/python -m pip install --quiet '.[benchmark]'
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/inference.py
	$(BIN)/python benchmarks/memory.py

docs: $(VENV)-docs/.installed   ## build the documentation as a site in build/site, without network
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --strict

$(VENV)-docs/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]' -C wheel.cmake=false
	@touch $@

messages: setup  ## compile the catalogues of translations
	for name in elman help figures notebook page; do \
	$(BIN)/python -c "import polib; polib.pofile('$(CATALOGUES)/$$name.po').save_as_mofile('$(CATALOGUES)/$$name.mo')" \
	|| exit 1; done

wheel:           ## build a wheel for $(PYTHON) in dist/
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist .

man: setup       ## write the manual pages into man/
	$(BIN)/python -m elman.cli.man_pages man

image:           ## build a container image, elman, with Docker
	docker build --tag elman .

sanitize: sanitize-address sanitize-thread   ## run the kernels' tests under AddressSanitizer and ThreadSanitizer

# Where the build fails, pip installs the package without the kernels, and their tests would be skipped: grep fails then.
$(VENV)-address/.installed $(VENV)-thread/.installed: $(VENV)-%/.installed: $(NATIVE)
	$(PYTHON) -m venv $(VENV)-$*
	CXX='$(CXX)' $(VENV)-$*/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' \
	  -C cmake.build-type=RelWithDebInfo -C cmake.define.ELMAN_SANITIZE=$*
	@grep -q '__[at]san_init' $(VENV)-$*/lib/python*/site-packages/elman/kernels/_native*.so
	@touch $@

# The runtime library must be loaded before Python. AddressSanitizer needs libstdc++ with it, or it cannot throw exceptions.
# Leaks are not checked: CPython keeps memory until it ends. Fresh memory is filled with NaN, as zeros would hide that it is
# read. For ThreadSanitizer: addresses are not randomised, which may take the addresses that it needs; a forked child may
# start threads; OpenBLAS, whose locks it does not see, starts none; the tests' emulator of matrix tiles
# works in a signal handler, where it has to allocate its thread's tiles. Without --capture=sys pytest would hide the report.
runtime = $(shell $(CXX) -print-file-name=$(1))
UNDER_address = env LD_PRELOAD='$(call runtime,libasan.so) $(call runtime,libstdc++.so)' PYTHONMALLOC=malloc \
  ASAN_OPTIONS=detect_leaks=0:max_malloc_fill_size=1073741824:malloc_fill_byte=255 UBSAN_OPTIONS=print_stacktrace=1
UNDER_thread = $(shell setarch -R true 2>/dev/null && echo setarch -R) env LD_PRELOAD='$(call runtime,libtsan.so)' \
  TSAN_OPTIONS=halt_on_error=1:die_after_fork=0:report_signal_unsafe=0
sanitize-address sanitize-thread: sanitize-%: $(VENV)-%/.installed
	OPENBLAS_NUM_THREADS=1 $(UNDER_$*) $(VENV)-$*/bin/python -m pytest --capture=sys \
	  tests/kernels/test_kernels.py tests/kernels/test_kernel_threads.py

clean:           ## remove what this file made, except runs/
	rm -rf build/site $(VENV) $(VENV)-docs $(VENV)-pure $(VENV)-address $(VENV)-thread .pytest_cache .mypy_cache .ruff_cache
