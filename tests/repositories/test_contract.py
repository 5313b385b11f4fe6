"""What every repository promises, on every database: one statement, and outputs that agree."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, event, false, inspect, text, true
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session, joinedload, scoped_session, sessionmaker

from ecephys_dal import (
    ChannelRepository,
    Database,
    InvalidFilterError,
    NotExactlyOneError,
    ProbeFilter,
    ProbeRepository,
    RecordNotFoundError,
    UnitFilter,
    UnitMetricRepository,
    UnitRepository,
    repositories,
)
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import Base, EcephysChannel, EcephysProbe
from ecephys_dal.repositories import Repository
from ecephys_dal.testing import SyntheticLims
from ecephys_dal.testing.factories import (
    EcephysAnalysisRunFactory,
    EcephysProbeFactory,
    EcephysUnitFactory,
    EcephysUnitMetricBundleFactory,
)

REPOSITORIES = list(repositories.REPOSITORIES.values())


@pytest.fixture(params=REPOSITORIES, ids=lambda repository: repository.__name__)
def repository(request: pytest.FixtureRequest, synthetic: SyntheticLims) -> Repository[Any, Any]:
    """Each repository on each database, for what is the same whichever way tables come."""
    made: Repository[Any, Any] = request.param(synthetic.database)
    return made


@pytest.fixture(params=REPOSITORIES, ids=lambda repository: repository.__name__)
def tables(request: pytest.FixtureRequest, by_each_route: SyntheticLims) -> Repository[Any, Any]:
    """Each repository by each route of tables."""
    made: Repository[Any, Any] = request.param(by_each_route.database)
    return made


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_every_repository_is_under_contract() -> None:
    ours = {one for one in Repository.__subclasses__() if one.__module__.startswith("ecephys_dal.")}
    assert set(REPOSITORIES) == ours


def test_count_frame_entities_and_ids_agree(tables: Repository[Any, Any]) -> None:
    frame, entities = tables.frame(), tables.entities()
    assert len(frame) > 0
    assert tables.count() == len(frame) == len(entities)
    assert tables.exists()
    assert tables.ids().dtype == np.int64
    assert tables.ids().tolist() == [entity.id for entity in entities]


def test_rows_are_in_the_order_of_the_index(tables: Repository[Any, Any]) -> None:
    index = tables.frame().index
    assert index.is_monotonic_increasing
    assert index.dtype == np.int64
    assert index.name == tables.columns[0].key


@pytest.mark.parametrize("size", [7, 10_000])
@pytest.mark.sample(4)
def test_chunks_together_are_the_frame(tables: Repository[Any, Any], size: int) -> None:
    few = tables.columns[0] <= int(tables.frame().index[:50][-1])
    chunks = list(tables.chunks(size=size, where=few))
    assert [len(chunk) for chunk in chunks[:-1]] == [size] * (len(chunks) - 1)
    pd.testing.assert_frame_equal(pd.concat(chunks), tables.frame(where=few))


def test_chunks_come_through_a_cursor_of_the_servers(
    postgres_url: str, fresh_url: Callable[[str], str]
) -> None:
    names: list[str | None] = []
    with Database(fresh_url("postgresql"), owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)

        @event.listens_for(database.engine, "before_cursor_execute")
        def note(_connection: Any, cursor: Any, *_: Any) -> None:
            names.append(cursor.name)

        with database.session() as db:  # where there is no bulk route
            units = UnitRepository(db)
            list(units.chunks(size=10))
            units.frame()
    assert names[0] is not None  # psycopg2 keeps an unnamed cursor's rows in the client
    assert names[1] is None


@pytest.mark.parametrize("n", [1, 3, pytest.param(10_000, marks=pytest.mark.slow)])
def test_partitions_are_disjoint_complete_and_balanced(
    repository: Repository[Any, Any], n: int
) -> None:
    frame, parts = repository.frame(), repository.partitions(n=n)
    assert 1 <= len(parts) <= n
    frames = [repository.frame(part) for part in parts[:100]]
    if len(parts) <= 100:
        assert [i for part in frames for i in part.index] == frame.index.tolist()
        assert max(map(len, frames)) <= -(-len(frame) // len(parts)) + 1
    else:
        assert [len(part) for part in frames] == [1] * 100


def test_partitions_of_nothing_are_one_empty_part(repository: Repository[Any, Any]) -> None:
    parts = repository.partitions(n=4, where=false())
    assert len(parts) == 1


def test_an_empty_frame_keeps_columns_and_dtypes(tables: Repository[Any, Any]) -> None:
    frame, empty = tables.frame(), tables.frame(where=false())
    assert len(empty) == 0
    assert list(tables.chunks(where=false())) == []
    assert tables.count(where=false()) == 0
    assert not tables.exists(where=false())
    assert tables.ids(where=false()).tolist() == []
    if not isinstance(tables, UnitMetricRepository):
        pd.testing.assert_frame_equal(empty, frame.iloc[:0])
    for column in frame.columns:
        assert empty[column].dtype == frame[column].dtype, column


@pytest.mark.sample(5)
def test_one_statement_a_call(tables: Repository[Any, Any]) -> None:
    record_id = int(tables.ids()[0])
    calls = {
        "frame": tables.frame,
        "chunks": lambda: list(tables.chunks()),
        "entities": tables.entities,
        "get": lambda: tables.get(record_id),
        "one": lambda: tables.one(where=tables.model.id == record_id),
        "count": tables.count,
        "exists": tables.exists,
        "ids": tables.ids,
        "partitions": tables.partitions,
        "select": tables.select,
    }
    for name, call in calls.items():
        with statements(tables._reader.db.engine) as seen:
            call()
        assert len(seen) == (name != "select"), (name, seen)


def test_get_finds_the_record_and_says_when_there_is_none(
    repository: Repository[Any, Any],
) -> None:
    record_id = int(repository.ids()[0])
    assert repository.get(record_id).id == record_id
    assert repository.get(np.int64(record_id)).id == record_id
    with pytest.raises(RecordNotFoundError, match=rf"{repository.model.__name__} -1 ") as caught:
        repository.get(-1)
    assert isinstance(caught.value, LookupError)
    for rule in repository.rules:
        assert rule.name in str(caught.value)
    with pytest.raises(InvalidFilterError, match="record_id: 'x'"):
        repository.get("x")  # type: ignore[arg-type]


def test_one_is_exactly_one(repository: Repository[Any, Any]) -> None:
    with pytest.raises(NotExactlyOneError, match="found 0") as caught:
        repository.one(where=false())
    assert (caught.value.expected, caught.value.found) == (1, [])
    assert isinstance(caught.value, ValueError)
    with pytest.raises(NotExactlyOneError) as caught:
        repository.one()
    assert len(caught.value.found) == repository.count()


def test_where_adds_to_the_question(tables: Repository[Any, Any]) -> None:
    record_id = int(tables.ids()[-1])
    mine = tables.model.id == record_id
    assert tables.ids(where=mine).tolist() == [record_id]
    assert tables.ids(where=[mine, true()]).tolist() == [record_id]
    assert tables.count(where=[mine, false()]) == 0
    assert len(tables.frame(where=mine)) == 1


def test_what_is_no_sql_expression_is_refused(repository: Repository[Any, Any]) -> None:
    for nonsense in ("snr > 3", True, None, 5, ["snr > 3"], [None]):
        with pytest.raises(InvalidFilterError, match="where="):
            repository.count(where=nonsense)  # type: ignore[arg-type]


def test_text_and_boolean_columns_are_sql_expressions(synthetic: SyntheticLims) -> None:
    channels = ChannelRepository(synthetic.database)
    assert channels.count(where=EcephysChannel.valid_data) == channels.count()
    assert channels.count(where=text("1 = 0")) == 0


def test_a_scoped_session_will_do(synthetic: SyntheticLims) -> None:
    scoped = scoped_session(sessionmaker(synthetic.database.engine))
    assert ProbeRepository(scoped).count() == ProbeRepository(synthetic.database).count()
    scoped.remove()


def test_the_select_can_be_extended(repository: Repository[Any, Any]) -> None:
    with repository._reader.db.session() as db:
        last = db.scalars(repository.select().order_by(None).limit(1)).one()
    assert isinstance(last, repository.model)


def test_a_callers_session_gives_the_same(tables: Repository[Any, Any]) -> None:
    with tables._reader.db.session() as db:
        inside = type(tables)(db)
        pd.testing.assert_frame_equal(inside.frame(), tables.frame())
        assert inside.count() == tables.count()
        entity = inside.entities(where=tables.model.id == int(tables.ids()[0]))[0]
        assert entity in db


def test_a_relationship_that_was_not_loaded_is_no_hidden_query(
    repository: Repository[Any, Any],
) -> None:
    entity = repository.get(int(repository.ids()[0]))
    relationships = {r.key for r in repository.model.__mapper__.relationships}
    not_loaded = relationships & set(inspect(entity).unloaded)
    assert not_loaded
    for name in not_loaded:
        with pytest.raises(Exception, match=r"raise|not bound") as caught:
            getattr(entity, name)
        assert isinstance(caught.value, InvalidRequestError)


def test_numpy_values_are_bound_like_any_other(repository: Repository[Any, Any]) -> None:
    record_id = repository.ids()[0]
    assert isinstance(record_id, np.int64)
    assert repository.count(where=repository.model.id == record_id) == 1
    with Session(repository._reader.db.engine) as db:
        assert type(repository)(db).count(where=repository.model.id == record_id) == 1


def test_collections_can_be_loaded_along_in_one_statement(synthetic: SyntheticLims) -> None:
    probes = ProbeRepository(synthetic.database)
    option = joinedload(EcephysProbe.channels)
    with statements(synthetic.database.engine) as seen:
        loaded = probes.entities(options=[option])
    assert len(seen) == 1
    assert len(loaded) == probes.count()
    assert all(probe.channels for probe in loaded if probe.name == "probeA")
    assert probes.get(loaded[0].id, options=[option]).channels


def test_a_session_that_is_bound_by_model_will_do(synthetic: SyntheticLims) -> None:
    with Session(binds={Base: synthetic.database.engine}) as db:
        probes = ProbeRepository(db)
        assert probes.count() == len(probes.frame()) == len(probes.entities())


def test_threads_share_a_database(by_each_route: SyntheticLims) -> None:
    expected = UnitRepository(by_each_route.database).frame()
    with ThreadPoolExecutor(16) as pool:
        frames = list(pool.map(lambda _: UnitRepository(by_each_route.database).frame(), range(32)))
    for frame in frames:
        pd.testing.assert_frame_equal(frame, expected)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_processes_make_their_own_connections(synthetic: SyntheticLims) -> None:
    units = UnitRepository(synthetic.database)
    expected = units.ids().tolist()  # so that there is a connection to inherit
    children = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            status = 1
            signal.alarm(30)  # a child that reads its parent's socket may wait for ever
            try:
                status = int(any(units.ids().tolist() != expected for _ in range(5)))
            finally:
                os._exit(status)
        children.append(pid)
    assert all(units.ids().tolist() == expected for _ in range(5))
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * 4


def test_a_filter_of_another_table_is_refused(repository: Repository[Any, Any]) -> None:
    other = UnitFilter() if isinstance(repository, ProbeRepository) else ProbeFilter()
    with pytest.raises(InvalidFilterError, match=repository.filter_type.__name__):
        repository.frame(other)


def test_a_size_or_number_that_is_none_is_refused(repository: Repository[Any, Any]) -> None:
    bad: Any
    for bad in (0, -1, 1.5, None, "10"):
        with pytest.raises(InvalidFilterError, match="size"):
            list(repository.chunks(size=bad))
        with pytest.raises(InvalidFilterError, match=r"^n"):
            repository.partitions(n=bad)


def test_an_abandoned_iteration_gives_its_connection_back(by_each_route: SyntheticLims) -> None:
    with Database(by_each_route.database.url) as database:
        chunks = UnitRepository(database).chunks(size=1)
        next(chunks)
        chunks.close()
        assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_pending_changes_of_a_callers_session_are_seen(db: Session) -> None:
    with db.no_autoflush:
        probe = EcephysProbeFactory.build(name="probeF")
        db.add(probe)
    assert ProbeRepository(db).frame()["name"].tolist() == ["probeF"]


def test_several_bundles_of_a_unit_stand_in_the_order_of_their_ids(db: Session) -> None:
    unit = EcephysUnitFactory.create()
    run = EcephysAnalysisRunFactory.create()
    for bundle_id in (30, 10, 20):
        EcephysUnitMetricBundleFactory.create(
            id=bundle_id, unit=unit, run=run, data={"g_osi_dg": float(bundle_id)}
        )
    metrics = UnitMetricRepository(db)
    assert metrics.ids().tolist() == [10, 20, 30]
    assert metrics.frame()["g_osi_dg"].tolist() == [10.0, 20.0, 30.0]
    assert len(metrics.partitions(n=3)) == 1  # a unit's bundles stay together
