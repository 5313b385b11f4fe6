"""Which files a session, probe or analysis run has: on itself and on what belongs to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import ClauseElement, Executable, Select, inspect, or_, select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler

from ecephys_dal import Database, FileFilter, FileRepository
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import (
    Base,
    EcephysAnalysisRun,
    EcephysAnalysisRunProbe,
    EcephysProbe,
    EcephysSession,
    WellKnownFile,
    WellKnownFileType,
)
from ecephys_dal.repositories.files import ON_NO_OLDER_RUN
from ecephys_dal.testing import SyntheticLims
from ecephys_dal.testing.factories import (
    EcephysAnalysisRunFactory,
    EcephysAnalysisRunProbeFactory,
    EcephysProbeFactory,
    EcephysSessionFactory,
    WellKnownFileFactory,
)
from tests.conftest import FreshUrl

Row = dict[str, Any]
relaxed = settings(
    max_examples=settings.default.max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@cache
def table(database: Database, model: type[Base]) -> dict[int, Row]:
    columns = inspect(model).columns
    with database.connection() as connection:
        return {row["id"]: dict(row) for row in connection.execute(select(*columns)).mappings()}


@cache
def belonging(database: Database) -> dict[int, Row]:
    """Each file with the session, probe and run that it belongs to, by plain Python."""
    sessions, probes = table(database, EcephysSession), table(database, EcephysProbe)
    runs, run_probes = (table(database, m) for m in (EcephysAnalysisRun, EcephysAnalysisRunProbe))
    types = table(database, WellKnownFileType)
    found = {}
    for file_id, file in table(database, WellKnownFile).items():
        owner, owner_id = file["attachable_type"], file["attachable_id"]
        of: Row = dict.fromkeys(("session", "probe", "run", "current", "type"))
        if owner == "EcephysSession" and owner_id in sessions:
            of["session"] = owner_id
        elif owner == "EcephysProbe":
            of.update(probe=owner_id, session=probes[owner_id]["ecephys_session_id"])
        elif owner in ("EcephysAnalysisRun", "EcephysAnalysisRunProbe"):
            of["run"] = owner_id
            if owner == "EcephysAnalysisRunProbe":
                of["run"] = run_probes[owner_id]["ecephys_analysis_run_id"]
                of["probe"] = run_probes[owner_id]["ecephys_probe_id"]
            of["session"] = runs[of["run"]]["ecephys_session_id"]
            of["current"] = runs[of["run"]]["current"]
        if file["well_known_file_type_id"] is not None:
            of["type"] = types[file["well_known_file_type_id"]]["name"]
        found[file_id] = {**file, **of}
    return found


def missing_as_none(values: Iterable[Any]) -> list[Any]:
    return [None if pd.isna(value) else value for value in values]


def test_every_file_is_listed_once_with_what_it_belongs_to(synthetic: SyntheticLims) -> None:
    frame = FileRepository(synthetic.database).frame()
    expected = belonging(synthetic.database)
    assert frame.index.tolist() == sorted(expected)
    for column, field in {
        "owner": "attachable_type",
        "owner_id": "attachable_id",
        "type": "type",
        "name": "filename",
        "size": "size",
        "run": "run",
        "run_is_current": "current",
        "ecephys_session_id": "session",
        "ecephys_probe_id": "probe",
        "storage_directory": "storage_directory",
    }.items():
        stored = [expected[file_id][field] for file_id in frame.index]
        assert missing_as_none(frame[column]) == stored, column
        assert any(value is not None for value in stored), column
    days = [row["published_at"] for _, row in sorted(expected.items())]
    assert missing_as_none(frame["published_at"].dt.date) == days
    assert set(days) == {None, dt.date(2019, 10, 3)}


def test_the_dtypes_leave_room_for_what_is_missing(synthetic: SyntheticLims) -> None:
    frame = FileRepository(synthetic.database).frame()
    ids = ["owner_id", "run", "ecephys_session_id", "ecephys_probe_id", "size"]
    assert set(frame[ids].dtypes) == {np.dtype("float64")}
    assert frame["run_is_current"].dtype == "boolean"
    assert frame["published_at"].dtype == "datetime64[ns]"
    nullable = FileRepository(synthetic.database).frame(dtype_backend="numpy_nullable")
    assert set(map(str, nullable[ids].dtypes)) == {"Int64"}


@relaxed
@given(draw=st.data())
def test_any_question_has_the_brute_force_answer(
    synthetic: SyntheticLims, draw: st.DataObject
) -> None:
    files = belonging(synthetic.database)
    fields = {
        "file_ids": lambda file: file["id"],
        "session_ids": lambda file: file["session"],
        "probe_ids": lambda file: file["probe"],
        "run_ids": lambda file: file["run"],
        "types": lambda file: file["type"],
        "owners": lambda file: file["attachable_type"],
    }
    arguments: dict[str, Any] = {}
    for name, value_of in fields.items():
        known = sorted({value_of(file) for file in files.values()} - {None})
        nothing = [0, -1] if name.endswith("_ids") else ["", "nothing"]
        wanted = st.none() | st.lists(st.sampled_from([*known, *nothing]), max_size=30)
        arguments[name] = draw.draw(wanted, label=name)
    asked = {name: values for name, values in arguments.items() if values is not None}
    expected = [
        file_id
        for file_id, file in sorted(files.items())
        if all(fields[name](file) in values for name, values in asked.items())
    ]
    assert FileRepository(synthetic.database).ids(FileFilter(**arguments)).tolist() == expected


@pytest.mark.parametrize(
    ("field", "column", "owners"),
    [
        (
            "session_ids",
            "ecephys_session_id",
            {"EcephysSession", "EcephysProbe", "EcephysAnalysisRun", "EcephysAnalysisRunProbe"},
        ),
        ("probe_ids", "ecephys_probe_id", {"EcephysProbe", "EcephysAnalysisRunProbe"}),
        ("run_ids", "run", {"EcephysAnalysisRun", "EcephysAnalysisRunProbe"}),
    ],
)
def test_files_are_found_through_every_kind_of_owner(
    synthetic: SyntheticLims, field: str, column: str, owners: set[str]
) -> None:
    files = FileRepository(synthetic.database)
    everything = files.frame()
    wanted = int(everything[column].dropna().iloc[0])
    frame = files.frame(FileFilter(**{field: [wanted]}))
    assert set(frame["owner"]) == owners
    pd.testing.assert_frame_equal(frame, everything[everything[column] == wanted])


def test_files_of_older_runs_are_marked(synthetic: SyntheticLims) -> None:
    files = FileRepository(synthetic.database)
    spec = FileFilter(session_ids=[synthetic.awkward["session_with_older_nwb"]])
    nwb = files.frame(spec & FileFilter(types=["EcephysNwb"]))
    assert nwb["run_is_current"].tolist() == [False, True]
    assert nwb.index[0] == synthetic.awkward["file_older_nwb"]
    in_force = files.frame(spec, where=ON_NO_OLDER_RUN)
    assert len(in_force) < files.count(spec)
    assert set(missing_as_none(in_force["run_is_current"])) == {None, True}


def test_no_rule_hides_a_file(synthetic: SyntheticLims) -> None:
    files = FileRepository(synthetic.database)
    for key in ("session_failed", "session_habituation", "session_null_workflow_state"):
        assert files.count(FileFilter(session_ids=[synthetic.awkward[key]])) > 10, key
    for key in ("probe_failed", "probe_null_workflow_state"):
        assert files.count(FileFilter(probe_ids=[synthetic.awkward[key]])) > 1, key


def test_odd_files_are_listed_too(synthetic: SyntheticLims) -> None:
    files, awkward = FileRepository(synthetic.database), synthetic.awkward
    session = FileFilter(session_ids=[awkward["session_bare"]])
    untyped = files.frame(session).loc[awkward["file_without_type_and_size"]]
    assert untyped[["type", "size", "published_at", "run"]].isna().all()
    assert untyped["name"] == "untyped file"
    foreign = awkward["file_of_unmodelled_owner"]
    assert foreign not in files.ids(session)  # although it has the session's id as its owner's
    for spec in (FileFilter(file_ids=[foreign]), FileFilter(owners=["OphysSession"]), None):
        row = files.frame(spec).loc[foreign]
        assert row["owner_id"] == awkward["session_bare"]
        assert row[["ecephys_session_id", "ecephys_probe_id", "run"]].isna().all()


def test_a_type_may_hold_a_space(synthetic: SyntheticLims) -> None:
    files = FileRepository(synthetic.database)
    spec = FileFilter(types=["EyeTracking Ellipses"], session_ids=synthetic.session_ids)
    assert set(files.frame(spec)["name"]) == {"ellipse.h5"}
    assert files.count(spec) == len(synthetic.session_ids)
    assert "EyeTracking Ellipses" in files.types()
    assert files.types() == sorted(files.types())


def test_runs_of_unknown_currency_and_owners_that_are_gone(db: Session) -> None:
    run = EcephysAnalysisRunFactory.create(current=None)
    undecided = WellKnownFileFactory.create(attachable=run)
    orphan = WellKnownFileFactory.create(attachable_type="EcephysSession", attachable_id=5)
    files = FileRepository(db)
    frame = files.frame()
    assert frame.index.tolist() == sorted([undecided.id, orphan.id])
    assert frame["run_is_current"].isna().all()
    assert frame.loc[undecided.id, "run"] == run.id
    assert pd.isna(frame.loc[orphan.id, "ecephys_session_id"])
    assert files.ids(FileFilter(session_ids=[5])).tolist() == []
    assert files.ids(where=ON_NO_OLDER_RUN).tolist() == [orphan.id]


def test_an_id_of_two_tables_is_no_confusion(db: Session) -> None:
    session = EcephysSessionFactory.create(id=77)
    probe = EcephysProbeFactory.create(id=77)
    run = EcephysAnalysisRunFactory.create(id=77)
    part = EcephysAnalysisRunProbeFactory.create(id=77)
    made = [WellKnownFileFactory.create(attachable=it) for it in (session, probe, run, part)]
    frame = FileRepository(db).frame(FileFilter(file_ids=[file.id for file in made]))
    assert frame["ecephys_session_id"].tolist() == [
        77, probe.ecephys_session_id, run.ecephys_session_id, part.run.ecephys_session_id,
    ]  # fmt: skip
    assert missing_as_none(frame["ecephys_probe_id"]) == [None, 77, None, part.ecephys_probe_id]
    assert missing_as_none(frame["run"]) == [None, None, 77, part.ecephys_analysis_run_id]
    for field, file in zip(("session_ids", "probe_ids", "run_ids"), made, strict=False):
        assert FileRepository(db).ids(FileFilter(**{field: [77]})).tolist() == [file.id]


def test_entities_are_the_records(synthetic: SyntheticLims) -> None:
    probe_id = synthetic.probe_ids[0]
    spec = FileFilter(probe_ids=[probe_id], types=["EcephysSortedSpikeTimes"])
    record = FileRepository(synthetic.database).one(spec)
    assert (record.filename, record.attachable_id) == ("spike_times.npy", probe_id)


class Explained(Executable, ClauseElement):
    """The plan of a statement, instead of its rows."""

    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(Explained)
def _explain(element: Explained, compiler: SQLCompiler, **kw: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.statement, **kw)}"


def readings(plan: Row) -> Iterator[Row]:
    """Each part of a plan that reads the table of files."""
    if plan.get("Relation Name") == "well_known_files":
        yield plan
    for part in plan.get("Plans", ()):
        yield from readings(part)


def test_postgresql_reaches_files_by_an_index(postgres_url: str, fresh_url: FreshUrl) -> None:
    url = fresh_url("postgresql")
    with Database(url, owned=True) as owned, owned.connection() as connection:
        upgrade(connection)
    with Database(url) as database, database.connection() as connection:

        def is_searched(query: Select[Any]) -> bool:
            (plan,) = connection.execute(Explained(query)).scalar_one()
            (reading,) = readings(plan["Plan"])
            return not {"Index Cond", "Recheck Cond"}.isdisjoint(reading)

        # So few rows are scanned fastest; without that choice, the scans that remain are needed.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        files = FileRepository(database)
        for field in ("file_ids", "session_ids", "probe_ids", "run_ids"):
            assert is_searched(files.select(FileFilter(**{field: [1, 2]}))), field
        either = or_(WellKnownFile.id == 1, EcephysProbe.id == 2)  # which no index can answer
        assert not is_searched(files.select(where=either))
