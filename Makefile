# What a newcomer, a developer and CI run. Each environment is made when it is first needed.
PYTHON ?= python3
# pandas 1.5.3, which AllenSDK pins, is not made for newer ones.
ORACLE_PYTHON ?= $(shell python3.11 -c '' 2>/dev/null && echo python3.11 || echo $(PYTHON))
VENV := .venv
ORACLE := .venv-allensdk
RUN := $(VENV)/bin/python
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

# Tests run on all cores; which worker takes which, and in what order, changes nothing.
PARALLEL := -n auto --dist worksteal
QUICK := $(PARALLEL) -m "not slow"

.PHONY: demo test test-all check docs interop faults test-oldest test-without-arrow bench bench-tables bench-downloads lock clean

demo: $(VENV)/demo.stamp
	$(RUN) -m ecephys_dal.cli.demo

# What a newcomer and every commit need. The rest takes longer, and says nothing new of most changes.
test: $(VENV)/dev.stamp
	$(RUN) -m pytest $(QUICK) $(PYTEST_ARGS)

test-all: $(VENV)/dev.stamp
	$(RUN) -m pytest $(PARALLEL) $(PYTEST_ARGS)

check: $(VENV)/dev.stamp
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(RUN) -m pytest -q tests/docs/test_pages.py tests/docs/test_types.py

# The site, in site/: the pages, the reference from the docstrings, the pictures. Links are checked.
docs: $(VENV)/dev.stamp
	$(VENV)/bin/sphinx-build -q -E -a -W --keep-going -b html -c docs -d site/.doctrees . site
	@echo "site/index.html"

# The answers of AllenSDK's own class on the same database, and ours.
interop: $(ORACLE)/stamp
	$(ORACLE)/bin/python -m pytest tests/interop --override-ini addopts=-ra $(PYTEST_ARGS)

# What goes wrong when files are fetched, and who survives it; the table stands in the docs.
faults: $(ORACLE)/stamp
	$(ORACLE)/bin/python -m tests.faults.survivors --markdown docs/downloads.md

# How fast tables come, beside AllenSDK in its own environment and other readers; and files, beside
# curl, from an nginx on this machine. Either alone: make bench-tables, make bench-downloads.
bench: bench-tables bench-downloads

bench-tables: $(VENV)/dev.stamp $(ORACLE)/stamp
	$(RUN) -m benchmarks.tables --allensdk $(ORACLE)/bin/python \
		--report benchmarks/tables.md $(TABLES_ARGS)

bench-downloads: $(ORACLE)/stamp
	$(ORACLE)/bin/python -m benchmarks.downloads --report benchmarks/downloads.md $(BENCH_ARGS)

# The tests of `make test` on the oldest pandas and NumPy that are supported, the ones that AllenSDK pins,
# with a pyarrow and an hdmf of their time, and SQLAlchemy 2.0. Dask needs newer ones; the wheel gets its own.
test-oldest: $(ORACLE)/stamp
	$(ORACLE)/bin/python -m pytest $(QUICK) --ignore tests/repositories/test_dask.py \
		--ignore tests/project $(PYTEST_ARGS)

# What every repository promises, and the answers of AllenSDK's class, without the arrow extra.
test-without-arrow: $(VENV)/dev.stamp $(ORACLE)/stamp
	ECEPHYS_DAL_TEST_WITHOUT_ARROW=1 ECEPHYS_DAL_NO_SKIPS= \
		$(RUN) -m pytest $(QUICK) tests/frames tests/repositories tests/facade $(PYTEST_ARGS)
	ECEPHYS_DAL_TEST_WITHOUT_ARROW=1 $(ORACLE)/bin/python -m pytest tests/interop/test_tables.py \
		tests/interop/test_departures.py --override-ini addopts=-ra $(PYTEST_ARGS)

# The versions that CI installs, for every Python; users' pip takes what pyproject.toml allows.
lock: $(VENV)/dev.stamp
	$(RUN) $(PIP_INSTALL) uv
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/bin/uv pip compile pyproject.toml --quiet --upgrade \
		--universal --python-version 3.10 --all-extras --group dev --strip-extras --no-annotate \
		--output-file constraints.txt

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/demo.stamp: pyproject.toml ecephys_dal/version.py | $(VENV)/bin/python
	$(RUN) $(PIP_INSTALL) --editable '.[testing]'
	touch $@

# The pip that Python brings may be older than dependency groups.
$(VENV)/dev.stamp: pyproject.toml ecephys_dal/version.py | $(VENV)/bin/python
	$(RUN) $(PIP_INSTALL) 'pip>=25.1'
	$(RUN) $(PIP_INSTALL) --editable '.[arrow,dask,plot,testing]' --group dev
	touch $@ $(VENV)/demo.stamp

$(ORACLE)/stamp: pyproject.toml ecephys_dal/version.py
	rm -rf $(ORACLE)
	$(ORACLE_PYTHON) -m venv $(ORACLE)
	$(ORACLE)/bin/python $(PIP_INSTALL) 'pip>=25.1'
	$(ORACLE)/bin/python $(PIP_INSTALL) --editable '.[arrow,testing]' --group tests \
		'allensdk==2.16.2' 'sqlalchemy<2.1' 'pyarrow<15' 'hdmf<4'
	touch $@

clean:
	rm -rf $(VENV) $(ORACLE) site docs/pictures docs/reference
