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
# Several processes test at once: more threads than cores only wait for one another.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1
comma := ,

export PYTHONPATH := $(CURDIR)
export DASK

# What is given is checked before anything runs. The variables are those with a default above.
VARIABLES := $(shell sed -n 's/^\([A-Z]*\) ?=.*/\1/p' $(firstword $(MAKEFILE_LIST)))
given = $(filter-out MAKEFLAGS -*-%,$(foreach v,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(v)))),$(v))))
unknown := $(filter-out $(VARIABLES),$(given))
ifneq ($(unknown),)
$(error Unknown variable $(firstword $(unknown)); valid variables are $(VARIABLES))
endif
quoted = '$(subst ','\'',$(1))'
matches = $(shell printf '%s\n' $(call quoted,$(1)) | grep -Eqx $(call quoted,$(2)) && echo yes)
ifeq ($(filter $(PROFILES),$(PROFILE)),)
$(error Unknown PROFILE '$(PROFILE)'; valid profiles are $(PROFILES))
endif
ifneq ($(call matches,$(JOBS),[1-9][0-9]{0$(comma)2}),yes)
$(error JOBS is the number of notebooks at the same time, a whole number from 1 to 999, not '$(JOBS)')
endif
ifneq ($(call matches,$(MINUTES),[0-9]*[1-9][0-9]*|[0-9]+[.][0-9]*[1-9][0-9]*),yes)
$(error MINUTES is a number above 0, such as 60, not '$(MINUTES)')
endif
ifneq ($(call matches,$(FORCE),1?),yes)
$(error FORCE is 1 or left out, not '$(FORCE)')
endif
ifneq ($(call matches,$(SYMBOL),\^?[A-Za-z0-9][A-Za-z0-9.=-]{0$(comma)31}),yes)
$(error SYMBOL is Yahoo Finance's name of an index or a share, such as ^GSPC or AAPL, not '$(SYMBOL)')
endif
ifneq ($(CSV),)
ifneq ($(shell test -f $(call quoted,$(patsubst ~/%,$(HOME)/%,$(CSV))) && echo yes),yes)
$(error CSV is a file with the columns Date and Close, and there is no file '$(CSV)')
endif
endif
ifneq ($(REPAIR),)
ifneq ($(shell test -f $(call quoted,$(REPAIR)) && echo yes),yes)
$(error REPAIR is a damaged journal, such as data/studies/full/gan_described.journal, and there is no file '$(REPAIR)')
endif
endif
ifneq ($(and $(filter env,$(MAKECMDGOALS)),$(filter command,$(firstword $(origin PYTHON))),$(wildcard $(VENV))),)
$(error $(VENV) exists, and PYTHON chooses the interpreter of a new one: remove $(VENV) first, or leave PYTHON out)
endif

# So is a name that is no target, before any target runs.
TARGETS := $(shell sed -n 's/^\([a-z]*\):.*\#\# .*/\1/p' $(firstword $(MAKEFILE_LIST)))
strange := $(filter-out $(TARGETS) prices $(STAMP),$(MAKECMDGOALS))
ifneq ($(strange),)
$(error Unknown target '$(firstword $(strange))'; valid targets are $(TARGETS))
endif

.DEFAULT_GOAL := help
.PHONY: help env data prices reproduce smoke figures supplement test lint doctor endure bench lab clean lock

help:  ## this list
	@echo "make TARGET [PROFILE=smoke|default|full] [SYMBOL=^GSPC] [CSV=path] [FORCE=1] [JOBS=2] [DASK=tcp://host:8786]"; echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	  awk -F'|' '{ printf "  %-11s %s\n", $$1, $$2 }'

env: $(STAMP)  ## .venv from requirements.lock (exact versions, checked by hash); PYTHON=python3.12 names the interpreter

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
	@$(PY) -m helpers.prices --symbol '$(SYMBOL)' $(if $(CSV),--csv $(call quoted,$(CSV))) $(if $(FORCE),--force)

# What a reproduction reads: the prices already there, else a download, else (S&P 500 only) the packaged series.
prices: $(STAMP)
ifneq ($(CSV),)
	@$(PY) -m helpers.prices --symbol '$(SYMBOL)' --csv $(call quoted,$(CSV)) $(if $(FORCE),--force)
else
	@$(PY) -m helpers.reproduce --symbol '$(SYMBOL)' --fetch
endif

reproduce: prices  ## everything from nothing, every model trained again: notebooks, figures, tables (PROFILE, SYMBOL, CSV, JOBS)
	@$(PY) -m helpers.reproduce --profile $(PROFILE) --symbol '$(SYMBOL)' --jobs $(JOBS)
	@$(PY) -m helpers.readme

smoke: $(STAMP)  ## every notebook with tiny budgets into build/smoke: packaged series, no network, minutes
	@$(PY) -m helpers.reproduce --profile smoke --jobs $(JOBS)

# The committed records are those of profile full, so that is what it draws unless another profile is asked for.
figures: prices  ## redraw every figure and table from the records, those of profile full unless PROFILE is given; trains nothing
	@$(PY) -m helpers.reproduce --profile $(if $(filter file,$(origin PROFILE)),full,$(PROFILE)) --symbol '$(SYMBOL)' \
	  --draw-only --jobs $(JOBS)
	@$(PY) -m helpers.readme

supplement: $(STAMP)  ## the notebooks, figures and tables as one static site, notebooks/supplement/index.html; no network
	@$(PY) -m helpers.supplement

lint: $(STAMP)  ## ruff (notebooks included), format, links of all Markdown and notebooks, spelling
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check --quiet . || { echo "Not formatted; run: $(PY) -m ruff format ." >&2; exit 1; }
	@$(PY) -m helpers.links
	@$(PY) -m codespell_lib

# Beside lint the fast engine is compiled, if it is not yet: else every test process that needs it does so first.
test: $(STAMP)  ## lint, unit and property tests, the samplers' contract suite, the notebooks in profile smoke
	@$(PY) -c "from helpers.trial import warm_up; warm_up('fast')" >/dev/null 2>&1 & \
	  $(MAKE) --no-print-directory lint && wait
	@$(ONE_THREAD) $(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

doctor: $(STAMP)  ## look for damage in records, closes, figures, tables and notebooks; REPAIR=file keeps what is whole
	@$(PY) -m helpers.doctor $(if $(REPAIR),--repair $(call quoted,$(REPAIR)))

endure: $(STAMP)  ## kills, damage, malformed files, long studies: every promise counted, within MINUTES=60; stopped, it goes on
	@$(PY) -m helpers.endure --minutes $(MINUTES)
	@$(PY) -m helpers.readme

bench: $(STAMP)  ## the fast trainer beside plain Keras fit
	@$(PY) -m helpers.bench
	@$(PY) -m helpers.readme

lab: $(STAMP)  ## JupyterLab at notebook 00; the percent scripts open as notebooks, with this environment's kernel
	@JUPYTER_PREFER_ENV_PATH=1 JUPYTER_CONFIG_PATH="$(CURDIR)/notebooks/.jupyter:$$JUPYTER_CONFIG_PATH" \
	  $(PY) -m jupyterlab notebooks --LabApp.default_url=/lab/tree/00_explore.py

# Every lock is held until all is gone: that of this folder and those of the runs that write into folders under build/.
clean:  ## remove build/, caches, and the records of profile default, those set aside too
	@mkdir -p build && set -- rm -rf build data/studies/default data/studies/default.on-* .pytest_cache .ruff_cache \
	  .hypothesis && for lock in build/*/build/reproduce.lock build/reproduce.lock; do \
	    if [ -e "$$lock" ] || [ "$$lock" = build/reproduce.lock ]; then set -- flock --nonblock "$$lock" "$$@"; fi; \
	  done && "$$@" || { \
	  echo "A reproduction writes into this folder or one under build/: wait for it or end it, then clean." >&2; exit 1; }
	@find helpers tests notebooks -name __pycache__ -prune -exec rm -rf {} +

lock:  ## requirements.lock from requirements.in (needs uv)
	@command -v uv >/dev/null || { echo "uv is needed for this target alone: pip install uv" >&2; exit 1; }
	@set -e; { echo "# Made by \`make lock\` from requirements.in; do not edit."; \
	  uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    --quiet requirements.in; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock
	@echo "requirements.lock written; environment.yml must follow (tests/test_environment.py says where)."
