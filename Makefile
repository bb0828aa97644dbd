# The commands of a developer. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
MOLECULE := PATH=$(CURDIR)/$(BIN):$$PATH MOLECULE_GLOB='molecule/*/molecule.yml' $(BIN)/molecule -c .config/molecule/config.yml
SCENARIOS := $(notdir $(patsubst %/,%,$(dir $(wildcard molecule/*/molecule.yml))))
# What takes half an hour each beside others: a target of its own, so that `test` stays below 90 minutes on two processors.
LONG := cluster upgrades
# What takes longest comes first, so that nothing is left alone in the end.
SLOWEST := backup adopt tls_acme basic wall nvidia_runtime clients bad_input
PYTHON_FILES := plugins tests molecule

# What needs no hosts and measures no time, the longest first; and meanwhile the lab is made, which mostly waits for packages.
FAST := sanity unit lab lint lua install-test

.PHONY: help deps check lint unit lua lab test component molecule day-two sanity install-test docs bench bench-peers faults demo demo-down clean

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*##  ?(.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

deps:  ## install the Debian packages that are missing (as root)
	@tests/deps.sh

.venv/installed: requirements.txt tests/requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -r tests/requirements.txt
	@touch $@

check: deps .venv/installed  ## lint, types and unit tests: minutes, no engine
	$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target unit lint lua

lint: deps .venv/installed
	$(BIN)/ruff check $(PYTHON_FILES)
	$(BIN)/ruff format --check $(PYTHON_FILES)
	$(BIN)/mypy $(PYTHON_FILES)
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint --offline --strict
	$(BIN)/antsibull-changelog lint
	shellcheck .ci/run tests/*.sh tests/lab/images/host/lab-init tests/lab/images/openresty/openresty \
		tests/lab/images/valkey/docker-entrypoint.sh \
		tests/lab/images/acme/make-certificates tests/lab/images/acme/pebbles \
		tests/lab/images/packages/make-nvidia-repository tests/lab/nvidia/nvidia-smi \
		roles/ollama_gateway/files/keep.sh roles/ollama_gateway/files/mirror.sh roles/ollama_gateway/files/acme_install.sh

unit: deps .venv/installed
	$(BIN)/pytest -q --numprocesses=$(shell nproc) --dist=worksteal tests/unit

lua: deps
	luacheck --quiet roles/ollama_gateway/files/lua roles/ollama_server/files/lua tests
	busted tests/lua

lab: deps .venv/installed  ## the images and the network that tests with hosts need (as root)
	$(BIN)/python -m tests.lab up

test: deps .venv/installed  ## every test but day-two and faults, on real hosts of the lab (as root)
	$(MAKE) --no-print-directory --jobs=3 --keep-going --output-sync=target $(FAST)
	$(MAKE) --no-print-directory component molecule

# In the order of their names: files of few tests are slow ones here, and would all come last.
component: deps .venv/installed  ## the rendered configuration in a real nginx, on loopback
	$(BIN)/python -m tests.lab up
	$(BIN)/pytest -q --numprocesses=$(shell nproc) --dist=loadfile --no-loadscope-reorder tests/component

sanity: deps .venv/installed  ## Galaxy's importer, and ansible-test sanity, also with the newest ansible-core here
	$(BIN)/python -m tests.sanity

install-test: deps .venv/installed  ## the built collection, installed into an empty folder
	$(BIN)/pytest -q tests/install

molecule: deps .venv/installed  ## the scenarios, each on fresh hosts, three at a time
day-two: deps .venv/installed  ## the scenarios of upgrades, and of several hosts
molecule: CHOSEN = $(SLOWEST) $(filter-out $(SLOWEST) $(LONG),$(SCENARIOS))
day-two: CHOSEN = $(LONG)
molecule day-two:
	$(BIN)/python -m tests.lab up
	rm -rf build/molecule
	$(MAKE) --no-print-directory --jobs=3 --keep-going --output-sync=target $(addprefix molecule-,$(CHOSEN)) || { tests/failed.sh; exit 1; }

molecule-%: .venv/installed
	@mkdir -p build/molecule
	set -o pipefail; $(MOLECULE) test --scenario-name $* --report --command-borders 2>&1 | tee build/molecule/$*.log \
		|| { mv build/molecule/$*.log build/molecule/$*.failed; exit 1; }

bench: deps .venv/installed  ## what the gateway costs, against an open proxy: build/bench.json
	$(BIN)/python -m tests.lab up
	$(BIN)/python -m tests.bench

# LiteLLM is no requirement: it has an environment of its own.
build/peers/installed: tests/bench/peers.txt
	rm -rf build/peers
	$(PYTHON) -m venv build/peers
	build/peers/bin/pip install --quiet -r tests/bench/peers.txt \
		|| { echo 'bench-peers: LiteLLM cannot be installed, so nothing is measured' >&2; exit 1; }
	@touch $@

bench-peers: deps .venv/installed build/peers/installed  ## requests/s of the gateway and of LiteLLM's proxy, side by side
	$(BIN)/python -m tests.lab up
	$(BIN)/python -m tests.bench.peers build/peers

faults: deps .venv/installed  ## runs that are killed in each task, full disks, a broken daemon.json: an hour
	$(BIN)/python -m tests.lab up
	for one in broken full killed; do $(BIN)/python -m tests.faults $$one || exit 1; done

docs: .venv/installed  ## write the pages that are made from data
	$(BIN)/python -m tests.routes_page

demo: deps .venv/installed  ## deploy to a fresh lab host and print curl lines to paste
	@$(BIN)/python -m tests.demo up

demo-down: deps .venv/installed  ## remove the demo's host and the lab
	@$(BIN)/python -m tests.demo down

clean:  ## remove what was built; the lab goes with `make demo-down`
	rm -rf build .venv
