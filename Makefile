# Everything runs in .venv, which `make venv` builds once and rebuilds when its inputs change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
KERNELS := build/kernels
SANITIZE := build/sanitize
CXX ?= c++
JOBS := $(shell $(PYTHON) -c 'import os; print(os.cpu_count())')

.PHONY: venv kernels sanitize demo test test-all check format bench pages tables docs pictures clean

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

bench: kernels
	$(BIN)/dysample bench

check: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What is written from docstrings and metadata, in docs/: committed, and compared by a test.
pages: venv
	$(BIN)/python docs/generate.py

# The tables of docs/surgery.md, docs/export.md and docs/export/ncnn_rknn.md, by running what they are about.
tables: venv
	PYTHONPATH=tests $(BIN)/python docs/tables.py

# The site, build/site/index.html; warnings are errors.
docs: venv
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo built build/site/index.html

pictures: venv
	$(BIN)/python docs/pictures.py

clean:
	rm -rf $(VENV) build dist runs src/dysample/backends/cpu/*.so
