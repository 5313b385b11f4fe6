"""A connection that breaks off costs time, and no row: whatever cuts it, and wherever."""

from __future__ import annotations

import itertools
import logging
import pickle
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import create_engine, func, make_url, text
from sqlalchemy.orm import Session

from ecephys_dal import (
    ConnectionLostError,
    Database,
    DatabaseSettings,
    DatabaseUnavailableError,
    SchemaMismatchError,
    SessionRepository,
    StatementTimeoutError,
    UnitMetricRepository,
    UnitRepository,
)
from ecephys_dal.migrations import upgrade
from ecephys_dal.repositories import Repository
from ecephys_dal.testing import build_synthetic_lims, enlarge_synthetic_lims

from ..conftest import FreshUrl
from ..proxy import Proxy
from .test_contract import REPOSITORIES

SETTINGS = DatabaseSettings(retries=6, backoff=0.02)
HAS_ARROW = find_spec("pyarrow") is not None and find_spec("adbc_driver_postgresql") is not None
ROUTES = {"bulk": True, "rows": False} if HAS_ARROW else {"rows": False}
BULK = pytest.mark.parametrize("bulk", ROUTES.values(), ids=ROUTES.keys())
OUTPUTS = ["frame", "ids", "count", "entities", "partitions", *["arrow"] * HAS_ARROW]
# Each row takes its time, so that there is a middle of an answer; ``void`` is never NULL.
SLOWLY = func.pg_sleep(0.003).is_not(None)


@pytest.fixture
def chance() -> random.Random:
    return random.Random(7)  # noqa: S311 - to cut anywhere


@pytest.fixture(scope="module")
def url(fresh_url: FreshUrl) -> str:
    """A small LIMS; each unit with metrics has two bundles of them."""
    url = filled(fresh_url, units_per_session=60)
    with Database(url, owned=True) as owned, owned.connection() as connection:
        connection.execute(text(TWICE))
    return url


TWICE = """
INSERT INTO ecephys_unit_metric_bundles (id, ecephys_unit_id, ecephys_analysis_run_id, data)
SELECT id + 1000000, ecephys_unit_id, ecephys_analysis_run_id, data FROM ecephys_unit_metric_bundles
"""


@pytest.fixture(scope="module")
def large(fresh_url: FreshUrl) -> str:
    url = filled(fresh_url, units_per_session=120)
    with Database(url, owned=True) as owned:
        enlarge_synthetic_lims(owned, 120)
    return url


def filled(fresh_url: FreshUrl, units_per_session: int) -> str:
    url = fresh_url("postgresql")
    with Database(url, owned=True) as owned:
        with owned.connection() as connection:
            upgrade(connection)
        build_synthetic_lims(
            owned,
            sessions=2,
            channels_per_probe=24,
            units_per_session=units_per_session,
            progress=False,
        )
    return url


def named(url: str, **arguments: Any) -> Database:
    """A database whose connections are known by their name."""
    settings = arguments.pop("settings", SETTINGS)
    name = {"application_name": f"cut {next(NUMBERS)}"}
    return Database(make_url(url).update_query_dict(name), settings=settings, **arguments)


NUMBERS = itertools.count()


def signalled(database: Database, signal: str, *, only_active: bool = False) -> int:
    """Let the server end or cancel all that a database asks; say how many there were."""
    query = f"select {signal}(pid) from pg_stat_activity where application_name = :name"
    if only_active:
        query += " and state = 'active' and length(query) > 100"
    name = {"name": database.url.query["application_name"]}
    unnamed = database.url.difference_update_query(["application_name"])
    with Database(unnamed) as other, other.connection() as connection:
        return len(connection.execute(text(query), name).all())


@contextmanager
def ended_once(database: Database, signal: str = "pg_terminate_backend") -> Iterator[None]:
    """End the connection or its question once, in the middle of its answer."""

    def end() -> None:
        for _ in range(1000):
            time.sleep(0.02)
            if signalled(database, signal, only_active=True):
                return

    thread = threading.Thread(target=end)
    thread.start()
    yield
    thread.join()


@BULK
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.in_turn("output", "bulk")
@pytest.mark.sample(3)
def test_what_was_ended_in_the_middle_is_asked_again(url: str, output: str, bulk: bool) -> None:
    with named(url, bulk=bulk) as database:
        units = UnitRepository(database)
        few = units.columns[0] <= int(units.ids()[99])
        asked = getattr(units, output)
        undisturbed = asked(where=few)
        with ended_once(database):
            came = asked(where=[few, SLOWLY])
        assert database.counters.retries == 1
    if output == "frame":
        pd.testing.assert_frame_equal(came, undisturbed)
    elif output == "entities":
        assert [unit.id for unit in came] == [unit.id for unit in undisturbed]
    elif output == "ids":
        assert came.tolist() == undisturbed.tolist()
    else:
        assert came == undisturbed


