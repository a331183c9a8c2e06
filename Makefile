# Two commands for a newcomer: `make demo` and `make test`. Both make what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.installed

.PHONY: demo test check browser bench fuzz soak reliability screenshots clean

$(DONE): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	touch $@

demo: $(DONE)  ## route 1,824 real prompts through the gateway and compare
	$(BIN)/tiercel demo

test: check browser  ## everything that must hold
	$(BIN)/pytest

browser: $(DONE)  ## the Chromium that the dashboard's tests drive: found, or installed
	@$(BIN)/python -m scripts.chromium

check: $(DONE)  ## style, types, rings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

bench: $(DONE)  ## measure; results as data in benchmarks/results
	$(BIN)/python -m benchmarks

fuzz: $(DONE)  ## the property tests with new examples
	$(BIN)/pytest tests/property tests/contract --hypothesis-profile=fuzz

soak: SEEDS ?= 20000
soak: FIRST ?= 1000
soak: TURNS ?= 200
soak: $(DONE)  ## the simulation of processes, clocks and a network under more seeds: SEEDS=20000 FIRST=1000 TURNS=200
	PYTHONPATH=tests:. $(BIN)/python -m simulation.soak --first $(FIRST) --seeds $(SEEDS) --turns $(TURNS)

reliability: $(DONE)  ## every fault in its full size, and docs/reliability.md; some 40 minutes
	$(BIN)/python -m benchmarks.reliability

screenshots: $(DONE) browser  ## docs/screenshots: every page in light, dark and on a phone
	$(BIN)/python -m scripts.screenshots

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
