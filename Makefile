# Everything runs in .venv, which `make venv` builds once and rebuilds when its inputs change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete

.PHONY: venv demo test test-all check format bench docs pictures clean

venv: $(STAMP)

# torch and its partner first and pinned: a resolver that meets them there leaves them alone.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch torchvision -c constraints.txt
	$(BIN)/python -m pip install --quiet -e '.[dev]' -c constraints.txt
	touch $(STAMP)

demo: venv
	$(BIN)/dysample compare --output runs/demo

test: venv
	$(BIN)/python -m pytest -m "not slow"

test-all: venv
	DYSAMPLE_HYPOTHESIS=long $(BIN)/python -m pytest

bench: venv
	$(BIN)/dysample bench

check: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: venv
	$(BIN)/python docs/generate.py

pictures: venv
	$(BIN)/python docs/pictures.py

clean:
	rm -rf $(VENV) build dist runs
