# Cloud Monitor: set-up, tests and benchmarks. `make help` lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
PROFILE ?=
# Those given on the command line reach the programs: make run PORT=5001 STATE_DIR=/srv/cloud-monitor
export PROFILE FLEET MACHINES STATE_DIR PORT CARBON_PORT CARBON_QUERY_PORT GRAPHITE_PORT MAIL_PORT

BIN := .venv/bin
PLAIN := alerts collector webapp worker
MORE := azure azure-machines chemistry dev ec2 openstack pages parquet telemetry
COMPILE := pip-compile -q --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-options --no-header

.PHONY: help run demo test test-fast test-clouds test-upstream containers test-containers test-routes soak bench setup store check clean requirements vendor docs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

run: ## start the whole chain here: Carbon, Graphite, collector, web page
	@$(MAKE) -j3 setup
	@exec $(BIN)/python -m tools.run

demo: ## the same with two grids in trouble, a fleet at work and alerts to a mailbox here
	@$(MAKE) -j3 setup
	@exec $(BIN)/python -m tools.demo

test: ## install what the tests need, then lint, check types and test against real services
	@tools/install-apt
	@$(MAKE) node_modules/ready
	@$(MAKE) -j3 setup
	@tools/install-condor
	@$(MAKE) check

test-fast: .venv/ready ## the tests that need no service and no root, in about a minute
	SHORT=1 $(BIN)/pytest --forks 10 -m fast -o tmp_path_retention_policy=failed

check: ## the checks alone, without any installation
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

test-clouds: .venv/ready ## the machine manager over a real OpenStack Nova, in an environment of its own (410 MB)
	$(BIN)/pytest -m nova --timeout 0

containers: ## build the images of collector with page, and worker, by buildah
	@tools/build-containers

test-containers: .venv/ready ## run them by podman
	$(BIN)/pytest -m containers --timeout 0

test-routes: ## follow the documented ways of installing on bare Debians (mmdebstrap, by root; an hour)
	@tests/routes/run

test-upstream: .venv/ready ## recognise by upstream's own engine (TensorFlow, 2 GB, installed once) and compare
	$(BIN)/pytest -m soak --timeout 0 tests/worker/decimer/test_upstream.py

soak: ## the long fault runs, and the fast tests with examples of their own
	$(BIN)/pytest -m soak --timeout 0
	SEARCH=1 $(BIN)/pytest --forks 8 -m fast

bench: $(patsubst bench/%.py,bench-%,$(shell grep -l '__main__' bench/*.py)) ## every benchmark; make bench-NAME for one

bench-%: bench/%.py
	@$(BIN)/python -m bench.$*

clean: ## remove STATE_DIR (what was measured); the configuration stays
	@tools/clean

requirements: ## pin anew what pyproject.toml and embedded/requirements.in ask for
	$(BIN)/$(COMPILE) --generate-hashes --allow-unsafe $(addprefix --extra ,$(PLAIN)) -o requirements.txt pyproject.toml
	$(BIN)/$(COMPILE) --generate-hashes --allow-unsafe $(addprefix --extra ,$(MORE)) -c requirements.txt \
	  -o requirements-dev.txt pyproject.toml
	@grep -hEo '^[a-z0-9][^ ]*==[^ ]+( ; [^\\]*[^ \\])?' requirements.txt requirements-dev.txt | LC_ALL=C sort -u > constraints.txt
	@cp requirements-upstream.txt requirements-upstream.new
	$(BIN)/$(COMPILE) --generate-hashes --allow-unsafe --extra upstream --extra worker -o requirements-upstream.new pyproject.toml
	@head -2 requirements-upstream.txt | cat - requirements-upstream.new > requirements-upstream.whole
	@mv requirements-upstream.whole requirements-upstream.txt && rm requirements-upstream.new
	cd embedded && ../$(BIN)/$(COMPILE) --generate-hashes --allow-unsafe -o requirements.txt requirements.in

docs: ## write the tables in docs/ anew, from the code
	@for tables in tools/*_tables.py; do $(BIN)/python -m tools.$$(basename $$tables .py); done

# Set-up: each step leaves a file behind and is skipped while that is newer than what it was made from. Bytecode is
# left to the first start: compiling all of it would take as long as unpacking.

setup: $(if $(filter edge,$(PROFILE)),.venv/ready-edge,.venv/ready) store

store:
	@tools/require python
	@tools/install-store > /dev/null

.venv/ready: requirements.txt requirements-dev.txt pyproject.toml
	@tools/require python
	@echo "installing requirements.txt and requirements-dev.txt into .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install -qq --no-input --no-compile -r requirements.txt -r requirements-dev.txt
	@$(BIN)/pip install -qq --no-input --no-deps -e .
	@touch $@

# A small machine gets what the collector and the page need, unless everything is there.
.venv/ready-edge: constraints.txt pyproject.toml
	@tools/require python
	@if [ ! .venv/ready -nt constraints.txt ]; then \
	  echo "installing the collector's and the page's packages into .venv"; \
	  $(PYTHON) -m venv .venv; \
	  $(BIN)/pip install -qq --no-input --no-compile -c constraints.txt -e '.[collector,webapp]' honcho; fi
	@touch $@

node_modules/ready: package-lock.json
	@tools/require node
	@echo "installing the tests' npm packages into node_modules"
	@npm ci --silent
	@touch $@

vendor: node_modules/ready ## copy the built files of the pinned uPlot and openchemlib into webapp/static/vendor
	@cp node_modules/uplot/{LICENSE,dist/uPlot.iife.min.js,dist/uPlot.min.css} webapp/static/vendor
	@cp node_modules/openchemlib/dist/openchemlib.js webapp/static/vendor
	@cp node_modules/openchemlib/LICENSE webapp/static/vendor/openchemlib.LICENSE
