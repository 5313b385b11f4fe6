"""Tables of Dask's, on a cluster of several processes: equal, without secrets, and capped."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from sqlalchemy import (
    URL,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    cast,
    create_engine,
    event,
    false,
    func,
    make_url,
    select,
    text,
)

from ecephys_dal import (
    ChannelRepository,
    ConfigurationError,
    Database,
    DatabaseUnavailableError,
    DbCredentials,
    InvalidFilterError,
    ProbeFilter,
    SchemaMismatchError,
    SessionRepository,
    UnitFilter,
    UnitMetricRepository,
    UnitRepository,
)
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import EcephysSession, EcephysUnit
from ecephys_dal.repositories import Repository
from ecephys_dal.repositories.clauses import among
from ecephys_dal.testing import SyntheticLims, using
from ecephys_dal.testing.factories import EcephysUnitMetricBundleFactory
from tests.conftest import BACKENDS
from tests.repositories.test_contract import REPOSITORIES

dask = pytest.importorskip("dask", reason="the dask extra is not installed")
pytest.importorskip("dask.dataframe", reason="the dask extra is not installed")
cloudpickle = pytest.importorskip("cloudpickle", reason="the dask extra is not installed")
distributed = pytest.importorskip("distributed", reason="the dask extra is not installed")

SECRET = "hunter2-not-to-be-found"
WORKERS, THREADS = 3, 2
DTYPE_BACKENDS = ("numpy", "numpy_nullable", "pyarrow")
# When what a dead worker held is given back: not so soon that a worker of a busy machine, which
# says late that it lives, were taken for dead.
LEASE = {
    "distributed.scheduler.locks.lease-timeout": "5s",
    "distributed.scheduler.locks.lease-validation-interval": "500ms",
}
Filled = Callable[[str], tuple[str, SyntheticLims]]


@pytest.fixture(scope="module")
def client(filled: Filled) -> Iterator[Any]:
    """A cluster of processes, which alone have the password."""
    password = make_url(filled("postgresql")[0]).password or SECRET
    with (
        dask.config.set(LEASE),
        distributed.LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=THREADS,
            processes=True,
            dashboard_address=":0",
            env={"LIMS_PASSWORD": password},
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(params=BACKENDS)
def database(request: pytest.FixtureRequest, filled: Filled) -> Iterator[Database]:
    with Database(filled(request.param)[0]) as database:
        yield database


@pytest.fixture
def postgres(filled: Filled) -> Iterator[Database]:
    """PostgreSQL, where our connections have a name by which the server finds them."""
    url = make_url(filled("postgresql")[0])
    with Database(url.update_query_dict({"application_name": f"dask-{uuid4().hex}"})) as database:
        yield database


@pytest.fixture(autouse=True)
def no_password_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIMS_PASSWORD", raising=False)


def here(table: Any) -> pd.DataFrame:
    frame: pd.DataFrame = table.compute(scheduler="synchronous")
    return frame


def on(client: Any, table: Any) -> pd.DataFrame:
    frame: pd.DataFrame = client.compute(table).result(timeout=90)
    return frame


def slow(seconds: float) -> Any:
    """A condition that is always met, and holds up each part that is read."""
    slept = cast(select(func.pg_sleep(seconds)).scalar_subquery(), String)  # once a statement
    return slept != cast(EcephysUnit.id, String)


def alike(frame: pd.DataFrame, table: Any) -> pd.DataFrame:
    """Return a frame in the order of a table: metrics are declared before a bundle is seen."""
    assert set(frame) == set(table.columns)
    return frame[list(table.columns)]


# What it holds


def check(repository: Repository[Any, Any], dtype_backend: Any = "numpy") -> None:
    table = repository.dask_frame(npartitions=3, dtype_backend=dtype_backend)
    frame = repository.frame(dtype_backend=dtype_backend)
    parts = dask.compute(*table.to_delayed(), scheduler="synchronous")
    pd.testing.assert_frame_equal(pd.concat(parts), alike(frame, table))
    nothing = repository.dask_frame(where=false(), dtype_backend=dtype_backend)
    for part in (*parts, here(nothing)):
        pd.testing.assert_series_equal(part.dtypes, table.dtypes)
        assert part.index.dtype == table.index.dtype == "int64"
        assert part.index.name == table.index.name == repository.columns[0].key


@pytest.mark.parametrize("of", REPOSITORIES)
@pytest.mark.in_turn("of", "database")
@pytest.mark.sample(5)
def test_it_is_the_frame_of_the_declared_dtypes(
    database: Database, of: type[Repository[Any, Any]]
) -> None:
    check(of(database))


@pytest.mark.slow
@pytest.mark.parametrize("dtype_backend", ["numpy_nullable", "pyarrow"])
@pytest.mark.parametrize("of", [UnitRepository, UnitMetricRepository])
def test_it_is_the_frame_of_other_dtypes(
    database: Database, of: type[Repository[Any, Any]], dtype_backend: Any
) -> None:
    check(of(database), dtype_backend)


@pytest.mark.slow
@pytest.mark.parametrize("of", [UnitRepository, UnitMetricRepository])
def test_a_cluster_gives_the_frame(
    client: Any, database: Database, of: type[Repository[Any, Any]]
) -> None:
    repository = of(database)
    table = repository.dask_frame(npartitions=10)
    assert table.npartitions == 10
    pd.testing.assert_frame_equal(on(client, table), alike(repository.frame(), table))


NOTEBOOK = """
from sqlalchemy import select
from sqlalchemy.orm import aliased
from ecephys_dal import Repository, SessionRepository, UnitFilter, UnitRepository
from ecephys_dal.models import EcephysChannel, EcephysProbe, EcephysUnit
from ecephys_dal.repositories.clauses import among

