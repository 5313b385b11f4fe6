"""Settings of a database: read from where they are said, refused by name, and in force."""

from __future__ import annotations

import pickle
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from importlib.util import find_spec
from typing import Any

import pytest
from sqlalchemy import create_engine, event, func, make_url, select, text
from sqlalchemy.exc import DBAPIError

from ecephys_dal import (
    ConfigurationError,
    Database,
    DatabaseSettings,
    DatabaseUnavailableError,
    DbCredentials,
    __version__,
)
from tests.conftest import FreshUrl

# For each setting another value than its default, as a variable says it.
OTHERWISE: dict[str, tuple[str, Any]] = {
    "statement_timeout": ("1.5", 1.5),
    "lock_timeout": ("none", None),
    "idle_in_transaction_timeout": ("None", None),
    "connect_timeout": ("7", 7),
    "keepalives_idle": ("31", 31),
    "keepalives_interval": ("11", 11),
    "keepalives_count": ("4", 4),
    "tcp_user_timeout": ("61", 61.0),
    "sslmode": ("prefer", "prefer"),
    "sslrootcert": ("system", "system"),
    "application_name": ("my service", "my service"),
    "startup_options": ("false", False),
    "pool_size": ("3", 3),
    "pool_timeout": ("0.5", 0.5),
    "pre_ping": ("false", False),
    "slow_query_seconds": ("2", 2.0),
    "retries": ("0", 0),
    "backoff": ("1e-2", 0.01),
    "progress": ("off", False),
}
ROUTES = ("rows", "bulk") if find_spec("adbc_driver_postgresql") else ("rows",)


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OTHERWISE:
        monkeypatch.delenv(f"ECEPHYS_DAL_{name.upper()}", raising=False)


def test_every_setting_is_tried_here() -> None:
    assert list(OTHERWISE) == [field.name for field in fields(DatabaseSettings)]
    assert all(value != getattr(DatabaseSettings(), name) for name, (_, value) in OTHERWISE.items())


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    said, value = OTHERWISE[name]
    assert DatabaseSettings.from_env() == DatabaseSettings()
    monkeypatch.setenv(f"ECEPHYS_DAL_{name.upper()}", f" {said} ")
    assert DatabaseSettings.from_env() == replace(DatabaseSettings(), **{name: value})
    assert getattr(Database("sqlite://").settings, name) == value
    # Only from_env reads it, what is told wins, and an empty variable says nothing.
    assert DatabaseSettings() == DatabaseSettings.from_env(**{name: getattr(DEFAULT, name)})
    assert Database("sqlite://", settings=DEFAULT).settings == DEFAULT
    monkeypatch.setenv(f"ECEPHYS_DAL_{name.upper()}", "")
    assert DatabaseSettings.from_env() == DEFAULT


DEFAULT = DatabaseSettings()


@pytest.mark.parametrize(
    ("name", "wrong", "wanted"),
    [
        ("statement_timeout", "soon", "a positive number of seconds, or None"),
        ("statement_timeout", "0", "a positive number of seconds, or None"),
        ("lock_timeout", "-1", "a positive number of seconds, or None"),
        ("statement_timeout", "nan", "a positive number of seconds, or None"),
        ("statement_timeout", "inf", "a positive number of seconds, or None"),
        ("connect_timeout", "1.5", "a positive whole number"),
        ("connect_timeout", "none", "a positive whole number"),
        ("pool_size", "0", "a positive whole number"),
        ("retries", "-1", "a whole number, 0 or more"),
        ("pre_ping", "maybe", "True or False"),
        ("progress", "maybe", "True or False, or None"),
        ("sslmode", "yes", "one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("application_name", "two\nlines", "a text"),
    ],
)
def test_a_wrong_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: str, wanted: str
) -> None:
    said = f"{re.escape(repr(wrong))} is wrong; give {wanted}"
    with pytest.raises(ConfigurationError, match=f"^{name}={said}"):
        DatabaseSettings(**{name: wrong})  # type: ignore[arg-type]
    variable = f"ECEPHYS_DAL_{name.upper()}"
    monkeypatch.setenv(variable, wrong)
    with pytest.raises(ConfigurationError, match=f"^{variable}={said}"):
        Database("sqlite://")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("pool_size", True),
        ("pool_size", 2.0),
        ("pre_ping", 1),
        ("sslmode", ""),
        ("backoff", float("nan")),
        ("pool_timeout", float("inf")),
        ("tcp_user_timeout", None),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}={wrong!r}"):
        DatabaseSettings(**{name: wrong})  # type: ignore[arg-type]


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="'statment_timeout'.*mean 'statement_timeout'"):
        DatabaseSettings.from_env(statment_timeout=5)
    with pytest.raises(ConfigurationError, match="a dict, are no DatabaseSettings"):
        Database("sqlite://", settings={"pool_size": 5})  # type: ignore[arg-type]


