"""A column of a type that was not expected: the right answer, or an error that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import product
from typing import Any, NamedTuple

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Double,
    ForeignKey,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Uuid,
    create_engine,
    select,
    text,
)
from sqlalchemy.orm import Session, mapped_column, registry, relationship

from ecephys_dal import (
    ConfigurationError,
    Database,
    EcephysDalError,
    ProbeRepository,
    SchemaMismatchError,
    SessionRepository,
    UnitMetricRepository,
    UnitRepository,
)
from ecephys_dal.filters import Filter
from ecephys_dal.models import (
    Base,
    EcephysProbe,
    EcephysSession,
    EcephysUnit,
    EcephysUnitMetricBundle,
)
from ecephys_dal.repositories import Repository
from ecephys_dal.testing import create_synthetic_lims

from ..conftest import FreshUrl, opened
from .test_encodings import database_of


class LargeSessions(SessionRepository):
    """Sessions, by the bulk route too."""

    is_large = True


class LargeProbes(ProbeRepository):
    """Probes, by the bulk route too."""

    is_large = True


class Stored(NamedTuple):
    """A column, and what becomes of it."""

    repository: type[Any]
    shown: str  # the column of the frame
    column: Any

    @property
    def table(self) -> str:
        name: str = self.column.class_.__tablename__
        return name


COLUMNS = {
    "text": Stored(UnitRepository, "quality", EcephysUnit.quality),
    "float": Stored(UnitRepository, "snr", EcephysUnit.snr),
    "bool": Stored(LargeProbes, "has_lfp_data", EcephysProbe.use_lfp_data),
    "int": Stored(LargeProbes, "air_channel_index", EcephysProbe.air_channel_index),
    "moment": Stored(LargeSessions, "published_at", EcephysSession.published_at),
}
# Types of PostgreSQL's, with values as it reads them.
TYPES = {
    "text": ["x", "", " x ", "ü", "1", "1.5", "true", "2019-10-03", "{}", '"x"', "\x01", "é" * 300],
    "varchar(300)": ["x", "1", "ü"],
    "char(5)": ["x", "1"],
    "name": ["x"],
    "mood": ["sad"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "text[]": ["{a,b}", "{}", "{NULL}"],
    "int[]": ["{1,2}"],
    "json": ['"x"', "{}", "1", "[1]"],
    "jsonb": ['"x"', "{}", "1", "true"],
    "bytea": ["x", "\\x00ff"],
    "inet": ["1.2.3.0/24"],
    "numeric": ["1", "1.00000000000000000000", "1.5", "NaN", "1e40", "1e300", "-0", "1e400",
                "-1e400"],
    "numeric(20,3)": ["1.250"],
    "smallint": ["1", "-1"],
    "integer": ["1", "0"],
    "bigint": ["1", "9223372036854775807"],
    "oid": ["1", "4294967295"],
    "real": ["0.1", "1", "NaN", "Infinity"],
    "double precision": ["0.1", "1", "NaN", "-Infinity", "1e300"],
    "money": ["1"],
    "boolean": ["t", "f"],
    "date": ["2019-10-03", "infinity", "-infinity", "12019-01-01", "0044-03-15 BC", "1500-01-01"],
    "timestamp": ["2019-10-03 01:02:03.000004", "infinity", "-infinity", "12019-01-01",
                  "0044-03-15 BC", "1500-01-01", "2262-04-12"],
    "timestamptz": ["2019-10-03 01:02:03+02", "infinity", "12019-01-01 00:00+00"],
    "time": ["10:00"],
    "interval": ["1 day", "1 month"],
    "bit(3)": ["101"],
    '"char"': ["x"],
    "short": ["x"],
    "point": ["(1,2)"],
    "int4range": ["[1,2)"],
    "tsvector": ["a b"],
}  # fmt: skip


class Lims:
    """A LIMS on PostgreSQL of which a column has another type for a while."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url)
        self.routes = [opened(url), opened(url, by_rows=True)]
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TYPE mood AS ENUM ('sad')"))
            connection.execute(text("CREATE DOMAIN short AS text CHECK (length(value) < 9)"))

    @contextmanager
    def holding(self, stored: Stored, kind: str, value: str) -> Iterator[tuple[int, str]]:
        """Store this value in one record that is shown, and NULL in all others."""
        table, name = stored.table, stored.column.expression.name
        record = int(stored.repository(self.routes[1]).ids()[1])
        with self.engine.begin() as connection:
            connection.execute(text(f'ALTER TABLE {table} RENAME "{name}" TO kept'))
            connection.execute(text(f'ALTER TABLE {table} ADD "{name}" {kind}'))
            said = connection.execute(
                text(f'UPDATE {table} SET "{name}" = CAST(CAST(:value AS text) AS {kind})'
                     f' WHERE id = :id RETURNING CAST("{name}" AS text)'),
                {"value": value, "id": record},
            ).scalar_one()  # fmt: skip
        for database in self.routes:  # whose engines remember how they converted the other type
            database.engine.clear_compiled_cache()
        try:
            yield record, said
        finally:
            with self.engine.begin() as connection:
                connection.execute(text(f'ALTER TABLE {table} DROP "{name}"'))
                connection.execute(text(f'ALTER TABLE {table} RENAME kept TO "{name}"'))


