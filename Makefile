# The commands of the project. `make` alone lists them. Each does its own set-up.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONPATH := $(CURDIR)
# Compiled modules are kept, whatever the environment says: each of the hundred processes that the tests start
# would else compile ours anew, half a second long.
unexport PYTHONDONTWRITEBYTECODE
# Three workers by default: tests wait as well, so two cores have room for one more.
# `make test PYTEST_FLAGS="-x tests/billing"` runs some in one.
PYTEST_FLAGS ?= -n 3

.DEFAULT_GOAL := help
.PHONY: help run test lint types protos access lock bench admin replay chaos check clean

help: ## List the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: protos ## Start the whole suite on this machine; Ctrl-C stops it
	@python -m deploy.local

# The "+" shows what the tests say at once, where make would hold it back until they end (`check`).
test: protos ## Run the tests, on embedded servers
	+@python -m pytest $(PYTEST_FLAGS)

lint: protos ## Check style, imports and contracts
	ruff check .
	ruff format --check .
	lint-imports --no-cache
	buf lint wrtn/descriptors.binpb --config buf.yaml
	python -m protos.breaking

types: protos ## Check the types
	mypy

protos: .venv/.ready ## Generate wrtn/ from protos/, if a proto changed
	@python -m protos.build

access: protos ## Write docs/access.md, the table of who may call what, from the contracts
	@python -m protos.access

bench: protos ## Measure speed, as ratios to bare floors
	@python -m tests.bench

admin: protos ## Run identity's command line against the suite on this machine: ARGS=
	@python -m deploy.local exec identity -m services.identity.admin $(ARGS)

replay: protos ## Play recorded conversations into a running suite: CONVERSATIONS=, TRACE=, REPEAT=
	@python -m tests.replay $(if $(CONVERSATIONS),--conversations "$(CONVERSATIONS)") $(if $(TRACE),--trace "$(TRACE)") $(if $(REPEAT),--repeat "$(REPEAT)")

chaos: protos ## Kill every process again and again under load, then reconcile; drain a thousand streams: minutes
	@python -m tests.chaos
	@WRTN_DRAINED_STREAMS=1000 python -m pytest -q tests/sessions/test_sessions_drain.py

# Side by side: the checks of style and types keep the cores busy that the tests leave. What each of them says is
# shown in one piece where make can do that; whoever fails, all are run, and make fails.
check: protos ## What CI runs: all checks and the tests
	@$(MAKE) --no-print-directory --jobs=3 --keep-going $(if $(filter output-sync,$(.FEATURES)),--output-sync) lint types test

lock: .venv/.ready ## Resolve the dependencies anew into the lock files (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --upgrade pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -c requirements.lock --extra dev pyproject.toml -o requirements-dev.lock

clean: ## Remove what was generated; .local, the state of `make run`, stays
	rm -rf wrtn buf .venv .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

.venv/.ready: requirements-dev.lock
	@echo "preparing .venv (once, a minute or so)"
	@$(PYTHON) -m venv .venv
	@python -m pip install --quiet --disable-pip-version-check --no-compile --only-binary :all: --require-hashes -r requirements-dev.lock
	@python -m compileall -qq -j 0 .venv/lib || true # on all cores; some packages hold files for other Pythons
	@touch $@
