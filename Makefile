# Everything a newcomer needs: `make demo` to watch, `make test` to trust.
SHELL := /bin/bash
.DELETE_ON_ERROR:
VENV := .venv
PY := $(VENV)/bin/python
KERNELS := $(shell find native -name '*.pyx' -o -name '*.pxd')
PYTEST := $(PY) -m pytest
QUIET := --ignore-scripts --no-audit --no-fund --loglevel=error
NPM := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" npm
# not in the lock: their optional parts for other platforms are not in every registry
TOOLS := @fastly/js-compute@3.46.0 @eyevinn/cat@0.16.4

.PHONY: help install kernels demo test test-fast test-long lint bench bench-kernels clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.python $(VENV)/.node kernels ## put everything into .venv/

demo: install ## a live channel and a film at http://localhost:8000/
	@exec $(VENV)/bin/headwater up --demo

test: install $(VENV)/.tools $(VENV)/.system lint ## every check there is
	HEADWATER_TWINS=required $(PYTEST) -n 2 -m "not serial"
	HEADWATER_TWINS=required $(PYTEST) -m serial

test-fast: install ## the inner loop: no real servers, no browser
	$(PYTEST) -n 2 -q -m "not twin and not browser and not slow and not serial"

test-long: install $(VENV)/.tools $(VENV)/.system ## what is too long for every change: a minute a player, two hours of soak, 200 kills
	HEADWATER_PLAY_S=60 $(PYTEST) tests/e2e/test_live_players.py -s
	HEADWATER_SOAK_S=7200 $(PYTEST) tests/soak -s --timeout 10000
	HEADWATER_KILLS=200 $(PYTEST) tests/origin/test_store_kill.py -s --timeout 3000
	HEADWATER_FUZZ=1000000 $(PYTEST) tests/origin_vod/test_vod_limits.py -k damaged_films -s --timeout 60000
	HEADWATER_PROTECTION_LONG=1 $(PYTEST) tests/protection/test_protection_live_browser.py tests/protection/test_protection_periods.py
	HEADWATER_PROXY_LONG=1 $(PYTEST) tests/manifest_proxy/test_proxy_differential_*.py tests/e2e/test_proxy_players.py tests/e2e/test_proxy_near.py -s --timeout 600
	STEERED_PLAYERS=1 $(PYTEST) tests/e2e/test_steering_players.py -s --timeout 3000
	HEADWATER_SCHEMATHESIS=200 $(PYTEST) tests/control_api/test_control_openapi_fuzz.py -s --timeout 6000
	HEADWATER_LONG_FAULTS=1 $(PYTEST) tests/control_api/test_control_fault_engines.py tests/control_api/test_control_fault_outside.py --timeout 3000
	HEADWATER_COPIES=1 $(PYTEST) tests/origin/test_workers_copies.py --timeout 600
	HEADWATER_RENEWAL_S=600 $(PYTEST) tests/e2e/test_renewal_players.py --timeout 3000
	HEADWATER_DIVERGENCE=full $(PYTEST) tests/edge_scripts/test_divergence_edges.py --timeout 3000
	HEADWATER_FUZZ_COUNT=10000000 $(PYTEST) tests/token -k fuzz --timeout 10000
	$(PYTEST) -n 2 -m "not serial and not browser" --hypothesis-profile=explore
	HEADWATER_WORLDS=60 $(PYTEST) tests/cdn_router/test_sim_fuzz.py -s --timeout 3000

lint: install ## ruff, mypy strict, stubs against kernels
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(PY) -m mypy.stubtest --concise $$(find native -name '*.pyi' | sed 's/\.pyi$$//; s#/#.#g')

bench: install $(VENV)/.tools $(VENV)/.system ## JSON lines, each case beside its peer on the same core
	$(PY) -m bench

bench-kernels: install ## micro-benchmarks of the compiled kernels
	$(PYTEST) bench/kernels --benchmark-only

clean: ## forget builds, keep the data
	rm -rf build $(VENV) node_modules $$(find native -name '*.so')

# -- stamps: quick when nothing changed ------------------------------------------------------------
$(VENV)/.python: pyproject.toml constraints.txt setup.py
	deploy/debian-packages python3-venv=python3-venv:ensurepip gcc=gcc libc6-dev=/usr/include/stdlib.h \
	  python3-dev=$$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q -c constraints.txt pip 'setuptools>=77' 'Cython==3.3.1'
	$(VENV)/bin/pip install -q -c constraints.txt --no-build-isolation -e '.[embedded,kafka,telemetry,demo,twins,dev]'
	touch $@

$(VENV)/.node: package.json package-lock.json $(VENV)/.python
	$(NPM) ci $(QUIET) --omit=dev
	touch $@

# what only tests and edge builds need: compilers, foreign peers
$(VENV)/.tools: $(VENV)/.node
	$(NPM) ci $(QUIET)
	$(NPM) install $(QUIET) --no-save --no-package-lock $(TOOLS)
	touch $@

$(VENV)/.system:
	deploy/debian-packages redis-server=redis-server chromium=chromium nginx-light=nginx wrk=wrk \
	  njs=njs ffmpeg=ffprobe postgresql-15=/usr/lib/postgresql/15/bin/initdb
	touch $@

kernels: build/.kernels
build/.kernels: $(VENV)/.python setup.py $(KERNELS)
	$(PY) setup.py -q build_ext --inplace
	@touch $@
