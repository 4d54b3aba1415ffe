# frostgate: `make help` lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PROTO_VENV := .venv-proto
# The oldest gRPC that the server allows, and a protobuf that fits it.
OLDEST_VENV := .venv-oldest
OLDEST := grpcio==1.78.0 grpcio-health-checking==1.78.0 grpcio-reflection==1.78.0 grpcio-status==1.78.0 protobuf==6.33.6
GENERATED  := client/src/frostgate/v1 client/src/frostgate/enums.py client/src/frostgate/client.py \
    client/src/frostgate/connection.py server/src/frostgate_server/domain/enums.py
TRIAL ?= build/trial
# The number of processes that run tests.
TEST_PROCESSES ?= 4
# Tests with grpcurl need Go to build it. Without Go they are skipped.
GRPCURL_WITH_GO = @if command -v go > /dev/null; then $(MAKE) --no-print-directory tools; fi
# Campaigns of tests write their outcome and output to a raw result.
RAW_RESULT = --override-ini=junit_logging=all \
    --junit-xml=tests/benchmarks/results/$(@:campaign-%=%)-$(shell date -u +%F)-$(shell git rev-parse --short=9 HEAD).xml
PYTEST     := $(BIN)/pytest --numprocesses=$(TEST_PROCESSES) --dist=worksteal

.DEFAULT_GOAL := help
.PHONY: help setup tools run demo certificates test test-long test-oldest test-java docs lint proto check-proto check-breaking dist \
    bench compare freshness profile campaign-bench campaign-compare campaign-freshness campaign-profile campaign-overload \
    campaign-memory campaign-connections campaign-resets campaign-chaos campaign-kills campaign-damage campaign-tampering \
    campaign-soak clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.complete ## Build .venv with all packages for running, testing and linting

tools: .tools/grpcurl ## Install grpcurl into .tools, for the tests: needs Go

run: setup ## Serve on 127.0.0.1:50051, with the database under data/
	@echo 'Try, from another terminal:'
	@sed 's/^/  /' docs/first-calls.txt
	@exec $(BIN)/frostgate-server serve

demo: setup ## Show the life cycle of one customer, with a real server and client
	@$(BIN)/python client/examples/demo.py

certificates: setup ## Make certificates, tokens and settings for a trial, in build/trial or TRIAL=DIRECTORY
	@$(BIN)/python docs/trial/make_certificates.py '$(TRIAL)'

test: setup ## Run all tests in their short form: at most 5 minutes
	$(GRPCURL_WITH_GO)
	$(PYTEST) $(PYTEST_OPTIONS)

test-long: setup test-oldest ## Run kill, durability and fuzz tests in their long form: at most 25 minutes
	$(GRPCURL_WITH_GO)
	$(PYTEST) --long -m long $(PYTEST_OPTIONS)

test-oldest: $(OLDEST_VENV)/.complete ## Run the tests of gRPC and authentication with the oldest gRPC that is allowed
	$(OLDEST_VENV)/bin/pytest --numprocesses=$(TEST_PROCESSES) --dist=worksteal $(PYTEST_OPTIONS) \
	    tests/rpc tests/auth tests/unit/test_grpc_internals.py

test-java: setup ## Test a caller in Java against a server: needs a JDK and Maven
	$(BIN)/pytest tests/callers/java/caller_in_java.py

docs: setup ## Generate the tables and blocks in the docs from the code
	$(BIN)/python docs/generate.py

lint: setup ## Check style, types, import directions and protos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd proto && ../$(BIN)/buf lint && ../$(BIN)/buf format --exit-code --diff

proto: $(PROTO_VENV)/.complete ## Generate messages, stubs and enums from the protos, and the synchronous client
	rm -rf client/src/frostgate/v1
	proto/generate .
	$(PROTO_VENV)/bin/python client/generate_sync.py .

check-proto: $(PROTO_VENV)/.complete ## Check that the generated code is up to date
	rm -rf build/generated
	proto/generate build/generated
	$(PROTO_VENV)/bin/python client/generate_sync.py build/generated
	@set -e; for made in $(GENERATED); do diff -r -x __pycache__ build/generated/$$made $$made; done

check-breaking: setup ## Check that the last change of the protos breaks no caller
	proto/check-breaking $(BIN)/buf

dist: setup ## Build and check both distributions in dist/, and list the packages that each installs (SBOM)
	rm -rf dist build/sbom
	$(BIN)/python -m build --outdir dist client
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz
	$(call sbom,client,client,dist/frostgate_client-*.whl)
	$(call sbom,server,.,dist/frostgate_client-*.whl dist/frostgate_server-*.whl)

# $(call sbom,NAME,PROJECT,WHEELS): lists the packages of an environment with the wheels and their dependencies.
define sbom
$(PYTHON) -m venv --without-pip build/sbom/$(1)
$(BIN)/pip --python build/sbom/$(1)/bin/python install --quiet --disable-pip-version-check --constraint constraints.txt $(3)
$(BIN)/cyclonedx-py environment --pyproject $(2)/pyproject.toml --output-reproducible \
    --output-file dist/frostgate_$(1).cdx.json build/sbom/$(1)