@contextmanager
def opened(url: Any, **settings: Any) -> Iterator[Database]:
    with Database(url, settings=DatabaseSettings(**settings)) as database:
        yield database


def value(database: Database, route: str, query: Any) -> Any:
    if route == "rows":
        with database.connection() as connection:
            return connection.execute(query).scalar_one()
    assert database.bulk is not None
    with database.bulk.batches(query) as batches:
        (batch,) = batches
        return batch[0][0].as_py()


def in_force(database: Database, route: str, *names: str) -> list[str]:
    return [value(database, route, select(func.current_setting(name))) for name in names]


AT_THE_SERVER = (
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "application_name",
)  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_the_server_knows_the_settings(postgres_url: str, route: str) -> None:
    with Database(postgres_url) as database:
        assert in_force(database, route, *AT_THE_SERVER) == [
            "10min", "10s", "10min", f"ecephys_dal/{__version__}",
        ]  # fmt: skip
    told = {"statement_timeout": 1.2345, "lock_timeout": None, "application_name": "it's \\ me"}
    with opened(postgres_url, **told) as database:
        assert in_force(database, route, *AT_THE_SERVER) == ["1235ms", "0", "10min", "it's \\ me"]


@pytest.mark.parametrize("route", ROUTES)
def test_what_a_url_says_wins(postgres_url: str, route: str) -> None:
    said = {"application_name": "of the URL", "options": "-c statement_timeout=4321"}
    url = make_url(postgres_url).update_query_dict(said)
    with opened(url, application_name="x", statement_timeout=1, lock_timeout=2) as database:
        assert in_force(database, route, *AT_THE_SERVER) == ["4321ms", "2s", "10min", "of the URL"]


