# On a fresh machine `make demo`, `make app` and `make test` are enough: each installs what it needs first.
SHELL := bash
.SHELLFLAGS := -o pipefail -ec

PYTHON ?= $(shell python3.11 -c '' 2>/dev/null && echo python3.11 || echo python3)
VENV ?= .venv

# Asked only when something is to be installed or run; a version given by hand means the CPU build.
ifneq ($(filter env demo app test test-fast lint docs reproduce-demo,$(MAKECMDGOALS)),)
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

PHOTOS_NAME = $(patsubst %.zip,%,$(notdir $(patsubst %/,%,$(PHOTOS))))
BACKBONE ?= resnet50

.PHONY: help env demo app test test-fast lint docs reproduce-demo clean

help:
	@echo 'make demo    install, then run the whole method on a small synthetic data set'
	@echo 'make app     install, then open a page that searches that data set; or your photos, with'
	@echo '             PHOTOS=folder MODEL=run and BACKBONE=, EXTRACT= that described what it was trained on'
	@echo 'make test    install, then run the tests'
	@echo 'make test-fast    those that take less than a minute together'
	@echo 'make lint    what ruff finds wrong in the sources'
	@echo 'make docs    this documentation as a site, site/index.html'
	@echo 'make env     install only'
	@echo 'make clean   remove the demo data, the runs on it and their indexes'
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

# What is there already is taken as it is.
ifdef PHOTOS
app: env
	@test -n '$(MODEL)' || { echo 'MODEL=runs/own/I-B: name the run whose model is to find your photos (docs/serve.md)'; exit 2; }
	test -d 'data/photos/$(PHOTOS_NAME)' || $(PY) tools/extract_regions.py --images '$(PHOTOS)' --backbone '$(BACKBONE)' $(EXTRACT) --out 'data/photos/$(PHOTOS_NAME)'
	test -d 'indexes/photos/$(PHOTOS_NAME)' || $(PY) tools/index.py build --checkpoint '$(MODEL)' --photos --data 'data/photos/$(PHOTOS_NAME)' --out 'indexes/photos/$(PHOTOS_NAME)'
	$(PY) tools/serve.py --index 'indexes/photos/$(PHOTOS_NAME)' --open
else
app: env
	test -e runs/demo/results.json || $(PY) tools/demo.py
	test -d indexes/demo || $(PY) tools/index.py build --checkpoint runs/demo/I-B --first runs/demo/I-B-F --out indexes/demo
	test -d indexes/demo-I || $(PY) tools/index.py build --checkpoint runs/demo/I --out indexes/demo-I
	test -d indexes/demo-F || $(PY) tools/index.py build --checkpoint runs/demo/I-B-F --out indexes/demo-F
	test -d indexes/demo-captions || $(PY) tools/index.py build --checkpoint runs/demo/I-B --items captions --split test --out indexes/demo-captions
	$(PY) tools/serve.py --index indexes/demo indexes/demo-I indexes/demo-F indexes/demo-captions --title 'Drawn scenes' --open
endif

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
	rm -rf runs/demo data/demo indexes/demo indexes/demo-I indexes/demo-F indexes/demo-captions

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
