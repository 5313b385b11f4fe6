"""Of a hostile value a question names the row, and a hostile snapshot is not opened."""

from __future__ import annotations

import json
import shutil
import sqlite3
import struct
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text

from ecephys_dal import Database, EcephysDalError, UnitMetricRepository, snapshot
from ecephys_dal.artifacts.manifest import MANIFEST
from ecephys_dal.errors import ConfigurationError, SchemaMismatchError
from ecephys_dal.snapshot import SnapshotDatabase
from ecephys_dal.snapshot.opening import database_of
from ecephys_dal.testing import create_synthetic_lims
from tests.conftest import BACKENDS, FreshUrl

SMALL = {"sessions": 1, "channels_per_probe": 2, "units_per_session": 8, "progress": False}
BUNDLES = {
    "100,000 keys": json.dumps({f"key_{i}": 1.5 for i in range(100_000)}),
    "5,000 digits": f'{{"a": {"9" * 5000}}}',
    "100,000 deep": f'{{"a": {"[" * 100_000}{"]" * 100_000}}}',
    "100,000 deep, without an end": "[" * 100_000,
    "half a character": '{"a": "\\ud800"}',
    "half a character as a key": '{"\\ud800": 1}',
    "both halves, the wrong way round": '{"a": "\\udc00\\ud800"}',
}


@pytest.fixture(scope="module", params=BACKENDS)
def lims(request: pytest.FixtureRequest, fresh_url: FreshUrl) -> str:
    """A LIMS whose bundles are texts, which may be anything."""
    url = fresh_url(request.param)
    create_synthetic_lims(url, **SMALL)
    if request.param == "postgresql":
        with Database(url, owned=True) as owned, owned.connection() as connection:
            retype = "ALTER TABLE ecephys_unit_metric_bundles ALTER COLUMN data TYPE text"
            connection.execute(text(retype))
    return url


@pytest.mark.parametrize("at", [0, -1])
@pytest.mark.parametrize("bundle", BUNDLES.values(), ids=BUNDLES)
@pytest.mark.in_turn("bundle", "at", "lims")
@pytest.mark.sample(3)
def test_a_hostile_bundle_is_named(lims: str, bundle: str, at: int) -> None:
    with Database(lims, bulk=False) as database:
        unit = int(UnitMetricRepository(database).frame().dropna(how="all").index[at])
    query = "SELECT id, data FROM ecephys_unit_metric_bundles WHERE ecephys_unit_id = :unit"
    with Database(lims, owned=True) as owned, owned.connection() as connection:
        rows = connection.execute(text(query), {"unit": unit}).all()
    began = time.monotonic()
    write(lims, [(row, bundle) for row, _ in rows])
    try:
        for bulk in (True, False):
            with Database(lims, bulk=bulk) as database:
                metrics = UnitMetricRepository(database)
                others = text(f"ecephys_units.id <> {unit}")
                for output in (metrics.frame, partial(all_chunks, metrics)):
                    with pytest.raises(SchemaMismatchError) as caught:
                        output()
                    assert str(unit) in str(caught.value)
                    assert len(str(caught.value)) < 1000
                    assert len(output(where=others)) > 0
    finally:
        write(lims, rows)
    assert time.monotonic() - began < 20


def all_chunks(metrics: UnitMetricRepository, **asked: Any) -> pd.DataFrame:
    return pd.concat(metrics.chunks(size=50, **asked))


