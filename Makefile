# Everything here runs on a Debian 12 or newer machine with root, Python, git and make. Whatever else a target uses it
# installs first: packages of Debian by apt, Python tools into .venv.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

PYTHON ?= python3
export PYTHON

# Fast ones first.
STAGES := lint types unit sanity tarball simulate fuzz network molecule

# The distributions that `make molecule` runs on, side by side.
DISTROS ?= bookworm trixie

# The one that `make demo` shows.
DISTRO ?= bookworm

# Which ansible-core `make sanity` uses: that of requirements.txt if empty.
CORE ?=

# How many schedules `make simulate` runs, and from which seed on.
N ?= 10000
FIRST ?= 0

# Of `make bench`: how often each case is measured, which ones (all if empty), for how many seconds steady states are
# watched and hosts are overloaded, how many power cuts at least there are at the fastest setting, and the name of the
# files with the results.
RUNS ?= 1
CASES ?=
STEADY_TIME ?= 10
OVERLOAD_TIME ?= 10
POWER_CUTS ?= 4
NAME ?=

# For how many seconds `make fuzz` looks for input that breaks something.
FUZZ_TIME ?= 20

VENV := .venv/complete
STAGE := @tests/run/stage

##@ Look at it
.PHONY: help
help: ## list these targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nSettings: DISTRO=%s (demo), DISTROS="%s" (molecule), PYTHON=%s\n' '$(DISTRO)' '$(DISTROS)' '$(PYTHON)'

.PHONY: demo
demo: $(VENV) ## two servers, one address, a stream of mail, and a pulled plug: prints who held the address when
	@tests/run/lab $(DISTRO) python3 -m demo $(DISTRO)

.PHONY: demo-down
demo-down: ## take the demo's machines down
	@tests/run/lab-down

.PHONY: bench
bench: $(VENV) ## failover times and costs beside keepalived and ucarp in one run, 15 minutes: RUNS, CASES, STEADY_TIME, OVERLOAD_TIME, POWER_CUTS, NAME
	@tests/run/packages $(shell cat tests/run/packages.network)
	@.venv/bin/python benchmarks/run.py --runs $(RUNS) --seconds $(STEADY_TIME) --overload-seconds $(OVERLOAD_TIME) \
	  --power-cuts $(POWER_CUTS) --name '$(NAME)' $(CASES:%=--case %)

.PHONY: bench-playbooks
bench-playbooks: $(VENV) ## how long playbooks run beside evrardjp's keepalived role, of which KEEPALIVED_ROLE is a checkout
	@CARP_TEST_FLAVOUR=services LAB=bench tests/run/lab $(DISTRO) python3 benchmarks/playbooks.py --runs $(RUNS) \
	  $(KEEPALIVED_ROLE:%=--role %) --output .cache/playbooks.md
	@LAB=bench tests/run/lab-down >/dev/null

##@ Check it
.PHONY: test
test: $(VENV) ## all of the following, fast ones first
	@tests/run/all $(STAGES)

.PHONY: test-full
test-full: $(VENV) ## the same with every scenario of Molecule, those that take long included
	@CARP_TEST_QUIET_TIME=300 SCENARIOS=all tests/run/all $(STAGES)

.PHONY: lint
lint: $(VENV) ## ruff, yamllint, ansible-lint, the changelog
	$(STAGE) lint tests/run/lint

.PHONY: types
types: $(VENV) ## mypy, strict
	$(STAGE) types .venv/bin/mypy

.PHONY: simulate
simulate: $(VENV) ## the election in a virtual network under faults: N schedules, always the same, from seed FIRST on
	$(STAGE) simulate .venv/bin/python tests/simulation --schedules $(N) --first $(FIRST)

.PHONY: mutants
mutants: $(VENV) ## not part of make test, some minutes: that each mistake put into the election breaks a promise
	$(STAGE) mutants .venv/bin/python tests/simulation/mutants.py

.PHONY: year
year: $(VENV) ## a quiet pair for a simulated year
	$(STAGE) year .venv/bin/python tests/simulation --year

.PHONY: fuzz
fuzz: $(VENV) ## whatever reads bytes from outside, guided by coverage, for FUZZ_TIME seconds in total
	$(STAGE) fuzz .venv/bin/python tests/fuzz --seconds $(FUZZ_TIME)

.PHONY: docs
docs: ## write docs/configuration.md and the drawings in docs/diagrams from the daemon's own tables
	@$(PYTHON) docs/reference.py
	@$(PYTHON) docs/diagrams/draw.py

.PHONY: docs-site
docs-site: $(VENV) ## pages of all modules, filters and roles as HTML, in .cache/site
	@tests/run/docs site .cache/site

.PHONY: unit
unit: $(VENV) ## unit tests on every supported Python that is installed
	$(STAGE) unit tests/run/ansible-test units

.PHONY: sanity
sanity: $(VENV) ## ansible-test's checks of the collection, with CORE=2.17 or CORE=2.21 by another ansible-core's
	$(STAGE) sanity env CORE=$(CORE) tests/run/ansible-test sanity

.PHONY: tarball
tarball: $(VENV) ## build the collection, install and run it from there, import it as Galaxy does
	$(STAGE) tarball tests/run/tarball

.PHONY: network
network: $(VENV) ## the daemon against real peers in network namespaces
	$(STAGE) network tests/run/network

.PHONY: molecule
molecule: $(VENV) ## the roles and failovers on systemd containers, with a table of promises: SCENARIOS (or all), DISTROS
	$(STAGE) molecule tests/run/molecule $(DISTROS)

##@ Tidy up
.PHONY: clean
clean: demo-down ## remove what the tests made, .venv included (images stay: they take long to make)
	. tests/run/ansible-test-copy && rm -rf "$$cache"
	rm -rf .venv .ansible .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Not for the command line: the Python tools, made anew when the list of them changes.
$(VENV): requirements.txt requirements-dev.txt tests/run/venv
	$(STAGE) tools tests/run/venv
