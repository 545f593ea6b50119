# What a person types. `make` alone says what there is; every target makes the environment itself.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# What `make bench` compares with; tests/bench/cluster.py knows the place.
BENCH := build/bench-env
# The first of these that runs and is 3.11 to 3.13 makes the environment; `make install PYTHON=/path/to/python` chooses.
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python)
CODE := streams schemas deploy tests hatch_build.py
# Arguments for pytest, e.g. `make test ARGS="tests/unit -k vin"`.
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# --- the environment

define SUITABLE
import sys
try:
    import ensurepip, venv
except ImportError:
    sys.exit("has no venv module (Debian: apt-get install python3-venv)")
sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "is %d.%d" % sys.version_info[:2])
endef
export SUITABLE

define INSTALLED_FOR
import sys
sys.exit((3, 11) > sys.version_info[:2] or sys.version_info[:2] > (3, 13) or sys.prefix == sys.base_prefix)
endef
export INSTALLED_FOR

.PHONY: install
install: $(VENV)/.installed ## Make .venv with the lotrisk command in it, from the lock, hashes checked

$(VENV)/.locked: requirements-dev.lock
	@if ! { [ -x $(PY) ] && $(PY) -c "$$INSTALLED_FOR" 2>/dev/null; }; then \
	  said=; found=; \
	  for python in $(PYTHONS); do \
	    if why=$$("$$python" -c "$$SUITABLE" 2>&1); then found=$$python; break; fi; \
	    said="$$said\n  $$python: $$(printf '%s' "$$why" | tail -n 1)"; \
	  done; \
	  if [ -z "$$found" ]; then \
	    printf "make install: no Python 3.11, 3.12 or 3.13 with venv was found.$$said\n" >&2; \
	    printf 'Install one, or say where it is: make install PYTHON=/path/to/python3.13\n' >&2; \
	    exit 1; \
	  fi; \
	  echo "Making $(VENV) with $$($$found --version)"; \
	  "$$found" -m venv --clear $(VENV) || exit 1; \
	fi
	@echo "Installing requirements-dev.lock (about a minute the first time)"
	@$(PY) -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml hatch_build.py streams/_compiled.c
	@$(PY) -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
	@echo "Ready: $(BIN)/lotrisk --help"

# --- tests

# Most of the time goes into waiting for Kafka: three processes, a file to each, and each with a broker of its own. The
# tests on Kafka take longest, so they begin and the quick ones fill in at the end.
PARALLEL ?= -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: test
test: install ## Every test that needs only Python, against real Kafka; under 10 minutes on 2 cores
	$(PY) -m pytest $(PARALLEL) $(or $(ARGS),tests/wire tests/unit tests/contract)

.PHONY: test-deploy
test-deploy: install ## What needs Debian packages or a container engine; names what to install where it is missing
	$(PY) -m pytest -m "not live" $(or $(ARGS),tests/deploy)

.PHONY: test-live
test-live: install ## Every alert and dashboard against real failures, about 5 minutes
	$(PY) -m pytest -m live $(or $(ARGS),tests/deploy)

.PHONY: soak
soak: install ## Kills, chaos, backlogs for an hour or so; docs/failure-modes/README.md says how to make it shorter
	$(PY) -m pytest -m soak -rP $(or $(ARGS),tests/soak)

.PHONY: bench
bench: install $(BENCH)/.installed ## Throughput and latency against peers; ONLY=name runs a part
	$(PY) -m tests.bench $(if $(ONLY),--only $(ONLY)) $(ARGS)

$(BENCH)/.installed: requirements-bench.lock | install
	@echo "Installing requirements-bench.lock (the rivals, about a minute the first time)"
	@$(PY) -m venv --clear $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --require-hashes -r requirements-bench.lock
	@$(BENCH)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: demo
demo: install ## 20,000 vehicles and 10,000 parts through real Kafka, and October 2025 played on them; ARGS=--keep leaves it up
	@$(BIN)/lotrisk demo $(ARGS)

# --- checks

.PHONY: check check-style check-types check-layers check-dependencies check-contracts check-data check-frame
check: check-style check-types check-layers check-dependencies check-contracts check-data check-frame ## Style, types, layers, dependencies, contracts, data and its mutants, locks, docs
	@echo "make check: all good"

check-style: install
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

check-types: install
	$(BIN)/mypy --strict

check-layers: install
	$(BIN)/lint-imports

check-dependencies: install
	$(BIN)/deptry streams schemas

check-contracts: install
	$(BIN)/lotrisk schemas check

check-data: install
	$(PY) -m pytest tests/unit/policy/test_data.py tests/unit/reference/test_revision.py

check-frame: install
	$(PY) -m pytest tests/contract/frame

.PHONY: format
format: install ## Format the code and fix what can be fixed by itself
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

# --- generated files

.PHONY: docs
docs: install ## Write the generated pages of docs/, the alert rules and the dashboards again
	$(PY) -m tests.contract.frame.generated
	$(PY) -m deploy.prometheus.generate
	$(PY) -m deploy.grafana.generate
	$(PY) -m deploy.kubernetes.generate

.PHONY: pictures
pictures: install $(BENCH)/.installed ## Draw the dashboards from what the last `make test-live` saw, into docs/images
	PYTHONPATH=. $(BENCH)/bin/python -m deploy.grafana.pictures

.PHONY: revision
revision: install ## Raise the revision of the reference data where data or ratings changed, and record it
	$(PY) -m tests.unit.reference.revision

LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"

.PHONY: lock
lock: install ## Write the lock files from pyproject.toml, keeping what is pinned; ARGS=--upgrade moves it
	$(LOCK) $(ARGS) --output-file requirements.lock
	$(LOCK) $(ARGS) --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	$(LOCK) $(ARGS) --extra bench --output-file requirements-bench.lock
	$(patsubst pyproject.toml,deploy/image/build.in,$(LOCK)) $(ARGS) --output-file deploy/image/build.lock
	@$(MAKE) --no-print-directory install

.PHONY: clean
clean: ## Remove the environment, caches and everything built
	rm -rf $(VENV) build dist state .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