@pytest.mark.parametrize("output", ["why", "get"])
@pytest.mark.sample(1)
def test_one_record_is_asked_for_again(url: str, output: str) -> None:
    with named(url) as database:
        units = UnitRepository(database)
        unit_id = int(units.ids()[50])
        slowly = func.pg_sleep(1).is_not(None)
        with ended_once(database):
            came = getattr(units, output)(unit_id, where=slowly)
        assert database.counters.retries == 1
    assert vars(came)["id" if output == "get" else "record_id"] == unit_id


@pytest.mark.slow
@BULK
@pytest.mark.parametrize("repository", [SessionRepository, UnitRepository, UnitMetricRepository])
def test_a_frame_that_was_cut_at_any_byte_is_whole(
    url: str, repository: type[Repository[Any, Any]], bulk: bool, chance: random.Random
) -> None:
    with Proxy(url) as proxy, named(str_of(proxy), bulk=bulk) as database:
        table = repository(database)
        undisturbed = table.frame()
        before = proxy.sent
        table.frame()
        n_bytes = proxy.sent - before
        assert n_bytes > 1000
        for n in (1, n_bytes - 1, *(chance.randrange(n_bytes) for _ in range(8))):
            proxy.cut_after(n, reset=chance.random() < 0.5)
            pd.testing.assert_frame_equal(table.frame(), undisturbed)
        assert database.counters.retries > 3


def str_of(proxy: Proxy) -> str:
    return proxy.url.render_as_string(hide_password=False)


@BULK
@pytest.mark.parametrize("repository", REPOSITORIES, ids=lambda repository: repository.__name__)
@pytest.mark.in_turn("repository", "bulk")
@pytest.mark.sample(4)
def test_chunks_that_are_cut_again_and_again_are_the_frame(
    url: str, repository: type[Repository[Any, Any]], bulk: bool, chance: random.Random
) -> None:
    with Proxy(url) as proxy, named(str_of(proxy), bulk=bulk) as database:
        table = repository(database)
        few = table.columns[0] <= int(table.frame().index[:60][-1])
        undisturbed = table.frame(where=few)
        chunks = []
        proxy.cut_after(chance.randrange(20_000))
        for chunk in table.chunks(size=7, where=few):
            chunks.append(chunk)
            proxy.cut_after(chance.randrange(5_000), reset=chance.random() < 0.5)
        assert [len(chunk) for chunk in chunks[:-1]] == [7] * (len(chunks) - 1)
        pd.testing.assert_frame_equal(pd.concat(chunks), undisturbed)


@pytest.mark.slow
@BULK
@pytest.mark.parametrize("size", [1, 2, 5])
def test_chunks_go_on_between_rows_that_share_their_index(url: str, size: int, bulk: bool) -> None:
    with Proxy(url) as proxy, named(str_of(proxy), bulk=bulk) as database:
        metrics = UnitMetricRepository(database)
        index = metrics.frame().index
        shared = index[index.duplicated()]
        assert len(shared) > 0
        few = metrics.columns[0].between(int(shared[0]) - 20, int(shared[0]) + 20)
        undisturbed = metrics.frame(where=few)
        chunks = []
        for chunk in metrics.chunks(size=size, where=few):
            proxy.cut()
            chunks.append(chunk)
        assert bulk or database.counters.retries >= len(undisturbed) // size - 1
        pd.testing.assert_frame_equal(pd.concat(chunks)[list(undisturbed)], undisturbed)


@pytest.mark.slow
@BULK
def test_chunks_of_a_large_table_go_on_after_the_last_row(
    large: str, bulk: bool, chance: random.Random
) -> None:
    with named(large, bulk=bulk) as database:
        units = UnitRepository(database)
        undisturbed = units.frame()
        chunks, cuts = [], set(chance.sample(range(8), 4))
        for n, chunk in enumerate(units.chunks(size=2500)):
            if n in cuts:
                signalled(database, "pg_terminate_backend")
            chunks.append(chunk)
        assert len(chunks) > 8
        # Of the bulk route, much has come already when it is ended.
        assert database.counters.retries >= (1 if database.bulk else len(cuts))
        assert database.counters.rows == 2 * len(undisturbed)
        pd.testing.assert_frame_equal(pd.concat(chunks), undisturbed)


@BULK
@pytest.mark.parametrize("pre_ping", [True, False])
def test_an_idle_connection_that_was_ended_is_not_noticed(
    url: str, bulk: bool, pre_ping: bool
) -> None:
    settings = DatabaseSettings(backoff=0.02, pre_ping=pre_ping)
    with named(url, bulk=bulk, settings=settings) as database:
        units = UnitRepository(database)
        undisturbed = units.frame()
        assert signalled(database, "pg_terminate_backend") == 1 + bulk
        pd.testing.assert_frame_equal(units.frame(), undisturbed)
        if pre_ping:
            assert database.counters.retries == 0


