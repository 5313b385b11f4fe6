"""A LIMS without some column: what does not need it works, and what does says so, by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import event, text

from ecephys_dal import (
    Database,
    EcephysProjectLimsApi,
    FileRepository,
    SchemaMismatchError,
    UnitFilter,
    UnitRepository,
)
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import Base
from ecephys_dal.repositories import Repository
from ecephys_dal.testing import SyntheticLims, build_synthetic_lims

from ..conftest import ROUTES, FreshUrl, opened
from .test_contract import REPOSITORIES

COLUMNS = {
    (table.name, column.name) for table in Base.metadata.sorted_tables for column in table.columns
}


class Lims:
    """A database whose columns can be hidden for a while."""

    def __init__(self, database: Database, owned: Database, synthetic: SyntheticLims) -> None:
        self.database, self.owned, self.synthetic = database, owned, synthetic

    @contextmanager
    def without(self, columns: Iterable[tuple[str, str]]) -> Iterator[None]:
        columns = list(columns)
        self._rename((table, name, f"{name}_hidden") for table, name in columns)
        yield
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
