# Samkat. `make help` lists what there is; `make demo` and `make test` each set up all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  make \1\t/' | expand -t 24

$(READY): requirements.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (about a minute the first time) ..."
	@# The pip that comes with Python 3.11 stumbles over extras among hashed requirements.
	@$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade 'pip>=24.1'
	@# pip compiles one file after the other; all cores together take half as long. What cannot be compiled is left.
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-compile -r requirements.txt
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@# Where Python may not write beside the sources, each command would compile them anew.
	@$(BIN)/python -m compileall -q config deployments flows schemas tasks tests
	@touch $(READY)

install: $(READY)  ## create the environment in .venv

demo: $(READY)  ## one night of the sample consortium in a fresh home, and where to look
	@$(BIN)/samkat demo

test: $(READY)  ## unit and flow tests on SQLite and PostgreSQL
	@$(BIN)/python -m pytest -m "not integration and not bench" -n 3 --dist loadgroup -q

coverage: $(READY)  ## the same with a report of what they reach, which takes twice as long
	@$(BIN)/python -m pytest -m "not integration and not bench" -n 3 --dist loadgroup --cov --cov-report=term -q

integration: $(READY)  ## real servers and kills; needs Debian packages, see .ci/run
	@$(BIN)/python -m pytest -m integration -q

lint: $(READY)  ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY)  ## speed, memory and matching quality, as tables with ratios
	@$(BIN)/python -m tests.bench

lock: $(READY)  ## renew requirements.txt from pyproject.toml (hashes, no index addresses)
	@$(BIN)/python -m pip install -q uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-annotate --no-header pyproject.toml --extra dev -o requirements.txt

clean:  ## remove the environment and generated state
	@rm -rf $(VENV) .samkat .coverage htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

.PHONY: help install demo test coverage integration lint bench lock clean
