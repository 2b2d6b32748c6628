# Everything a newcomer needs: `make demo`, `make test`, `make ui`. Each sets up what it needs first.

PYTHON ?= python3
BIN := .venv/bin
# One more than the cores of a small machine: tests wait for disks and programs.
WORKERS ?= 3
PORT ?= 3000
MESSAGES ?= 52000

.DEFAULT_GOAL := help
.PHONY: help demo ui test test-faults test-attacks lint picture format release lock system-packages clean

help: ## Show what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

demo: .venv/.runtime ## Load a sandbox account (of MESSAGES), build the analytics, write the finance report
	@$(BIN)/sms-etl demo --messages $(MESSAGES)

ui: .venv/.runtime ## Open Dagster on 127.0.0.1, with the real account if SMS_ETL_LOX24_TOKEN is set
	@$(BIN)/sms-etl ui --port $(PORT)

# What runs whole programs, or one thing in hundreds of ways; the rest of the tests is done in ten minutes. First what
# takes longest: nothing is to wait for it at the end, nor behind it (`--maxschedchunk`).
LONG := rehearsal e2e faults switches attacks
# They wait for programs, ports and time-outs: more of them than cores may run at once.
LONG_WORKERS ?= 4

test: .venv/.dev system-packages readers focus-validator audit-tool lint ## Check style and types, and run all tests but the long ones
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(LONG:%=--ignore=sms_etl_tests/%)

# SHARE=4 runs a quarter of the cases of the long suites, another one for each TURN, and the slow path in small.
SHARE ?= 1
TURN ?=

.PHONY: test-long coverage
test-long: .venv/.dev system-packages ## Run whole programs, and the faults, the switches and the attacks in full
	SMS_ETL_TEST_FAULTS=full SMS_ETL_TEST_SWITCHES=full SMS_ETL_TEST_ATTACKS=full \
	SMS_ETL_TEST_SLOW_PATH=$(if $(filter 1,$(SHARE)),full) SMS_ETL_TEST_COURSES=full SMS_ETL_TEST_READERS=full \
	SMS_ETL_TEST_SHARE=$(SHARE) SMS_ETL_TEST_TURN=$(TURN) \
		$(BIN)/pytest -n $(LONG_WORKERS) --maxschedchunk 2 $(LONG:%=sms_etl_tests/%) sms_etl_tests/sql/test_slow_path.py \
		sms_etl_tests/retention/test_any_course.py sms_etl_tests/readers/test_busy_readers.py

coverage: .venv/.dev system-packages readers focus-validator audit-tool ## Measure which lines the tests reach, the long ones in their short form
	$(BIN)/pytest -n $(WORKERS) --cov --cov-report=term

.PHONY: rehearsal
rehearsal: .venv/.dev system-packages ## Run a week under Dagster's daemon in minutes: an outage, a kill, a full disk, a month closed
	$(BIN)/pytest sms_etl_tests/rehearsal

.PHONY: bench bench-small
bench: .venv/.runtime ## Measure syncs beside rivals, and builds, into docs/performance.md (15 minutes, an idle machine)
	@$(BIN)/python -m benchmarks --page docs/performance.md

bench-small: .venv/.runtime ## The same in a minute, to see that it works; writes no page
	@$(BIN)/python -m benchmarks --small

test-faults: .venv/.dev ## Run the fault suite in full, and write its counts into docs/reliability.md
	SMS_ETL_TEST_FAULTS=full SMS_ETL_TEST_FAULTS_TABLE=$(CURDIR)/docs/reliability.md \
		$(BIN)/pytest -n $(WORKERS) sms_etl_tests/faults

test-attacks: .venv/.dev ## Attack it in full: poisoned rows and pages, and a scan for personal strings
	SMS_ETL_TEST_ATTACKS=full $(BIN)/pytest -n $(WORKERS) sms_etl_tests/attacks

# Each 1.x that a BI tool may bring, in an environment of its own, to read the published copy with.
READERS := 1.2 1.3 1.4 1.5
.PHONY: readers
readers: $(READERS:%=.readers/%/.ready) .readers/cli/.ready ## Install the older DuckDBs that tests read the published copy with

# Where Python is newer than a release's wheels, that one is left out, and its test is skipped.
.readers/%/.ready: sms_etl_tests/readers/duckdb-%.lock .venv/.uv
	@$(BIN)/uv venv --quiet --clear --no-project --python $(BIN)/python $(@D)
	@$(BIN)/uv pip install --quiet --only-binary :all: --require-hashes --python $(@D)/bin/python -r $< || \
		{ rm -rf $(@D); $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 14))'; mkdir -p $(@D); }
	@touch $@

# The official validator of FOCUS 1.0, in an environment of its own: it needs an older numpy, pandas and setuptools.
.PHONY: focus-validator
focus-validator: .focus-validator/.ready ## Install the validator that a test checks FOCUS files with

# Two of its packages are no wheels, and are built with what the lock names. It has no numpy for Python 3.13.
.focus-validator/.ready: sms_etl_tests/finance/focus/focus-validator.lock .venv/.uv
	@$(BIN)/uv venv --quiet --clear --no-project --python $(BIN)/python $(@D)
	@$(BIN)/uv pip install --quiet --only-binary :all: --no-binary focus-validator --no-binary pandasql \
		--build-constraints $< --require-hashes --python $(@D)/bin/python -r $< || \
		{ rm -rf $(@D); $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 13))'; mkdir -p $(@D); }
	@touch $@

