# Everything that can be done with a clone of converge. `make help` lists it; nothing here needs root.

# The Python that .venv is made of; `make PYTHON=/path/to/python3 venv` chooses another one.
PYTHON ?=
# More options for pytest, such as `make test PYTEST='-k symlink'`.
PYTEST ?=

VENV := .venv
RUN := $(VENV)/bin/python
TOOLS := $(VENV)/.with-tools
# Whole runs of the program, here and on machines that are made for it: not tests of single parts.
WHOLE := tests/e2e tests/system tests/windows
# Those, and laws over very many random inputs: what `make check` leaves to `make test`.
SLOW := $(WHOLE) tests/sources/test_laws.py tests/sources/test_flatness.py
CODE := src tests tools demo $(wildcard benchmarks examples)
OTHER_PYTHONS := 3.11 3.12 3.13

.DELETE_ON_ERROR:
.PHONY: help venv demo test unit lint types check bench docs docs-check screenshot test-all-pythons test-other-pythons clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

# --- the virtual environment: what the program needs, then the tools of those who work on it ---------------------

$(VENV)/.with-program: pyproject.toml
	@$(RUN) -c 'import sys; assert sys.version_info >= (3, 11)' 2>/dev/null || sh tools/make-venv $(VENV) $(PYTHON)
	@echo "Installing converge into $(VENV) ($$($(RUN) --version)); this is done once"
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(TOOLS): $(VENV)/.with-program
	@echo "Installing the tools for tests and checks into $(VENV); this is done once"
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

venv: $(TOOLS) ## .venv with converge, editable, and the tools for working on it

# --- trying it ---------------------------------------------------------------------------------------------------

demo: $(VENV)/.with-program ## watch a small site being kept right while it is tampered with
	@$(RUN) demo/demo.py

bench: $(TOOLS) ## compare its speed with a bare loop, and with other tools where they are installed
	@$(RUN) -m benchmarks

# --- checks ------------------------------------------------------------------------------------------------------

test: $(TOOLS) ## all tests; those that are skipped say why
	$(RUN) -m pytest -ra $(PYTEST)

unit: $(TOOLS) ## the tests of the parts, without those of whole runs
	$(RUN) -m pytest -ra $(WHOLE:%=--ignore=%) $(PYTEST)

lint: $(TOOLS) ## format, style, and which folder imports which
	$(VENV)/bin/ruff format --check $(CODE)
	$(VENV)/bin/ruff check $(CODE)
	$(VENV)/bin/lint-imports --no-cache >/dev/null || $(VENV)/bin/lint-imports --no-cache

types: $(TOOLS) ## static types
	$(VENV)/bin/mypy

check: lint types ## before a commit: format, style, types and the quick tests, in less than a minute
	$(RUN) -m pytest -ra $(SLOW:%=--ignore=%) $(PYTEST)

# Each version has an environment of its own, kept in .cache. Versions that are not installed are left out, and said so.
test-all-pythons: ## the unit tests under each of Python 3.11, 3.12 and 3.13 that is installed
	@$(call under_pythons,none)

test-other-pythons: $(TOOLS) # the same but for the version that .venv has
	@$(call under_pythons,$$($(RUN) -c 'import sys; print("%d.%d" % sys.version_info[:2])'))

under_pythons = but="$(1)"; set --; for version in $(OTHER_PYTHONS); do \
	  test "$$version" = "$$but" && continue; \
	  if sh tools/find-python $$version >/dev/null; then set -- "$$@" $$version; \
	  else echo "Python $$version is not installed here; left out"; fi; \
	done; \
	for version in "$$@"; do \
	  echo "Python $$version:"; \
	  $(MAKE) --no-print-directory .cache/venv-$$version/.installed && \
	  .cache/venv-$$version/bin/python -m pytest -ra -p no:cacheprovider $(WHOLE:%=--ignore=%) $(PYTEST) || exit 1; \
	done

.cache/venv-%/.installed: pyproject.toml
	@sh tools/make-venv .cache/venv-$* $$(sh tools/find-python $*)
	@.cache/venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# --- documents ---------------------------------------------------------------------------------------------------

docs: $(TOOLS) ## write the generated pages of docs/ anew
	@$(RUN) tools/make_docs.py

docs-check: $(TOOLS) ## say which generated pages are out of date
	@$(RUN) tools/make_docs.py --check

screenshot: $(VENV)/.with-program ## record docs/screenshot.svg anew
	@$(RUN) tools/make_screenshot.py

clean: ## remove what was made here, the virtual environments included
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
	find src tests tools demo -name __pycache__ -type d -prune -exec rm -rf {} +
