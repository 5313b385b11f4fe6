"""One facade serves many threads and forked processes: right answers, and not a connection more."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from sqlalchemy import create_engine, func, select, text

from ecephys_dal import Database, DatabaseSettings, EcephysProjectLimsApi
from ecephys_dal.testing import SyntheticLims
from tests.conftest import ROUTES

THREADS, PROCESSES, POOL = 32, 8, 6
Call = Callable[[EcephysProjectLimsApi], Any]
Answers = dict[str, Any]
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class Routes:
    """An application that gives the route of a file instead of the file."""

    def stream(self, route: str) -> list[bytes]:
        return [route.encode()]


@pytest.fixture(autouse=True)
def what_other_tests_left() -> Iterator[None]:
    """Keep it from the garbage collector of forked processes, which would copy every page of it."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module", params=ROUTES)
def served(
    request: pytest.FixtureRequest, filled: Callable[[str], tuple[str, SyntheticLims]]
) -> Iterator[tuple[EcephysProjectLimsApi, dict[str, Call]]]:
    """A facade in use, and mixed calls that have answers."""
    backend, _, rows = request.param.partition(", ")
    url, lims = filled(backend)
    settings = DatabaseSettings(pool_size=POOL, application_name=f"watched {uuid4().hex}")
    with Database(url, bulk=not rows, settings=settings) as database:
        api = EcephysProjectLimsApi(database, Routes())
        yield api, calls(lims)


def calls(lims: SyntheticLims) -> dict[str, Call]:
    one, probe = lims.session_ids[:1], lims.probe_ids[0]
    return {
        "sessions": lambda api: api.get_sessions(),
        "no sessions": lambda api: api.get_sessions(session_ids=[]),
        "probes": lambda api: api.get_probes(session_ids=one),
        "channels": lambda api: api.get_channels(session_ids=one),
        "units": lambda api: api.get_units(),
        "metrics": lambda api: api.get_unit_analysis_metrics(ecephys_session_ids=one),
        "NWB file": lambda api: api.get_session_data(one[0]),
        "LFP file": lambda api: api.get_probe_lfp_data(probe),
        "template": lambda api: api.get_natural_movie_template(1),
    }


def answers(api: EcephysProjectLimsApi, calls: dict[str, Call], seed: int) -> Answers:
    """Ask everything, in an order of one's own."""
    names = Random(seed).sample(list(calls), len(calls))  # noqa: S311
    return {name: calls[name](api) for name in names}


def are_equal(ours: Answers, theirs: Answers) -> bool:
    return ours.keys() == theirs.keys() and all(
        answer.equals(theirs[name]) if isinstance(answer, pd.DataFrame) else answer == theirs[name]
        for name, answer in ours.items()
    )


def backends_of(database: Database) -> set[int]:
    """The processes of the server that serve us, by either route."""
    if database.url.get_backend_name() == "sqlite":
        return set()
    query = select(func.pg_backend_pid())
    with database.connection() as connection:
        found = {connection.execute(query).scalar_one()}
    if database.bulk is not None:
        with database.bulk.batches(query) as batches:
            found |= {batch[0][0].as_py() for batch in batches}
    return found


def connections(watcher: Database, database: Database) -> set[int]:
    """All connections to the server by the name of a database, by their processes there."""
    query = text("SELECT pid FROM pg_stat_activity WHERE application_name = :name")
    with watcher.connection() as connection:
        name = database.settings.application_name
        return set(connection.execute(query, {"name": name}).scalars())


@contextmanager
def watched(database: Database) -> Iterator[list[set[int]]]:
    """Look at the connections again and again, meanwhile."""
    seen: list[set[int]] = []
    if database.url.get_backend_name() == "sqlite":
        yield seen
        return
    done = threading.Event()
    settings = DatabaseSettings(application_name="watcher")
    with Database(database.url, bulk=False, settings=settings) as watcher:

        def watch() -> None:
            while not done.wait(0.005):
                seen.append(connections(watcher, database))

        seen.append(connections(watcher, database))
        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield seen
        finally:
            done.set()
            thread.join()