@pytest.mark.parametrize("route", ROUTES)
def test_variables_of_libpq_say_what_nobody_else_says(
    postgres_url: str, route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGAPPNAME", "of libpq")
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=4321")
    with Database(postgres_url) as database:
        assert in_force(database, route, *AT_THE_SERVER)[::3] == ["4321ms", "of libpq"]
    url = make_url(postgres_url).update_query_dict({"options": "-c statement_timeout=1234"})
    with opened(url, application_name="told") as database:
        assert in_force(database, route, *AT_THE_SERVER)[::3] == ["1234ms", "told"]


def test_libpq_knows_the_settings(postgres_url: str) -> None:
    told = {name: value for name, (_, value) in OTHERWISE.items()} | {"sslrootcert": "/no/file"}
    url = make_url(postgres_url)
    with opened(url, **told) as database, database.connection() as connection:
        raw: Any = connection.connection.dbapi_connection
        known = raw.info.dsn_parameters
    assert {name: known[name] for name in LIBPQ} == LIBPQ
    url = url.update_query_dict({"keepalives_idle": "77"})
    with opened(url) as database, database.connection() as connection:
        raw = connection.connection.dbapi_connection
        assert raw.info.dsn_parameters["keepalives_idle"] == "77"
        assert raw.info.dsn_parameters["tcp_user_timeout"] == "60000"


LIBPQ = {
    "connect_timeout": "7", "keepalives_idle": "31", "keepalives_interval": "11",
    "keepalives_count": "4", "tcp_user_timeout": "61000", "sslmode": "prefer",
    "sslrootcert": "/no/file",
}  # fmt: skip


def test_a_callers_engine_keeps_the_callers_settings(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    database = Database(engine, settings=DatabaseSettings(statement_timeout=1.5))
    assert in_force(database, "rows", "statement_timeout", "application_name") == ["0", ""]
    engine.dispose()


def test_a_pickle_keeps_the_settings(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = DatabaseSettings(statement_timeout=1.5, pool_size=3)
    pickled = pickle.dumps(Database(postgres_url, settings=settings))
    monkeypatch.setenv("ECEPHYS_DAL_STATEMENT_TIMEOUT", "7")
    with pickle.loads(pickled) as database:
        assert database.settings == settings
        assert in_force(database, "rows", "statement_timeout") == ["1500ms"]


def test_credentials_take_settings() -> None:
    settings = DatabaseSettings(pool_size=3)
    credentials = DbCredentials(dbname="d", user="u", host="h")
    assert Database.from_credentials(credentials, settings=settings).settings is settings


@pytest.mark.parametrize("route", ROUTES)
def test_a_statement_that_takes_too_long_is_ended(postgres_url: str, route: str) -> None:
    with opened(postgres_url, statement_timeout=0.1) as database:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailableError, match="statement timeout"):
            value(database, route, select(func.pg_sleep(30).is_(None)))
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("route", ROUTES)
def test_a_lock_is_not_waited_for_without_end(fresh_url: FreshUrl, route: str) -> None:
    url = fresh_url("postgresql")
    with Database(url, owned=True) as owner, owner.connection() as holder:
        holder.execute(text("CREATE TABLE held (id int)"))
        holder.commit()
        holder.execute(text("LOCK TABLE held"))
        with opened(url, lock_timeout=0.1) as database:
            began = time.monotonic()
            # Whether there is an error of ours for it is another matter.
            with pytest.raises(Exception, match="lock timeout"):
                value(database, route, text("SELECT count(*) FROM held"))
            assert time.monotonic() - began < 10


def test_a_transaction_is_not_left_open_without_end(postgres_url: str) -> None:
    with (
        opened(postgres_url, idle_in_transaction_timeout=0.1) as database,
        pytest.raises((DatabaseUnavailableError, DBAPIError)),
        database.connection() as connection,
    ):
        connection.execute(text("SELECT 1"))
        time.sleep(0.5)
        connection.execute(text("SELECT 1"))


def routes(database: Database) -> dict[str, Callable[[], Any]]:
    """What opens a connection of each route."""
    by_bulk = {"bulk": database.bulk._connect} if database.bulk is not None else {}
    return {"rows": database.engine.connect, **by_bulk}


@contextmanager
def fake_server() -> Iterator[tuple[socket.socket, dict[str, str]]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server, {"host": "127.0.0.1", "port": str(server.getsockname()[1])}


@pytest.mark.slow
@pytest.mark.parametrize("route", ROUTES)
def test_a_server_that_never_answers_is_given_up(route: str) -> None:
    with fake_server() as (_, place), opened(url_at(place), connect_timeout=2) as database:
        began = time.monotonic()
        with pytest.raises(Exception, match="timeout expired"):
            routes(database)[route]()
        assert 1 < time.monotonic() - began < 10


def url_at(place: dict[str, str]) -> Any:
    return make_url("postgresql://reader@/lims").update_query_dict(place)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("answer", "said", "told"),
    [
        (b"N", "does not support SSL", {"sslmode": "require"}),
        (b"S", "no_such.pem", {"sslmode": "verify-full", "sslrootcert": "/no_such.pem"}),
    ],
)
def test_encryption_is_demanded(route: str, answer: bytes, said: str, told: dict[str, Any]) -> None:
    with (
        fake_server() as (server, place),
        opened(url_at(place), **told) as database,
        ThreadPoolExecutor(1) as replier,
    ):
        replier.submit(reply, server, answer)
        with pytest.raises(Exception, match=said):
            routes(database)[route]()


def reply(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(8)
        connection.sendall(answer)
        connection.recv(1)


def test_one_database_never_opens_more_connections_than_its_pool_holds(postgres_url: str) -> None:
    began = time.monotonic()
    with opened(postgres_url, pool_size=5, pool_timeout=0.1) as database, ExitStack() as held:
        number = 0
        for pool in filter(None, (database.engine.pool, database.bulk and database.bulk.pool)):
            with pytest.raises(Exception, match="timed out"):
                while number <= 5:
                    held.callback(pool.connect().close)
                    number += 1
        assert number == 5
    assert time.monotonic() - began < 10


def test_a_full_pool_is_said_in_our_words(postgres_url: str) -> None:
    began = time.monotonic()
    with (
        opened(postgres_url, pool_size=1, pool_timeout=0.1) as database,
        database.connection(),
        pytest.raises(DatabaseUnavailableError, match="became free in time"),
        database.connection(),
    ):
        pass
    assert time.monotonic() - began < 10
    assert database.bulk is None  # one connection can't be halved


def test_files_of_sqlite_have_a_pool_too(fresh_url: FreshUrl) -> None:
    settings = DatabaseSettings(pool_size=1, pool_timeout=0.1)
    with (
        Database(fresh_url("sqlite"), owned=True, settings=settings) as database,
        database.connection(),
        pytest.raises(DatabaseUnavailableError, match="became free in time"),
        database.connection(),
    ):
        pass


def test_without_a_ping_a_connection_that_was_cut_is_found_late(postgres_url: str) -> None:
    for pre_ping in (True, False):
        with opened(postgres_url, pre_ping=pre_ping) as database:
            pid = value(database, "rows", select(func.pg_backend_pid()))
            with Database(postgres_url, owned=True) as other, other.connection() as connection:
                connection.execute(select(func.pg_terminate_backend(pid, 5000)))
            if pre_ping:
                assert value(database, "rows", select(func.pg_backend_pid())) != pid
            else:
                with pytest.raises(DatabaseUnavailableError):
                    value(database, "rows", select(func.pg_backend_pid()))


def test_settings_cost_no_statement(postgres_url: str) -> None:
    asked: list[str] = []
    with Database(postgres_url) as database:
        event.listen(database.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
        value(database, "rows", select(func.pg_backend_pid()))
    assert len(asked) == 1
