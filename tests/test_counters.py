"""What was asked of a database is counted, timed and logged, and nothing that is secret."""

from __future__ import annotations

import logging
import os
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import false

from ecephys_dal import (
    Database,
    DatabaseSettings,
    ProbeFilter,
    ProbeRepository,
    RecordNotFoundError,
    SessionRepository,
    UnitFilter,
    UnitRepository,
)
from ecephys_dal.testing import SyntheticLims

from .conftest import BACKENDS

Filled = Callable[[str], tuple[str, SyntheticLims]]


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, filled: Filled) -> str:
    return filled(request.param)[0]


def test_questions_and_rows_are_counted(url: str) -> None:
    with Database(url) as database:
        assert database.counters.to_dict() == {
            "queries": 0, "rows": 0, "seconds": 0, "retries": 0,
        }  # fmt: skip
        units = UnitRepository(database)
        n_units = len(units.frame())
        assert units.count() == len(units.ids()) == n_units
        assert database.counters.queries == 3
        assert database.counters.rows == 2 * n_units + 1
        units.entities(UnitFilter(unit_ids=units.ids()[:5]))
        assert len(list(units.chunks(size=7))) > 1
        with pytest.raises(RecordNotFoundError):
            units.get(1)
        units.exists()
        units.frame(where=false())
        counted = database.counters.to_dict()
        assert (counted["queries"], counted["rows"]) == (9, 4 * n_units + 7)
        assert 0 < counted["seconds"] < 60
        assert counted["retries"] == 0


def test_one_is_asked_under_its_own_name(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "ecephys_dal")
    with Database(url) as database:
        probes = ProbeRepository(database)
        probes.one(ProbeFilter(probe_ids=probes.ids()[:1]))
        probes.partitions(n=2)
    _, one, partitions = caplog.records
    assert (one.method, one.rows) == ("ProbeRepository.one", 1)  # type: ignore[attr-defined]
    assert partitions.rows == 2  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_consumers_own_time_is_not_counted(url: str) -> None:
    with Database(url) as database:
        chunks = UnitRepository(database).chunks(size=100)
        n_chunks = sum(threading.Event().wait(0.3) is False for _ in chunks)
        assert 0 < database.counters.seconds < 0.3 * n_chunks


def test_chunks_that_nobody_wants_are_counted_when_they_are_let_go(url: str) -> None:
    with Database(url) as database:
        chunks = UnitRepository(database).chunks(size=7)
        next(chunks)
        assert database.counters.queries == 0
        chunks.close()  # type: ignore[attr-defined]
        assert (database.counters.queries, database.counters.rows) == (1, 7)


def test_threads_lose_no_count(url: str) -> None:
    with Database(url) as database, ThreadPoolExecutor(8) as pool:
        probes = ProbeRepository(database)
        list(pool.map(lambda _: probes.exists(), range(200)))
        assert database.counters.queries == database.counters.rows == 200


def test_a_pickle_begins_at_zero(url: str) -> None:
    with Database(url) as database:
        ProbeRepository(database).count()
        assert pickle.loads(pickle.dumps(database)).counters.queries == 0
        assert database.counters.queries == 1


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_begins_at_zero(url: str) -> None:
    with Database(url) as database:
        probes = ProbeRepository(database)
        probes.count()
        with database.counters._lock:  # as another thread may hold it at that moment
            child = os.fork()
        if child == 0:
            status = 1
            try:
                probes.count()
                status = int(database.counters.queries != 1)
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert database.counters.queries == 1


def test_each_question_is_logged_without_its_values(
    url: str, filled: Filled, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "ecephys_dal")
    with Database(url) as database:
        probes = ProbeRepository(database)
        wanted = int(probes.ids()[0])
        probes.frame(ProbeFilter(probe_ids=[wanted]))
        with pytest.raises(RecordNotFoundError):
            probes.get(7654321)
    ids, frame, get = caplog.records
    assert (frame.method, frame.rows) == ("ProbeRepository.frame", 1)  # type: ignore[attr-defined]
    assert frame.seconds > 0  # type: ignore[attr-defined]
    assert "failed with RecordNotFoundError" in get.getMessage()
    assert {line.levelno for line in (ids, frame, get)} == {logging.DEBUG}
    assert str(wanted) not in caplog.text
    assert "7654321" not in caplog.text


def test_slow_questions_are_warned_of(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with Database(url, settings=DatabaseSettings(slow_query_seconds=1e-6)) as database:
        SessionRepository(database).frame()
        list(SessionRepository(database).chunks())
    assert methods_warned_of(caplog) == ["SessionRepository.frame", "SessionRepository.chunks"]
    assert "longer than slow_query_seconds=1e-06" in caplog.text
    caplog.clear()
    with Database(url, settings=DatabaseSettings(slow_query_seconds=None)) as database:
        SessionRepository(database).frame()
    assert methods_warned_of(caplog) == []


def methods_warned_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    warned = (line for line in caplog.records if line.levelno == logging.WARNING)
    return [line.method for line in warned]  # type: ignore[attr-defined]


def test_no_handler_is_installed(url: str) -> None:
    with Database(url) as database:
        SessionRepository(database).frame()
    ours = [name for name in logging.root.manager.loggerDict if name.startswith("ecephys_dal")]
    assert "ecephys_dal.database.question" in ours
    assert not any(logging.getLogger(name).handlers for name in [*ours, "ecephys_dal"])
