# make demo   generate videos, train, evaluate and predict, from nothing
# make test   formatting, lint, types, architecture and the fast tests
# make clean  remove the virtual environment (runs/ and data/ stay)

PYTHON ?= python3
BIN := .venv/bin
# Written last by the installation, so that an interrupted one is taken up again.
INSTALLED := .venv/.installed

.PHONY: demo test test-all check install clean

demo: $(INSTALLED)
	$(BIN)/python -m experiments.demo

test: check
	$(BIN)/python -m pytest -n 2 --dist loadscope

test-all: check
	$(BIN)/python -m pytest -n 2 --dist loadscope -m ""

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("vidjax needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv
