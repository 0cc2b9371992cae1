# The project's doors: make serve, make test, make check, make bench. Each installs what it needs into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DATA   ?= data
SERVE  ?=
PYTEST ?=

.DEFAULT_GOAL := help
.PHONY: help install serve test check format bench lock clean

help:  ## show what each target does
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "skiagraph needs Python 3.11 or newer; found $$($(PYTHON) --version). Name another one: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Creating $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

# The lock files pin every package with its hashes; the stamp makes a second start quick.
$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing skiagraph and what it needs into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing the test tools into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

install: $(VENV)/.installed  ## install into .venv

serve: $(VENV)/.installed  ## serve on http://127.0.0.1:8080 with the sample studies (DATA=folder SERVE="options")
	@$(BIN)/skiagraph serve --data $(DATA) --samples samples $(SERVE)

test: $(VENV)/.installed-dev  ## run the tests (PYTEST="options")
	@$(BIN)/python -m pytest $(PYTEST)

check: $(VENV)/.installed-dev  ## format, lint, types, layers
	@$(BIN)/ruff format --check --quiet . || { echo "Run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.installed-dev  ## rewrite the files in the project's format
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

bench: $(VENV)/.installed-dev  ## measure side by side with Orthanc and nginx, where they are installed
	@$(BIN)/python -m benchmarks

lock: $(VENV)/.installed-dev  ## pin newer versions of the dependencies (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 --upgrade --group build pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 --upgrade --group build --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:  ## remove .venv and the tools' caches (never the data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .pytest_cache
