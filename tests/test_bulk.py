"""The bulk route has the engine's settings, quotes what it asks, and gives back what it took."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from sqlalchemy import (
    Double,
    Executable,
    bindparam,
    cast,
    create_engine,
    func,
    literal,
    make_url,
    select,
    text,
)
from sqlalchemy.orm import Session

from ecephys_dal import (
    Database,
    DatabaseUnavailableError,
    ReadOnlyError,
    SchemaMismatchError,
    UnitRepository,
)

pa = pytest.importorskip("pyarrow", reason="the arrow extra is not installed")
adbc = pytest.importorskip(
    "adbc_driver_postgresql.dbapi", reason="the arrow extra is not installed"
)

MANY = 2_000_000  # rows of 100 characters
SLOWLY = select(func.pg_sleep(60))


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    with Database(postgres_url) as made:
        yield made


def value(database: Database, query: Executable) -> Any:
    assert database.bulk is not None
    with database.bulk.batches(query) as batches:
        (column,) = pa.Table.from_batches(batches).columns
        return column[0].as_py()


def setting(database: Database, name: str) -> Any:
    return value(database, select(func.current_setting(name)))


def asking(database: Database) -> list[str]:
    """The questions that the server is answering at this moment, but for this one."""
    query = (
        "select query from pg_stat_activity where state = 'active'"
        " and pid <> pg_backend_pid() and backend_type = 'client backend'"
        " and (query like '%pg_sleep%' or query like '%generate_series%')"
    )
    with database.connection() as connection:
        return list(connection.execute(text(query)).scalars())


def test_settings_of_the_url_hold_on_both_routes(postgres_url: str) -> None:
    query = {"application_name": "it's \\ me", "options": "-c statement_timeout=4321"}
    with Database(make_url(postgres_url).update_query_dict(query)) as database:
        for name in ("application_name", "statement_timeout"):
            with database.connection() as connection:
                by_rows = connection.execute(select(func.current_setting(name))).scalar_one()
            assert setting(database, name) == by_rows
        assert setting(database, "application_name") == "it's \\ me"
        assert setting(database, "statement_timeout") == "4321ms"


def test_a_connection_can_only_read(database: Database) -> None:
    assert setting(database, "transaction_read_only") == "on"
    with pytest.raises(ReadOnlyError, match="read-only"):
        value(database, text("CREATE TABLE harm (id int)"))
    with database.connection() as connection:
        assert connection.execute(text("select to_regclass('harm')")).scalar_one() is None


def test_encryption_is_demanded_as_by_the_other_route(postgres_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = {"host": "127.0.0.1", "port": str(server.getsockname()[1]), "sslmode": "require"}
        with Database(make_url(postgres_url).set(query={}).update_query_dict(place)) as database:
            assert database.bulk is not None
            for connect in (database.bulk._connect, database.engine.connect):
                with ThreadPoolExecutor(1) as refuser:
                    heard = refuser.submit(refuse_encryption, server)
                    with pytest.raises(Exception, match="does not support SSL"):
                        connect()
                    assert heard.result() == SSL_REQUEST


SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # PostgreSQL's documentation, Message Formats


def refuse_encryption(server: socket.socket) -> bytes:
    connection, _ = server.accept()
    with connection:
        heard = connection.recv(8)
        connection.sendall(b"N")
        connection.recv(1)
    return heard


def test_the_password_reaches_the_server_and_no_message(postgres_url: str) -> None:
    url = make_url(postgres_url).set(password="s3cret'\\ x", database="no_such_database")
    with Database(url) as database:
        assert database.bulk is not None
        with pytest.raises(adbc.Error, match="no_such_database") as caught:
            database.bulk._connect()
        with pytest.raises(DatabaseUnavailableError) as ours:
            value(database, select(literal(1)))
    for error in (caught.value, ours.value):
        assert "s3cret" not in repr(error)


ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(words=ANY_TEXT, number=st.integers(-(2**63), 2**63 - 1), fraction=st.floats())
def test_values_arrive_as_they_are(
    postgres_url: str, words: str, number: int, fraction: float
) -> None:
    database = shared_database(postgres_url)
    same = (
        (bindparam(None, words) == bindparam(None, words))
        & (func.length(bindparam(None, words)) == len(words))
        & (bindparam(None, number) == number)
    )
    assert value(database, select(same)) is True
    assert value(database, select(func.concat(words))) == words
    came = value(database, select(cast(fraction, Double)))
    assert came == pytest.approx(fraction, rel=0, abs=0, nan_ok=True)


DATABASES: dict[str, Database] = {}


def shared_database(url: str) -> Database:
    return DATABASES.setdefault(url, Database(url))


@pytest.fixture(scope="module", autouse=True)
def closed_at_the_end() -> Iterator[None]:
    yield
    for database in DATABASES.values():
        database.close()


@pytest.mark.parametrize(
    "words", ["'; DROP TABLE x; --", "\\'", "%", "%(a)s", ":a", "{}", "$1", "é\n"]
)
def test_texts_that_look_like_sql_are_only_texts(database: Database, words: str) -> None:
    assert value(database, select(func.concat(words))) == words


@pytest.mark.parametrize("encoding", ["latin1", "utf8"])
def test_texts_arrive_whatever_encoding_the_url_names(postgres_url: str, encoding: str) -> None:
    url = make_url(postgres_url).update_query_dict({"client_encoding": encoding})
    with Database(url) as database:
        assert value(database, select(func.concat("é", "\\'"))) == "é\\'"


def test_a_pool_without_a_free_connection_is_said_in_our_words(database: Database) -> None:
    assert database.bulk is not None
    pool = database.bulk.pool
    pool._timeout = 0.1
    with ExitStack() as held:
        for _ in range(pool.size() + pool._max_overflow):
            held.callback(pool.connect().close)
        with pytest.raises(DatabaseUnavailableError, match="became free in time"):
            value(database, select(literal(1)))
    assert value(database, select(literal(1))) == 1


def test_a_server_that_can_not_be_told_to_stop_hides_no_error(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_cursor: object) -> None:
        raise OSError("no route to the server")

    monkeypatch.setattr(adbc.Cursor, "adbc_cancel", refuse)
    assert database.bulk is not None
    with pytest.raises(ZeroDivisionError), database.bulk.batches(select(literal(1))):
        1 / 0  # noqa: B018
    assert database.bulk.pool.checkedout() == 0


def test_threads_that_come_first_together_share_one_route(postgres_url: str) -> None:
    with Database(postgres_url) as database, ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: database.bulk, range(8)))) == 1
    with Database(postgres_url, bulk=False) as database:
        assert database.bulk is None
        assert pickle.loads(pickle.dumps(database)).bulk is None


def test_connections_are_kept(database: Database) -> None:
    pid = select(func.pg_backend_pid())
    assert len({value(database, pid) for _ in range(5)}) == 1


def test_a_connection_that_was_cut_is_replaced(database: Database) -> None:
    pid = value(database, select(func.pg_backend_pid()))
    with database.connection() as connection:
        connection.execute(text(f"select pg_terminate_backend({pid})"))
    assert value(database, select(func.pg_backend_pid())) != pid


def test_the_server_ends_what_nobody_reads(database: Database) -> None:
    query = select(func.generate_series(1, MANY), func.repeat("x", 100))
    assert database.bulk is not None
    with pytest.raises(ZeroDivisionError), database.bulk.batches(query) as batches:
        next(batches)
        1 / 0  # noqa: B018
    assert eventually_none(database)
    assert database.bulk.pool.checkedout() == 0
    assert value(database, select(literal(1))) == 1


def eventually_none(database: Database) -> bool:
    end = time.monotonic() + 10
    while asking(database):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_an_answer_is_never_held_as_a_whole(database: Database) -> None:
    query = select(func.generate_series(1, MANY), func.repeat("x", 100))
    rows = most = 0
    assert database.bulk is not None
    before = pa.total_allocated_bytes()
    with database.bulk.batches(query) as batches:
        for batch in batches:
            rows += batch.num_rows
            most = max(most, pa.total_allocated_bytes() - before)
    assert rows == MANY
    assert most < MANY * 100 / 2


@pytest.mark.filterwarnings("ignore:.*:pytest.PytestUnhandledThreadExceptionWarning")
def test_ctrl_c_ends_the_question(database: Database) -> None:
    def press() -> None:
        while not asking(other):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    with Database(database.url) as other:
        presser = threading.Thread(target=press)
        presser.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            value(database, SLOWLY)
        presser.join()
        assert time.monotonic() - began < 20
        assert eventually_none(other)
    assert value(database, select(literal(1))) == 1


def test_an_answer_that_breaks_off_is_no_answer(database: Database) -> None:
    query = select(func.generate_series(1, MANY), func.repeat("x", 100))
    pid = value(database, select(func.pg_backend_pid()))
    assert database.bulk is not None
    with pytest.raises(DatabaseUnavailableError), database.bulk.batches(query) as batches:
        for _ in batches:
            with database.connection() as connection:
                connection.execute(text(f"select pg_terminate_backend({pid})"))
    assert value(database, select(literal(1))) == 1


def test_a_missing_table_is_said_without_the_question(database: Database) -> None:
    with pytest.raises(SchemaMismatchError, match="ecephys_units") as caught:
        UnitRepository(database).frame()
    assert "SELECT" not in str(caught.value)


def test_a_refused_login_is_ours(postgres_url: str) -> None:
    url = make_url(postgres_url).set(username="nobody_of_this_name")
    with Database(url) as database, pytest.raises(DatabaseUnavailableError):
        UnitRepository(database).frame()


def test_engines_and_sessions_of_the_callers_are_read_by_rows(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    assert Database(engine).bulk is None
    with Session(engine) as db:
        db.execute(text("CREATE TEMPORARY TABLE ecephys_units (id int)"))
        with pytest.raises(SchemaMismatchError, match="does not exist"):
            UnitRepository(db).frame()  # it saw the table: a column is missing, or another table
    engine.dispose()


def test_a_pickled_database_makes_its_own_connections(database: Database) -> None:
    pid = value(database, select(func.pg_backend_pid()))
    with pickle.loads(pickle.dumps(database)) as other:
        assert value(other, select(func.pg_backend_pid())) != pid


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_leaves_its_parents_connections_alone(database: Database) -> None:
    pid = value(database, select(func.pg_backend_pid()))
    child = os.fork()
    if child == 0:
        status = 1
        signal.alarm(30)
        try:
            status = int(value(database, select(func.pg_backend_pid())) == pid)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert value(database, select(func.pg_backend_pid())) == pid
