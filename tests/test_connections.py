"""Connections are taken by the first statement and given back at the end, whatever comes then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from ecephys_dal import ConnectionLostError, Database, DatabaseSettings, SessionRepository
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import Gender
from ecephys_dal.testing import SyntheticLims
from tests.conftest import FreshUrl
from tests.proxy import Proxy

PID = text("SELECT pg_backend_pid()")
Opened = Callable[[Database], Any]


@pytest.fixture(params=["session", "connection"])
def opened(request: pytest.FixtureRequest) -> Opened:
    """One of the two ways to ask a database."""
    return lambda database: getattr(database, request.param)()


@pytest.fixture(params=["URL", "engine", "AUTOCOMMIT"])
def database(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[Database]:
    if request.param == "URL":
        settings = DatabaseSettings(pool_size=1, pool_timeout=0.1)
        with Database(postgres_url, bulk=False, settings=settings) as made:
            yield made
        return
    level = {"isolation_level": request.param} if request.param == "AUTOCOMMIT" else {}
    engine = create_engine(postgres_url, pool_size=1, max_overflow=0, pool_timeout=0.1, **level)
    yield Database(engine)
    engine.dispose()


def taken(database: Database) -> int:
    return int(database.engine.pool.checkedout())  # type: ignore[attr-defined]


def test_the_first_statement_of_a_session_takes_a_connection(database: Database) -> None:
    with database.session() as db:
        assert taken(database) == 0
        assert not database.has_answered
        db.execute(PID)
        assert taken(database) == 1
        assert database.has_answered
        db.commit()
        assert taken(database) == 0
        db.execute(PID)
    assert taken(database) == 0


def test_a_session_of_a_server_that_is_not_there_can_be_opened() -> None:
    with Database("postgresql://reader@127.0.0.1:1/lims").session() as db:
        assert db.get_bind() is not None


def cut(postgres_url: str, pid: int) -> None:
    with Database(postgres_url) as other, other.connection() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


def test_what_is_cut_after_the_last_statement_has_lost_nothing(
    postgres_url: str, database: Database, opened: Opened
) -> None:
    with opened(database) as asked:
        cut(postgres_url, asked.scalar(PID))
    assert taken(database) == 0
    with opened(database) as asked:
        assert asked.scalar(text("SELECT 1")) == 1


def test_the_error_of_a_block_comes_through_a_cut(
    postgres_url: str, database: Database, opened: Opened
) -> None:
    error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError) as caught, opened(database) as asked:
        cut(postgres_url, asked.scalar(PID))
        raise error
    assert caught.value is error
    assert caught.value.__context__ is None
    assert taken(database) == 0


def test_a_statement_after_a_cut_is_lost(
    postgres_url: str, database: Database, opened: Opened
) -> None:
    with pytest.raises(ConnectionLostError), opened(database) as asked:
        cut(postgres_url, asked.scalar(PID))
        asked.scalar(PID)
    assert taken(database) == 0


def test_what_is_written_is_not_lost_without_a_word(fresh_url: FreshUrl, opened: Opened) -> None:
    with Database(url := fresh_url("postgresql"), owned=True) as owned:
        with owned.connection() as connection:
            upgrade(connection)
        with pytest.raises(ConnectionLostError), opened(owned) as asked:
            asked.execute(text("INSERT INTO genders (id, name) VALUES (1, 'F')"))
            cut(url, asked.scalar(PID))
        with owned.session() as db:
            assert db.scalars(select(Gender)).all() == []


def test_a_network_that_breaks_at_the_end_has_lost_nothing(
    postgres_url: str, opened: Opened
) -> None:
    with Proxy(postgres_url) as proxy, Database(proxy.url, bulk=False) as database:
        with opened(database) as asked:
            asked.scalar(PID)
            proxy.cut(reset=True)
        with opened(database) as asked:
            assert asked.scalar(text("SELECT 1")) == 1


if find_spec("fastapi") is not None:

    def test_many_requests_share_few_connections(
        filled: Callable[[str], tuple[str, SyntheticLims]],
    ) -> None:
        """The session is opened in one thread, asked in a second and closed in a third."""
        import fastapi
        from fastapi import testclient

        settings = DatabaseSettings(pool_size=5, pool_timeout=10)
        with Database(filled("postgresql")[0], bulk=False, settings=settings) as database:

            def current_db() -> Iterator[Session]:
                with database.session() as db:
                    yield db

            a_session = fastapi.Depends(current_db)

            def ids(db: Session = a_session) -> list[int]:
                db.execute(text("SELECT pg_sleep(0.002)"))
                found: list[int] = SessionRepository(db).ids().tolist()
                return found

            app = fastapi.FastAPI()
            app.get("/sessions", response_model=None)(ids)
            with testclient.TestClient(app) as client, ThreadPoolExecutor(60) as threads:
                assert client.get("/sessions").json() != []
                began = time.monotonic()
                answers = list(threads.map(lambda _: client.get("/sessions"), range(60)))
                assert time.monotonic() - began < settings.pool_timeout
        assert [answer.status_code for answer in answers] == [200] * 60