@BULK
@pytest.mark.parametrize("reset", [True, False])
def test_an_idle_connection_that_a_firewall_cut_is_not_noticed(
    url: str, bulk: bool, reset: bool
) -> None:
    with Proxy(url) as proxy, named(str_of(proxy), bulk=bulk) as database:
        units = UnitRepository(database)
        undisturbed = units.frame()
        proxy.cut(reset=reset)
        pd.testing.assert_frame_equal(units.frame(), undisturbed)


@pytest.mark.slow
def test_a_connection_that_is_cut_as_it_replaces_a_cut_one_is_not_noticed(url: str) -> None:
    with Proxy(url) as proxy, named(str_of(proxy)) as database:
        bulk = database.bulk
        if bulk is None:
            pytest.skip("the arrow extra is not installed")
        units = UnitRepository(database)
        undisturbed = units.frame()

        def cut_bulk() -> None:
            proxy.cut()
            units.exists()  # the connection of the rows is there again

        cut_bulk()
        before = proxy.sent
        bulk.pool.connect().close()
        login = proxy.sent - before
        for n in range(login - 100, login + 200, 20):
            cut_bulk()
            proxy.cut_after(n)
            pd.testing.assert_frame_equal(units.frame(), undisturbed)
        assert database.counters.retries > 3


