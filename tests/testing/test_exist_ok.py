"""A synthetic LIMS is made once, and used again by whoever asks for the same."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from ecephys_dal.database import Database
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import EcephysSession, Project, WellKnownFile
from ecephys_dal.testing import create_synthetic_lims, synthetic, using
from ecephys_dal.testing.factories import EcephysSessionFactory

SHAPE = {"sessions": 1, "channels_per_probe": 4, "units_per_session": 8, "progress": False}


def make(url, **other):
    return create_synthetic_lims(url, **{**SHAPE, "exist_ok": True, **other})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*/*")}


def sizes(url) -> dict[int, int | None]:
    with Database(url) as database, database.connection() as connection:
        return dict(connection.execute(select(WellKnownFile.id, WellKnownFile.size)).all())


def n_sessions(url) -> int:
    with Database(url) as database, database.connection() as connection:
        return connection.execute(select(func.count(EcephysSession.id))).scalar_one()


def test_the_same_parameters_give_the_same_lims(empty_url, tmp_path):
    first = make(empty_url, artifacts=tmp_path / "files")
    n_first = n_sessions(empty_url)
    assert make(empty_url, artifacts=tmp_path / "files") == first
    assert n_sessions(empty_url) == n_first


@pytest.mark.sample(1)
def test_other_parameters_are_refused_by_name_with_both_values(empty_url):
    make(empty_url)
    with pytest.raises(ConfigurationError) as refused:
        make(empty_url, sessions=2, seed=5)
    assert "sessions is 1 there and 2 here" in str(refused.value)
    assert "seed is 0 there and 5 here" in str(refused.value)
    assert "channels_per_probe" not in str(refused.value)
    with pytest.raises(ConfigurationError, match="probes is"):
        make(empty_url, probes=(2, 3))


@pytest.mark.sample(1)
def test_whoever_does_not_say_so_is_told_how(empty_url):
    make(empty_url)
    with pytest.raises(ConfigurationError, match="exist_ok=True"):
        create_synthetic_lims(empty_url, **SHAPE)


@pytest.mark.parametrize("lost", ["the folder", "a file"])
@pytest.mark.sample(1)
def test_files_that_are_missing_are_made_again(tmp_path, lost):
    url, folder = f"sqlite:///{tmp_path}/lims.db", tmp_path / "files"
    first = make(url, artifacts=folder)
    before, known = contents(folder), sizes(url)
    if lost == "the folder":
        shutil.rmtree(folder)
    else:
        next(folder.glob("*/*.nwb")).unlink()
    assert make(url, artifacts=folder) == first
    assert contents(folder) == before
    assert sizes(url) == known


@pytest.mark.slow
def test_files_that_were_not_wanted_at_first_come_with_their_sizes(empty_url, tmp_path):
    make(empty_url)
    make(empty_url, artifacts=tmp_path / "files")
    made_with_files = f"sqlite:///{tmp_path}/lims.db"
    make(made_with_files, artifacts=tmp_path / "others")
    assert contents(tmp_path / "files") == contents(tmp_path / "others")
    assert sizes(empty_url) == sizes(made_with_files)


@pytest.mark.slow
def test_a_folder_with_the_files_of_another_lims_is_left_as_it_is(tmp_path):
    folder = tmp_path / "files"
    make(f"sqlite:///{tmp_path}/one.db", artifacts=folder)
    before = contents(folder)
    with pytest.raises(ConfigurationError, match=r"files holds .* sessions is 1 there and 2 here"):
        make(f"sqlite:///{tmp_path}/two.db", sessions=2, artifacts=folder)
    assert contents(folder) == before


@pytest.mark.slow
def test_after_an_interruption_it_is_made_anew(empty_url, tmp_path, monkeypatch):
    folder = tmp_path / "files"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(synthetic, "awkward_templates", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make(empty_url, artifacts=folder)
    assert n_sessions(empty_url) == 0
    lims = make(empty_url, artifacts=folder)
    assert n_sessions(empty_url) > 1
    assert make(empty_url, artifacts=folder) == lims


@pytest.mark.sample(1)
def test_a_lims_of_which_nothing_is_noted_is_refused(empty_url):
    with Database(empty_url, owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        with database.session() as db:
            db.add(Project(id=synthetic.FIRST_ID, incoming_directory="/allen/incoming/"))
    with pytest.raises(ConfigurationError, match="an older version"):
        make(empty_url)


@pytest.mark.parametrize("exist_ok", [True, False])
@pytest.mark.sample(2)
def test_a_database_with_sessions_of_ones_own_is_refused(empty_url, exist_ok):
    with Database(empty_url, owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        with database.session() as db, using(db):
            EcephysSessionFactory.create()
    with pytest.raises(ConfigurationError, match="holds sessions of somebody else's"):
        make(empty_url, exist_ok=exist_ok)
    assert n_sessions(empty_url) == 1


@pytest.mark.sample(1)
def test_rows_that_came_or_went_since_are_named_with_both_numbers(empty_url):
    make(empty_url)
    n_made = n_sessions(empty_url)
    with Database(empty_url, owned=True) as database, database.session() as db, using(db):
        EcephysSessionFactory.create()
    told = f"ecephys_sessions holds {n_made + 1} rows, of {n_made} that were made"
    with pytest.raises(ConfigurationError, match=told) as refused:
        make(empty_url)
    assert "ecephys_units" not in str(refused.value)


@pytest.mark.parametrize("exist_ok", [True, False])
def test_a_snapshot_is_refused_and_left_as_it_is(tmp_path, exist_ok):
    part = tmp_path / "part.db"
    with closing(sqlite3.connect(part)) as snapshot:
        snapshot.execute("CREATE TABLE ecephys_dal_snapshot (name TEXT, value TEXT)")
    before = part.read_bytes()
    with pytest.raises(ConfigurationError, match="is a snapshot"):
        make(f"sqlite:///{part}", exist_ok=exist_ok)
    assert part.read_bytes() == before


def test_what_is_noted_names_every_parameter(tmp_path):
    make(f"sqlite:///{tmp_path}/lims.db", artifacts=tmp_path / "files")
    noted = json.loads((tmp_path / "files" / "parameters.json").read_text(encoding="utf-8"))
    assert noted["parameters"] == {
        "sessions": 1, "probes": [4, 6], "channels_per_probe": 4, "units_per_session": 8, "seed": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sessions", "3"), ("sessions", None), ("sessions", 2.5), ("sessions", True), ("seed", "a"),
        ("units_per_session", 7.5), ("probes", (4,)), ("probes", 5), ("probes", "46"),
        ("probes", (1, "2")), ("artifacts", ""),
    ],
)  # fmt: skip
def test_what_is_no_number_is_named(name, value):
    with pytest.raises(ConfigurationError, match=f"{name}="):
        create_synthetic_lims("sqlite://", **{"sessions": 1, name: value}, progress=False)


@pytest.mark.parametrize("noted", ["xx", "[]", "{}", '{"parameters": 1}'])
def test_a_folder_whose_note_is_damaged_is_named(noted, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "parameters.json").write_text(noted)
    with pytest.raises(ConfigurationError, match="parameters.json"):
        create_synthetic_lims(
            f"sqlite:///{tmp_path / 'lims.db'}", sessions=1, artifacts=tmp_path / "files",
            progress=False,
        )  # fmt: skip


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "files").write_text("x")
    with pytest.raises(ConfigurationError, match="files"):
        create_synthetic_lims(
            f"sqlite:///{tmp_path / 'lims.db'}", sessions=1, artifacts=tmp_path / "files",
            progress=False,
        )  # fmt: skip
