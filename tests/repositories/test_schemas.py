"""Tables in a schema of their own: by a translation of the caller's, or by the search path."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.orm import Session

from ecephys_dal import (
    ConfigurationError,
    Database,
    EcephysProjectLimsApi,
    ProbeRepository,
    Repository,
    SchemaMismatchError,
    UnitFilter,
    UnitRepository,
    doctor,
    snapshot,
)
from ecephys_dal.migrations import refuse_somebody_elses_lims, revisions, upgrade
from ecephys_dal.models import LIMS_TABLES
from ecephys_dal.repositories import REPOSITORIES
from ecephys_dal.testing import build_synthetic_lims
from tests.conftest import BACKENDS, FreshUrl


class Lims:
    """A LIMS whose tables are in the schema ``lims`` alone, and another in none."""

    def __init__(self, url: str, plain: str) -> None:
        self.url, self.plain = url, plain

    @contextmanager
    def engine(self, schemas: dict[Any, str | None]) -> Iterator[Engine]:
        engine = create_engine(self.url, execution_options={"schema_translate_map": schemas})
        if engine.dialect.name == "sqlite":
            path = make_url(self.plain).database

            @event.listens_for(engine, "connect")
            def attach(connection: Any, _: object) -> None:
                connection.execute("ATTACH ? AS lims", (path,))

        yield engine
        engine.dispose()


def fill(url: str) -> None:
    with Database(url, owned=True) as owned:
        with owned.connection() as connection:
            upgrade(connection)
        build_synthetic_lims(
            owned, sessions=2, channels_per_probe=4, units_per_session=8, progress=False
        )


@pytest.fixture(scope="module", params=BACKENDS)
def lims(request: pytest.FixtureRequest, fresh_url: FreshUrl) -> Lims:
    url, plain = fresh_url(request.param), fresh_url(request.param)
    fill(plain)
    if request.param == "postgresql":
        fill(url)
        with Database(url, owned=True) as owned, owned.connection() as connection:
            connection.execute(text("CREATE SCHEMA lims"))
            for table in [*LIMS_TABLES, "alembic_version"]:
                connection.execute(text(f"ALTER TABLE {table} SET SCHEMA lims"))
    else:
        Path(make_url(url).database or "").touch()
    return Lims(url, plain)


def answers(repository: Repository[Any, Any]) -> dict[str, Any]:
    frame = repository.frame()
    record_id = int(repository.ids()[0])
    return {
        "frame": frame,
        "chunks": pd.concat(repository.chunks(size=7)),
        "count": repository.count(),
        "entities": [one.id for one in repository.entities()],
        "why": str(repository.why(record_id)),
        "row counts": repository.explain().funnel,
    }


@pytest.mark.parametrize("repository", REPOSITORIES.values(), ids=lambda one: one.__name__)
@pytest.mark.parametrize("how", ["engine", "session", "session on a connection"])
@pytest.mark.in_turn("repository", "how")
@pytest.mark.sample(7)
def test_every_output_sees_the_schema(
    lims: Lims, repository: type[Repository[Any, Any]], how: str
) -> None:
    with Database(lims.plain) as plain, lims.engine({None: "lims"}) as engine:
        expected = answers(repository(plain))
        if how == "engine":
            found = answers(repository(engine))
        else:
            with (
                engine.connect() as connection,
                Session(connection if "connection" in how else engine) as db,
            ):
                found = answers(repository(db))
    assert len(expected["frame"]) > 0
    for name in ("frame", "chunks"):
        pd.testing.assert_frame_equal(found.pop(name), expected.pop(name))
    assert found == expected


@pytest.mark.parametrize("schemas", [{"x": "y"}, {None: None}, {}])
@pytest.mark.in_turn("schemas", "lims")
def test_another_translation_leaves_the_tables_where_they_are(
    lims: Lims, schemas: dict[Any, Any], tmp_path: Path
) -> None:
    engine = create_engine(lims.plain, execution_options={"schema_translate_map": schemas})
    assert UnitRepository(engine).count() > 0
    info = snapshot.create(engine, tmp_path / "s.db", progress=False)
    assert (info.rows["ecephys_units"] > 0, info.lacking) == (True, ())
    assert told(engine) == told(lims.plain)
    engine.dispose()


def test_options_of_an_engine_are_followed_or_refused(lims: Lims) -> None:
    with lims.engine({"x": "y"}) as engine, Database(lims.plain) as plain:
        given = engine.execution_options(schema_translate_map={None: "lims"})
        try:
            n_units, refusal = UnitRepository(given).count(), ""
        except ConfigurationError as error:  # of an older SQLAlchemy
            n_units, refusal = 0, str(error)
        assert "execution_options" in refusal or n_units == UnitRepository(plain).count() > 0


def test_an_explained_statement_can_be_run(lims: Lims) -> None:
    with lims.engine({None: "lims"}) as engine:
        units = UnitRepository(engine)
        spec = UnitFilter(unit_ids=units.ids()[:3])
        sql = units.explain(spec).sql
        with engine.connect() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(sql)
            assert len(cursor.fetchall()) == units.count(spec) == 3


def test_a_snapshot_holds_what_is_in_the_schema(lims: Lims, tmp_path: Path) -> None:
    with lims.engine({None: "lims"}) as engine:
        found = snapshot.create(engine, tmp_path / "found.db", progress=False)
    expected = snapshot.create(Database(lims.plain), tmp_path / "expected.db", progress=False)
    assert found.rows == expected.rows
    assert found.rows["ecephys_units"] > 0
    assert found.lacking == expected.lacking == ()
    assert not snapshot.diff(tmp_path / "found.db", tmp_path / "expected.db")


def told(where: Any) -> set[tuple[str, str, str, int | None]]:
    findings = doctor.examine(where, progress=False).findings
    assert not [one for one in findings if one.code == "check_failed"]
    return {
        (one.severity, one.code, one.subject, one.count)
        for one in findings
        if one.code not in {"tables_extra", "role_may_write", "file_writable"}
    }


def test_the_doctor_looks_into_the_schema(lims: Lims) -> None:
    with lims.engine({None: "lims"}) as engine:
        assert told(engine) == told(lims.plain)


def test_a_missing_column_is_seen_in_the_schema(lims: Lims) -> None:
    rename = "ALTER TABLE {}ecephys_probes RENAME COLUMN {} TO {}"
    postgresql = lims.url.startswith("postgresql")
    owner, prefix = (lims.url, "lims.") if postgresql else (lims.plain, "")
    with Database(owner, owned=True) as owned, lims.engine({None: "lims"}) as engine:
        with owned.connection() as connection:
            connection.execute(text(rename.format(prefix, "phase", "hidden")))
        try:
            probe = ProbeRepository(engine).entities()[0]
            with pytest.raises(SchemaMismatchError) as caught:
                probe.phase  # noqa: B018
            assert (caught.value.table, caught.value.column) == ("ecephys_probes", "phase")
            with pytest.raises(SchemaMismatchError) as caught:
                ProbeRepository(engine).frame()
            assert (caught.value.table, caught.value.column) == ("ecephys_probes", "phase")
            assert ("error", "column_missing", "ecephys_probes.phase", None) in told(engine)
        finally:
            with owned.connection() as connection:
                connection.execute(text(rename.format(prefix, "hidden", "phase")))


def test_the_facade_sees_the_schema(lims: Lims) -> None:
    with lims.engine({None: "lims"}) as engine:
        found = EcephysProjectLimsApi(engine)
        with Database(lims.plain) as plain:
            expected = EcephysProjectLimsApi(plain)
            pd.testing.assert_frame_equal(found.get_units(), expected.get_units())
            session_id = int(expected.get_sessions().index[0])
            pd.testing.assert_frame_equal(
                found.list_files(session_id=session_id), expected.list_files(session_id=session_id)
            )


def test_what_can_not_follow_a_translation_refuses_it(lims: Lims) -> None:
    with lims.engine({None: "lims"}) as engine:
        with pytest.raises(ConfigurationError, match="schema_translate_map"):
            pickle.dumps(Database(engine))
        with engine.connect() as connection:
            for call in (upgrade, refuse_somebody_elses_lims):
                with pytest.raises(ConfigurationError, match="'lims'.*search_path"):
                    call(connection)
                connection.rollback()
            assert revisions(connection).recorded == revisions(connection).newest


def test_migrations_follow_the_search_path(fresh_url: FreshUrl) -> None:
    plain = make_url(fresh_url("postgresql"))
    with Database(plain, owned=True) as owned, owned.connection() as connection:
        connection.execute(text("CREATE SCHEMA lims"))
    url = plain.update_query_dict({"options": "-csearch_path=lims"})
    for _ in range(2):
        with Database(url, owned=True) as owned, owned.connection() as connection:
            upgrade(connection)
            assert revisions(connection).recorded == revisions(connection).newest
            assert set(inspect(connection).get_table_names("lims")) >= set(LIMS_TABLES)
            assert inspect(connection).get_table_names("public") == []
    with Database(plain) as database, database.connection() as connection:
        assert revisions(connection).recorded is None


@pytest.mark.parametrize("path", ["lims", "lims,public", "nowhere,lims"])
@pytest.mark.sample(1)
def test_the_search_path_may_lead_there(fresh_url: FreshUrl, tmp_path: Path, path: str) -> None:
    plain = fresh_url("postgresql")
    fill(plain)
    with Database(plain) as database:
        units = UnitRepository(database).frame()
    expected = told(plain)
    with Database(plain, owned=True) as owned, owned.connection() as connection:
        connection.execute(text("CREATE SCHEMA lims"))
        for table in LIMS_TABLES:
            connection.execute(text(f"ALTER TABLE {table} SET SCHEMA lims"))
    url = make_url(plain).update_query_dict({"options": f"-csearch_path={path}"})
    for bulk in (True, False):
        with Database(url, bulk=bulk) as database:
            pd.testing.assert_frame_equal(UnitRepository(database).frame(), units)
            assert ProbeRepository(database).entities()
    assert told(url) == expected
    info = snapshot.create(Database(url), tmp_path / "s.db", progress=False)
    assert info.rows["ecephys_units"] > 0