@pytest.fixture(scope="module")
def lims(fresh_url: FreshUrl) -> Iterator[Lims]:
    url = fresh_url("postgresql")
    create_synthetic_lims(
        url, sessions=2, probes=(1, 1), channels_per_probe=4, units_per_session=3, progress=False
    )
    made = Lims(url)
    yield made
    for database in made.routes:
        database.close()
    made.engine.dispose()


HAS_ARROW = find_spec("pyarrow") is not None
OUTPUTS: dict[str, Callable[[Any], Any]] = {
    "frame": lambda table: table.frame(),
    "frame of numpy_nullable": lambda table: table.frame(dtype_backend="numpy_nullable"),
    "chunks": lambda table: pd.concat(table.chunks(size=2)),
}
if HAS_ARROW:
    OUTPUTS |= {
        "frame of pyarrow": lambda table: table.frame(dtype_backend="pyarrow"),
        "arrow": lambda table: table.arrow().to_pandas().set_index("id"),
    }


def answer(output: Callable[[Any], pd.DataFrame], table: Any, stored: Stored) -> Any:
    """Return the column, or the error; any other error is raised."""
    try:
        return output(table)[stored.shown]
    except SchemaMismatchError as error:
        return error


def is_right(shown: Any, said: str, what: str) -> bool:
    """Tell whether a value is what PostgreSQL writes."""
    if what == "text":
        return bool(shown.rstrip() == said.rstrip())
    if what == "moment":
        moment = pd.Timestamp(said)
        return bool(pd.Timestamp(shown) == (moment.tz_convert(None) if moment.tz else moment))
    if what == "bool":
        return bool(shown is (said == "true") or shown == (said == "true"))
    return repr(float(shown)) == repr(float(said))


def check(lims: Lims, what: str, kind: str, value: str) -> None:
    stored = COLUMNS[what]
    with lims.holding(stored, kind, value) as (record, said):
        for output in OUTPUTS.values():
            one, other = (
                answer(output, stored.repository(database), stored) for database in lims.routes
            )
            if isinstance(other, SchemaMismatchError):
                assert isinstance(one, SchemaMismatchError), (one, other)
                for error in (one, other):
                    assert error.table == stored.table
                    assert error.column in (stored.shown, stored.column.expression.name)
                continue
            pd.testing.assert_series_equal(one, other)
            assert is_right(one[record], said, what), (one[record], said)
            assert one.drop(record).isna().all()
        for database in lims.routes:
            with suppress(SchemaMismatchError):
                assert len(stored.repository(database).entities())


@pytest.mark.slow
@pytest.mark.parametrize("what", COLUMNS)
@pytest.mark.parametrize("kind", TYPES)
def test_both_routes_give_what_is_stored_or_name_the_column(
    kind: str, what: str, lims: Lims
) -> None:
    check(lims, what, kind, TYPES[kind][0])


@given(
    what=st.sampled_from(sorted(COLUMNS)),
    stored=st.sampled_from([(kind, value) for kind, all_ in TYPES.items() for value in all_]),
)
def test_any_value_of_any_type_does_so(lims: Lims, what: str, stored: tuple[str, str]) -> None:
    check(lims, what, *stored)


class NoteFilter(Filter):
    """Notes, all of them."""


DECLARED = {
    "text": String,
    "float": Double,
    "int": Integer,
    "bool": Boolean,
    "moment": DateTime,
    "numeric": Numeric,
    "uuid": Uuid,
    "json": JSON,
    "array": ARRAY(String),
    "interval": Interval,
    "bytes": LargeBinary,
}
BROKEN: dict[str, dict[str, Callable[[], Any]]] = {
    "": {},
    "a relationship": {"unit": lambda: relationship(EcephysUnit, lazy="raise")},
    "no such class": {"unit": lambda: relationship("Nothing")},
    "no foreign key": {"session": lambda: relationship(EcephysSession)},
    "a Python error": {"unit": lambda: relationship(EcephysUnit, primaryjoin=lambda: 1 / 0)},
}


