# `make demo` and `make test` set up everything they need; `make help` lists the rest.
SHELL := /bin/bash
.DELETE_ON_ERROR:
UV := .tools/uv/bin/uv
UV_VERSION := 0.13.9
RUN := .venv/bin/python
export PYTHONUTF8 = 1

.PHONY: help
help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(UV):
	@command -v python3 >/dev/null || { echo "hourglass: python3 is missing. Install Python 3 (any version, to fetch uv), then run make again." >&2; exit 1; }
	python3 -m venv .tools/uv
	.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.ready: uv.lock pyproject.toml .python-version | $(UV)
	$(UV) sync --locked --compile-bytecode
	@touch $@

node_modules/.ready: package.json package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "hourglass: Node.js is missing (node and npm, version 20 or newer): the local storage and the card renderer need it." >&2; exit 1; }
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: setup
setup: .venv/.ready node_modules/.ready ## install what the other commands need (they do it themselves)

.PHONY: format
format: .venv/.ready ## rewrite the code as the formatter wants it
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

.PHONY: lint
lint: .venv/.ready ## format, lint, types, import contracts
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

.PHONY: check
check: lint ## the fast checks: lint, and every test that needs no socket; under a minute
	.venv/bin/pytest -q -n 2 -m "not real and not browser and not simulation"

.PHONY: test
test: setup requirements-fresh chromium lint ## everything, with the real parts over sockets
	.venv/bin/pytest -q -n 2 -m "not real and not browser" --cov --cov-report=
	@$(RUN) -m tests.simulation --seeds $(FRESH_SEEDS) --start $$(date +%s) --jobs 2
	.venv/bin/pytest -q -m "real or browser" --cov --cov-append --cov-report=term-missing:skip-covered --cov-fail-under=$(COVERAGE)
	@echo "The rules, every branch:"
	.venv/bin/coverage report --include='access/*.py' --omit='access/adapters/*,access/ports.py' --skip-covered --fail-under=100

# Histories that nobody has seen yet; the first seed is the second in which they begin, and is printed with each that breaks.
FRESH_SEEDS := 500

# A floor on rules, use cases and adapters together. The triggers run in hosts of their own, and don't count here.
COVERAGE := 90

.PHONY: demo
demo: setup compiled ## play the main job on a tenant of its own; KEEP=1 leaves it running
	@$(RUN) -m local.demo $(if $(KEEP),--keep,)

.PHONY: up
up: setup compiled ## the local tenant stays up, for playing; Ctrl-C stops it
	@$(RUN) -m local.tenant up

# This machine may forbid writing .pyc files at import; without them every start pays twice.
.PHONY: compiled
compiled: .venv/.ready
	@$(RUN) -m compileall -q access activation_handler approval_queue expiry_timer notifier hourglass local function_app.py

requirements.txt: uv.lock pyproject.toml | $(UV)
	$(UV) export --quiet --locked --no-default-groups --no-emit-project --no-header -o $@

.PHONY: requirements-fresh
requirements-fresh: | $(UV)
	@$(UV) export --quiet --locked --no-default-groups --no-emit-project --no-header | diff -q - requirements.txt >/dev/null \
	  || { echo "hourglass: requirements.txt is not what uv.lock says; run 'make requirements.txt'." >&2; exit 1; }

# Debian and Ubuntu: installed where it is missing and we may; elsewhere the message says what to do.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } \
	  || { echo "hourglass: Chromium is missing; the browser tests need it. On Debian: apt-get install chromium" >&2; exit 1; }

.PHONY: bench
bench: setup compiled ## the figures of this machine, each beside its floor; PUBLISH=1 puts them into the docs
	@$(RUN) -m bench $(if $(PUBLISH),--publish,)

.PHONY: simulate
simulate: .venv/.ready ## the use cases against chance: SEEDS=1000 JOBS=2 (a failing seed replays with python -m tests.simulation --seed N)
	@$(RUN) -m tests.simulation --seeds $(or $(SEEDS),300) --start $(or $(START),$(shell date +%s)) --jobs $(or $(JOBS),1)

.PHONY: chaos
chaos: setup compiled ## kill the parts of a real tenant while people ask for access: SEED=1 ROUNDS=20 PEOPLE=100
	@$(RUN) -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(PEOPLE),--people $(PEOPLE)) $(if $(KEEP),--keep $(KEEP))

.PHONY: pictures
pictures: setup compiled chromium ## take the README's pictures from a running demo
	@$(RUN) -m tools.take_pictures