@BULK
@pytest.mark.sample(1)
def test_a_server_that_has_answered_is_waited_for(
    url: str, bulk: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with Proxy(url) as proxy, named(str_of(proxy), bulk=bulk) as database:
        units = UnitRepository(database)
        undisturbed = units.frame()
        for one in (database, pickle.loads(pickle.dumps(database))):
            proxy.refuse()
            proxy.cut()
            threading.Timer(0.2, proxy.take_over).start()
            pd.testing.assert_frame_equal(UnitRepository(one).frame(), undisturbed)
            assert one.counters.retries >= 2
            one.close()
        warned = [line for line in caplog.records if line.levelno == logging.WARNING]
        assert len(warned) == database.counters.retries + one.counters.retries
        assert {line.name for line in warned} == {"ecephys_dal.database.question"}
        assert {line.method for line in warned} == {"UnitRepository.frame"}  # type: ignore[attr-defined]


@BULK
@pytest.mark.parametrize("by", ["connection", "mismatch"])
@pytest.mark.sample(2)
def test_every_answer_counts_as_one(url: str, bulk: bool, by: str) -> None:
    with Proxy(url) as proxy, named(str_of(proxy), bulk=bulk) as database:
        units = UnitRepository(database)
        if by == "connection":
            with database.connection() as connection:
                connection.execute(text("SELECT 1"))
        else:
            with pytest.raises(SchemaMismatchError):
                units.frame(where=text("no_such_column"))
        proxy.refuse()
        proxy.cut()
        threading.Timer(0.2, proxy.take_over).start()
        assert len(units.frame()) > 0
        assert database.counters.retries >= 1


@BULK
def test_a_server_that_stays_away_is_given_up(url: str, bulk: bool) -> None:
    settings = DatabaseSettings(retries=2, backoff=0.02)
    with Proxy(url) as proxy, named(str_of(proxy), bulk=bulk, settings=settings) as database:
        units = UnitRepository(database)
        units.frame()
        proxy.refuse()
        proxy.cut()
        with pytest.raises(ConnectionLostError, match="UnitRepository.frame: .*retries=2"):
            units.frame()
        assert database.counters.retries == 2


@pytest.mark.slow
@BULK
def test_a_server_that_answers_no_more_is_given_up_at_once(url: str, bulk: bool) -> None:
    settings = DatabaseSettings(connect_timeout=2)
    with Proxy(url) as proxy, named(str_of(proxy), bulk=bulk, settings=settings) as database:
        units = UnitRepository(database)
        units.frame()
        proxy.fall_silent()
        with pytest.raises(DatabaseUnavailableError, match="time.*check host") as caught:
            units.frame()
        assert type(caught.value) is DatabaseUnavailableError
        assert database.counters.retries == 0


@BULK
def test_a_server_that_never_answered_is_not_waited_for(url: str, bulk: bool) -> None:
    with Proxy(url) as proxy:
        settings = DatabaseSettings(retries=5, backoff=5)
        with named(str_of(proxy), bulk=bulk, settings=settings) as database:
            proxy.refuse()
            with pytest.raises(DatabaseUnavailableError, match="refused") as caught:
                UnitRepository(database).frame()
            assert type(caught.value) is DatabaseUnavailableError
            assert database.counters.retries == 0


def test_nothing_is_tried_again_inside_the_callers_transaction(url: str) -> None:
    with Proxy(url) as proxy:
        engine = create_engine(proxy.url)
        with Session(engine) as db:
            units = UnitRepository(db)
            undisturbed = units.frame()
            proxy.cut()
            with pytest.raises(ConnectionLostError, match="roll it back"):
                units.frame()
            db.rollback()
            pd.testing.assert_frame_equal(units.frame(), undisturbed)
        engine.dispose()


@pytest.mark.parametrize("options", [{}, {"isolation_level": "AUTOCOMMIT"}], ids=str)
def test_what_is_read_by_an_engine_of_the_callers_is_asked_again(
    url: str, options: dict[str, Any]
) -> None:
    with Proxy(url) as proxy:
        engine = create_engine(proxy.url, **options)
        with Database(engine, settings=SETTINGS) as database:
            units = UnitRepository(database)
            undisturbed = units.frame()
            proxy.cut()
            pd.testing.assert_frame_equal(units.frame(), undisturbed)
            proxy.cut_after(20_000)
            pd.testing.assert_frame_equal(units.frame(), undisturbed)
            assert database.counters.retries == 2
        engine.dispose()


def test_chunks_need_no_transaction_of_the_callers(url: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with Database(engine) as database, Session(engine) as db:
        for place in (database, db):
            units = UnitRepository(place)
            came = pd.concat(units.chunks(size=7))
            pd.testing.assert_frame_equal(came, units.frame())
    engine.dispose()


if HAS_ARROW and find_spec("dask") is not None:

    def test_a_part_of_dasks_waits_for_a_server_that_has_answered(url: str) -> None:
        with Proxy(url) as proxy, named(str_of(proxy)) as database:
            units = UnitRepository(database)
            parts = units.dask_frame(npartitions=2)
            undisturbed = units.frame()
            proxy.refuse()
            proxy.cut()
            threading.Timer(0.1, proxy.take_over).start()
            came = parts.compute(scheduler="sync")
            pd.testing.assert_frame_equal(came, undisturbed)


@pytest.mark.slow
@BULK
def test_what_an_administrator_cancels_is_not_asked_again(large: str, bulk: bool) -> None:
    with named(large, bulk=bulk) as database:
        units = UnitRepository(database)
        assert len(units.frame(where=units.columns[0] < 0)) == 0  # the driver has seen its types
        killer = ended_once(database, "pg_cancel_backend")
        with killer, pytest.raises(DatabaseUnavailableError, match="someone cancelled it"):
            units.frame(where=SLOWLY)
        if bulk:  # row by row, nothing is asked between two chunks
            with pytest.raises(DatabaseUnavailableError, match="someone cancelled it"):
                for _ in units.chunks(size=2500):
                    signalled(database, "pg_cancel_backend")
        assert database.counters.retries == 0


@pytest.mark.slow
def test_a_slow_consumer_is_not_at_fault_when_time_is_up(large: str) -> None:
    settings = DatabaseSettings(statement_timeout=2, backoff=0.02)
    with named(large, settings=settings) as database:
        units = UnitRepository(database)
        undisturbed = units.frame()
        chunks = []
        for n, chunk in enumerate(units.chunks(size=2500)):
            time.sleep(2.2 if n == 1 else 0)
            chunks.append(chunk)
        assert database.counters.retries == (0 if database.bulk is None else 1)
        pd.testing.assert_frame_equal(pd.concat(chunks), undisturbed)


@BULK
@pytest.mark.sample(1)
def test_a_question_that_takes_too_long_is_not_asked_again(url: str, bulk: bool) -> None:
    settings = DatabaseSettings(statement_timeout=0.3)
    with named(url, bulk=bulk, settings=settings) as database:
        units = UnitRepository(database)
        for ask in (units.frame, lambda where: next(units.chunks(where=where))):
            with pytest.raises(StatementTimeoutError, match="narrower filter"):
                ask(where=SLOWLY)
        assert database.counters.retries == 0


@pytest.mark.slow
def test_a_slow_consumer_is_not_at_fault_when_the_server_hangs_up(url: str) -> None:
    settings = DatabaseSettings(idle_in_transaction_timeout=0.2, backoff=0.02)
    with named(url, bulk=False, settings=settings) as database:
        units = UnitRepository(database)
        chunks = []
        for n, chunk in enumerate(units.chunks(size=100)):
            time.sleep(0.5 if n < 2 else 0)
            chunks.append(chunk)
        assert database.counters.retries == 2
        pd.testing.assert_frame_equal(pd.concat(chunks), units.frame())
