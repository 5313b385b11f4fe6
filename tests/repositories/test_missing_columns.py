"""A LIMS without some column: what does not need it works, and what does says so, by name."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import create_engine, event, make_url, select, text
from sqlalchemy.orm import (
    Session,
    contains_eager,
    joinedload,
    load_only,
    selectinload,
    subqueryload,
)

from ecephys_dal import (
    Database,
    EcephysProjectLimsApi,
    FileRepository,
    ProbeRepository,
    SchemaMismatchError,
    SessionRepository,
    UnitFilter,
    UnitRepository,
)
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import (
    LIMS_MODELS,
    LIMS_TABLES,
    Base,
    EcephysChannel,
    EcephysProbe,
    EcephysSession,
    EcephysUnit,
    Specimen,
)
from ecephys_dal.repositories import Repository
from ecephys_dal.testing import SyntheticLims, build_synthetic_lims

from ..conftest import ROUTES, FreshUrl, opened
from .test_contract import REPOSITORIES

COLUMNS = {(table.name, column.name) for table in LIMS_TABLES.values() for column in table.columns}


class Lims:
    """A database whose columns can be hidden for a while."""

    def __init__(self, database: Database, owned: Database, synthetic: SyntheticLims) -> None:
        self.database, self.owned, self.synthetic = database, owned, synthetic

    @contextmanager
    def without(self, columns: Iterable[tuple[str, str]]) -> Iterator[None]:
        columns = list(columns)
        self._rename((table, name, f"{name}_hidden") for table, name in columns)
        try:
            yield
        finally:
            self._rename((table, f"{name}_hidden", name) for table, name in columns)

    def _rename(self, columns: Iterable[tuple[str, str, str]]) -> None:
        with self.owned.connection() as connection:
            for table, old, new in columns:
                connection.execute(text(f'ALTER TABLE {table} RENAME COLUMN "{old}" TO "{new}"'))


@pytest.fixture(
    scope="module",
    params=[
        route if route == "postgresql" else pytest.param(route, marks=pytest.mark.slow)
        for route in ROUTES
    ],
)
def lims(request: pytest.FixtureRequest, fresh_url: FreshUrl) -> Iterator[Lims]:
    backend, _, rows = request.param.partition(", ")
    url = fresh_url(backend)
    with Database(url, owned=True) as owned, opened(url, by_rows=bool(rows)) as database:
        with owned.connection() as connection:
            upgrade(connection)
        synthetic = build_synthetic_lims(
            owned, sessions=1, channels_per_probe=4, units_per_session=8, progress=False
        )
        synthetic.awkward["file"] = int(FileRepository(owned).ids()[0])
        yield Lims(database, owned, synthetic)


def needed(database: Database, call: Callable[[], Any]) -> set[tuple[str, str]]:
    """The columns of the models that the statements of a call name."""
    said: set[tuple[str, str]] = set()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found = re.findall(r'\b(\w+?)(?:_1)?\."?(\w+)"?', statement)
        said.update(COLUMNS.intersection(found))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        call()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return said


def check(lims: Lims, call: Callable[[], Any], method: str) -> set[tuple[str, str]]:
    """Hide what a call does not need, and then each column that it needs."""
    names = needed(lims.database, call)
    with lims.without(COLUMNS - names):
        call()
    for table, column in sorted(names):
        with (
            lims.without([(table, column)]),
            pytest.raises(SchemaMismatchError, match=f"{column}\\b") as caught,
        ):
            call()
        error = caught.value
        assert (error.table, error.column, error.method) == (table, column, method)
        assert all(word in str(error) for word in (table, column, method))
    return names


@pytest.mark.parametrize("repository", REPOSITORIES, ids=lambda repository: repository.__name__)
@pytest.mark.sample(4)
def test_a_frame_needs_its_columns_and_no_others(
    lims: Lims, repository: type[Repository[Any, Any]]
) -> None:
    table = repository(lims.database)
    names = check(lims, table.frame, f"{repository.__name__}.frame")
    assert (table.model.__tablename__, "id") in names


def test_what_probes_need_is_as_declared(lims: Lims) -> None:
    (probes,) = (one for one in REPOSITORIES if one.__name__ == "ProbeRepository")
    assert needed(lims.database, probes(lims.database).frame) == {
        ("ecephys_sessions", name) for name in ("id", "habituation", "workflow_state")
    } | {
        ("ecephys_probes", name)
        for name in (
            *("id", "ecephys_session_id", "name", "global_probe_sampling_rate", "phase"),
            *("global_probe_lfp_sampling_rate", "air_channel_index", "surface_channel_index"),
            *("use_lfp_data", "temporal_subsampling_factor", "workflow_state"),
        )
    }


PLACE = {"id", "filename", "storage_directory", "size"}
OWNED = PLACE | {"attachable_id", "attachable_type", "well_known_file_type_id"}


@pytest.mark.parametrize(
    ("call", "method", "of_file"),
    [
        (
            lambda api, ids: api.get_session_data(ids.session_ids[0]),
            "SessionNwbRepository.one",
            OWNED,
        ),
        (
            lambda api, ids: api.get_probe_lfp_data(ids.probe_ids[0]),
            "ProbeLfpRepository.one",
            OWNED,
        ),
        (
            lambda api, _: api.get_natural_movie_template(1),
            "TemplateRepository.one",
            PLACE,
        ),
        (
            lambda api, _: api.get_natural_scene_template(3),
            "TemplateRepository.one",
            PLACE,
        ),
        (
            lambda api, ids: api.locate(session_id=ids.session_ids[0], type="EcephysNwb"),
            "FileRepository.entities",
            OWNED,
        ),
        (lambda api, ids: api.get_file(ids.awkward["file"]), "FileRepository.get", OWNED),
    ],
    ids=["session", "probe", "movie", "scene", "locate", "file"],
)
def test_a_file_is_found_by_the_columns_that_say_where_it_is(
    lims: Lims, call: Callable[..., Any], method: str, of_file: set[str]
) -> None:
    api = EcephysProjectLimsApi(lims.database, Streams())

    def ask() -> Any:
        return call(api, lims.synthetic)

    names = check(lims, ask, method)
    assert {name for table, name in names if table == "well_known_files"} == of_file


class Streams:
    """Fetches nothing."""

    def stream(self, route: str) -> list[bytes]:
        return [route.encode()]


def test_chunks_say_what_they_miss(lims: Lims) -> None:
    units = UnitRepository(lims.database)
    with lims.without([("ecephys_units", "PT_ratio")]):
        with pytest.raises(SchemaMismatchError, match="PT_ratio") as caught:
            next(units.chunks())
        error = caught.value
        assert (error.table, error.column) == ("ecephys_units", "PT_ratio")
        assert error.method == "UnitRepository.chunks"
        assert units.count(UnitFilter(unit_ids=[1])) == 0


def test_a_missing_table_is_named(lims: Lims) -> None:
    rename = "ALTER TABLE {} RENAME TO {}"
    with lims.owned.connection() as connection:
        connection.execute(text(rename.format("structures", "hidden")))
    try:
        (channels,) = (one for one in REPOSITORIES if one.__name__ == "ChannelRepository")
        with pytest.raises(SchemaMismatchError, match="structures") as caught:
            channels(lims.database).frame()
        error = caught.value
        assert (error.table, error.column) == ("structures", None)
        assert error.method == "ChannelRepository.frame"
        assert isinstance(UnitRepository(lims.database).frame(), pd.DataFrame)
    finally:
        with lims.owned.connection() as connection:
            connection.execute(text(rename.format("hidden", "structures")))


PHASE = ("ecephys_probes", "phase")
INDEX = ("ecephys_channels", "local_index")
ORGANISM = ("donors", "organism_id")


def others(table: str, but: Iterable[tuple[str, str]] = ()) -> list[tuple[str, str]]:
    """The columns of a table that are no key."""
    columns = LIMS_TABLES[table].columns
    names = [(table, one.name) for one in columns if not one.primary_key]
    return [name for name in names if name not in set(but)]


def read(record: Any, column: tuple[str, str]) -> None:
    """Read an attribute whose column is missing."""
    with pytest.raises(SchemaMismatchError, match=re.escape(".".join(column))) as caught:
        getattr(record, column[1])
    assert (caught.value.table, caught.value.column) == column


@pytest.mark.parametrize("repository", REPOSITORIES, ids=lambda repository: repository.__name__)
def test_entities_load_without_a_column(lims: Lims, repository: type[Repository[Any, Any]]) -> None:
    table = repository(lims.database)
    names = needed(lims.database, table.ids)
    missing = others(table.model.__tablename__, names)
    whole = table.entities()
    for column in missing:
        with lims.without([column]):
            found = table.entities()
            assert [one.id for one in found] == [one.id for one in whole]
            for name in missing:
                if name != column:
                    assert getattr(found[0], name[1]) == getattr(whole[0], name[1])
            read(found[0], column)
    with lims.without(missing):
        record = table.get(whole[0].id)
        for column in missing:
            read(record, column)
            read(table.one(where=table.model.id == record.id), column)


@pytest.mark.parametrize("model", LIMS_MODELS, ids=lambda model: model.__name__)
def test_a_statement_of_the_callers_loads_what_is_there(lims: Lims, model: type[Base]) -> None:
    missing = others(model.__tablename__)
    with lims.without(missing), lims.database.session() as db:
        record = db.scalars(select(model)).first()
        assert record is not None
        for column in missing:
            read(record, column)


@contextmanager
def session_of(lims: Lims, kind: str) -> Iterator[Session]:
    if kind == "ours":
        with lims.database.session() as db:
            yield db
        return
    engine = create_engine(lims.owned.url)
    with engine.connect() as connection, Session(connection if "outer" in kind else engine) as db:
        if "begun" in kind:
            db.execute(text("CREATE TEMPORARY TABLE notes AS SELECT 7 AS note"))
        yield db
        if "begun" in kind:
            assert db.execute(text("SELECT note FROM notes")).scalars().all() == [7]
    engine.dispose()


KINDS = ("ours", "the caller's", "the caller's, begun", "the caller's, in an outer transaction")


@pytest.mark.parametrize("kind", KINDS)
def test_what_belongs_to_records_loads_without_a_column(lims: Lims, kind: str) -> None:
    joined = joinedload(EcephysProbe.session).joinedload(EcephysSession.specimen)
    eager = contains_eager(EcephysSession.specimen).contains_eager(Specimen.donor)
    with lims.without([PHASE, INDEX, ORGANISM]), session_of(lims, kind) as db:
        (unit, *_) = UnitRepository(db).entities(options=[selectinload(EcephysUnit.channel)])
        read(unit.channel, INDEX)
        probes = ProbeRepository(db)
        (probe, *_) = probes.entities(options=[joined.joinedload(Specimen.donor)])
        read(probe, PHASE)
        read(probe.session.specimen.donor, ORGANISM)
        assert probe.session.specimen.donor.full_genotype
        (session, *_) = SessionRepository(db).entities(options=[eager])
        read(session.specimen.donor, ORGANISM)
        for load in (subqueryload, selectinload):
            loaded = probes.get(probe.id, options=[load(EcephysProbe.channels)])
            read(loaded.channels[0], INDEX)
            assert loaded.channels[0].ecephys_probe_id == probe.id


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_remembers_what_is_missing(lims: Lims, kind: str) -> None:
    with lims.without([PHASE]), session_of(lims, kind) as db:
        probe = ProbeRepository(db).entities()[0]
        read(pickle.loads(pickle.dumps(probe)), PHASE)
        db.expire(probe)
        read(probe, PHASE)
        db.expire(probe)
        assert probe.name
        read(probe, PHASE)
        db.refresh(probe)
        read(probe, PHASE)
        assert repr(probe) == f"EcephysProbe(id={probe.id})"
        db.expunge_all()
        (probe, *_) = ProbeRepository(db).entities(options=[load_only(EcephysProbe.name)])
        read(probe, PHASE)
        db.expire(probe)
        assert probe.name
        read(probe, PHASE)


def test_what_the_statement_names_is_needed(lims: Lims) -> None:
    probes = ProbeRepository(lims.database)
    asked: list[dict[str, Any]] = [
        {"where": EcephysProbe.phase == "3a"},
        {"options": [load_only(EcephysProbe.phase)]},
    ]
    with lims.without([PHASE]):
        for more in asked:
            with pytest.raises(SchemaMismatchError, match="phase") as caught:
                probes.entities(**more)
            assert (caught.value.table, caught.value.column) == PHASE
            assert caught.value.method == "ProbeRepository.entities"


def test_a_null_stays_what_it_is(lims: Lims) -> None:
    with lims.owned.connection() as connection:
        connection.execute(text("UPDATE ecephys_probes SET probe_info = NULL"))
    with lims.without([PHASE]):
        probe = ProbeRepository(lims.database).entities()[0]
        assert probe.probe_info is None
        read(probe, PHASE)


@pytest.mark.parametrize("kind", ["a database", *KINDS[:2]])
def test_nothing_is_asked_where_nothing_is_missing(lims: Lims, kind: str) -> None:
    seen: list[str] = []
    with Database(lims.database.url) as database:
        opened = nullcontext(database) if kind == "a database" else session_of(lims, kind)
        with opened as db:
            engine = database.engine if isinstance(db, Database) else db.get_bind().engine
            event.listen(engine, "before_cursor_execute", lambda *call: seen.append(call[2]))
            probes = ProbeRepository(db)
            probes.entities()
            assert len(seen) == 1
            probes.entities(options=[selectinload(EcephysProbe.channels)])
            assert len(seen) == 3


def test_the_tables_are_looked_at_once(lims: Lims) -> None:
    with lims.without([PHASE, INDEX]), Database(lims.database.url) as database:
        probes = ProbeRepository(database)
        probes.entities()
        seen: list[str] = []
        event.listen(database.engine, "before_cursor_execute", lambda *call: seen.append(call[2]))
        read(probes.entities()[0], PHASE)
        with database.session() as db:
            read(db.scalars(select(EcephysChannel)).first(), INDEX)
        assert len(seen) == 2


def test_a_column_that_the_role_may_not_read_is_missing(fresh_url: FreshUrl) -> None:
    url = make_url(fresh_url("postgresql"))
    role = f"reader_{url.database}"
    columns = ", ".join(f'"{name}"' for _, name in others("ecephys_probes", [PHASE]))
    with Database(url, owned=True) as owned:
        with owned.connection() as connection:
            upgrade(connection)
        build_synthetic_lims(
            owned, sessions=1, channels_per_probe=1, units_per_session=1, progress=False
        )
        with owned.connection() as connection:
            for statement in (
                f"CREATE ROLE {role} LOGIN",
                f"GRANT SELECT ON ecephys_sessions TO {role}",
                f"GRANT SELECT (id, {columns}) ON ecephys_probes TO {role}",
            ):
                connection.execute(text(statement))
        with Database(url.set(username=role)) as database:
            probe = ProbeRepository(database).entities()[0]
            read(probe, PHASE)
            assert probe.name
        with owned.connection() as connection:
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))
