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
