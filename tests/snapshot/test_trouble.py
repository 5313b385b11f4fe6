"""What goes wrong while a snapshot is made, and what is taken for one that is none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ecephys_dal import (
    ArtifactClient,
    ArtifactError,
    ArtifactSettings,
    BeyondSnapshotError,
    ConfigurationError,
    Database,
    DatabaseUnavailableError,
    EcephysProjectLimsApi,
    SessionFilter,
    UnitFilter,
    UnitRepository,
    snapshot,
)
from ecephys_dal.snapshot import part
from ecephys_dal.testing import ArtifactServer

from .conftest import Lims
from .test_making import begun


@pytest.fixture
def half(small: Lims, tmp_path: Path) -> Path:
    """A snapshot whose making was ended."""
    child = begun(small.url, tmp_path / "s.db", 9)
    child.kill()
    child.communicate()
    return tmp_path / "s.db.part"


@pytest.mark.slow
def test_half_a_snapshot_is_not_opened(small: Lims, half: Path) -> None:
    for read in (EcephysProjectLimsApi.from_snapshot, snapshot.info):
        with pytest.raises(ConfigurationError, match="not whole; ecephys_dal.snapshot.create goes"):
            read(half)
    assert "not whole" in str(snapshot.verify(half))
    snapshot.create(small.database, half.with_suffix(""), progress=False)
    assert snapshot.verify(half.with_suffix("")).ok


@pytest.mark.parametrize("table", ["precious", "ecephys_units"])
def test_a_database_that_is_in_the_way_is_not_emptied(
    small: Lims, tmp_path: Path, table: str
) -> None:
    mine = tmp_path / "s.db.part"
    with closing(sqlite3.connect(mine)) as connection:
        connection.execute(f"CREATE TABLE {table} (id)")
    before = mine.read_bytes()
    with pytest.raises(ConfigurationError, match="in the way of one; move it"):
        snapshot.create(small.database, tmp_path / "s.db", progress=False)
    assert mine.read_bytes() == before


def test_a_place_that_cannot_be_written_is_named(small: Lims, tmp_path: Path) -> None:
    (tmp_path / "folder.db.part").mkdir()
    (tmp_path / "torn.db.part").write_bytes(small.snapshot("whole").read_bytes()[:50_000])
    (tmp_path / "text.db.part").write_text("no database\n" * 100)
    for name, remedy in {
        "no/such/folder.db": "check that its folder is there",
        "folder.db": "no regular file, so it is not used; remove it",
        "torn.db": "malformed; remove that file",
        "text.db": "not a database; remove that file",
    }.items():
        with pytest.raises(ConfigurationError, match=rf"{name}.part can't be written: .*{remedy}"):
            snapshot.create(small.database, tmp_path / name, progress=False)
    with pytest.raises(ConfigurationError, match="is there already"):
        snapshot.create(small.database, tmp_path, progress=False)


def test_a_full_disk_is_told_and_gone_on_with(
    small: Lims, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = part.Part.copy

    def in_little_room(self: part.Part, *arguments: Any) -> None:
        n_pages = self.driver.execute("PRAGMA page_count").fetchone()[0]
        self.driver.execute(f"PRAGMA max_page_count = {n_pages + 3}")
        copy(self, *arguments)

    monkeypatch.setattr(part.Part, "copy", in_little_room)
    with pytest.raises(ConfigurationError, match="is full; make room there, and the same call"):
        snapshot.create(small.database, tmp_path / "s.db", progress=False)
    assert [one.name for one in tmp_path.iterdir()] == ["s.db.part"]
    monkeypatch.undo()
    made = snapshot.create(small.database, tmp_path / "s.db", progress=False)
    assert made.digests == snapshot.info(small.snapshot("whole")).digests


def test_the_folder_of_an_export_must_be_one(small: Lims, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="file can't be written: .*exists"):
        snapshot.export(small.database, tmp_path / "file", progress=False)


def test_an_export_that_fails_leaves_no_half_file(
    small: Lims, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")

    def broken(_: Any, file: Any) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(parquet, "write_table", broken)
    with pytest.raises(KeyboardInterrupt):
        snapshot.export(small.database, tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_an_export_beyond_a_snapshot_is_refused(small: Lims, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    session = small.ids.session_ids[0]
    units = UnitRepository(small.database).ids(UnitFilter(session_ids=[session]))
    path = small.snapshot("few units", UnitFilter(unit_ids=units[:3]))
    with pytest.raises(BeyondSnapshotError, match="may not hold all"):
        snapshot.export(path, tmp_path, SessionFilter(session_ids=[session]), progress=False)
    files = snapshot.export(path, tmp_path, UnitFilter(unit_ids=units[:2]), progress=False)
    assert files["units"].exists()


def test_a_snapshot_that_is_not_opened_as_one_is_no_source(small: Lims, tmp_path: Path) -> None:
    url = f"sqlite:///{small.snapshot('one', SessionFilter(session_ids=small.ids.session_ids[:1]))}"
    for source in (url, Database(url)):
        with pytest.raises(ConfigurationError, match=r"is a snapshot; give its path, .*one\.db"):
            snapshot.create(source, tmp_path / "s.db", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_no_snapshot(tmp_path: Path) -> None:
    for read in (snapshot.info, snapshot.verify, EcephysProjectLimsApi.from_snapshot):
        for path in (tmp_path, tmp_path / "nothing"):
            with pytest.raises(DatabaseUnavailableError, match="there is no snapshot"):
                read(path)


def test_the_source_is_closed_if_it_was_opened(
    filled: Callable[[str], Any], tmp_path: Path
) -> None:
    url, lims = filled("postgresql")
    spec = SessionFilter(session_ids=lims.session_ids[:1])
    count = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'a snapshot'")
    with Database(url) as database:
        named = f"{url}{'&' if '?' in url else '?'}application_name=a%20snapshot"
        snapshot.create(named, tmp_path / "s.db", spec, progress=False)
        with database.connection() as connection:
            assert connection.execute(count).scalar_one() == 0
        snapshot.create(database, tmp_path / "t.db", spec, progress=False)
        assert UnitRepository(database).exists()


@pytest.fixture
def no_files(tmp_path: Path) -> Iterator[ArtifactClient]:
    """Of a server that has none."""
    (tmp_path / "served").mkdir()
    with ArtifactServer(tmp_path / "served") as server:
        settings = ArtifactSettings(host=server.host, mounts=None, progress=False)
        with ArtifactClient(settings) as client:
            yield client


def test_the_same_call_goes_on_with_files(
    small: Lims, tmp_path: Path, no_files: ArtifactClient
) -> None:
    path, spec = tmp_path / "s.db", SessionFilter(session_ids=small.ids.session_ids[:1])
    snapshot.create(small.database, path, spec, progress=False)
    before = path.read_bytes()
    with pytest.raises(ArtifactError, match="is whole, but .* could not be fetched"):
        snapshot.create(small.database, path, spec, artifacts=no_files, progress=False)
    assert path.read_bytes() == before
    with pytest.raises(ConfigurationError, match="is there already"):
        snapshot.create(small.database, path, artifacts=no_files, progress=False)
    path.write_text("something else")
    with pytest.raises(ConfigurationError, match="is there already"):
        snapshot.create(small.database, path, spec, artifacts=no_files, progress=False)
