# make demo       an MP4 of a signer, generated: out/demo.mp4
# make test       everything that is quick: style, types, tests
# make test-slow  the tests that take longer
# make fuzz       mutated files for every reader: N=1000000 of them, or as many as MINUTES=30 allow
#
# Each makes its own virtual environment, .venv, the first time: with what rendering needs for the demo, with all that
# tests need for the others. Another Python: make demo PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
N ?= 100000
MINUTES ?= 600
SEED ?= 0
BIN := $(VENV)/bin

.PHONY: demo test test-slow fuzz
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	$(BIN)/signgen demo -o out/demo.mp4

test: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -m "not slow"

test-slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -q -m slow

fuzz: $(VENV)/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --inputs $(N) --minutes $(MINUTES) --seed $(SEED)

$(VENV)/installed: pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --disable-pip-version-check -e .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/installed

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	{ echo 'signgen needs Python 3.10 or newer; name one: make PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
