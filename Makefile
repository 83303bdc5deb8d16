# Every target says what it does: `make` or `make help`.

PROFILE ?= default
SYMBOL ?= ^GSPC
CSV ?=
FORCE ?=
JOBS ?= 2
PYTHON ?=
REPAIR ?=
MINUTES ?= 60
DASK ?=

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
PROFILES := smoke default full

export PYTHONPATH := $(CURDIR)
export DASK

ifeq ($(filter $(PROFILE),$(PROFILES)),)
$(error Unknown PROFILE '$(PROFILE)'; valid profiles are $(PROFILES))
endif

.DEFAULT_GOAL := help
.PHONY: help env data prices reproduce smoke figures supplement test lint doctor endure bench lab clean lock

help:  ## this list
	@echo "make TARGET [PROFILE=smoke|default|full] [SYMBOL=^GSPC] [CSV=path] [FORCE=1] [JOBS=2] [DASK=tcp://host:8786]"; echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	  awk -F'|' '{ printf "  %-13s %s\n", $$1, $$2 }'

env: $(STAMP)  ## .venv from requirements.lock (exact versions, checked by hash); nothing to do when up to date

$(STAMP): requirements.lock
	@for p in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	  if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then found=$$p; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Python 3.11, 3.12 or 3.13 is needed and none was found; name one with: make env PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	echo "Installing the pinned packages into $(VENV) with $$($$found --version); a few minutes ..."; \
	$$found -m venv $(VENV) || { echo "The module venv is missing (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

data: $(STAMP)  ## daily closes of SYMBOL by yfinance into data/raw, or from a file: CSV=path; FORCE=1 replaces what is there
	@$(PY) -m helpers.prices --symbol '$(SYMBOL)' $(if $(CSV),--csv '$(CSV)') $(if $(FORCE),--force)

# What a reproduction reads: the prices already there, else a download, else (S&P 500 only) the packaged series.
prices: $(STAMP)
ifneq ($(CSV),)
	@$(PY) -m helpers.prices --symbol '$(SYMBOL)' --csv '$(CSV)' $(if $(FORCE),--force)
else
	@$(PY) -m helpers.reproduce --symbol '$(SYMBOL)' --fetch
endif

reproduce: prices  ## everything from nothing, every model trained again: notebooks, figures, tables (PROFILE, SYMBOL, CSV, JOBS)
	@$(PY) -m helpers.reproduce --profile $(PROFILE) --symbol '$(SYMBOL)' --jobs $(JOBS)

smoke: $(STAMP)  ## every notebook with tiny budgets into build/smoke: packaged series, no network, minutes
	@$(PY) -m helpers.reproduce --profile smoke --jobs $(JOBS)

figures: prices  ## redraw every figure and table from the committed records; trains nothing
	@$(PY) -m helpers.reproduce --profile full --draw-only --jobs $(JOBS)

supplement: $(STAMP)  ## the notebooks, figures and tables as one static site, notebooks/supplement/index.html; no network
	@$(PY) -m helpers.supplement

lint: $(STAMP)  ## ruff: lint and format
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check --quiet . || { echo "Not formatted; run: $(PY) -m ruff format ." >&2; exit 1; }

test: lint  ## lint, unit and property tests, the samplers' contract suite, the notebooks in profile smoke
	@$(PY) -m pytest

doctor: $(STAMP)  ## look for damage in records, closes, figures, tables and notebooks; REPAIR=journal keeps what is whole
	@$(PY) -m helpers.doctor $(if $(REPAIR),--repair '$(REPAIR)')

endure: $(STAMP)  ## kills, damage, malformed files and long studies, for MINUTES=60; writes figures/tables/endure.csv
	@$(PY) -m helpers.endure --minutes $(MINUTES)

bench: $(STAMP)  ## the fast trainer beside plain Keras fit
	@$(PY) -m helpers.bench

lab: $(STAMP)  ## JupyterLab; the notebooks are the percent scripts (right click: Open With, Notebook)
	@$(PY) -m jupyterlab notebooks

clean:  ## remove build/, caches, and the records of profile default
	@rm -rf build data/studies/default .pytest_cache .ruff_cache .hypothesis
	@find helpers tests notebooks -name __pycache__ -prune -exec rm -rf {} +

lock:  ## requirements.lock from requirements.in (needs uv)
	@command -v uv >/dev/null || { echo "uv is needed for this target alone: pip install uv" >&2; exit 1; }
	@set -e; { echo "# Made by \`make lock\` from requirements.in; do not edit."; \
	  uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    --quiet requirements.in; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock
	@echo "requirements.lock written; environment.yml must follow (tests/test_environment.py says where)."