# pip-audit, in an environment of its own: it brings twenty packages that nothing else needs. What only tests bring,
# older DuckDBs and the validator, is not asked about: it reads made-up data and nothing else.
.PHONY: audit audit-tool
audit: audit-tool ## Ask whether a vulnerability is known of a locked version; says so if nobody can be asked
	@.audit/bin/python -m sms_etl_tests.audit requirements.lock requirements-dev.lock requirements-uv.lock \
		sms_etl_tests/audit/pip-audit.lock

audit-tool: .audit/.ready

.audit/.ready: sms_etl_tests/audit/pip-audit.lock .venv/.uv
	@$(BIN)/uv venv --quiet --clear --no-project --python $(BIN)/python $(@D)
	@$(BIN)/uv pip install --quiet --only-binary :all: --require-hashes --python $(@D)/bin/python -r $<
	@touch $@

.PHONY: mutants
mutants: .venv/.dev ## Change the code in one place at a time: do tests notice? MODULE=sms_etl/sync/settle.py for one
	$(BIN)/python -m sms_etl_tests.mutants --changes $(CHANGES) $(MODULE)

.PHONY: mutants-models
mutants-models: .venv/.dev ## The same with the SQL of the models. MODEL=marts.cost_daily for one
	$(BIN)/python -m sms_etl_tests.mutants.models --changes $(CHANGES) $(MODEL)

.PHONY: mutants-sample
mutants-sample: .venv/.dev ## Both for ninety seconds: code changed since the commit SINCE or the last one, any model
	$(BIN)/python -m sms_etl_tests.mutants --seconds 90 --share 75 --since $(SINCE)
	$(BIN)/python -m sms_etl_tests.mutants.models --seconds 90 --share 50

CHANGES ?= 60

lint: .venv/.dev ## Check style, types, SQL, and which room imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_like_sql sms_etl/campaigns/sql sms_etl/finance/sql sms_etl/overview/sql \
		sms_etl/retention/sql
	$(BIN)/python -m sms_etl.models.portable sms_etl/campaigns/sql sms_etl/finance/sql sms_etl/overview/sql

picture: .venv/.dev ## Draw the rooms of docs/architecture.md anew
	$(BIN)/python -m sms_etl_tests.room_picture

format: .venv/.dev ## Format the Python code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

system-packages: ## Install what the tests need of the system (a browser), where that can be done
	@bash .ci/system-packages

release: .venv/.dev ## Build the wheel and tag the version that CHANGELOG.md dates; pushes nothing
	@PYTHON=$(BIN)/python bash .ci/release

lock: .venv/.uv ## Resolve the dependencies anew; name packages in UPGRADE="--upgrade-package NAME"
	$(BIN)/uv pip compile $(LOCK_FLAGS) $(UPGRADE) pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile $(LOCK_FLAGS) $(UPGRADE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	for each in $(READERS); do echo "duckdb~=$$each.0" | \
		$(BIN)/uv pip compile $(LOCK_FLAGS) $(UPGRADE) - -o sms_etl_tests/readers/duckdb-$$each.lock; done
	echo "duckdb-cli" | $(BIN)/uv pip compile $(LOCK_FLAGS) $(UPGRADE) - -o sms_etl_tests/readers/duckdb-cli.lock
	printf 'focus-validator==1.0.0\nmultimethod<2\npoetry-core\nsetuptools<81\n' | \
		$(BIN)/uv pip compile $(LOCK_FLAGS) $(UPGRADE) - -o sms_etl_tests/finance/focus/focus-validator.lock
	echo "pip-audit" | $(BIN)/uv pip compile $(LOCK_FLAGS) $(UPGRADE) - -o sms_etl_tests/audit/pip-audit.lock
	echo "uv" | $(BIN)/uv pip compile $(LOCK_FLAGS) $(UPGRADE) - -o requirements-uv.lock

# No address is written into a lock: names, versions and hashes are enough.
LOCK_FLAGS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

clean: ## Remove the environment and what tools left; data/ stays
	rm -rf .venv .readers .focus-validator .audit .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov dist build

.venv/.uv: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "sms_etl needs Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "Python's venv is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/pip install --quiet --require-hashes -r requirements-uv.lock
	@touch $@

.venv/.runtime: requirements.lock pyproject.toml .venv/.uv
	@echo "Setting up .venv ..."
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements.lock
	@$(INSTALL)
	@touch $@

.venv/.dev: requirements-dev.lock requirements.lock pyproject.toml .venv/.uv
	@echo "Setting up .venv for development ..."
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements-dev.lock
	@$(INSTALL)
	@touch $@ .venv/.runtime

# Byte code is made here: where the environment is read-only, or Python is told to write none, each command
# would compile what it imports anew, which takes longer than all the rest of it.
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --build-constraints requirements-dev.lock --editable . \
	&& $(BIN)/python -m compileall -q sms_etl