def most(seen: list[set[int]]) -> int:
    """Return how many connections there were at most; one that was closed may end a little later.

    ADBC closes one to ask for the types before it opens the one that is used.
    """
    looks = 5  # one after the other
    return max(
        len(set.intersection(*seen[i : i + looks])) for i in range(max(1, len(seen) - looks + 1))
    )


@pytest.mark.slow
def test_threads_get_right_answers_by_no_more_connections_than_the_pool_holds(
    served: tuple[EcephysProjectLimsApi, dict[str, Call]],
) -> None:
    api, asked = served
    expected = answers(api, asked, seed=0)
    assert all(len(answer) for name, answer in expected.items() if name != "no sessions")
    start = threading.Barrier(THREADS)

    def ask(seed: int) -> Answers:
        start.wait(30)
        return answers(api, asked, seed)

    with watched(api.postgres_engine) as seen, ThreadPoolExecutor(THREADS) as pool:
        for found in pool.map(ask, range(THREADS)):
            assert are_equal(found, expected)
    if seen:
        assert 1 < most(seen) <= POOL


@pytest.mark.slow
def test_forked_processes_share_no_connection(
    served: tuple[EcephysProjectLimsApi, dict[str, Call]],
) -> None:
    api, asked = served
    database = api.postgres_engine
    expected = answers(api, asked, seed=0)

    def work(seed: int) -> set[int]:
        start = threading.Barrier(THREADS // PROCESSES)

        def ask(seed: int) -> set[int]:
            start.wait(30)
            assert are_equal(answers(api, asked, seed), expected)
            return backends_of(database)

        with ThreadPoolExecutor(THREADS // PROCESSES) as pool:
            return set().union(*pool.map(ask, range(seed, seed + THREADS // PROCESSES)))

    with watched(database) as seen:
        children = [forked(work, number) for number in range(PROCESSES)]
        assert are_equal(answers(api, asked, seed=1), expected)  # the parent goes on meanwhile
        found = [*seen[:1], *(ended(child) for child in children)]
    assert len(set().union(*found)) == sum(map(len, found))
    assert are_equal(answers(api, asked, seed=2), expected)
    if seen:
        assert seen[0] <= seen[-1]  # nobody closed the parent's
        assert most(seen) <= POOL * (1 + PROCESSES)


@pytest.mark.slow
def test_an_engine_is_parted_by_a_fork_too(
    filled: Callable[[str], tuple[str, SyntheticLims]],
) -> None:
    url, _ = filled("postgresql")
    given = create_engine(url)
    pid = select(func.pg_backend_pid())
    with Database(url) as database:
        Database(given)  # it was seen by us once
        for engine in (database.engine, given):
            with engine.connect() as connection:
                ours = connection.scalar(pid)

            def work(_: int, engine: Any = engine) -> Any:
                with engine.connect() as connection:
                    return connection.scalar(pid)

            assert ended(forked(work, 0)) not in (None, ours)
            with engine.connect() as connection:
                assert connection.scalar(pid) == ours
    given.dispose()


def test_a_database_in_memory_is_copied_by_a_fork() -> None:
    with Database("sqlite://", owned=True) as database:
        with database.connection() as connection:
            connection.execute(text("CREATE TABLE kept (id int)"))

        def work(_: int) -> list[Any]:
            with database.connection() as connection:
                return list(connection.execute(text("SELECT * FROM kept")))

        assert ended(forked(work, 0)) == []


Child = tuple[int, int]


def forked(work: Callable[[int], Any], number: int) -> Child:
    """Let a forked process do a work; return it and where its answer can be read."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    status = 1
    signal.alarm(150)  # on a machine that does much else
    try:
        os.close(reading)
        gc.collect()  # what is freed must not close what the parent uses
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(pickle.dumps(work(number)))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def ended(child: Child) -> Any:
    number, reading = child
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0
    return pickle.loads(answer)
