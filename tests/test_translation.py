"""What goes wrong at a database is said in our words, in seconds, with what to do next."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import URL, make_url, text

from ecephys_dal import (
    ConnectionLostError,
    Database,
    DatabaseSettings,
    DatabaseUnavailableError,
    EcephysDalError,
    SchemaMismatchError,
    StatementRefusedError,
    StatementTimeoutError,
    UnitRepository,
)
from ecephys_dal.database.meanings import UNREACHABLE
from ecephys_dal.database.translation import worded
from ecephys_dal.migrations import upgrade

from .conftest import FreshUrl
from .proxy import Translator

PASSWORD = "wr0ng p@ss"
SLOWLY = text("(select pg_sleep(20)) is not null")
SPILLING = text("exists (select g from generate_series(1, 100000) g order by -g offset 99999)")


@pytest.fixture(scope="module")
def url(fresh_url: FreshUrl) -> URL:
    """The URL of a LIMS without records."""
    url = fresh_url("postgresql")
    with Database(url, owned=True) as owned, owned.connection() as connection:
        upgrade(connection)
    return make_url(url)


@pytest.fixture(params=["bulk", "rows"])
def bulk(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "bulk")


@contextmanager
def refused(
    url: URL,
    bulk: bool,
    said: str,
    error: type[EcephysDalError] = DatabaseUnavailableError,
    **settings: Any,
) -> Iterator[UnitRepository]:
    """Expect this error and no other, soon, and that it is not tried again."""
    began = time.monotonic()
    limits = DatabaseSettings(retries=3, backoff=4, **settings)
    with Database(url, bulk=bulk, settings=limits) as database:
        with pytest.raises(error, match=said) as caught:
            yield UnitRepository(database)
        assert type(caught.value) is error
        assert database.counters.retries == 0
    assert time.monotonic() - began < 10
    assert PASSWORD not in str(caught.value)


def at(url: URL, host: str, port: int) -> URL:
    return url.set(query={}, host=host, port=port, password=PASSWORD)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where nobody says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


@pytest.mark.slow
def test_a_server_that_says_nothing(url: URL, bulk: bool, silent: int) -> None:
    with refused(at(url, "127.0.0.1", silent), bulk, "check host", connect_timeout=2) as units:
        units.frame()


def test_a_port_where_nobody_listens(url: URL, bulk: bool, closed: int) -> None:
    with refused(at(url, "127.0.0.1", closed), bulk, "refused.*; check host, port") as units:
        units.frame()


def test_an_unknown_host(url: URL, bulk: bool) -> None:
    place = at(url, "no-such-host.invalid", 5432)
    with refused(place, bulk, "no-such-host.invalid.*; check host.*VPN") as units:
        units.frame()


def test_an_unknown_database(url: URL, bulk: bool) -> None:
    place = url.set(database="no_such_database")
    with refused(place, bulk, 'is not there: database "no_such_database".*check dbname') as units:
        units.frame()


def test_an_unknown_role(url: URL, bulk: bool) -> None:
    place = url.set(username="nobody_of_this_name")
    with refused(place, bulk, "refuses the login.*check user") as units:
        units.frame()


def test_a_wrong_password(own_server: Any, bulk: bool) -> None:
    url, role = make_url(own_server.get_uri()), f"reader_{uuid4().hex[:8]}"
    with Database(url, owned=True) as owned, owned.connection() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'right'"))
        path = Path(connection.scalar(text("SHOW hba_file")) or "")
        path.write_text(f"local all {role} scram-sha-256\n{path.read_text()}")
        before = connection.scalar(text("SELECT pg_conf_load_time()"))
        connection.execute(text("SELECT pg_reload_conf()"))
    while loaded_at(url) == before:
        time.sleep(0.02)
    with refused(
        url.set(username=role, password=PASSWORD),
        bulk,
        "refuses the login: password authentication failed.*check user and password",
    ) as units:
        units.frame()


def loaded_at(url: URL) -> Any:
    """When the server read whom to trust, as a new connection hears."""
    with Database(url) as database, database.connection() as connection:
        return connection.scalar(text("SELECT pg_conf_load_time()"))


@contextmanager
def role_of(url: URL, options: str = "") -> Iterator[URL]:
    """Make a role for a while, and give the URL by which it logs in."""
    role = f"reader_{uuid4().hex[:8]}"
    with Database(url, owned=True) as owned:
        with owned.connection() as connection:
            connection.execute(text(f"CREATE ROLE {role} LOGIN {options}"))
        try:
            yield url.set(username=role)
        finally:
            with owned.connection() as connection:
                connection.execute(text(f"DROP ROLE {role}"))


def test_too_many_connections(url: URL, bulk: bool) -> None:
    said = "no connection left: too many .*; close some"
    with role_of(url, "CONNECTION LIMIT 1") as mine:
        with Database(mine) as other, other.connection(), refused(mine, bulk, said) as units:
            units.frame()
        if bulk:  # the other route has taken the only one
            with refused(mine, bulk, said) as units:
                units.frame()


def test_a_statement_that_takes_too_long(url: URL, bulk: bool) -> None:
    said = "not done in time: canceling statement due to statement timeout; ask for less"
    with refused(url, bulk, said, StatementTimeoutError, statement_timeout=0.2) as units:
        units.frame(where=SLOWLY)


def test_a_table_that_is_locked(url: URL, bulk: bool) -> None:
    with Database(url, owned=True) as owned, owned.connection() as connection:
        connection.execute(text("LOCK TABLE ecephys_units"))
        said = "is locked by someone else.*raise lock_timeout"
        with refused(url, bulk, said, lock_timeout=0.2) as units:
            units.frame()


def test_a_server_without_room(url: URL, bulk: bool) -> None:
    options = {"options": "-c work_mem=64kB -c temp_file_limit=100kB"}
    said = "memory or disk: temporary file size exceeds.*ask for less at once"
    with refused(url.update_query_dict(options), bulk, said) as units:
        units.frame(where=SPILLING)


def test_a_role_that_may_not_see_a_table(url: URL, bulk: bool) -> None:
    said = "^UnitRepository.frame: .*permission denied.*role may see the table"
    with role_of(url) as mine, refused(mine, bulk, said, SchemaMismatchError) as units:
        units.frame()


LIBPQ = 'connection to server at "limsdb" (10.1.2.3), port 5432 failed: '


KINDS = {
    "lost": ConnectionLostError,
    "late": StatementTimeoutError,
    "away": DatabaseUnavailableError,
}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (f"{LIBPQ}timeout expired", "away"),
        (f"{LIBPQ}Connection timed out", "away"),
        (f"{LIBPQ}Connection refused", "lost"),
        (f"{LIBPQ}FATAL:  the database system is starting up", "lost"),
        ("Verbindung verweigert", "lost"),
    ],
)
def test_what_is_said_until_a_connection_stands_has_one_meaning(said: str, error: str) -> None:
    with Database("postgresql://limsdb/lims2") as database:
        database.has_answered = True
        assert type(worded(said, None, database, otherwise=UNREACHABLE)) is KINDS[error]


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("57P02", "lost"),
        ("57P05", "lost"),
        ("25P03", "lost"),
        ("25P04", "late"),
        ("40001", "lost"),
        ("40P01", "lost"),
    ],
)
def test_a_state_counts_without_its_words(state: str, error: str) -> None:
    assert type(worded("FEHLER:  fini", state, "LIMS")) is KINDS[error]


TRANSLATED = {
    b"canceling statement due to statement timeout": b"Anfrage wegen Zeitablauf abgebrochen",
    b"canceling statement due to user request": b"Anfrage wegen Benutzeraufforderung abgebrochen",
    b"canceling statement due to lock timeout": b"Anfrage wegen Zeitablauf einer Sperre",
    b"terminating connection due to administrator command": b"Verbindung wird abgebrochen",
    b'relation "ecephys_units" does not exist': "Relation »ecephys_units« existiert nicht".encode(),
    b'column "quality" does not exist': "Spalte »quality« existiert nicht".encode(),
    b"column ecephys_units.quality does not exist": b"Spalte ecephys_units.quality existiert nicht",
    b"SERROR": b"SFEHLER",
    b"SFATAL": b"SFATAL",
    b"division by zero": b"Division durch Null",
}


@pytest.fixture
def german(url: URL) -> Iterator[Translator]:
    """The same LIMS at a server that speaks German."""
    with Translator(url.render_as_string(hide_password=False), TRANSLATED) as translator:
        yield translator


def test_a_timeout_is_known_in_every_language(german: Translator, bulk: bool) -> None:
    said = "not done in time: Anfrage wegen Zeitablauf abgebrochen; ask for less"
    with refused(german.url, bulk, said, StatementTimeoutError, statement_timeout=0.3) as units:
        units.frame(where=SLOWLY)


def test_a_cancelled_statement_is_known_in_every_language(
    url: URL, german: Translator, bulk: bool
) -> None:
    name = f"asked {uuid4().hex}"
    query = (
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = :name AND state = 'active' AND length(query) > 100"
    )

    def cancel() -> None:
        with Database(url) as other:
            for _ in range(250):
                with other.connection() as connection:
                    if connection.execute(text(query), {"name": name}).all():
                        return
                time.sleep(0.02)

    with ThreadPoolExecutor(1) as thread:
        said = "was told to stop: Anfrage wegen Benutzeraufforderung abgebrochen"
        with refused(german.url, bulk, said, application_name=name) as units:
            units.frame()  # what the driver asks first is not to be cancelled
            thread.submit(cancel)
            units.frame(where=SLOWLY)


def test_a_lock_is_known_in_every_language(url: URL, german: Translator, bulk: bool) -> None:
    with Database(url, owned=True) as owned, owned.connection() as connection:
        connection.execute(text("LOCK TABLE ecephys_units"))
        said = "is locked by someone else: Anfrage wegen Zeitablauf einer Sperre"
        with refused(german.url, bulk, said, lock_timeout=0.2) as units:
            units.frame()


def test_a_refused_statement_is_known_in_every_language(german: Translator, bulk: bool) -> None:
    nonsense = text("1 / (SELECT 0) > 0")
    said = "refused the statement: Division durch Null; look at"
    with refused(german.url, bulk, said, StatementRefusedError) as units:
        units.frame(where=nonsense)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("ALTER TABLE ecephys_units RENAME TO ecephys_units_2", ("ecephys_units", None)),
        ("ALTER TABLE ecephys_units RENAME quality TO quality_2", ("ecephys_units", "quality")),
    ],
)
@pytest.mark.sample(2)
def test_what_is_missing_is_named_in_every_language(
    fresh_url: FreshUrl, bulk: bool, change: str, named: tuple[str, str | None]
) -> None:
    url = fresh_url("postgresql")
    with Database(url, owned=True) as owned, owned.connection() as connection:
        upgrade(connection)
        connection.execute(text(change))
    with (
        Translator(url, TRANSLATED) as german,
        Database(german.url, bulk=bulk) as database,
        pytest.raises(SchemaMismatchError, match="existiert nicht") as caught,
    ):
        UnitRepository(database).frame()
    assert (caught.value.table, caught.value.column) == named


@pytest.mark.parametrize("output", ["frame", "ids"])
def test_a_cut_is_known_in_every_language(url: URL, german: Translator, output: str) -> None:
    name = f"asked {uuid4().hex}"
    settings = DatabaseSettings(application_name=name, backoff=0.01, pre_ping=False)
    query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE"
    with Database(german.url, settings=settings) as database, Database(url) as other:
        units = UnitRepository(database)
        getattr(units, output)()
        with other.connection() as connection:
            connection.execute(text(f"{query} application_name = :name"), {"name": name})
        getattr(units, output)()
        assert database.counters.retries >= 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("5000", 5), ("'1min'", 60), ("1500ms", 1.5), ("0", float("inf")), ("2s", 2)],
)
def test_the_timeout_of_a_url_is_known(said: str, seconds: float) -> None:
    options = {"options": f"-c statement_timeout=1 -c statement_timeout={said}"}
    with Database(make_url("postgresql://h/d").update_query_dict(options)) as database:
        assert database.longest_statement == pytest.approx(seconds)
