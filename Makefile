# Every target makes its own .venv first. `make PYTHON=python3.12 test` chooses the interpreter.
.DEFAULT_GOAL := help
.PHONY: help demo test lint docs clean

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
TORCH := torch==2.13.0
DEMO ?= demo

# CUDA packages weigh gigabytes: without an NVIDIA GPU take the CPU build where its index can be reached.
INSTALL_TORCH = if nvidia-smi >/dev/null 2>&1; then $(PIP) $(TORCH); \
	else $(PIP) --retries 0 --extra-index-url https://download.pytorch.org/whl/cpu $(TORCH); fi

help:
	@echo "make demo   simulated genome -> variants, embed, score -> one HTML report in $(DEMO)/"
	@echo "make test   all tests (those that need GENOLM_DATA or GENOLM_GOLDEN skip without them)"
	@echo "make lint   ruff, mypy --strict, import contracts, copied code"
	@echo "make docs   the documentation site in site/"
	@echo "make clean  remove .venv and everything that these targets made"

.venv/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: genolm needs Python 3.11 or newer; say which: make PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "making .venv with $(PYTHON)"; $(PYTHON) -m venv .venv; }
	@echo "installing torch ..."
	@$(INSTALL_TORCH)
	@echo "installing genolm and what its tests need ..."
	@$(PIP) -e '.[dev]'
	@touch $@

# The site reads docstrings without importing them: it needs neither torch nor genolm installed.
.venv/.installed-docs: pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: genolm needs Python 3.11 or newer; say which: make PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "making .venv with $(PYTHON)"; $(PYTHON) -m venv .venv; }
	@echo "installing what the documentation site needs ..."
	@$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['docs'], sep='\n')" > .venv/docs.txt
	@$(PIP) -r .venv/docs.txt
	@touch $@

demo: .venv/.installed
	@$(BIN)/genolm demo $(DEMO)

test: .venv/.installed
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

lint: .venv/.installed
	$(BIN)/ruff check src tests benchmarks studies
	$(BIN)/ruff format --check src tests benchmarks studies
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pylint --disable=all --enable=duplicate-code src/genolm

docs: .venv/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open site/index.html"

clean:
	rm -rf .venv $(DEMO) site build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
