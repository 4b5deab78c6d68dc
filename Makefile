# On a fresh machine `make demo` and `make test` are enough: each installs what it needs first.
SHELL := bash
.SHELLFLAGS := -o pipefail -ec

PYTHON ?= $(shell python3.11 -c '' 2>/dev/null && echo python3.11 || echo python3)
VENV ?= .venv

# Asked only when something is to be installed or run; a version given by hand means the CPU build.
ifneq ($(filter env demo test test-fast lint docs reproduce-demo,$(MAKECMDGOALS)),)
ifdef PADDLE
DEVICE ?= cpu
else
ifndef DEVICE
DEVICE := $(shell sh tools/choose_paddle.sh)
endif
PADDLE := $(if $(filter gpu,$(DEVICE)),2.6.2,3.3.1)
endif
endif

# Processes that test at once, each with one thread: more need more memory (1 GB each), fewer take longer.
WORKERS ?= 2

PY = $(VENV)/bin/python
TEST = $(PY) -m pytest -n $(WORKERS) --dist worksteal
CONSTRAINTS = constraints/paddle-$(PADDLE).txt
STAMP = $(VENV)/.installed-$(PADDLE)-$(DEVICE)
OTHER_PADDLE = $(if $(filter gpu,$(DEVICE)),paddlepaddle,paddlepaddle-gpu)

DEMO_NOTE = Written by `make reproduce-demo`: drawn scenes (docs/data.md), small models, one epoch a step, whole configs with `--show`. \
	F, B and what is trained like them start from the captions by linear algebra, inflated models and C from B, students from their teacher; \
	so an inflated model has had one epoch more than B, and C three in all. One epoch is too little for the hardest negative of VSE++, for the joint model and for a student of C, which stay near chance.

.PHONY: help env demo test test-fast lint docs reproduce-demo clean

help:
	@echo 'make demo    install, then run the whole method on a small synthetic data set'
	@echo 'make test    install, then run the tests'
	@echo 'make test-fast    those that take less than a minute together'
	@echo 'make lint    what ruff finds wrong in the sources'
	@echo 'make docs    this documentation as a site, site/index.html'
	@echo 'make env     install only'
	@echo 'make clean   remove the demo data and the runs on it'
	@echo
	@echo 'make reproduce-demo    every table and figure of the paper and its neighbours, on the demo data:'
	@echo '                       writes docs/results/demo.md; half an hour on two cores'
	@echo
	@echo 'PYTHON=...   the Python 3.11 to use (found by itself where it is on PATH)'
	@echo 'VENV=...     where to install (.venv)'
	@echo 'WORKERS=...  processes that test at once (2)'
	@echo 'PADDLE=...   3.3.1 or 2.6.2, CPU build (by itself: 2.6.2 for a GPU it covers, else 3.3.1 on CPU)'

env: $(STAMP)

demo: env
	$(PY) tools/demo.py

test: env
	$(TEST) $(TEST_OPTIONS)

test-fast: env
	$(TEST) -m 'not slow'

lint: env
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

docs: env
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet
	@echo 'site/index.html'

reproduce-demo: env
	$(PY) tools/pipeline.py -c configs/pipelines.yaml:all --data demo
	$(PY) tools/report.py --runs runs --data demo --out docs/results --format md --note '$(DEMO_NOTE)'

clean:
	for run in runs/demo/*; do target=$$(readlink -f $$run); rm -rf $$target $$target.yaml; done
	rm -rf runs/demo data/demo

# The stamp goes first and comes back last, so an interrupted install is repeated. As a variable
# the constraints also hold for the isolated environments in which pip builds source packages.
$(STAMP): setup.py $(CONSTRAINTS) $(wildcard inflate_shrink/kernel/csrc/*)
	@$(PYTHON) -c 'import sys; sys.version_info[:2] == (3, 11) or sys.exit("The pinned versions are for Python 3.11, this is %d.%d. Give PYTHON=/path/to/python3.11, or install without pins: pip install -e .[cpu,test]" % sys.version_info[:2])'
	@rm -f $(VENV)/.installed-*
	@echo 'Installing Paddle $(PADDLE) ($(DEVICE)) into $(VENV); this takes a few minutes.'
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip uninstall -qq -y $(OTHER_PADDLE)
	@PIP_CONSTRAINT=$(CONSTRAINTS) PIP_DISABLE_PIP_VERSION_CHECK=1 \
		$(PY) -m pip install --progress-bar off -e '.[$(DEVICE),test]' \
		| { grep --line-buffered -E '^(Collecting|Building|Installing)|Downloading .* MB' || true; }
	@touch $@
