# Set up, try, test. Needs python3 (3.11 or newer) and make.
PYTHON ?= python3
BIN = .venv/bin
DEMO ?= demo
# One process per core, up to four, since each needs a gigabyte. The tests of a file share what they make, so a file stays in
# one process; files run in the order of tests/conftest.py, the longest first.
PARALLEL ?= -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-faults test-slurm bench lint completions reference docs clean

demo: .venv/installed
	$(BIN)/xrayaug experiment --preset demo --screen --calibrate temperature --reader-study 20 --jobs 2 --out $(DEMO)

test: .venv/installed-dev
	$(BIN)/python -m pytest $(PARALLEL)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-faults: .venv/installed-dev
	$(BIN)/python -m pytest $(PARALLEL) tests/faults tests/data/sources/test_lists.py tests/test_gpu_benchmark.py -m 'faults or not faults'

test-slurm: .venv/installed-dev
	$(BIN)/python -m pytest tests/test_loopback.py -m slurm

bench: .venv/installed-dev
	$(BIN)/python benchmarks/startup.py --rounds 5
	$(BIN)/python benchmarks/feeding.py --rounds 5
	$(BIN)/python benchmarks/train_gan.py --rounds 5
	$(BIN)/python benchmarks/arithmetic.py --sizes 64,128
	$(BIN)/python benchmarks/train_classifier.py --rounds 5
	$(BIN)/python benchmarks/sample.py --rounds 5
	$(BIN)/python benchmarks/fid.py --rounds 3

lint: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

completions: .venv/installed
	$(BIN)/python completions/generate.py

reference: .venv/installed
	$(BIN)/python docs/generate_reference.py

# Any warning is an error: links to pages, headings and files that are not there, pages that nothing leads to.
docs: .venv/installed-docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet --builder html docs site
	@echo "look at: site/index.html"

clean:
	rm -rf .venv demo site

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "xrayaug needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@