def notes_of(what: str, table: str, column: str, relationships: str) -> type[Repository[Any, Any]]:
    """Define a lab's class, and a repository of it."""
    own = registry()
    apart = {"registry": own, "_sa_registry": own, "metadata": own.metadata, "__abstract__": True}
    note: Any = type(
        "Note",
        (type("LabBase", (Base,), apart),),  # of which a broken class breaks none of ours
        {
            "__module__": __name__,
            "__tablename__": table,
            "id": mapped_column(BigInteger, primary_key=True),
            "unit_id": mapped_column(ForeignKey(EcephysUnit.__table__.c.id)),
            "value": mapped_column(column, DECLARED[what], nullable=True),
            **{name: make() for name, make in BROKEN[relationships].items()},
        },
    )
    joined = select(note).join(note.unit) if relationships == "a relationship" else select(note)
    declared = {
        "__module__": __name__,
        "model": note,
        "filter_type": NoteFilter,
        "is_large": True,
        "statement": joined,
        "columns": (note.id, note.value),
        "criteria": staticmethod(lambda _: iter(())),
    }
    return type("Notes", (Repository,), declared)


@given(
    what=st.sampled_from(sorted(DECLARED)),
    table=st.sampled_from(["lab_notes", "lab_notes", "lab_nodes"]),
    column=st.sampled_from(["value", "value", "valve"]),
    relationships=st.sampled_from(sorted(BROKEN)),
    stored=st.sampled_from([(kind, value) for kind, all_ in TYPES.items() for value in all_]),
)
@example(what="float", table="lab_notes", column="value", relationships="",
         stored=("numeric", "1e400"))  # fmt: skip
def test_a_class_of_a_lab_is_read_or_what_is_wrong_is_named(
    lims: Lims, what: str, table: str, column: str, relationships: str, stored: tuple[str, str]
) -> None:
    kind, value = stored
    with lims.engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS lab_notes"))
        connection.execute(
            text(f"CREATE TABLE lab_notes (id bigint, unit_id bigint, value {kind})")
        )
        said = connection.execute(
            text(f"INSERT INTO lab_notes SELECT 7, min(id), CAST(CAST(:value AS text) AS {kind})"
                 " FROM ecephys_units RETURNING CAST(value AS text)"),
            {"value": value},
        ).scalar_one()  # fmt: skip
    if what in ("numeric", "uuid", "json", "array", "interval", "bytes"):
        with pytest.raises(ConfigurationError, match="'value'"):
            notes_of(what, table, column, relationships)
        return
    notes = notes_of(what, table, column, relationships)
    try:
        for output in (*OUTPUTS.values(), notes.entities):
            one, other = (told(output, notes, database) for database in lims.routes)
            if isinstance(other, EcephysDalError):
                assert type(one) is type(other), (one, other)
                assert is_named(other, table, column, relationships), other
            elif output is not notes.entities:
                pd.testing.assert_series_equal(one, other)
                assert is_right(one[7], said, what), (one[7], said)
    finally:
        notes.model.registry.dispose()


def told(output: Callable[[Any], Any], repository: type[Any], database: Database) -> Any:
    """Return the values, or an error of ours."""
    try:
        found = output(repository(database))
    except EcephysDalError as error:
        return error
    return found["value"] if isinstance(found, pd.DataFrame) else found


def is_named(error: EcephysDalError, table: str, column: str, relationships: str) -> bool:
    """Tell whether an error names what is wrong with a class."""
    if relationships in ("no such class", "no foreign key", "a Python error"):
        return isinstance(error, ConfigurationError) and str(error).startswith("Note can't")
    if not isinstance(error, SchemaMismatchError):
        return False
    if table != "lab_notes":
        return error.table == table
    wanted = {column, "value"}
    return error.table in (table, None if column == "valve" else table) and error.column in wanted


@pytest.mark.parametrize(
    ("what", "kind", "value"),
    [
        ("moment", "timestamp", "12019-01-01"),
        ("moment", "date", "infinity"),
        ("int", "numeric", "1e400"),
        ("float", "numeric", "-1e400"),
        ("int", "real", "1.5"),
    ],
)
def test_the_record_is_named(what: str, kind: str, value: str, lims: Lims) -> None:
    stored = COLUMNS[what]
    with lims.holding(stored, kind, value) as (record, _):
        for database in lims.routes:
            with pytest.raises(SchemaMismatchError, match=rf"record {record}\b"):
                stored.repository(database).frame()


def test_no_number_becomes_infinite(lims: Lims) -> None:
    with lims.holding(COLUMNS["float"], "numeric", "1e400") as (record, _):
        tables = [UnitRepository(database) for database in lims.routes]
        with lims.engine.connect() as connection, Session(connection) as db:
            outputs = (*OUTPUTS.values(), UnitRepository.entities)
            for units, output in product((*tables, UnitRepository(db)), outputs):
                with pytest.raises(SchemaMismatchError, match=r"1\.00e\+400.*float") as caught:
                    output(units)
                assert f"record {record}" in str(caught.value)
                assert (caught.value.table, caught.value.column) == ("ecephys_units", "snr")


