# From a bare machine with python3 (3.11 or later), make and a package index.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
SEEDS ?= 1-20000
GRADUAL ?=
SESSIONS_STREAM ?=
BUILD_OPTIONS = $(if $(GRADUAL),--gradual "$(GRADUAL)") $(if $(SESSIONS_STREAM),--sessions-stream "$(SESSIONS_STREAM)")
BIN := $(VENV)/bin
SAM_VENV ?= .venv-sam
CHECKOV_VENV ?= .venv-checkov
SUPPLY_VENV ?= .venv-supply
SAM = SAM_CLI_TELEMETRY=0 $(SAM_VENV)/bin/sam

.DEFAULT_GOAL := help
.PHONY: help run quick test coverage mutants test-engine test-deploy ci simulate bench check validate build format schemas audit lock clean

help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/ops.ready ## Set up, then run the demo: a day of events through the whole system, verified
	$(BIN)/python -m ops.demo $(ARGS)

test: $(VENV)/dev.ready ## Set up, then run the test suite
	$(BIN)/python -m pytest -m "not engine and not deploy" -n 2 --dist worksteal $(ARGS)

quick: $(VENV)/dev.ready ## While writing: format, lint, types and the unit tests without the slow ones
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/unit -m "not slow and not engine and not deploy" -n 2 $(ARGS)

coverage: $(VENV)/dev.ready ## The test suite, with at least 95 % branch coverage of what is deployed
	$(BIN)/python -m pytest -m "not engine and not deploy" -n 2 --dist worksteal --cov --cov-report=term $(ARGS)

mutants: $(VENV)/dev.ready ## Change the pure modules, one expression at a time: 90 % of the changes must fail a test
	rm -rf mutants
	$(BIN)/mutmut run --max-children 2 $(ARGS)
	$(BIN)/python -m tests.mutation

test-engine: $(VENV)/dev.ready ## The integration suite on DynamoDB Local, or on the endpoint AWS_ENDPOINT_URL_DYNAMODB names
	$(BIN)/python -m pytest -m engine -n 2 --dist worksteal $(ARGS)

test-deploy: $(VENV)/dev.ready $(SAM_VENV)/ready $(CHECKOV_VENV)/ready ## Deploy to the local AWS with every parameter changed, with the SAM and AWS CLIs, and over the previous release
	SAM_VENV="$(abspath $(SAM_VENV))" CHECKOV_VENV="$(abspath $(CHECKOV_VENV))" $(BIN)/python -m pytest -m deploy -n 2 --dist loadfile $(ARGS)

ci: ## Everything that must hold before a change lands: what the workflow runs
	.ci/run

bench: $(VENV)/ops.ready ## Measure what an event costs, beside the textbook pipeline; writes docs/benchmarks.md (needs Java 17, npm, python3.13)
	$(BIN)/python -m ops.benchmark $(ARGS)

simulate: $(VENV)/dev.ready ## Play seeded histories with every fault: SEEDS=1-20000
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --jobs 2 $(ARGS)

check: $(VENV)/dev.ready ## Format, lint, types, schemas and template, without running anything
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m ops.schema_export --check
	$(MAKE) validate

validate: $(VENV)/dev.ready $(SAM_VENV)/ready $(CHECKOV_VENV)/ready ## Check the template, as SAM reads it and as it is deployed
	$(SAM) validate --lint
	$(BIN)/python -m ops.validation
	$(BIN)/python -m ops.validation resolved > $(CHECKOV_VENV)/template.json
	$(CHECKOV_VENV)/bin/checkov --config-file .checkov.yaml --file $(CHECKOV_VENV)/template.json

build: $(VENV)/dev.ready $(SAM_VENV)/ready ## Build the functions for Lambda; say how large they are and how fast they start (GRADUAL=, SESSIONS_STREAM=: docs/upgrading.md)
	$(if $(strip $(BUILD_OPTIONS)),$(BIN)/python -m ops.packaging template built-template.json $(BUILD_OPTIONS))
	MAKEFLAGS= PYTHON="$(abspath $(BIN)/python)" $(SAM) build $(if $(strip $(BUILD_OPTIONS)),--template-file built-template.json)
	$(BIN)/python -m ops.packaging report

# What `sam build` calls, with ARTIFACTS_DIR, for the functions of the template.
build-SqsConsumerFunction build-StreamProjectorFunction build-EventBridgeConsumerFunction build-SessionPublisherFunction build-ExpirySweeperFunction:
	$(PYTHON) -m ops.packaging package "$(ARTIFACTS_DIR)"

format: $(VENV)/dev.ready ## Format the code and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(VENV)/dev.ready ## Export the JSON Schema of the event for publishers
	$(BIN)/python -m ops.schema_export

audit: $(SUPPLY_VENV)/ready ## Known vulnerabilities of all that is locked; exit code 1: found, 3: nobody could be asked (needs the Internet)
	@$(SUPPLY_VENV)/bin/python -m ops.packaging audit $(ARGS)

lock: $(SUPPLY_VENV)/ready ## Pin, with hashes, what pyproject.toml and requirements/*.in ask for (ARGS=--upgrade: the newest)
	$(call compile_lock,requirements/dev.txt) pyproject.toml --extra ops --extra dev
	$(call compile_lock,requirements/ops.txt) pyproject.toml --extra ops --extra analytics --constraint requirements/dev.txt
	$(call compile_lock,requirements.txt) pyproject.toml --constraint requirements/dev.txt
	$(call compile_lock,requirements/lambda.txt) requirements/lambda.in --constraint requirements/dev.txt
	$(call compile_lock,requirements/sam.txt) requirements/sam.in
	$(call compile_lock,requirements/checkov.txt) requirements/checkov.in
	$(call compile_lock,requirements/supply.txt) requirements/supply.in

clean: ## Remove the virtual environment and everything made
	rm -rf $(VENV) .venv-3.13 $(SAM_VENV) $(CHECKOV_VENV) $(SUPPLY_VENV) .aws-sam .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage mutants *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.13 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# For every platform, so that the wheels of Lambda's processor are among the hashes; what is pinned stays, where it still fits.
compile_lock = $(SUPPLY_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(ARGS) --output-file $(1)
# A lock is installed as it is: no file of another hash, nothing that it does not name, nothing that has to be built.
define install_lock
@echo "Installing $(2)"
@$(1)/bin/python -m pip install --quiet --disable-pip-version-check \
	--require-hashes --no-deps --only-binary :all: --requirement $(2) \
	|| { echo "$(2) cannot be installed as it is locked: docs/supply-chain.md, A hash that does not match" >&2; exit 1; }
endef
install_project = @$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .

$(VENV)/ops.ready: pyproject.toml requirements/ops.txt | $(VENV)/bin/python
	$(call install_lock,$(VENV),requirements/ops.txt)
	$(install_project)
	@touch $@

$(VENV)/dev.ready: pyproject.toml requirements/dev.txt | $(VENV)/bin/python
	$(call install_lock,$(VENV),requirements/dev.txt)
	$(install_project)
	@touch $@ $(VENV)/ops.ready

$(SAM_VENV)/ready: requirements/sam.txt
$(CHECKOV_VENV)/ready: requirements/checkov.txt
$(SUPPLY_VENV)/ready: requirements/supply.txt
$(SAM_VENV)/ready $(CHECKOV_VENV)/ready $(SUPPLY_VENV)/ready:
	$(PYTHON) -m venv --clear $(@D)
	$(call install_lock,$(@D),$<)
	@touch $@
