# Floorwatch. `make` prints what there is; everything lives in .venv and .run, `make clean` removes both.

PYTHON ?= python3
BROKER ?= embedded
SIMULATOR ?= yes
SPEED ?=
SEED ?=
MONITORS ?=
USERS ?=
TESTS ?= tests
JOBS ?= 2
COVERAGE ?=
FIGURES ?=
FAULTS ?=
OLDER ?=
DATABASE ?= sqlite
BROWSERS := chromium-headless-shell chromium chromium-browser google-chrome

# the version that wrote the lock files; it installs them in seconds where pip takes a minute
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
UV := VIRTUAL_ENV=$(VENV) $(BIN)/uv
SETUP := $(VENV)/.setup
DEV := $(VENV)/.setup-dev
TOOLS := .cache/tools
MINUTES ?= 10
TARGETS ?=
# where `make kafka` listens, for a run that names no other
OWN_KAFKA = $(and $(filter kafka,$(BROKER)),$(if $(KAFKA_BOOTSTRAP),,$(shell sed -n 's/^[0-9]* /KAFKA_BOOTSTRAP=/p' .run/kafka/pid 2>/dev/null)))
LOCK_FLAGS := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url

.DEFAULT_GOAL := help
.PHONY: help setup run test test-kafka test-postgres test-upgrade test-release bench soak check check-deploy format docs screens kafka kafka-stop kafka-reset lock fuzz audit sbom wheel vendor voices clean
.DELETE_ON_ERROR:

help:  ## list what `make` can do
	@echo "Floorwatch: make TARGET"
	@echo
	@grep -hE '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  %-14s %s\n' "$$name" "$$text"; done
	@echo
	@echo "  make run SPEED=4 SEED=7      another simulated day, four times as fast"
	@echo "  make run SIMULATOR=no        without the simulated floor"
	@echo "  make run MONITORS=2          a second, hot monitor on port 8610"
	@echo "  make run USERS=demo          with made-up people who sign in by links and may do different things"
	@echo "  make run BROKER=kafka        with the Kafka of make kafka, or with your own:"
	@echo "  make run BROKER=kafka KAFKA_BOOTSTRAP=kafka.example.org:9092"
	@echo "  make run MONITOR_PORT=9000   another port; also INGEST_PORT, ALERTS_PORT, RELAY_PORT, RELAY_MEDIA_PORT, BROKER_PORT"
	@echo "  make test TESTS=tests/unit   some of the tests; JOBS=4 runs four at a time instead of two"
	@echo "  make soak MINUTES=5 SEED=7   the same load and faults each time; also BROKER=kafka, DATABASE=postgres, FAULTS='kill_all cut_one'"
	@echo "  make test COVERAGE=yes       says which lines no test has run, and takes half as long again"

setup: $(SETUP)  ## install everything that running needs into .venv
	@echo "set up in $(VENV); next: make run"

run: $(SETUP)  ## start everything with a simulated floor; Ctrl-C stops it
	@$(OWN_KAFKA) $(BIN)/floorwatch run --broker $(BROKER) $(if $(filter no,$(SIMULATOR)),--no-simulator) \
		$(if $(SPEED),--speed $(SPEED)) $(if $(SEED),--seed $(SEED)) $(if $(MONITORS),--monitors $(MONITORS)) \
		$(if $(filter demo,$(USERS)),--demo-users)

test: $(DEV)  ## run every test that needs neither root nor Java
	@for name in $(BROWSERS); do command -v $$name >/dev/null 2>&1 && exit 0; done; \
		echo "no Chromium found: the browser tests are skipped (Debian, Ubuntu: apt-get install chromium-headless-shell fonts-noto-cjk)"
	$(BIN)/pytest -m "not kafka and not postgres and not shared_data and not release" -n $(JOBS) --dist loadfile --no-loadscope-reorder \
		$(if $(filter yes,$(COVERAGE)),--cov --cov-report=term:skip-covered --cov-report=xml) $(TESTS)

test-kafka: $(DEV)  ## run what is marked kafka on a real Apache Kafka; needs Java and Maven
	@$(BIN)/python -m tools.real_kafka --or-skip run -- $(BIN)/pytest -m kafka $(TESTS)

test-postgres: $(DEV)  ## run what is marked postgres on a real PostgreSQL; needs its programs
	@$(BIN)/python -m tools.real_postgres --or-skip run -- $(BIN)/pytest -m postgres -n $(JOBS) --dist loadfile $(TESTS)

test-upgrade: $(DEV)  ## restart monitors from another version (OLDER=v1.2.0, any revision) to this one under load, and back
	@test -n "$(OLDER)" || { echo "from which version? make test-upgrade OLDER=v1.2.0, or any other revision"; exit 1; }
	@rm -rf .cache/older && mkdir -p .cache/older && git archive "$(OLDER)" >.cache/older.tar && tar -xf .cache/older.tar -C .cache/older
	FAULT_OLDER=$(CURDIR)/.cache/older $(BIN)/pytest tests/fault/test_rolling.py
	FAULT_OLDER=$(CURDIR)/.cache/older FAULT_BACK=yes $(BIN)/pytest tests/fault/test_rolling.py

test-release: $(DEV)  ## build the wheel, install it into an empty environment and start it; needs an index of packages
	@$(BIN)/pytest -m release tests/release

