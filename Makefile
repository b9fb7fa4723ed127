# `make help` lists the targets. Each makes the virtual environment it needs.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)
.PHONY: help doctor repro test test-fast profile sweep compare plots mlflow lint docs lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/installed: requirements.txt tools/environment.pth
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@cp tools/environment.pth "$$("$(BIN)/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	@# experiments of DVC are commits and need an author, also where git has none
	@git config user.email >/dev/null || { git config user.name "$${USER:-pipeline}" && git config user.email pipeline@localhost; }
	touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	touch $@

repro: .venv/installed ## run everything that params.yaml asks for and is not done yet, then write reports/ (JOBS=1: one stage at a time)
	@python -m pipeline.repro $(if $(JOBS),--jobs $(JOBS))
	@python -m pipeline.tracking sync || true
	@python -m pipeline.tracking provenance

test: .venv/installed-dev ## run all tests
	@python -m pytest

test-fast: .venv/installed-dev ## run the tests that take no more than a moment; they reach every module
	@python -m pytest -m "not slow"

profile: .venv/installed ## write a profile into params.yaml: NAME=paper (the reports' settings), overnight or default; your own runs stay
	@python -m pipeline.config.profile $(NAME)

sweep: .venv/installed ## run an experiment per value and compare them: S="gan.penalty=none,r1,gp,lp" SEEDS=0,1,2 JOBS=2
	@python -m pipeline.sweep $(S) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(JOBS),--jobs $(JOBS))

compare: .venv/installed ## is this one better? rank experiments or runs: REVS="r1 main~3" RUNS=main,jsd_3 METRIC=final.precision
	@python -m pipeline.compare $(REVS) $(if $(RUNS),--runs $(RUNS)) $(if $(METRIC),--metric "$(METRIC)")

plots: .venv/installed ## learning curves as one page, dvc_plots/index.html, that needs no network: REVS="r1 main" beside each other
	@dvc plots $(if $(REVS),diff $(REVS),show)

mlflow: .venv/installed ## browse the recorded runs at http://127.0.0.1:5000
	mlflow ui --backend-store-uri sqlite:///mlflow.db

doctor: .venv/installed ## is all in order? environment, git, disk, device, params.yaml, data, DVC's cache, MLflow
	@python -m pipeline.doctor

lint: .venv/installed-dev ## formatting, style and types
	@ruff format --check . && ruff check . && mypy

docs: .venv/installed-dev ## build the documentation as a site into site/; `.venv/bin/mkdocs serve` shows it while you write
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict

lock: ## compile requirements.in and requirements-dev.in to the pinned .txt beside them (needs uv)
	uv pip compile --universal --python-version 3.11 --no-header requirements.in -o requirements.txt
	uv pip compile --universal --python-version 3.11 --no-header requirements-dev.in -o requirements-dev.txt