class Everything(SessionRepository):
    rules = ()

Insertion = aliased(EcephysProbe)

def made(factor):
    class Doubled(Repository):
        model, filter_type = EcephysUnit, UnitFilter
        statement = (
            select(EcephysUnit)
            .join(EcephysUnit.channel)
            .join(Insertion, EcephysChannel.probe)
            .join(Insertion.session)
        )
        columns = (EcephysUnit.id, Insertion.name, (EcephysUnit.snr * factor).label("doubled"))
        least = staticmethod(lambda: factor)

        @staticmethod
        def criteria(spec):
            yield from among(EcephysUnit.id, spec.unit_ids)
            yield from among(EcephysChannel.id, spec.channel_ids)
            yield from among(Insertion.id, spec.probe_ids)
            yield from among(Insertion.ecephys_session_id, spec.session_ids)
            if spec.published_at is not None:
                yield from UnitRepository.criteria(UnitFilter(published_at=spec.published_at))
            yield EcephysUnit.id >= Doubled.least()

    return Doubled

Doubled = made(2)
"""


@pytest.fixture(scope="module", params=["__main__", None])
def notebook(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Classes that no module has, as those of a notebook, a prompt or an `exec`."""
    namespace = {} if request.param is None else {"__name__": request.param}
    exec(NOTEBOOK, namespace)  # noqa: S102 - our own
    return namespace


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Everything", "Doubled"])
def test_a_class_of_a_notebook_goes_along(
    client: Any, database: Database, notebook: dict[str, Any], name: str
) -> None:
    repository = notebook[name](database)
    spec = repository.filter_type(session_ids=SessionRepository(database).ids()[:1])
    for one in (None, spec):
        table = repository.dask_frame(one, npartitions=3)
        pd.testing.assert_frame_equal(on(client, table), repository.frame(one))


@pytest.mark.parametrize("name", ["Everything", "Doubled"])
def test_a_class_of_a_notebook_is_read_here(
    database: Database, notebook: dict[str, Any], name: str
) -> None:
    repository = notebook[name](database)
    table, frame = repository.dask_frame(npartitions=3), repository.frame()
    assert len(frame) > 0
    pd.testing.assert_frame_equal(here(table), frame)
    assert dask.base.tokenize(table) == dask.base.tokenize(table)


def test_a_class_that_can_not_be_sent_is_read_here(database: Database) -> None:
    class Locked(UnitRepository):
        lock = Lock()

    table = Locked(database).dask_frame(npartitions=2)
    pd.testing.assert_frame_equal(here(table), UnitRepository(database).frame())
    with pytest.raises(ConfigurationError, match="Locked can't be sent .* module that the workers"):
        cloudpickle.dumps(table)


@pytest.mark.slow
def test_filter_and_conditions_go_along(client: Any, database: Database) -> None:
    units = UnitRepository(database)
    spec = UnitFilter(session_ids=SessionRepository(database).ids()[:3])
    where = [
        EcephysUnit.snr > 2,
        EcephysUnit.quality.in_(["good"]),
        EcephysSession.specimen.has(),
        *among(EcephysUnit.ecephys_channel_id, ChannelRepository(database).ids()[::2].tolist()),
        EcephysUnit.id.in_(select(EcephysUnit.id).where(EcephysUnit.firing_rate > 1)),
    ]
    expected = units.frame(spec, where=where)
    assert 0 < len(expected) < units.count(spec) < units.count()
    pd.testing.assert_frame_equal(on(client, units.dask_frame(spec, 4, where=where)), expected)