bench: $(DEV)  ## measure what docs/performance.md says; FIGURES=P1,P9 measures some
	@$(BIN)/python -m tests.bench $(FIGURES) $(if $(filter file,$(origin BROKER)),,--broker $(BROKER))

soak: $(DEV)  ## break everything, one thing after another, for MINUTES (10) under load, and count exactly
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) --broker $(BROKER) --database $(DATABASE) $(if $(SEED),--seed $(SEED)) $(FAULTS)

check: $(DEV)  ## lint, format, types and import contracts; changes nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

check-deploy: $(SETUP)  ## hold deploy/ against schemas, systemd-analyze and promtool, as far as they are here
	@$(BIN)/python -m tools.deployment

format: $(DEV)  ## sort imports, fix what lint can fix, format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

kafka: $(SETUP)  ## start a real Apache Kafka on this machine, which keeps its records; needs Java and Maven
	@$(BIN)/python -m tools.real_kafka start

kafka-stop: $(SETUP)  ## stop it
	@$(BIN)/python -m tools.real_kafka stop

kafka-reset: $(SETUP)  ## stop it and delete its records
	@$(BIN)/python -m tools.real_kafka reset

docs: $(SETUP)  ## write what is generated anew: docs/events.md, docs/prometheus.md, a table in docs/trust.md, Grafana dashboards
	$(BIN)/python -m floorwatch.eventdocs
	$(BIN)/python -m floorwatch.anomalydocs
	$(BIN)/python -m tools.metrics
	$(BIN)/python -m tools.dashboards

screens: $(DEV)  ## take the pictures in docs/screens anew, of a simulated floor; needs Chromium and some ten minutes
	@$(BIN)/python -m tools.screens

lock: $(DEV)  ## choose the newest versions that fit pyproject.toml and write the lock files
	$(UV) pip compile pyproject.toml $(LOCK_FLAGS) --upgrade --output-file requirements.lock
	$(UV) pip compile pyproject.toml --group dev $(LOCK_FLAGS) --upgrade --constraint requirements.lock --output-file requirements-dev.lock
	$(UV) pip compile --group tools $(LOCK_FLAGS) --upgrade --output-file requirements-tools.lock

fuzz: $(DEV)  ## look for inputs that break a reader or an API, for MINUTES (10) each; TARGETS="codec ami" tries some
	@$(UV) pip install --quiet --only-binary :all: --group fuzz || true
	@$(BIN)/python -m tests.fuzz --minutes $(MINUTES) $(TARGETS); code=$$?; test $$code = 3 || exit $$code
	FUZZ_EXAMPLES=$$(( $(MINUTES) * 20 )) $(BIN)/pytest -q tests/contract/test_openapi_requests.py

audit: $(DEV) $(TOOLS)/.ready  ## ask whether flaws are known of what requirements.lock holds; needs its index, or skips
	@$(BIN)/python -m tools.audit; code=$$?; test $$code = 3 || exit $$code

sbom: $(DEV) $(TOOLS)/.ready  ## write the bill of materials of a release into dist
	@$(BIN)/python -m tools.sbom

wheel: $(DEV)  ## build the wheel of a release into dist
	@$(UV) build --quiet --wheel --out-dir dist && ls dist/*.whl

vendor: $(SETUP)  ## fetch the newest of what the pages carry, a font, from npm; needs npm, which running does not
	@$(BIN)/python -m tools.vendor

voices: $(SETUP)  ## make what is spoken on the simulated floor anew; needs flite, espeak-ng and sox, which running does not
	@$(BIN)/python -m tools.voices

clean:  ## remove .venv, .run and everything generated or fetched
	@test ! -e .run/kafka/pid || $(PYTHON) -m tools.real_kafka stop
	rm -rf $(VENV) .run .cache build dist .coverage coverage.xml .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	find services shared floorwatch tests -name __pycache__ -type d -prune -exec rm -rf {} +

# -- what the targets above stand on

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Floorwatch needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1 || true)."; \
		echo "Install one, then: make PYTHON=python3.12 $(or $(MAKECMDGOALS),setup)"; exit 1; }
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { echo "no venv module: on Debian and Ubuntu, apt-get install python3-venv"; exit 1; }
	@echo "installing uv $(UV_VERSION), which installs the rest"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(SETUP): requirements.lock pyproject.toml | $(BIN)/uv
	@echo "installing $$(grep -c '==' requirements.lock) packages from requirements.lock"
	@$(UV) pip sync --compile-bytecode --require-hashes requirements.lock
	@$(UV) pip install --quiet --no-deps --editable .
	@touch $@

$(TOOLS)/.ready: requirements-tools.lock | $(BIN)/uv
	@$(BIN)/uv venv --quiet --clear $(TOOLS)
	@VIRTUAL_ENV=$(TOOLS) $(BIN)/uv pip sync --quiet --require-hashes requirements-tools.lock
	@touch $@

$(DEV): $(SETUP) requirements-dev.lock
	@echo "installing what tests and checks need from requirements-dev.lock"
	@$(UV) pip sync --compile-bytecode --require-hashes requirements-dev.lock
	@$(UV) pip install --quiet --no-deps --editable .
	@touch $@
