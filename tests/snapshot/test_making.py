"""A snapshot is whole or not there: killed, resumed, refused, and made of odd databases."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, event, text

from ecephys_dal import (
    BeyondSnapshotError,
    ConfigurationError,
    Database,
    EcephysProjectLimsApi,
    FileFilter,
    InvalidFilterError,
    ProbeFilter,
    ProbeRepository,
    SchemaMismatchError,
    SessionFilter,
    SessionRepository,
    UnitFilter,
    UnitRepository,
    snapshot,
)
from ecephys_dal.snapshot import part
from ecephys_dal.testing import create_synthetic_lims

from .conftest import Lims

# Makes a snapshot in small pieces, and tells of each.
CHILD = """
import sys, time
from ecephys_dal import snapshot
from ecephys_dal.snapshot import part
part._ROWS = 40
copy = part.Part.copy
def slow(*arguments):
    n = copy(*arguments)
    print(n, flush=True)
    time.sleep(0.02)
    return n
part.Part.copy = slow
snapshot.create(sys.argv[1], sys.argv[2], progress=False)
"""


def begun(url: str, path: Path, pieces: int) -> subprocess.Popen[str]:
    """Begin a snapshot in another process, and wait until it has so many pieces."""
    child = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", CHILD, url, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for _ in range(pieces):
        assert child.stdout.readline()
    return child


@pytest.mark.slow
def test_a_killed_one_is_never_there_by_half_and_goes_on(
    lims: Lims, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "s.db", 0
    for pieces in (3, 12, 9):
        child = begun(lims.url, path, pieces)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert not path.exists()
        with closing(sqlite3.connect(tmp_path / "s.db.part")) as connection:
            (left,) = connection.execute("SELECT count(*) FROM ecephys_dal_left").fetchone()
        assert left > 0
        seen += pieces
    copied: list[int] = []
    copy = part.Part.copy
    monkeypatch.setattr(part.Part, "copy", lambda *arguments: copied.append(1) or copy(*arguments))
    made = snapshot.create(lims.url, path, progress=False)
    assert len(copied) <= left
    assert made.digests == snapshot.info(lims.snapshot("whole")).digests
    assert [one.name for one in tmp_path.iterdir()] == ["s.db"]
    assert snapshot.verify(path).ok


@pytest.mark.slow
def test_another_request_begins_anew(small: Lims, tmp_path: Path) -> None:
    child = begun(small.url, tmp_path / "s.db", 5)
    child.kill()
    child.communicate()
    spec = SessionFilter(session_ids=small.ids.session_ids[:1])
    made = snapshot.create(small.database, tmp_path / "s.db", spec, progress=False)
    assert made.rows["ecephys_sessions"] == 1
    assert made.filters[0]["fields"] == {"session_ids": small.ids.session_ids[:1]}


@pytest.mark.slow
def test_one_that_was_begun_without_hidden_rows_begins_anew(small: Lims, tmp_path: Path) -> None:
    child = begun(small.url, tmp_path / "s.db", 5)
    child.kill()
    child.communicate()
    made = snapshot.create(small.database, tmp_path / "s.db", hidden=True, progress=False)
    assert made.digests == snapshot.info(small.snapshot("hidden", hidden=True)).digests


@pytest.mark.slow
def test_one_that_was_begun_of_another_snapshot_begins_anew(small: Lims, tmp_path: Path) -> None:
    source, path = tmp_path / "source.db", tmp_path / "s.db"
    shutil.copy(small.snapshot("whole"), source)
    child = begun(str(source), path, 5)
    child.kill()
    child.communicate()
    spec = SessionFilter(session_ids=small.ids.session_ids[:1])
    source.unlink()
    shutil.copy(small.snapshot("one", spec), source)
    made = snapshot.create(source, path, progress=False)
    assert made.digests == snapshot.info(source).digests


def test_it_has_the_indexes_of_the_schema(small: Lims) -> None:
    def indexes(path: str) -> set[tuple[str, str]]:
        with closing(sqlite3.connect(path)) as connection:
            query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            return set(connection.execute(query))

    migrated = indexes(small.url.removeprefix("sqlite:///"))
    assert indexes(str(small.snapshot("whole"))) == migrated
    assert len(migrated) > 20


@pytest.mark.slow
def test_two_processes_do_not_make_one_file(small: Lims, tmp_path: Path) -> None:
    child = begun(small.url, tmp_path / "s.db", 2)
    child.send_signal(signal.SIGSTOP)  # or it may be done before we look
    try:
        with pytest.raises(
            ConfigurationError, match=r"s.db.part can't be written: .*locked; another process makes"
        ):
            snapshot.create(small.database, tmp_path / "s.db", progress=False)
    finally:
        child.kill()
        child.communicate()


def test_what_is_there_is_not_replaced(small: Lims) -> None:
    whole = small.snapshot("whole")
    before = whole.read_bytes()
    with pytest.raises(ConfigurationError, match="is there already"):
        snapshot.create(small.database, whole, progress=False)
    assert whole.read_bytes() == before


def test_a_filter_of_another_table_is_refused(small: Lims, tmp_path: Path) -> None:
    with pytest.raises(InvalidFilterError, match="none of SessionFilter"):
        snapshot.create(small.database, tmp_path / "s.db", FileFilter(), progress=False)
    assert list(tmp_path.iterdir()) == []


def test_it_says_what_it_is_without_credentials(
    small: Lims, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = ProbeFilter(session_ids=small.ids.session_ids[:1])
    made = snapshot.create(small.database, tmp_path / "s.db", spec, progress=False)
    assert capfd.readouterr() == ("", "")
    assert made == snapshot.info(tmp_path / "s.db")
    assert made.to_dict()["filters"] == [{"type": "ProbeFilter", "fields": spec.to_dict()}]
    assert made.rules[0] == "session_not_habituation"
    assert f"session_ids=[{small.ids.session_ids[0]}]" in str(made)
    assert "<table>" in made._repr_html_()


def test_no_credentials_are_written(tmp_path: Path, fresh_url: Callable[[str], str]) -> None:
    from sqlalchemy import make_url

    url = make_url(fresh_url("postgresql"))
    create_synthetic_lims(
        url, sessions=1, channels_per_probe=2, units_per_session=2, progress=False
    )
    secret = url.set(password="swordfish")  # trusted all the same
    made = snapshot.create(secret, tmp_path / "s.db", progress=False)
    assert made.source.startswith("postgresql")
    assert "@" not in made.source
    assert b"swordfish" not in (tmp_path / "s.db").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "lacking",
    ["ecephys_probes.phase", "ecephys_sessions.operator_id", "donors_genotypes", "users.login"],
)
def test_what_the_source_lacks_the_snapshot_lacks(
    fresh_url: Callable[[str], str], tmp_path: Path, lacking: str
) -> None:
    url = fresh_url("postgresql")
    create_synthetic_lims(
        url, sessions=1, channels_per_probe=2, units_per_session=2, progress=False
    )
    table, _, column = lacking.partition(".")
    drop = f"ALTER TABLE {table} DROP COLUMN {column}" if column else f"DROP TABLE {table}"
    with Database(url, owned=True) as owned, owned.connection() as connection:
        connection.execute(text(drop))
    made = snapshot.create(url, tmp_path / "s.db", progress=False)
    assert made.lacking == (lacking,)
    with snapshot.SnapshotDatabase(tmp_path / "s.db") as offline, Database(url) as online:
        for repository in (SessionRepository, UnitRepository):
            pd.testing.assert_frame_equal(repository(offline).frame(), repository(online).frame())
        if column == "phase":
            for database in (offline, online):
                with pytest.raises(SchemaMismatchError, match="phase"):
                    ProbeRepository(database).frame()


def test_a_snapshot_of_a_snapshot(small: Lims, tmp_path: Path) -> None:
    ids = small.ids.session_ids
    outer = snapshot.create(
        small.database, tmp_path / "outer.db", SessionFilter(session_ids=ids[:3]), progress=False
    )
    with pytest.raises(BeyondSnapshotError):
        snapshot.create(
            tmp_path / "outer.db",
            tmp_path / "beyond.db",
            SessionFilter(session_ids=ids[3:]),
            progress=False,
        )
    assert [one.name for one in tmp_path.iterdir()] == ["outer.db"]
    inner = snapshot.create(
        tmp_path / "outer.db",
        tmp_path / "inner.db",
        UnitFilter(session_ids=ids[:1]),
        progress=False,
    )
    assert [one["type"] for one in inner.filters] == ["SessionFilter", "UnitFilter"]
    assert inner.rows["ecephys_units"] < outer.rows["ecephys_units"]
    online = small.api()
    with EcephysProjectLimsApi.from_snapshot(tmp_path / "inner.db") as offline:
        expected = online.get_units(session_ids=ids[:1])
        pd.testing.assert_frame_equal(offline.get_units(), expected)
        pd.testing.assert_frame_equal(offline.get_units(session_ids=ids[:1]), expected)
        for other in (ids[1], ids[3]):
            with pytest.raises(BeyondSnapshotError):
                offline.get_units(session_ids=[other])


def test_a_copy_of_a_whole_snapshot_is_the_same(small: Lims, tmp_path: Path) -> None:
    whole = small.snapshot("whole")
    copy = snapshot.create(whole, tmp_path / "copy.db", progress=False)
    assert copy.digests == snapshot.info(whole).digests


def test_to_open_one_reads_no_records(small: Lims) -> None:
    path = small.snapshot("whole")
    asked: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        EcephysProjectLimsApi.from_snapshot(path).close()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(asked) < 5
    assert not [one for one in asked for table in snapshot.info(path).rows if table in one]


def test_progress_goes_to_stderr(
    small: Lims, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spec: Any = SessionFilter(session_ids=small.ids.session_ids[:1])
    snapshot.create(small.database, tmp_path / "s.db", spec, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "snapshot: 100%" in err