def test_it_says_where_it_comes_from(database: Database) -> None:
    units = UnitRepository(database)
    spec = UnitFilter(session_ids=SessionRepository(database).ids()[:2])
    computed = here(units.dask_frame(spec, 3))
    assert computed.attrs["ecephys_dal.filter"] == units.frame(spec).attrs["ecephys_dal.filter"]
    pd.testing.assert_frame_equal(units.from_attrs(computed.attrs), computed)


def test_rules_that_the_repository_leaves_out_stay_out(database: Database) -> None:
    wide = UnitRepository(database, without_rules=["session_not_failed"])
    assert wide.count() > UnitRepository(database).count()
    pd.testing.assert_frame_equal(here(wide.dask_frame(npartitions=3)), wide.frame())


def test_a_range_of_the_filter_stays(database: Database) -> None:
    units = UnitRepository(database)
    ids = units.ids()
    spec = UnitFilter(id_range=(int(ids[20]), int(ids[60])))
    pd.testing.assert_frame_equal(here(units.dask_frame(spec, 4)), units.frame(spec))


@pytest.mark.sample(1)
def test_the_divisions_are_known_so_that_tables_join_part_by_part(database: Database) -> None:
    units, metrics = UnitRepository(database), UnitMetricRepository(database)
    table, frame = units.dask_frame(npartitions=6), units.frame()
    for part, first, stop in zip(
        dask.compute(*table.to_delayed(), scheduler="synchronous"),
        table.divisions,
        table.divisions[1:],
        strict=False,
    ):
        assert first <= part.index.min() <= part.index.max() < stop
    assert table.loc[int(frame.index[9])].npartitions == 1
    joined = table.join(metrics.dask_frame(npartitions=4)[["g_dsi_dg"]], how="inner")
    expected = frame.join(metrics.frame()[["g_dsi_dg"]], how="inner")
    pd.testing.assert_frame_equal(here(joined), expected)
    finer = table.repartition(npartitions=9)
    pd.testing.assert_frame_equal(here(finer), frame)


@pytest.mark.slow
def test_records_that_are_added_are_in_the_next_table(
    fresh_bundles: Callable[..., Database], client: Any
) -> None:
    database = fresh_bundles("sqlite", {"fano_dg": 1.0})
    units = UnitRepository(database)
    kept = client.persist(units.dask_frame(npartitions=1))
    with database.session() as db, using(db):
        EcephysUnitMetricBundleFactory.create()
    assert len(on(client, units.dask_frame(npartitions=1))) == 2
    del kept


# Metrics, whose columns the bundles know


@pytest.fixture
def fresh_bundles(fresh_url: Callable[[str], str]) -> Iterator[Callable[..., Database]]:
    opened: list[Database] = []

    def make(backend: str, *bundles: dict[str, Any]) -> Database:
        database = Database(fresh_url(backend), owned=True)
        opened.append(database)
        with database.connection() as connection:
            upgrade(connection)
        with database.session() as db, using(db):
            for bundle in bundles:
                EcephysUnitMetricBundleFactory.create(data=bundle)
        return database

    yield make
    for database in opened:
        database.close()


