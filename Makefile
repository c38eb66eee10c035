# make demo         install, generate videos, train, evaluate and predict
# make test         formatting, lint, types, architecture and the fast tests
# make faults       fault-injection tests, with the long repetitions
# make test-newest  a selection of tests on the newest installed Python, without constraints
# make docs         build the documentation site into site/, with warnings as errors
# make dist         build the wheel and the source archive into dist/
# make clean        remove the virtual environments (runs/ and data/ stay)
#
# To use another Python with the newest versions of all packages, in a separate environment:
# make test PYTHON=python3.13 CONSTRAINTS= VENV=.venv-all-newest

PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
EXTRAS ?= dev
VENV ?= .venv
# Tests wait for subprocesses a third of the time, so use one worker more than two cores.
WORKERS ?= 3
# Tests start hundreds of processes; without .pyc files each would compile all of vidjax again.
unexport PYTHONDONTWRITEBYTECODE
DIST ?= dist
BIN := $(VENV)/bin
# The installation writes it last, so that an interrupted one is repeated.
INSTALLED := $(VENV)/.installed

# What a newer JAX is most likely to break: traced programs, the shapes and costs of networks,
# training steps, resuming a killed run, both exports, and a Class Feature Pyramid.
SHORT := \
	tests/test_jaxpr.py tests/test_program.py \
	'tests/test_models.py::test_clips_of_the_card_give_logits[r3d_18]' \
	'tests/test_models.py::test_clips_of_the_card_give_logits[slowfast_50]' \
	'tests/test_models.py::test_clips_of_the_card_give_logits[x3d_s]' \
	'tests/test_models.py::test_clips_of_the_card_give_logits[mtnet_s]' \
	'tests/test_models.py::test_the_card_states_the_networks_cost[r3d_18]' \
	'tests/test_models.py::test_the_card_states_the_networks_cost[slowfast_50]' \
	'tests/test_models.py::test_the_card_states_the_networks_cost[x3d_m]' \
	'tests/test_models.py::test_the_card_states_the_networks_cost[i3d]' \
	'tests/test_models.py::test_the_card_states_the_networks_cost[tam_50]' \
	'tests/test_models.py::test_every_parameter_has_a_gradient[r3d_18]' \
	'tests/test_models.py::test_every_parameter_has_a_gradient[slowfast_50]' \
	'tests/test_models.py::test_every_parameter_has_a_gradient[x3d_s]' \
	'tests/test_models.py::test_every_parameter_has_a_gradient[mtnet_s]' \
	'tests/test_models.py::test_every_parameter_has_a_gradient[i3d]' \
	tests/models/test_srtg.py::test_only_cells_of_open_gates_are_trained \
	'tests/training/test_resume.py::test_a_killed_run_ends_in_the_same_arrays_and_lines[8]' \
	tests/experiments/test_export.py::test_a_program_without_vidjax_computes_the_networks_logits \
	tests/explain/test_class_feature_pyramids.py::test_the_tree_equals_the_lists

.PHONY: demo test test-all test-short test-newest faults check docs dist install clean

demo: $(INSTALLED)
	$(BIN)/vidjax demo

test: check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope

test-all: check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope -m ""

test-short: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope $(SHORT)

test-newest:
	@python=$$(.ci/newest-python); if [ -n "$$python" ]; then \
	  $(MAKE) test-short PYTHON="$$python" CONSTRAINTS= EXTRAS=test VENV=.venv-newest; \
	else echo "No Python 3.12 or 3.13 found: the newest versions are not tested."; fi

faults: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope tests/faults tests/storage -m ""

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED)
	$(BIN)/python .ci/reference.py docs/reference
	@told=$$($(BIN)/python -m zensical build --clean --strict 2>&1); ended=$$?; echo "$$told"; \
	if echo "$$told" | grep -q "^griffe:\|^mkdocstrings:"; then exit 1; fi; exit $$ended

dist: $(INSTALLED)
	$(BIN)/python -m hatchling build -d $(DIST)

install: $(INSTALLED)

$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -c 'import sys; sys.exit("vidjax needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(addprefix -c ,$(CONSTRAINTS)) -e '.[$(EXTRAS)]'
	touch $@

clean:
	rm -rf .venv .venv-newest .venv-all-newest
