"""Real databases for the tests: SQLite files, and PostgreSQL from a URL or an embedded wheel."""

from __future__ import annotations

import dataclasses
import os
import resource
import sqlite3
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

# As if the arrow extra were not installed; before pandas looks for it.
if os.environ.get("ECEPHYS_DAL_TEST_WITHOUT_ARROW"):
    sys.modules.update(dict.fromkeys(("adbc_driver_postgresql", "duckdb", "pyarrow")))

import hypothesis
import pytest
from sqlalchemy import Engine, event, make_url, text
from sqlalchemy.orm import Session

from ecephys_dal import Database
from ecephys_dal.migrations import upgrade
from ecephys_dal.testing import SyntheticLims, build_synthetic_lims, using
from tests.logins import Login, demanding_server
from tests.postgresql import embedded_server
from tests.signals import hear_interruptions

hear_interruptions()
hypothesis.settings.register_profile("ecephys_dal", deadline=None)  # machines are noisy
hypothesis.settings.register_profile("quick", deadline=None, max_examples=10)
hypothesis.settings.load_profile("ecephys_dal")


@event.listens_for(Engine, "connect")
def _let_nothing_last(connection: Any, _: object) -> None:
    """Wait for no disk, as the embedded server does not either."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF").close()


BACKENDS = ("sqlite", "postgresql")
# The bulk route to PostgreSQL, where the arrow extra is installed, and the route that needs none.
ROUTES = (*BACKENDS, "postgresql, by rows")
FreshUrl = Callable[[str], str]
MADE: list[str] = []  # the databases that a named server must lose again
NOTES = pytest.StashKey[list[str]]()  # for the end of the run


@pytest.fixture(scope="session")
def postgres_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """A server where databases may be made: the one that is named, else an embedded one."""
    named = os.environ.get("ECEPHYS_DAL_TEST_POSTGRES_URL")
    if named:
        yield _noted(pytestconfig, named, "named by ECEPHYS_DAL_TEST_POSTGRES_URL")
        for name in MADE:
            _administer(named, f"DROP DATABASE {name} WITH (FORCE)")
        return
    with embedded_server() as server:
        yield _noted(pytestconfig, server.get_uri(), "embedded")


@pytest.fixture(scope="session")
def own_server() -> Iterator[Any]:
    """A server that may be restarted, and told whom to trust."""
    with embedded_server() as server:
        yield server
        server.ensure_postgres_running()  # the one that was started last is to be stopped


def _noted(pytestconfig: pytest.Config, url: str, origin: str) -> str:
    url = make_url(url).set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    with Database(url) as server, server.connection() as connection:
        version = connection.execute(text("show server_version")).scalar_one()
    pytestconfig.stash.setdefault(NOTES, []).append(f"ran on PostgreSQL {version} ({origin})")
    return url


def pytest_configure(config: pytest.Config) -> None:
    if config.option.markexpr == "not slow":
        hypothesis.settings.load_profile("quick")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks the server, so that on another one only that needs to be repeated."""
    numbers: dict[tuple[object, str], dict[int, int]] = {}  # of the values of tests' parameters
    cases: dict[object, list[pytest.Item]] = {}
    for item in items:
        asked = {"fresh_url", "postgres_url"} & set(getattr(item, "fixturenames", ()))
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if asked and not any(
            isinstance(one, str) and one == "sqlite" for one in parameters.values()
        ):
            item.add_marker(pytest.mark.postgresql)
        for name in _in_turn(item):
            known = numbers.setdefault((item.function, name), {})
            known.setdefault(id(parameters[name]), len(known))
        if item.get_closest_marker("sample"):
            cases.setdefault(item.function, []).append(item)
    for some in cases.values():
        last, kept = len(some) - 1, some[0].get_closest_marker("sample").args[0]
        shown = {last * number // max(kept - 1, 1) for number in range(kept)}
        for number in set(range(len(some))) - shown:
            some[number].add_marker(pytest.mark.slow)
    for item in items:
        known = {name: numbers[item.function, name] for name in _in_turn(item)}
        turns = min(map(len, known.values()), default=1)
        if len({one[id(item.callspec.params[name])] % turns for name, one in known.items()}) > 1:
            item.add_marker(pytest.mark.slow)


def _in_turn(item: pytest.Item) -> tuple[str, ...]:
    marker = item.get_closest_marker("in_turn")
    return marker.args if marker else ()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show what ran, where the time went, and on what."""
    areas: dict[str, list[float]] = {}
    for report in terminalreporter.stats.get("passed", []):
        path = Path(report.nodeid.partition("::")[0])
        area = path.parts[1] if len(path.parts) > 2 else path.name
        areas.setdefault(area, []).append(report.duration)
    for area, seconds in sorted(areas.items(), key=lambda item: -sum(item[1])):
        terminalreporter.write_line(f"{area:28} {len(seconds):5} passed {sum(seconds):6.1f} s")
    for line in sorted(set(config.stash.get(NOTES, []))):
        terminalreporter.write_line(line)


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_testnodedown(node: Any, error: object) -> None:
    notes = getattr(node, "workeroutput", {}).get("notes", [])
    node.config.stash.setdefault(NOTES, []).extend(notes)


def pytest_sessionfinish(session: pytest.Session) -> None:
    notes = session.config.stash.setdefault(NOTES, [])
    if session.testscollected:
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (
            2**20 if sys.platform == "darwin" else 2**10
        )
        worker = os.environ.get("PYTEST_XDIST_WORKER", "the process")
        notes.append(f"most memory of {worker}: {megabytes:,} MB")
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["notes"] = notes
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("ECEPHYS_DAL_NO_SKIPS") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def fresh_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FreshUrl:
    """Make empty databases, by backend."""

    def make(backend: str) -> str:
        if backend == "sqlite":
            return f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/lims.db"
        server = request.getfixturevalue("postgres_url")
        name = f"ecephys_dal_test_{uuid4().hex[:12]}"
        _administer(server, f"CREATE DATABASE {name}")
        MADE.append(name)
        return make_url(server).set(database=name).render_as_string(hide_password=False)

    return make


def _administer(server: str, statement: str) -> None:
    with Database(server, owned=True) as database:
        engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))


@pytest.fixture(scope="session")
def login() -> Iterator[Login]:
    """A server that demands a password."""
    with demanding_server() as found:
        yield found


@pytest.fixture(params=BACKENDS)
def empty_url(request: pytest.FixtureRequest, fresh_url: FreshUrl) -> str:
    """The URL of an empty database, of each backend in turn."""
    return fresh_url(request.param)


@pytest.fixture(scope="session")
def filled(fresh_url: FreshUrl) -> Callable[[str], tuple[str, SyntheticLims]]:
    """Small synthetic LIMS, one of a backend, which no test changes."""

    @cache
    def fill(backend: str) -> tuple[str, SyntheticLims]:
        url = fresh_url(backend)
        with Database(url, owned=True) as owned:
            with owned.connection() as connection:
                upgrade(connection)
            return url, build_synthetic_lims(
                owned, sessions=4, channels_per_probe=24, units_per_session=60, progress=False
            )

    return fill


def _read(
    route: str, filled: Callable[[str], tuple[str, SyntheticLims]]
) -> Iterator[SyntheticLims]:
    backend, _, rows = route.partition(", ")
    url, lims = filled(backend)
    with opened(url, by_rows=bool(rows)) as database:
        lims = dataclasses.replace(lims)
        lims.database = database
        yield lims


@pytest.fixture(scope="session", params=BACKENDS)
def synthetic(
    request: pytest.FixtureRequest, filled: Callable[[str], tuple[str, SyntheticLims]]
) -> Iterator[SyntheticLims]:
    """A small synthetic LIMS on each database in turn, opened for reading."""
    yield from _read(request.param, filled)


@pytest.fixture(scope="session", params=ROUTES)
def by_each_route(
    request: pytest.FixtureRequest, filled: Callable[[str], tuple[str, SyntheticLims]]
) -> Iterator[SyntheticLims]:
    """A small synthetic LIMS whose tables come by each route in turn, opened for reading."""
    yield from _read(request.param, filled)


def opened(url: str, *, by_rows: bool = False) -> Database:
    """Open a database for reading; by rows, as if the arrow extra were not installed."""
    return Database(url, bulk=not by_rows)


@pytest.fixture(scope="session", params=BACKENDS)
def migrated(request: pytest.FixtureRequest, fresh_url: FreshUrl) -> Iterator[Database]:
    """A database of ours with the schema and no rows, of each backend in turn."""
    with Database(fresh_url(request.param), owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        yield database


@pytest.fixture
def db(migrated: Database) -> Iterator[Session]:
    """An ORM session that the factories write to; all that is written is rolled back."""
    with migrated.engine.connect() as connection:
        transaction = connection.begin()
        joined = Session(connection, join_transaction_mode="create_savepoint")
        with joined as session, using(session):
            yield session
        transaction.rollback()