BUNDLES = Stored(UnitMetricRepository, "data", EcephysUnitMetricBundle.data)
# Types of PostgreSQL's, and what metric bundles of it hold: None where they can't be bundles.
BUNDLE_TYPES = [
    ("json", '{"a": 1.5}', 1.5),
    ("text", '{"a": 1.5}', 1.5),
    ("json", '{"a": 1e400}', None),
    ("text", '{"a": -1e400}', None),
    ("text[]", "{}", None),
    ("bytea", '{"a": 1.5}', None),
    ("date", "infinity", None),
]
MORE_BUNDLE_TYPES = [
    ("jsonb", '{"a": 1.5}', 1.5),
    ("varchar(20)", '{"a": 1.5}', 1.5),
    ("char(20)", '{"a": 1.5}', 1.5),
    ("json[]", "{}", None),
    ("interval", "1 day", None),
    ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", None),
    ("integer", "1", None),
    ("numeric", "1.5", None),
    ("timestamp", "12019-01-01", None),
    ("boolean", "t", None),
]


@pytest.mark.parametrize(
    ("kind", "value", "metric"),
    [*BUNDLE_TYPES, *(pytest.param(*more, marks=pytest.mark.slow) for more in MORE_BUNDLE_TYPES)],
)
def test_bundles_are_read_or_their_column_is_named(
    kind: str, value: str, metric: float | None, lims: Lims
) -> None:
    with lims.holding(BUNDLES, kind, value):
        for database, name in product(lims.routes, ("frame", "chunks")):
            metrics = UnitMetricRepository(database)
            if metric is not None:
                assert OUTPUTS["frame"](metrics)["a"].dropna().tolist() == [metric]
                continue
            with pytest.raises(SchemaMismatchError, match="'data'") as caught:
                OUTPUTS[name](metrics)
            assert (caught.value.table, caught.value.column) == (BUNDLES.table, "data")


@pytest.fixture
def ascii_url(postgres_url: str) -> Iterator[str]:
    """A database whose texts are any bytes."""
    with database_of(postgres_url, "SQL_ASCII") as url:
        yield url


@pytest.mark.parametrize("by_rows", [False, True])
@pytest.mark.sample(1)
def test_bytes_of_another_encoding_are_named(ascii_url: str, by_rows: bool) -> None:
    create_synthetic_lims(
        ascii_url, sessions=2, probes=(1, 1), channels_per_probe=4, units_per_session=3,
        progress=False,
    )  # fmt: skip
    with opened(ascii_url, by_rows=by_rows) as database:
        units = UnitRepository(database)
        first, second = units.ids()[:2]
        engine = create_engine(ascii_url)
        change = text("UPDATE ecephys_units SET quality = convert_from(:value, 'SQL_ASCII')"
                      " WHERE id = :id")  # fmt: skip
        with engine.begin() as connection:
            connection.execute(change, {"value": "gut ü".encode(), "id": int(first)})
        assert units.frame()["quality"][first] == "gut ü"
        for output in OUTPUTS.values():
            assert output(units)["quality"][first] == "gut ü"
        with engine.begin() as connection:
            connection.execute(change, {"value": "gut ü".encode("latin-1"), "id": int(second)})
        engine.dispose()
        for output in (*OUTPUTS.values(), UnitRepository.entities):
            with pytest.raises(SchemaMismatchError, match=f"quality.*record {second}") as caught:
                output(units)
            assert (caught.value.table, caught.value.column) == ("ecephys_units", "quality")


def test_bytes_that_are_no_text_are_named_in_sqlite(fresh_url: FreshUrl) -> None:
    url = fresh_url("sqlite")
    create_synthetic_lims(
        url, sessions=2, probes=(1, 1), channels_per_probe=4, units_per_session=3, progress=False
    )
    with Database(url, owned=True) as owner, owner.connection() as connection:
        record = UnitRepository(owner).ids()[1]
        connection.execute(
            text("UPDATE ecephys_units SET quality = CAST(x'67fc' AS TEXT) WHERE id = :id"),
            {"id": int(record)},
        )
    with Database(url) as database:
        for output in (*OUTPUTS.values(), UnitRepository.entities):
            with pytest.raises(SchemaMismatchError, match=f"quality.*record {record}") as caught:
                output(UnitRepository(database))
            assert (caught.value.table, caught.value.column) == ("ecephys_units", "quality")
