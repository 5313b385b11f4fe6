"""However a table comes, by bulk, row by row or in a caller's session, it is the same table."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import create_engine, false, text
from sqlalchemy.orm import Session

from ecephys_dal import (
    ChannelRepository,
    ConfigurationError,
    Database,
    IsiExperimentRepository,
    ProbeRepository,
    SchemaMismatchError,
    SessionRepository,
    UnitFilter,
    UnitMetricFilter,
    UnitMetricRepository,
    UnitRepository,
)
from ecephys_dal.migrations import upgrade
from ecephys_dal.repositories import Repository
from ecephys_dal.testing import using
from ecephys_dal.testing.factories import (
    EcephysAnalysisRunFactory,
    EcephysChannelFactory,
    EcephysProbeFactory,
    EcephysSessionFactory,
    EcephysUnitFactory,
    EcephysUnitMetricBundleFactory,
    StructureFactory,
)

from ..conftest import BACKENDS, opened

TABLES = [
    ChannelRepository,
    IsiExperimentRepository,
    ProbeRepository,
    SessionRepository,
    UnitMetricRepository,
    UnitRepository,
]
ODD_TEXTS = ["", " ", "NULL", "nan", "é", "🐭", "日本", "a\nb\tc", "'\"\\", "%s", "x" * 10_000]
ODD_FLOATS = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, math.inf, -math.inf, None]
ODD_DAYS = [
    None,
    dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
    dt.datetime(1700, 1, 1),
    dt.datetime(2262, 1, 1),
    dt.datetime(2019, 10, 3),
]
BIG = 123_456_789_012_345_678
ODD_BUNDLES: list[Any] = [
    {"g_osi_dg": 1, "pref_ori_multi_dg": True, "on_screen_rf": 0.5, "p_value_rf": True},
    {"g_osi_dg": 1.5, "pref_ori_multi_dg": None, "on_screen_rf": None, "p_value_rf": None},
    {"g_osi_dg": None, "text": "x", "list": [1, None], "object": {"a": "é"}},
    {"big": BIG, "mixed": True, 'é "\\': -0.0},
    {"mixed": 1.5, "big": 1},
    {},
    None,
]


def fill(database: Database) -> None:
    with database.session() as db, using(db, first_id=7):
        for day in ODD_DAYS:
            EcephysSessionFactory.create(date_of_acquisition=day, published_at=day)
        EcephysSessionFactory.create(specimen__donor__gender=None, specimen__donor__age=None)
        session = EcephysSessionFactory.create()
        probe = EcephysProbeFactory.create(session=session, air_channel_index=None)
        EcephysProbeFactory.create(
            session=session, use_lfp_data=None, global_probe_sampling_rate=None, phase=None
        )
        for words in ODD_TEXTS:
            structure = StructureFactory.create(acronym=words)
            channel = EcephysChannelFactory.create(probe=probe, structure=structure)
            EcephysUnitFactory.create(
                channel=channel, quality=words, epoch_name_quality_metrics=words or None
            )
        for number in ODD_FLOATS:
            EcephysUnitFactory.create(channel=channel, snr=number, PT_ratio=number)
        unit = EcephysUnitFactory.create(id=BIG, channel=channel, snr=None)
        EcephysChannelFactory.create(id=BIG, probe=probe, structure=None)
        run = EcephysAnalysisRunFactory.create(session=session)
        for bundle in ODD_BUNDLES:
            EcephysUnitMetricBundleFactory.create(unit=unit, run=run, data=bundle)


@pytest.fixture(scope="module")
def odd(fresh_url: Callable[[str], str]) -> dict[str, str]:
    """The URLs of databases of the same odd rows."""
    urls = {backend: fresh_url(backend) for backend in BACKENDS}
    for url in urls.values():
        with Database(url, owned=True) as database:
            with database.connection() as connection:
                upgrade(connection)
            fill(database)
    return urls


@contextmanager
def every_route(url: str) -> Iterator[dict[str, Any]]:
    engine = create_engine(url)
    with Session(engine) as db, Database(url) as bulk, opened(url, by_rows=True) as rows:
        yield {"rows": rows, "bulk": bulk, "engine": engine, "session": db}
    engine.dispose()


def assert_identical(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    for name in one.columns:
        left, right = list(one[name]), list(other[name])
        assert list(map(type, left)) == list(map(type, right)), name
        assert list(map(repr, left)) == list(map(repr, right)), name  # NaN, NA, None, -0.0


@pytest.fixture(params=TABLES, ids=lambda repository: repository.__name__)
def table(request: pytest.FixtureRequest) -> type[Repository[Any, Any]]:
    repository: type[Repository[Any, Any]] = request.param
    return repository


@pytest.mark.parametrize("dtypes", ["numpy", "numpy_nullable", "pyarrow"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.in_turn("table", "dtypes")
@pytest.mark.sample(6)
def test_every_route_gives_the_identical_frame(
    odd: dict[str, str], backend: str, table: type[Repository[Any, Any]], dtypes: Any
) -> None:
    if dtypes == "pyarrow":
        pytest.importorskip("pyarrow", reason="the arrow extra is not installed")
    with every_route(odd[backend]) as routes:
        expected, *others = (table(db).frame(dtype_backend=dtypes) for db in routes.values())
        assert len(expected) > 1
        for frame in others:
            assert_identical(frame, expected)
        empty, *others = (
            table(db).frame(where=false(), dtype_backend=dtypes) for db in routes.values()
        )
        for frame in others:
            assert_identical(frame, empty)


def test_both_databases_give_the_identical_frame(
    odd: dict[str, str], table: type[Repository[Any, Any]]
) -> None:
    with Database(odd["sqlite"]) as one, Database(odd["postgresql"]) as other:
        frames = [table(db).frame(dtype_backend="numpy_nullable") for db in (one, other)]
        frames = [frame.rename(columns=str).sort_index(axis=1) for frame in frames]
        assert_identical(*frames)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.sample(4)
def test_chunks_of_every_route_are_the_same(
    odd: dict[str, str], backend: str, table: type[Repository[Any, Any]]
) -> None:
    with every_route(odd[backend]) as routes:
        expected, *others = (list(table(db).chunks(size=3)) for db in routes.values())
        assert len(expected) > 0
        for chunks in others:
            assert len(chunks) == len(expected)
            for one, other in zip(chunks, expected, strict=True):
                assert_identical(one, other)


@pytest.mark.parametrize("backend", BACKENDS)
def test_arrow_has_the_values_of_the_frame_and_a_declared_schema(
    odd: dict[str, str], backend: str, table: type[Repository[Any, Any]]
) -> None:
    pa = pytest.importorskip("pyarrow", reason="the arrow extra is not installed")
    with every_route(odd[backend]) as routes:
        expected, *others = (table(db).arrow() for db in routes.values())
        frame = table(routes["rows"]).frame(dtype_backend="pyarrow")
        empty = table(routes["bulk"]).arrow(where=false())
        for arrow in others:
            assert arrow.schema == expected.schema
            assert arrow.to_pylist() == expected.to_pylist() or table is UnitRepository  # NaN
    assert expected.column_names == [frame.index.name, *frame.columns]
    assert expected[0].to_pylist() == frame.index.tolist()
    assert empty.num_rows == 0
    if table is not UnitMetricRepository:  # whose columns are the keys of the bundles
        assert empty.schema == expected.schema
        assert set(expected.schema.types) <= {
            pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.timestamp("us")
        }  # fmt: skip
    assert expected.schema.field(0).type == pa.int64()


NAN = "UPDATE ecephys_units SET snr = 'NaN' WHERE id = (SELECT min(id) FROM ecephys_units)"


def test_nan_is_not_null(odd: dict[str, str], fresh_url: Callable[[str], str]) -> None:
    url = fresh_url("postgresql")  # SQLite has no NaN
    with Database(url, owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        fill(database)
        with database.connection() as connection:
            connection.execute(text(NAN))
    for dtypes in ("numpy", "numpy_nullable", "pyarrow"):
        if dtypes == "pyarrow":
            pytest.importorskip("pyarrow", reason="the arrow extra is not installed")
        with every_route(url) as routes:
            frames = [UnitRepository(db).frame(dtype_backend=dtypes) for db in routes.values()]
        for frame in frames:
            assert_identical(frame, frames[0])
            if dtypes != "numpy":
                assert math.isnan(frame["snr"].iloc[0])
                assert frame["snr"].loc[BIG] is pd.NA


OTHER_TYPES = {
    "ecephys_sessions": {"published_at": "timestamptz", "isi_experiment_id": "integer"},
    "ages": {"days": "numeric"},
    "genders": {"name": "char(3)"},
    "ecephys_probes": {"air_channel_index": "numeric", "global_probe_sampling_rate": "real"},
    "ecephys_channels": {"local_index": "numeric(8, 2)", "probe_vertical_position": "smallint"},
    "ecephys_units": {"firing_rate": "numeric(20, 12)", "quality": "name"},
    "ecephys_unit_metric_bundles": {"data": "jsonb"},
}


@pytest.fixture(scope="module")
def otherwise(fresh_url: Callable[[str], str]) -> str:
    """The same rows in columns of other types than the models declare."""
    url = fresh_url("postgresql")
    with Database(url, owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        fill(database)
        with database.connection() as connection:
            connection.execute(text("UPDATE ecephys_units SET quality = left(quality, 20)"))
            for name, columns in OTHER_TYPES.items():
                for column, kind in columns.items():
                    connection.execute(text(f"ALTER TABLE {name} ALTER {column} TYPE {kind}"))
    return url


def test_other_types_of_columns_give_the_identical_frame(
    otherwise: str, table: type[Repository[Any, Any]]
) -> None:
    with every_route(otherwise) as routes:
        expected, *others = (table(db).frame() for db in routes.values())
        assert len(expected) > 1
        for frame in others:
            assert_identical(frame, expected)


def test_what_is_cut_off_by_no_route(otherwise: str) -> None:
    with Database(otherwise, owned=True) as database, database.connection() as connection:
        connection.execute(text("UPDATE ecephys_channels SET local_index = 1.5"))
    with every_route(otherwise) as routes:
        for db in routes.values():
            with pytest.raises(SchemaMismatchError, match="local_index"):
                ChannelRepository(db).frame()


def test_filters_hold_on_every_route(odd: dict[str, str]) -> None:
    for url in odd.values():
        with every_route(url) as routes:
            for db in routes.values():
                units = UnitRepository(db)
                assert units.frame(UnitFilter(unit_ids=[BIG, 1])).index.tolist() == [BIG]
                assert len(units.frame(UnitFilter(unit_ids=[]))) == 0
                half = UnitFilter(unit_ids=units.ids()[::2], published_at="2019-10-03")
                assert units.frame(half).index.tolist() == units.ids()[::2].tolist()
                types = UnitMetricFilter(session_types=["brain_observatory_1.1", "'; --"])
                assert len(UnitMetricRepository(db).frame(types)) == len(ODD_BUNDLES)


def test_a_frame_may_be_written_to(odd: dict[str, str], table: type[Repository[Any, Any]]) -> None:
    with Database(odd["postgresql"]) as database:
        frame = table(database).frame()
    for name in frame.columns:
        column = frame[name].array.copy() if frame[name].dtype == object else frame[name].array
        column[0] = column[1]
        assert repr(column[0]) == repr(column[1]), name


def test_arrow_without_its_extra_says_what_to_install(
    odd: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecephys_dal.frames.arrow.pa", None)
    with opened(odd["sqlite"], by_rows=True) as database:
        with pytest.raises(ConfigurationError, match=r"ecephys_dal\[arrow\]"):
            UnitRepository(database).arrow()
        with pytest.raises(ConfigurationError, match=r"ecephys_dal\[arrow\]"):
            UnitRepository(database).frame(dtype_backend="pyarrow")
        assert len(UnitRepository(database).frame()) > 1
