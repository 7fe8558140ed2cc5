# What a newcomer runs. Needs Python 3.11 or newer and nothing else: everything goes into .venv and .build.

# The first that is new enough: the python3 of macOS is not.
PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; done; echo $$each)
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
PACKAGES := adapters bus orderbus router schemas state

.DEFAULT_GOAL := help
.PHONY: help demo test lint format broken faults bench bench-long schemas secrets clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST) | awk -F': ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

demo: $(VENV)/installed ## orders flow from a simulated shop to a simulated ECC; ARGS="--orders 200 --broker amqp://..."
	@$(BIN)/orderbus demo $(ARGS)

test: $(VENV)/installed-dev ## the tests, on a real RabbitMQ and PostgreSQL; ARGS="-k retry"
	@scripts/provision tests
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

lint: $(VENV)/installed-dev ## ruff, mypy --strict and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev ## formats the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

broken: $(VENV)/installed-dev ## breaks the code on purpose, one break at a time, and names the test that caught each
	@scripts/provision tests
	@$(BIN)/python -m tests.broken $(ARGS)

faults: $(VENV)/installed-dev ## the fault suite; SEED=n repeats a run; ARGS="--orders 2000 --faults 100 --markdown FILE"
	@scripts/provision tests
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED)) $(ARGS)
	@$(BIN)/pytest -m faults tests/faults/test_checker.py
	@$(BIN)/pytest -m "faults or not faults" tests/faults/test_crash_matrix.py

bench: $(VENV)/installed-bench ## compares with other clients and with C, ten minutes at most; JSON=FILE
	@scripts/provision bench
	@$(BIN)/python -m benchmarks $(if $(JSON),--json $(JSON)) $(ARGS)

bench-long: $(VENV)/installed-bench ## backlog, first load and scale
	@scripts/provision bench
	@$(BIN)/python -m benchmarks --long $(if $(JSON),--json $(JSON)) $(ARGS)

schemas: $(VENV)/installed ## writes what is generated: JSON Schema of every message, docs/messages.md, docs/configuration.md
	@$(BIN)/orderbus schemas write
	@$(BIN)/orderbus asyncapi --markdown > docs/messages.md
	@$(BIN)/orderbus config example --markdown > docs/configuration.md

secrets: $(VENV)/installed ## makes passwords for compose/, and the broker's users from the table of services
	@$(BIN)/python compose/make_secrets.py

clean: ## removes what make made
	rm -rf $(VENV) .build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. A stamp is newer than pyproject.toml while what it stands for is installed, so that nothing is asked of
# the network twice. Which Python made the environment is not asked again either: `make clean` starts over.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "orderbus needs Python 3.11 or newer and found none: install one (apt-get install python3 python3-venv," \
			"brew install python), or name it: make PYTHON=/path/to/python3.12 ..." >&2; \
		exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); \
		echo "Python cannot make a virtual environment: on Debian and Ubuntu, apt-get install python3-venv." >&2; \
		exit 1; }

$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV)" >&2
	@$(BIN)/python scripts/install
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/installed
	@echo "Setting up $(VENV) with what the tests and linters need" >&2
	@$(BIN)/python scripts/install dev
	@touch $@

$(VENV)/installed-bench: pyproject.toml | $(VENV)/installed-dev
	@echo "Setting up $(VENV) with what the benchmarks compare with" >&2
	@$(BIN)/python scripts/install dev bench
	@touch $@
