# minigen: all that a newcomer has to know.
#
#   make demo    train a small VAE on MNIST and look at the digits it makes
#   make test    run the tests
#   make check   lint, formatting, types
#   make results train all models in full, for hours, and renew the README's table and docs/zoo.md
#   make docs    build the site into site/html: the course, executed, the other documents, the API
#   make demo-page  build site/html/browser, a page that runs two trained models in the browser (needs npm)
#   make bench   measure minigen beside PyTorch and JAX, where they are installed
#
# Each makes the environment, .venv, when it is missing. PYTHON=python3.12 picks another interpreter for it.

PYTHON ?= python3
BIN := .venv/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -qq

.DEFAULT_GOAL := help
.PHONY: help demo test check docs demo-page bench results slow-test wheel-check clean

help:
	@sed -n 's/^#   //p' Makefile

demo: .venv/.core
	$(BIN)/minigen train vae --epochs 8
	@echo "to play with it in a browser: $(BIN)/pip install -qe '.[view]' && $(BIN)/minigen view"

test: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: .venv/.docs
	$(BIN)/python -m sphinx -q -d site/doctrees docs site/html
	@echo "the site is there: site/html/index.html"

demo-page: .venv/.dev
	$(BIN)/python docs/browser/build.py

bench: .venv/.core
	$(BIN)/minigen bench

results: .venv/.core
	$(BIN)/python -m benchmarks.full_runs

slow-test: .venv/.dev
	$(BIN)/python -m pytest -m slow

# What a user gets from a package index: the built wheel alone, in an empty environment, outside the repository.
wheel-check: .venv/.dev
	PYTHON=$(BIN)/python sh tests/wheel_check.sh

clean:
	rm -rf .venv build dist site docs/api *.egg-info .pytest_cache .ruff_cache .hypothesis

# The stamps say which of the environments .venv already is; a change of pyproject.toml renews it.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "minigen needs Python 3.11 or newer, and $(PYTHON) is not; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "$(PYTHON) can not make an environment; on Debian and Ubuntu install python3-venv"; exit 1; }

.venv/.core: pyproject.toml | .venv/bin/python
	@echo "installing minigen into .venv (about a minute)"
	@$(PIP) --editable .
	@touch $@

.venv/.dev: pyproject.toml | .venv/.core
	@echo "installing the developers' tools into .venv"
	@$(PIP) --editable '.[dev]'
	@touch $@

.venv/.docs: pyproject.toml | .venv/.core
	@echo "installing what builds the site into .venv"
	@$(PIP) --editable '.[docs]'
	@touch $@