def write(url: str, rows: Sequence[Any]) -> None:
    with Database(url, owned=True) as owned, owned.connection() as connection:
        statement = "UPDATE ecephys_unit_metric_bundles SET data = :data WHERE id = :id"
        for row, data in rows:
            connection.execute(text(statement), {"data": data, "id": row})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    url = f"sqlite:///{folder}/lims.db"
    create_synthetic_lims(url, **SMALL)
    snapshot.create(url, folder / "snapshot.db", progress=False)
    return folder / "snapshot.db"


ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x"
NOTED = "UPDATE ecephys_dal_snapshot SET value = {} WHERE name = '{}'"
PLANTED = {
    "a view as a table": "DROP TABLE genders; CREATE VIEW genders AS SELECT 1 AS id, 'M' AS name",
    "an endless view": "DROP TABLE genders; CREATE VIEW genders AS"
    f" {ENDLESS} AS id, 'M' AS name FROM r",
    "endless notes": "DROP TABLE ecephys_dal_snapshot; CREATE VIEW ecephys_dal_snapshot AS"
    f" {ENDLESS} AS name, 1 AS value FROM r",
    "a view besides": "CREATE VIEW besides AS SELECT 1",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON ages BEGIN SELECT 1; END",
    "a table besides": "CREATE TABLE besides (id int)",
    "a virtual table": "DROP TABLE genders; CREATE VIRTUAL TABLE genders USING fts5(name)",
    "a computed column": "DROP TABLE genders;"
    " CREATE TABLE genders (id int, name AS (zeroblob(900000000)))",
    "notes that are no JSON": NOTED.format("'{'", "digests"),
    "deep notes": NOTED.format(f"'{'[' * 100_000}'", "digests"),
    "notes of bytes": NOTED.format("x'ff'", "source"),
    "digests that are none": NOTED.format("'5'", "digests"),
    "rows that are none": NOTED.format("""'{"ages": "many"}'""", "rows"),
    "no filter": NOTED.format("'[5]'", "filters"),
    "no rules": NOTED.format("'null'", "rules"),
    "no coverage": NOTED.format("'{}'", "coverage"),
    "coverage of another kind": NOTED.format("""'{"whole": "yes"}'""", "coverage"),
    "a version that is none": NOTED.format("""'"1"'""", "format_version"),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_hostile_snapshot_is_refused_at_once(whole: Path, tmp_path: Path, planted: str) -> None:
    path = tmp_path / "snapshot.db"
    shutil.copy(whole, path)
    with closing(sqlite3.connect(path)) as connection:
        try:
            connection.executescript(f"PRAGMA foreign_keys = OFF; {planted}")
        except sqlite3.OperationalError as error:
            assert "no such module" in str(error)  # noqa: PT017
            return
        connection.commit()
    began = time.monotonic()
    openings: list[Any] = [
        lambda: SnapshotDatabase(path),
        lambda: database_of(f"sqlite:///{path}"),
        lambda: snapshot.info(path),
        lambda: snapshot.create(path, tmp_path / "copy.db", progress=False),
    ]
    for opened in openings:
        with pytest.raises(ConfigurationError, match="snapshot"):
            opened()
    assert time.monotonic() - began < 5
    assert not (tmp_path / "copy.db").exists()
    assert snapshot.verify(path, progress=False).problems


def test_what_is_no_snapshot_at_all_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"SQLite format 3\0" + b"\xff" * 4096, b"\0" * 100, b"hello"):
        (tmp_path / "s.db").write_bytes(content)
        with pytest.raises(EcephysDalError):
            SnapshotDatabase(tmp_path / "s.db")


@pytest.mark.parametrize("table", ["ecephys_dal_snapshot", "genders"])
@pytest.mark.parametrize("noted", [None, 10**15])
def test_rows_without_an_end_are_soon_enough(
    whole: Path, tmp_path: Path, table: str, noted: int | None
) -> None:
    path = tmp_path / "snapshot.db"
    shutil.copy(whole, path)
    if noted is not None:
        with closing(sqlite3.connect(path)) as connection:
            rows = {"genders": noted}
            change = "UPDATE ecephys_dal_snapshot SET value = json_patch(value, ?)"
            connection.execute(f"{change} WHERE name = 'rows'", (json.dumps(rows),))
            connection.commit()
    make_endless(path, table)
    began = time.monotonic()
    problems = snapshot.verify(path, progress=False).problems
    if table == "genders":
        assert any("genders has more than" in one for one in problems)
    else:
        with suppress(ConfigurationError):  # the first rows come again and again
            snapshot.info(path)
    assert time.monotonic() - began < 5


def make_endless(path: Path, table: str) -> None:
    """Let the pages of a table lead to each other, each some hundred times to the next one."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_master"
        root, size = connection.execute(f"{query} WHERE name = ?", (table,)).fetchone()
    content = bytearray(path.read_bytes())

    def leading_to(page: int) -> bytes:
        n = (size - 12) // 7 - 1
        begins = size - 5 * n
        cells = b"".join(struct.pack(">IB", page, min(i, 127)) for i in range(n, 0, -1))
        places = b"".join(struct.pack(">H", size - 5 * (i + 1)) for i in range(n))
        head = struct.pack(">BHHHBI", 5, 0, n, begins, 0, page)
        return (head + places).ljust(begins, b"\0") + cells

    at = slice((root - 1) * size, root * size)
    content += content[at]
    for _ in range(5):
        content += leading_to(len(content) // size)
    content[at] = leading_to(len(content) // size)
    content[28:32] = struct.pack(">I", len(content) // size)
    path.write_bytes(content)


@pytest.mark.parametrize("name", [5, None, ["a"], {}, "..", "a\0b", "\ud800", "x/../../y"])
def test_a_manifest_of_odd_names_is_verified(whole: Path, tmp_path: Path, name: Any) -> None:
    path, folder = tmp_path / "snapshot.db", tmp_path / "snapshot.db.artifacts"
    shutil.copy(whole, path)
    folder.mkdir()
    line = {"url": "", "size": 1, "mtime_ns": 1, "sha256": None, "etag": None, "at": ""}
    lines = [json.dumps({**line, "name": one, "verified_by": []}) for one in (name, "there")]
    (folder / MANIFEST).write_text("\n".join([*lines, "[" * 100_000]))
    problems = snapshot.verify(path, progress=False).problems
    assert any(str(folder / "there") in one for one in problems)
