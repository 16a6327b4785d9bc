# Everything runs in .venv, which `make venv` builds once and rebuilds when its inputs change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
KERNELS := build/kernels
SANITIZE := build/sanitize
FOREIGN := build/foreign-hosts
CXX ?= c++
FLOOR := build/floor
JOBS := $(shell $(PYTHON) -c 'import os; print(os.cpu_count())')

.PHONY: venv kernels sanitize attack demo test test-all test-floor check format bench gpu pages tables foreign-hosts docs pictures clean

venv: $(STAMP)

# torch and torchvision first, pinned and together, as each release of one fits one of the other: a
# resolver that meets them already there leaves them alone.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch torchvision -c constraints.txt
	$(BIN)/python -m pip install --quiet -e '.[dev]' -c constraints.txt
	touch $(STAMP)

# Into the checkout, beside the Python code that calls them. Without a compiler everything works in
# plain torch; a failure to compile is an error.
kernels: venv
	@if command -v $(CXX) >/dev/null; then \
	  $(BIN)/cmake -S . -B $(KERNELS) -DCMAKE_CXX_COMPILER=$(CXX) -DCMAKE_INSTALL_PREFIX=src --log-level=WARNING && \
	  $(BIN)/cmake --build $(KERNELS) --parallel $(JOBS) && \
	  $(BIN)/cmake --install $(KERNELS) >/dev/null; \
	else echo "no C++ compiler ($(CXX)): the CPU kernels are left out"; fi

demo: kernels
	$(BIN)/dysample compare --output runs/demo

# A process a core, of one thread each; a file's tests in one of them, as they share what they make.
test: kernels
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile -m "not slow"

test-all: kernels
	DYSAMPLE_HYPOTHESIS=long $(BIN)/python -m pytest

# The operators' tests on the oldest Python and torch that the package states, in an environment of
# their own, into which the package is installed as users install it. The warning is of that torch about
# itself, when it compiles.
FLOOR_PYTHON ?= python3.10
FLOOR_TORCH := $(shell sed -n 's/^dependencies = \["torch>=\(.*\)"\]/\1/p' pyproject.toml)
FLOOR_TESTS := tests/ops tests/nn tests/backends tests/surgery/test_exchange.py \
  tests/surgery/test_replace.py tests/surgery/test_reroute.py tests/surgery/test_sites.py \
  $(addprefix tests/test_,affinity.py affinity_refusals.py explanation.py fitting.py functional.py \
  functional_refusals.py geometry.py golden.py import.py metadata.py registry.py saved.py)

test-floor:
	test -x $(FLOOR)/bin/python || $(FLOOR_PYTHON) -m venv $(FLOOR)
	$(FLOOR)/bin/python -m pip install --quiet torch==$(FLOOR_TORCH) hypothesis numpy pytest pytest-xdist
	$(FLOOR)/bin/python -m pip install --quiet --force-reinstall --no-deps .
	cd $(FLOOR) && bin/python -m dysample info
	OMP_NUM_THREADS=1 $(FLOOR)/bin/python -m pytest -n auto --maxprocesses 8 --dist loadfile -m "not slow" \
	  -W "ignore:<class 'torch.autograd.function.Function'> should not be instantiated:DeprecationWarning" \
	  $(FLOOR_TESTS)

# The fuzz tests on kernels that report accesses out of bounds and undefined behaviour, for every
# instruction set of this machine.
sanitize: venv
	rm -rf $(SANITIZE)/src
	mkdir -p $(SANITIZE)
	cp -r src $(SANITIZE)/src
	$(BIN)/cmake -S . -B $(SANITIZE)/kernels -DCMAKE_CXX_COMPILER=$(CXX) -DDYSAMPLE_SANITIZE=ON \
	  -DCMAKE_INSTALL_PREFIX=$(CURDIR)/$(SANITIZE)/src --log-level=WARNING
	$(BIN)/cmake --build $(SANITIZE)/kernels --parallel $(JOBS)
	$(BIN)/cmake --install $(SANITIZE)/kernels >/dev/null
	$(BIN)/python tests/sanitize.py $(SANITIZE)/src $(CXX)

# Bad input, signals, full disks and foreign requests, for twenty minutes on one core at most;
# DYSAMPLE_ATTACK_MINUTES=120 for longer, with targets that grow. What fails prints how to repeat it.
ARGS ?=
attack: kernels
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m attack $(ARGS)

bench: kernels
	$(BIN)/dysample bench

# Whether Triton's kernels are right on this machine's GPU, and how fast, in eight minutes; started
# again, it goes on. Without a GPU it says that it measures nothing.
ROWS ?= runs/gpu.jsonl
gpu: venv
	PYTHONPATH=tests $(BIN)/python -m gpu $(ROWS)

check: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/clang-format --dry-run --Werror csrc/*.cpp csrc/*.h

format: venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i csrc/*.cpp csrc/*.h

# What is written from docstrings and metadata, in docs/: committed, and compared by a test.
pages: venv
	$(BIN)/python docs/generate.py

# The tables of docs/surgery.md, docs/export.md and docs/export/ncnn_rknn.md, by running what they are about.
tables: venv
	PYTHONPATH=tests $(BIN)/python docs/tables.py

# Surgery on models of libraries that the tests do not install, and the tables of it, in an
# environment of their own: ultralytics is AGPL-3.0. Not a part of any test; it takes an hour.
foreign-hosts:
	test -x $(FOREIGN)/bin/python || $(PYTHON) -m venv $(FOREIGN)
	$(FOREIGN)/bin/python -m pip install --quiet torch torchvision -c constraints.txt
	$(FOREIGN)/bin/python -m pip install --quiet -r tests/foreign/requirements.txt -c constraints.txt
	for runs in hosts yolo; do \
	  PYTHONPATH=src YOLO_CONFIG_DIR=$(CURDIR)/$(FOREIGN) $(FOREIGN)/bin/python tests/foreign/$$runs.py || exit 1; \
	done

# The site, build/site/index.html; warnings are errors.
docs: venv
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo built build/site/index.html

pictures: venv
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/screenshot.py

clean:
	rm -rf $(VENV) build dist runs src/dysample/backends/cpu/*.so
