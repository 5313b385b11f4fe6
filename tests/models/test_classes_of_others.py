"""A lab's own classes on our Base: LIMS is LIMS' tables only, and a broken class is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecephys_dal import Database
from ecephys_dal.migrations import upgrade
from ecephys_dal.testing import build_synthetic_lims

from ..conftest import BACKENDS, FreshUrl

CLASSES = """
from sqlalchemy import Column, ForeignKey, Integer, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship
from ecephys_dal.models import Attachable, Base, EcephysSession, EcephysUnit

class LabNote(Base):
    __tablename__ = "lab_notes"
    unit_id: Mapped[int] = mapped_column(ForeignKey("ecephys_units.id"))
    unit: Mapped[EcephysUnit] = relationship(backref="notes")
    {more}

class LabRig(Attachable, Base):
    __tablename__ = "lab_rigs"
    nowhere_id: Mapped[int] = mapped_column(ForeignKey("nowhere.id"))

class LabSession(EcephysSession):
    __tablename__ = "lab_sessions"
    id: Mapped[int] = mapped_column(ForeignKey("ecephys_sessions.id"), primary_key=True)

Table("lab_links", Base.metadata, Column("note_id", Integer, ForeignKey("lab_notes.id")))
"""
ALL = """
import json, sys
from pathlib import Path
from sqlalchemy import text
from ecephys_dal import Database, EcephysProjectLimsApi, UnitRepository, doctor, snapshot
from ecephys_dal.migrations import refuse_somebody_elses_lims, upgrade
from ecephys_dal.testing import create_synthetic_lims
from ecephys_dal.testing.enlarge import enlarge_synthetic_lims

url, folder = sys.argv[1], Path(sys.argv[2])
with Database(url) as database:
    examination = doctor.examine(database, progress=False)
    info = snapshot.create(database, folder / "snapshot.db", progress=False)
    units = UnitRepository(database)
    unit_id = int(units.ids()[0])
    answers = {
        "found": [[one.code, one.subject] for one in examination.findings if one.severity != "ok"],
        "told": str(examination),
        "verified": str(snapshot.verify(folder / "snapshot.db")),
        "tables": sorted(info.rows),
        "lacking": list(info.lacking),
        "same": bool(snapshot.diff(folder / "snapshot.db", folder / "snapshot.db")),
        "why": str(units.why(unit_id)),
        "entity": repr(units.get(unit_id)),
        "n_units": len(EcephysProjectLimsApi(database).get_units()),
    }
with Database(f"sqlite:///{folder}/own.db", owned=True) as own:
    with own.connection() as connection:
        upgrade(connection)
    with own.connection() as connection:
        connection.execute(text("CREATE TABLE lab_notes (id integer)"))
    with own.connection() as connection:
        refuse_somebody_elses_lims(connection)
lims = create_synthetic_lims(
    f"sqlite:///{folder}/made.db", sessions=1, probes=(1, 1), channels_per_probe=2,
    units_per_session=2, progress=False,
)
with Database(f"sqlite:///{folder}/made.db", owned=True) as made:
    enlarge_synthetic_lims(made, 2)
print(json.dumps(answers))
"""
BROKEN = """
import json, sys
from pathlib import Path
from ecephys_dal import ArtifactSettings, EcephysDalError, EcephysProjectLimsApi
from ecephys_dal import SessionNwbRepository, UnitRepository, doctor, snapshot

url, folder = sys.argv[1], Path(sys.argv[2])
api = EcephysProjectLimsApi
calls = {
    "frame": lambda: UnitRepository(url).frame(),
    "entities": lambda: UnitRepository(url).entities(),
    "files": lambda: SessionNwbRepository(url).one(),
    "facade": lambda: api(url).get_units(),
    "why": lambda: api(url).why(unit_id=1),
    "snapshot": lambda: snapshot.create(url, folder / "snapshot.db", progress=False),
    "export": lambda: snapshot.export(url, folder / "tables", progress=False),
}
told = {}
for name, call in calls.items():
    try:
        told[name] = repr(call())
    except EcephysDalError as error:
        told[name] = f"{type(error).__name__}: {error}"
examination = doctor.examine(url, ArtifactSettings(host="127.0.0.1:9"), progress=False)
found = [one.to_dict() for one in examination.findings if one.severity == "error"]
print(json.dumps({"told": told, "found": found, "unexamined": examination.unexamined}))
"""
WAYS = {
    "no such class": 'nothing: Mapped["Nothing"] = relationship("Nothing")',
    "no foreign key": "session: Mapped[EcephysSession] = relationship()",
    "no such attribute": 'other: Mapped["LabNote"] = relationship(primaryjoin="LabNote.x == 1")',
    "a Python error": "other: Mapped[EcephysSession] = relationship(primaryjoin=lambda: 1 / 0)",
}


def run(code: str, url: str, folder: Path) -> Any:
    command = [sys.executable, "-c", code, url, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def small(fresh_url: FreshUrl) -> dict[str, str]:
    """The URL of a LIMS of one session, by backend."""
    urls = {backend: fresh_url(backend) for backend in BACKENDS}
    for url in urls.values():
        with Database(url, owned=True) as owned:
            with owned.connection() as connection:
                upgrade(connection)
            build_synthetic_lims(
                owned, sessions=1, channels_per_probe=2, units_per_session=2, progress=False
            )
    return urls


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_tables_of_others_are_no_part_of_lims(
    small: dict[str, str], tmp_path: Path, backend: str
) -> None:
    folders = {name: tmp_path / name for name in ("with", "without")}
    for folder in folders.values():
        folder.mkdir()
    plain = run(ALL, small[backend], folders["without"])
    beside = run(CLASSES.format(more="") + ALL, small[backend], folders["with"])
    for name in ("told", "verified"):  # which hold times and paths
        assert "lab_" not in beside.pop(name)
        plain.pop(name)
    assert beside == plain
    assert len(plain["tables"]) == 24


@pytest.mark.parametrize(
    "way",
    [way if way == "no such class" else pytest.param(way, marks=pytest.mark.slow) for way in WAYS],
)
@pytest.mark.slow
def test_a_broken_class_of_others_is_named(small: dict[str, str], tmp_path: Path, way: str) -> None:
    answer = run(CLASSES.format(more=WAYS[way]) + BROKEN, small["sqlite"], tmp_path)
    for name, told in answer["told"].items():
        assert told.startswith("ConfigurationError: LabNote can't be mapped"), name
    (finding,) = answer["found"]
    assert finding["code"] == "model_broken"
    assert "LabNote" in finding["message"]
    assert {"table_missing", "null_unexpected", "web_unreachable"} <= set(answer["unexamined"])
    assert "database_unreachable" not in answer["unexamined"]
