"""A database answers in time whether it can be asked, or says why not."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from ecephys_dal import ConfigurationError, Database, DatabaseSettings, DatabaseUnavailableError
from ecephys_dal.snapshot import SnapshotDatabase, create
from ecephys_dal.testing import SyntheticLims
from tests.conftest import FreshUrl
from tests.proxy import Proxy

SECRET = "hunter2-not-to-be-found"
SOON = 15  # seconds, of a busy machine; what hangs would do so for longer
PATIENT = DatabaseSettings(connect_timeout=60, pool_timeout=60, pool_size=1)


def pinging() -> int:
    return sum(one.name == "ecephys_dal-ping" for one in threading.enumerate())


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """See that what was waited for in vain ends when it can."""
    yield
    until = time.monotonic() + SOON
    while pinging() and time.monotonic() < until:
        time.sleep(0.01)
    assert pinging() == 0


def refused(database: Database, match: str, **how: float) -> None:
    """See that a database says in time why it does not answer."""
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailableError, match=match) as caught:
        database.ping(**how)
    assert time.monotonic() - began < SOON
    chain: BaseException | None = caught.value
    while chain is not None:
        assert SECRET not in str(chain)
        chain = chain.__cause__
    assert pinging() <= 1


def test_a_database_that_answers_says_how_fast(synthetic: SyntheticLims) -> None:
    for _ in range(3):
        assert 0 < synthetic.database.ping(timeout=30) < 30
    assert synthetic.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert pinging() == 0


def test_many_may_ask_at_once(synthetic: SyntheticLims) -> None:
    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(lambda _: synthetic.database.ping(timeout=30), range(200)))
    assert len(answers) == 200


def test_a_snapshot_and_a_database_in_memory_answer(
    synthetic: SyntheticLims, tmp_path: Path
) -> None:
    create(synthetic.database, tmp_path / "lims.db", progress=False)
    with SnapshotDatabase(tmp_path / "lims.db") as snapshot, Database("sqlite://") as memory:
        assert snapshot.ping(timeout=30) > 0
        assert memory.ping(timeout=30) >= 0


def test_a_file_that_is_missing_or_no_database_is_refused(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'none.db'}") as missing:
        refused(missing, "no SQLite database", timeout=30)
    (tmp_path / "text.db").write_text("no database" * 100)
    with Database(f"sqlite:///{tmp_path / 'text.db'}") as broken:
        refused(broken, "database", timeout=30)


def test_a_file_that_another_process_holds_is_not_waited_for(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "lims.db", isolation_level=None) as other:
        other.execute("CREATE TABLE one (id)")
        other.execute("BEGIN EXCLUSIVE")
        with Database(f"sqlite:///{tmp_path / 'lims.db'}?timeout=60") as database:
            refused(database, "within 0.2 s", timeout=0.2)
            other.execute("ROLLBACK")
            assert database.ping(timeout=30) > 0
    other.close()


def test_a_server_that_is_away_is_refused_with_the_reason() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with Database(f"postgresql://reader:{SECRET}@127.0.0.1:{port}/lims2") as database:
            refused(database, "refused")


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(20)
        yield f"postgresql://reader:{SECRET}@127.0.0.1:{listener.getsockname()[1]}/lims2"


def test_a_server_that_is_silent_costs_a_second_and_one_thread(silent: str) -> None:
    with Database(silent, settings=PATIENT) as database:
        for _ in range(3):
            refused(database, "within 0.1 s", timeout=0.1)
        assert pinging() == 1
        refused(database, "within 1 s")


def test_a_server_that_falls_silent_is_found_out(postgres_url: str) -> None:
    with Proxy(make_url(postgres_url)) as proxy, Database(proxy.url, settings=PATIENT) as database:
        assert database.ping(timeout=30) > 0
        proxy.fall_silent()
        refused(database, "within 0.3 s.*1 of 1", timeout=0.3)


def test_what_connects_slowly_is_not_waited_for(postgres_url: str) -> None:
    def connect() -> Any:
        import psycopg2

        slow.wait(60)  # as a name does that resolves slowly
        return psycopg2.connect(
            make_url(postgres_url)
            .set(drivername="postgresql")
            .render_as_string(hide_password=False)
        )

    slow = threading.Event()
    engine = create_engine("postgresql+psycopg2://reader@limsdb/lims2", creator=connect)
    database = Database(engine)
    refused(database, "within 0.2 s", timeout=0.2)
    slow.set()
    assert database.ping(timeout=30) > 0
    engine.dispose()


def test_a_pool_without_a_free_connection_is_said_to_be_one(postgres_url: str) -> None:
    with Database(postgres_url, bulk=False, settings=PATIENT) as database:
        with database.connection() as connection:
            connection.execute(text("SELECT 1"))
            refused(database, r"within 0.2 s \(1 of 1 pooled connections", timeout=0.2)
        assert database.ping(timeout=30) > 0
        assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_lock_on_a_table_is_not_in_its_way(fresh_url: FreshUrl) -> None:
    with Database(fresh_url("postgresql"), owned=True) as database, database.connection() as other:
        other.execute(text("CREATE TABLE one (id int)"))
        other.execute(text("LOCK TABLE one IN ACCESS EXCLUSIVE MODE"))
        assert database.ping(timeout=30) > 0


@pytest.mark.parametrize("timeout", [1e300, float("inf"), 10**400])
def test_a_ping_may_wait_for_ever(empty_url, timeout):
    with Database(empty_url, owned=True) as database:
        assert database.ping(timeout) < 60


@pytest.mark.parametrize("wrong", [0, -1, None, "1", True, float("nan")])
def test_a_time_out_that_is_none_is_refused(wrong: Any) -> None:
    with Database("sqlite://") as database, pytest.raises(ConfigurationError, match="timeout="):
        database.ping(timeout=wrong)