endef

# Campaigns take minutes to hours. CI never runs them.
bench: campaign-bench
campaign-bench: setup ## Compare with bare gRPC servers and measure the cost of identities, or compare with PEERS=FILE
	$(BIN)/python tests/benchmarks/run.py $(if $(PEERS),--peers '$(PEERS)')

compare: campaign-compare
campaign-compare: setup ## Compare the speed of HEAD and BASE=COMMIT, or of one build with ARGS and with BASE_ARGS
	$(BIN)/python tests/benchmarks/compare.py --base='$(BASE)' --args='$(ARGS)' --base-args='$(BASE_ARGS)' \
	    $(if $(CALLS),--calls $(CALLS)) $(if $(CALLERS),--callers $(CALLERS)) $(if $(PAIRS),--pairs $(PAIRS)) \
	    $(if $(AA_PAIRS),--aa-pairs $(AA_PAIRS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(BARS),--bars '$(BARS)')

freshness: campaign-freshness
campaign-freshness: setup ## Change a customer on one worker and check it on another, a million times
	$(BIN)/python tests/benchmarks/freshness.py

profile: campaign-profile
campaign-profile: setup ## Profile a check and a change, and write the results into docs/performance.md
	$(BIN)/python tests/benchmarks/profile_checks.py

campaign-overload: setup ## Load a server, of HEAD or COMMIT, with 5 and 20 times the callers that saturate it
	$(BIN)/python tests/benchmarks/overload.py --commit='$(COMMIT)' --args='$(ARGS)' \
	    $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(LOOPS),--loops $(LOOPS))

campaign-memory: setup ## Measure whether a worker's memory grows in a million checks, and that of grpcio's own server
	$(BIN)/python tests/benchmarks/memory.py

campaign-connections: setup ## Measure the memory of a connection without calls
	$(BIN)/python tests/benchmarks/idle_connections.py

campaign-resets: setup ## Measure checks while other calls are reset as soon as they are sent
	$(BIN)/python tests/benchmarks/reset_storms.py

campaign-chaos: setup ## Kill and restart a server 2,000 times while clients call it
	$(BIN)/pytest --long --times=25 tests/e2e/test_client_restarts.py $(RAW_RESULT)

campaign-kills: setup ## Kill a server 3,000 times amid changes, and look for every change that was answered
	$(BIN)/pytest --long --times=30 tests/durability/test_kill.py $(RAW_RESULT)

campaign-damage: setup ## Damage a database in 2,000 ways, served or not, and check every frozen customer
	$(BIN)/python tests/benchmarks/damage.py $(if $(DAMAGES),--damages $(DAMAGES)) \
	    $(if $(CUSTOMERS),--customers $(CUSTOMERS)) $(if $(SEED),--seed $(SEED))

campaign-tampering: setup ## Tamper with a database in 250,000 ways, and check that verify finds each
	$(BIN)/pytest --long --times=100 -m long -k "tampering or flipped" tests/storage $(RAW_RESULT)

campaign-soak: setup ## Compare a server with its model for several hours
	$(BIN)/pytest --long --times=300 tests/e2e/test_customer_life_stateful.py \
	    tests/unit/test_code_verifier_stateful.py $(RAW_RESULT)

clean: ## Remove all build results, but not data/
	rm -rf $(VENV) $(PROTO_VENV) $(OLDEST_VENV) .tools build dist

$(VENV)/.complete: pyproject.toml client/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	    || { echo 'frostgate needs Python 3.11 or later: select one with `make PYTHON=/path/to/python3`'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	    || { echo 'frostgate needs Python with venv: on Debian, `apt-get install python3-venv`'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt -e ./client -e '.[dev]'
	@touch $@

$(OLDEST_VENV)/.complete: pyproject.toml client/pyproject.toml constraints.txt Makefile
	$(PYTHON) -m venv $(OLDEST_VENV)
	grep -Ev '^(grpcio|protobuf)' constraints.txt > $(OLDEST_VENV)/constraints.txt
	printf '%s\n' $(OLDEST) >> $(OLDEST_VENV)/constraints.txt
	$(OLDEST_VENV)/bin/pip install --quiet --disable-pip-version-check --constraint $(OLDEST_VENV)/constraints.txt \
	    -e ./client -e . aiosmtpd h2 hypothesis pytest pytest-timeout pytest-xdist
	@touch $@

.tools/grpcurl:
	@command -v go > /dev/null || { echo 'grpcurl is built with Go: install Go first'; exit 1; }
	GOBIN=$(CURDIR)/.tools go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3

$(PROTO_VENV)/.complete: proto/requirements.txt
	$(PYTHON) -m venv $(PROTO_VENV)
	$(PROTO_VENV)/bin/pip install --quiet --disable-pip-version-check -r proto/requirements.txt
	@touch $@