@pytest.mark.slow
@pytest.mark.parametrize("dtype_backend", DTYPE_BACKENDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_documented_metric_that_a_part_lacks_is_missing_there(
    fresh_bundles: Callable[..., Database], backend: str, dtype_backend: Any
) -> None:
    bundles = {"fano_dg": 1.5}, {"on_screen_rf": True, "fano_dg": 2.5}
    metrics = UnitMetricRepository(fresh_bundles(backend, *bundles))
    table = metrics.dask_frame(npartitions=2, dtype_backend=dtype_backend)
    frame = here(table)
    assert table.npartitions == 2
    pd.testing.assert_series_equal(frame.dtypes, table.dtypes)
    assert frame["fano_dg"].tolist() == [1.5, 2.5]
    assert frame["on_screen_rf"].isna().tolist() == [True, False]
    assert frame["on_screen_rf"].iloc[1]
    assert frame.drop(columns=["fano_dg", "on_screen_rf"]).isna().all(axis=None)


@pytest.mark.slow
@pytest.mark.parametrize("odd", [{"brand_new_dg": 1.0}, {"fano_dg": "high"}, {"fano_dg": True}])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_metric_that_is_not_as_documented_is_never_lost(
    fresh_bundles: Callable[..., Database], client: Any, backend: str, odd: dict[str, Any]
) -> None:
    metrics = UnitMetricRepository(fresh_bundles(backend, {"fano_rf": 1.0}, odd))
    with pytest.raises(SchemaMismatchError, match=next(iter(odd))):
        on(client, metrics.dask_frame(npartitions=2))


# Secrets


def set_password(password: str | None) -> str | None:
    """Change the environment of a worker; return what there was."""
    before = os.environ.pop("LIMS_PASSWORD", None)
    if password is not None:
        os.environ["LIMS_PASSWORD"] = password
    return before


def of_credentials(url: URL) -> Database:
    credentials = DbCredentials(
        dbname=str(url.database), user=str(url.username), host="nowhere.invalid", password=SECRET
    )
    made = Database.from_credentials(credentials).url
    return Database(made.set(host=url.host, port=url.port).update_query_dict(dict(url.query)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "opened",
    [
        lambda url: Database(url.set(password=SECRET)),
        lambda url: Database(url.update_query_dict({"password": SECRET})),
        lambda url: Database(url.update_query_dict({"sslpassword": SECRET})),
        of_credentials,
    ],
    ids=["in the URL", "in its query", "of a key", "in credentials"],
)
def test_no_password_is_in_a_task_graph(filled: Filled, opened: Callable[[URL], Database]) -> None:
    url = make_url(filled("postgresql")[0])
    with opened(url) as database:
        assert SECRET in database.url.render_as_string(hide_password=False)
        table = UnitRepository(database).dask_frame(npartitions=3, where=EcephysUnit.snr > 2)
    optimized = table.optimize()
    for graph in (table, optimized, dict(optimized.__dask_graph__())):
        pickled = pickle.dumps(graph)
        assert str(url.database).encode() in pickled  # we do see into it
        assert SECRET.encode() not in pickled
        assert SECRET not in f"{graph!r} {graph}"
        pickle.loads(pickled)  # as the scheduler does, which has no LIMS_PASSWORD


@pytest.mark.slow
def test_a_worker_takes_the_password_from_its_own_environment(
    client: Any, postgres: Database
) -> None:
    needs_one = postgres.url.set(password=SECRET)
    with Database(needs_one) as database:
        table = UnitRepository(database).dask_frame(npartitions=3)
        assert len(on(client, table)) == UnitRepository(database).count()
        taken = client.run(set_password, None)
        try:
            with pytest.raises(ConfigurationError, match="set LIMS_PASSWORD in the environment"):
                on(client, UnitRepository(database).dask_frame(npartitions=3))
        finally:
            client.run(set_password, next(iter(taken.values())))


@pytest.mark.slow
def test_what_goes_wrong_in_a_worker_is_said_as_everywhere(client: Any, tmp_path: Any) -> None:
    path = tmp_path / "lims.db"
    with Database(f"sqlite:///{path}", owned=True) as owned:
        with owned.connection() as connection:
            upgrade(connection)
        with Database(owned.url) as database:
            table = UnitRepository(database).dask_frame()
    path.unlink()
    with pytest.raises(DatabaseUnavailableError, match="there is no SQLite database"):
        on(client, table)


# Connections


def connected(database: Database) -> set[int]:
    query = text("SELECT pid FROM pg_stat_activity WHERE application_name = :name")
    name = database.url.query["application_name"]
    unnamed = database.url.difference_update_query(["application_name"])
    with Database(unnamed) as watching, watching.connection() as connection:
        return set(connection.execute(query, {"name": name}).scalars())


def wait_until(true: Callable[[], object]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


@contextmanager
def counted(database: Database) -> Iterator[list[int]]:
    """Note how many connections there are again and again.

    One counts if it is seen twice: the server needs a moment to notice that it was closed.
    """
    database.close()  # what was read to make the table
    counts: list[int] = []
    done = False

    def watch() -> None:
        before: set[int] = set()
        while not done:
            now = connected(database)
            counts.append(len(now & before))
            before = now
            time.sleep(0.01)

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield counts
        finally:
            done = True
        watching.result()


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 3])
def test_a_cluster_has_no_more_connections_than_it_may(
    client: Any, postgres: Database, most: int
) -> None:
    table = UnitRepository(postgres).dask_frame(
        npartitions=12, where=slow(0.1), max_connections=most
    )
    with counted(postgres) as counts:
        frame = on(client, table)
    assert len(frame) == UnitRepository(postgres).count()
    assert max(counts) == most < WORKERS * THREADS


def test_threads_of_this_process_have_no_more_connections_than_they_may(
    postgres: Database,
) -> None:
    table = UnitRepository(postgres).dask_frame(npartitions=12, where=slow(0.1), max_connections=2)
    with counted(postgres) as counts:
        table.compute(scheduler="threads", num_workers=6)
    assert max(counts) == 2


@pytest.mark.slow
def test_tables_of_one_database_share_their_connections(client: Any, postgres: Database) -> None:
    tables = [
        of(postgres).dask_frame(npartitions=6, where=slow(0.1), max_connections=2)
        for of in (UnitRepository, UnitMetricRepository)
    ]
    with counted(postgres) as counts:
        for future in client.compute(tables):
            future.result(timeout=90)
    assert max(counts) == 2


@pytest.mark.slow
def test_nothing_stays_connected(client: Any, postgres: Database) -> None:
    on(client, UnitRepository(postgres).dask_frame(npartitions=6))
    postgres.close()
    wait_until(lambda: not connected(postgres))


@pytest.mark.slow
@pytest.mark.parametrize(("victims", "most"), [(1, 4), (WORKERS, 1)])
def test_it_survives_the_death_of_workers(
    client: Any, postgres: Database, victims: int, most: int
) -> None:
    units = UnitRepository(postgres)
    expected = units.frame()
    table = units.dask_frame(npartitions=5, where=slow(0.5), max_connections=most)
    postgres.close()
    processes = list(client.run(os.getpid).values())
    assert len(processes) == WORKERS
    future = client.compute(table)
    wait_until(lambda: connected(postgres))  # so the first parts are being read
    assert not future.done()
    for process in processes[:victims]:
        os.kill(process, signal.SIGKILL)
    pd.testing.assert_frame_equal(future.result(timeout=90), expected)
    client.wait_for_workers(WORKERS, timeout=60)
    assert set(client.run(os.getpid).values()) != set(processes)


# What is refused


def test_what_another_process_can_not_open_is_refused(database: Database) -> None:
    with database.session() as db, pytest.raises(ConfigurationError, match="give it the URL"):
        UnitRepository(db).dask_frame()
    engine = create_engine(database.url)
    with pytest.raises(ConfigurationError, match="give it the URL"):
        UnitRepository(engine).dask_frame()
    engine.dispose()


def test_a_database_in_memory_is_refused() -> None:
    with Database("sqlite://", owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        with pytest.raises(ConfigurationError, match="in memory"):
            UnitRepository(database).dask_frame()


ELSEWHERE = Table("of_nobody", MetaData(), Column("id", Integer))
NAMESAKE = Table("ecephys_units", MetaData(), Column("number", Integer, key="id"))
UNSENDABLE = {
    "a table that workers take for another": EcephysUnit.id.in_(select(NAMESAKE.c.id)),
    "a table that workers don't know": EcephysUnit.id.in_(select(ELSEWHERE.c.id)),
    "a value that only this process has": EcephysUnit.snr > (lambda: 3),
}


@pytest.mark.parametrize("where", UNSENDABLE.values(), ids=UNSENDABLE)
def test_a_condition_that_can_not_be_sent_is_refused_before_anything_runs(
    database: Database, where: Any
) -> None:
    ran: list[str] = []

    def note(*arguments: Any) -> None:
        ran.append(arguments[2])

    event.listen(database.engine, "before_cursor_execute", note)
    with pytest.raises(InvalidFilterError, match="can't be sent|of no kind"):
        UnitRepository(database).dask_frame(where=where)
    with pytest.raises(InvalidFilterError, match="takes a UnitFilter"):
        UnitRepository(database).dask_frame(ProbeFilter())
    with pytest.raises(InvalidFilterError, match="max_connections=0"):
        UnitRepository(database).dask_frame(max_connections=0)
    event.remove(database.engine, "before_cursor_execute", note)
    assert ran == []


@pytest.mark.slow
def test_processes_without_a_cluster_are_refused(database: Database) -> None:
    table = UnitRepository(database).dask_frame(npartitions=2)
    with pytest.raises(ConfigurationError, match="without a cluster"):
        table.compute(scheduler="processes", num_workers=1)


@pytest.mark.parametrize("missing", ["dask.dataframe", "distributed"])
def test_a_missing_extra_is_named(
    database: Database, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigurationError, match=r"install ecephys_dal\[dask\]"):
        UnitRepository(database).dask_frame()
