"""What one user of a pooled connection sets, locks or makes is gone when the next one gets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from ecephys_dal import Database, DatabaseSettings, EcephysDalError, SessionRepository
from tests.conftest import BACKENDS

ONE = DatabaseSettings(pool_size=2)  # so that each route has one connection
LEFT = """
SELECT 'setting ' || name FROM pg_settings
WHERE name IN ('search_path', 'row_security', 'work_mem')
AND setting <> reset_val
UNION ALL SELECT 'lock' FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
UNION ALL SELECT 'prepared ' || name FROM pg_prepared_statements
UNION ALL SELECT 'cursor ' || name FROM pg_cursors WHERE is_holdable
UNION ALL SELECT 'channel ' || channel FROM pg_listening_channels() AS channel
UNION ALL SELECT 'temporary ' || relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()
"""


def of_url(url: str) -> Database:
    return Database(url, settings=ONE)


def by_rows(url: str) -> Database:
    return Database(url, bulk=False, settings=DatabaseSettings(pool_size=1))


def unset(url: str) -> Database:
    return Database(url, settings=DatabaseSettings(pool_size=2, startup_options=False))


def of_an_engine(url: str) -> Database:
    return Database(create_engine(url, pool_size=1, max_overflow=0))


def in_autocommit(url: str) -> Database:
    return Database(create_engine(url, pool_size=1, max_overflow=0, isolation_level="AUTOCOMMIT"))


WAYS = [of_url, by_rows, unset, of_an_engine, in_autocommit]
OURS = [of_url, by_rows, unset]
# What a condition can do to the connection that it is asked by.
CALLS = {
    "may write": "set_config('default_transaction_read_only', 'off', false) IS NOT NULL",
    "search path": "set_config('search_path', 'pg_temp', false) IS NOT NULL",
    "row security": "set_config('row_security', 'off', false) IS NOT NULL",
    "lock": "pg_advisory_lock(7) IS NOT NULL",
    "shared lock": "pg_try_advisory_lock_shared(1, 2)",
}


def left(database: Database) -> list[str]:
    """What a pooled connection brings along."""
    with database.connection() as connection:
        return connection.execute(text(LEFT)).scalars().all()  # type: ignore[return-value]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("output", ["frame", "count", "entities", "explain"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.in_turn("output", "call")
@pytest.mark.sample(8)
def test_what_a_condition_does_is_undone(
    filled: Any, way: Callable[[str], Database], output: str, call: str
) -> None:
    url, _ = filled("postgresql")
    with way(url) as database:
        sessions = SessionRepository(database)
        before = sessions.frame()
        getattr(sessions, output)(where=text(call))
        theirs = ["lock"] if "lock" in call and database.is_the_callers else []
        assert left(database) == theirs
        assert sessions.frame().equals(before)
        assert sessions.count() == len(before)
        with pytest.raises((EcephysDalError, DBAPIError)), database.connection() as connection:
            connection.execute(text("CREATE TABLE harm (id int)"))
        if database.is_the_callers:
            database.engine.dispose()


STATEMENTS = {
    "setting": "SET search_path = pg_temp",
    "role": "SET SESSION AUTHORIZATION pg_monitor",
    "may write": "SET default_transaction_read_only = off",
    "memory": "SET work_mem = '64MB'",
    "lock": "SELECT pg_advisory_lock(9)",
    "channel": "LISTEN news",
    "prepared": "PREPARE plan AS SELECT 1",
    "cursor": "DECLARE held CURSOR WITH HOLD FOR SELECT 1",
    "temporary": "CREATE TEMPORARY TABLE mine (id int)",
    "zone": "SET TimeZone = 'Asia/Tokyo'",
    "dates": "SET DateStyle = 'German'",
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
@pytest.mark.parametrize("way", OURS)
@pytest.mark.parametrize("by", ["connection", "autocommit", "driver"])
@pytest.mark.in_turn("statement", "way")
def test_what_is_committed_ends_with_the_connections_use(
    filled: Any, way: Callable[[str], Database], by: str, statement: str
) -> None:
    url, lims = filled("postgresql")
    with way(url) as database:
        dates = SessionRepository(database).frame()["date_of_acquisition"]
        do(database, by, statement)
        assert left(database) == []
        with database.connection() as connection:
            assert connection.execute(text("SHOW TimeZone")).scalar_one() == "UTC"
            assert connection.execute(text("SELECT current_user = session_user")).scalar_one()
        assert SessionRepository(database).frame()["date_of_acquisition"].equals(dates)
        assert SessionRepository(database).ids().tolist() == lims.visible_session_ids


def do(database: Database, by: str, statement: str) -> None:
    """Execute a statement, and commit it; what may not be done is done by nobody."""
    try:
        if by == "connection":
            with database.connection() as connection:
                connection.execute(text(statement))
                connection.commit()
        elif by == "driver":
            raw = database.engine.raw_connection()
            try:
                raw.cursor().execute(statement)
                raw.commit()
            finally:
                raw.close()
        elif database.settings.startup_options:
            engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text(statement))
    except (EcephysDalError, DBAPIError):
        pass
    except Exception as error:
        if type(error).__module__ != "psycopg2.errors":
            raise


@pytest.mark.parametrize("way", OURS)
def test_the_drivers_own_connection_is_read_only_each_time(
    filled: Any, way: Callable[[str], Database]
) -> None:
    url, _ = filled("postgresql")
    with way(url) as database:
        for _ in range(3):
            assert SessionRepository(database).count() > 0
            raw = database.engine.raw_connection()
            cursor = raw.cursor()
            cursor.execute("SHOW transaction_read_only")
            assert cursor.fetchone() == ("on",)
            raw.close()


@pytest.mark.parametrize("way", OURS)
@pytest.mark.parametrize("what", ["encoding", "cursors", "notices"])
def test_what_the_driver_keeps_is_forgotten(
    filled: Any, way: Callable[[str], Database], what: str
) -> None:
    url, _ = filled("postgresql")
    with way(url) as database:
        before = SessionRepository(database).frame()
        raw = database.engine.raw_connection()
        driver: Any = raw.dbapi_connection
        if what == "encoding":
            driver.set_client_encoding("LATIN1")
        elif what == "cursors":
            driver.cursor_factory = type("Theirs", (driver.cursor().__class__,), {})
        else:
            raw.cursor().execute("DO $$ BEGIN RAISE NOTICE 'theirs'; END $$")
        raw.close()
        raw = database.engine.raw_connection()
        driver = raw.dbapi_connection
        assert (driver.encoding, driver.cursor_factory, driver.notices) == ("UTF8", None, [])
        raw.close()
        assert SessionRepository(database).frame().equals(before)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_engine_of_the_callers_is_as_it_was(filled: Any, backend: str) -> None:
    url, _ = filled(backend)
    options = {"isolation_level": "AUTOCOMMIT"} if backend == "postgresql" else {}
    engine = create_engine(url, **options)
    with engine.connect() as connection:
        if backend == "postgresql":
            connection.execute(text("SET work_mem = '7MB'"))
        else:
            connection.execute(text("ATTACH ':memory:' AS other"))
    assert SessionRepository(Database(engine)).count() > 0
    with engine.connect() as connection:
        if backend == "postgresql":
            assert connection.connection.dbapi_connection.autocommit  # type: ignore[union-attr]
            assert connection.execute(text("SHOW work_mem")).scalar_one() == "7MB"
            assert connection.execute(text("SHOW transaction_read_only")).scalar_one() == "off"
        else:
            assert len(connection.execute(text("PRAGMA database_list")).all()) == 2
            assert connection.execute(text("PRAGMA query_only")).scalar_one() == 0
    engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA query_only = OFF",
        "ATTACH ':memory:' AS other",
        "CREATE TEMPORARY TABLE ecephys_sessions (id int)",
        "CREATE TEMPORARY VIEW ecephys_sessions AS SELECT 1 AS id",
        "PRAGMA case_sensitive_like = ON",
        "PRAGMA writable_schema = ON",
        "PRAGMA locking_mode = EXCLUSIVE",
    ],
)
@pytest.mark.parametrize("by", ["connection", "driver"])
def test_a_connection_to_sqlite_forgets_too(filled: Any, by: str, statement: str) -> None:
    url, lims = filled("sqlite")
    with Database(url, settings=DatabaseSettings(pool_size=1)) as database:
        if by == "connection":
            with database.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA query_only = OFF")
                connection.exec_driver_sql(statement)
                connection.commit()
        else:
            raw = database.engine.raw_connection()
            raw.cursor().execute("PRAGMA query_only = OFF")
            raw.cursor().execute(statement)
            raw.close()
        with database.connection() as connection:
            assert connection.execute(text("PRAGMA query_only")).scalar_one() == 1
            assert len(connection.execute(text("PRAGMA database_list")).all()) == 1
            assert connection.execute(text("SELECT 'a' LIKE 'A'")).scalar_one() == 1
            assert connection.execute(text("PRAGMA writable_schema")).scalar_one() == 0
            assert connection.execute(text("PRAGMA locking_mode")).scalar_one() == "normal"
        assert SessionRepository(database).ids().tolist() == lims.visible_session_ids
