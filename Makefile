# The two commands: `make demo` and `make test`. Each makes .venv and installs exactly what constraints.txt pins.
PYTHON ?= $(or $(shell command -v python3.11 || command -v python3.12 || command -v python3),python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q install -c constraints.txt
# Of the Pythons in pyproject.toml. Run before anything is downloaded: torch alone is 500 MB.
CHECK := import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 13) or sys.exit("relabel-assets needs Python \
3.11 or 3.12. This one is %d.%d: %s. Nothing was installed. Name another one: make PYTHON=/path/to/python3.12 \
VENV=.venv312" % (*v, sys.executable))

.PHONY: demo test test-fast lint ui clean

demo: $(VENV)/.installed
	@$(BIN)/relabel run --next-steps

# Three workers on two cores: with two, a third of the time both waited for servers, processes and disks.
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# The unit tests alone, in half a minute.
test-fast: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

ui: $(VENV)/.installed
	@$(BIN)/relabel ui

$(VENV)/bin/python:
	@$(PYTHON) -c '$(CHECK)'
	$(PYTHON) -m venv $(VENV)

# torch first and pinned: an unpinned one brings several gigabytes of CUDA packages.
$(VENV)/.installed: $(VENV)/bin/python constraints.txt pyproject.toml
	@$(BIN)/python -c '$(CHECK)'
	@echo "Installing into $(VENV), a minute or two ..."
	$(PIP) torch==2.13.0
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .relabel build *.egg-info
