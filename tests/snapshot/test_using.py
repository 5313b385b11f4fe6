"""A snapshot that is opened, verified, compared, exported, and served with its files."""

from __future__ import annotations

import json
import pickle
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import OperationalError

from ecephys_dal import (
    ArtifactClient,
    ArtifactCorruptError,
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactSettings,
    BeyondSnapshotError,
    ChannelFilter,
    ConfigurationError,
    Database,
    DatabaseUnavailableError,
    EcephysDalError,
    EcephysProjectLimsApi,
    SessionFilter,
    UnitFilter,
    UnitRepository,
    snapshot,
)
from ecephys_dal.testing import ArtifactServer, SyntheticLims, create_synthetic_lims

from .conftest import Lims

READER = """
import sys
from ecephys_dal import EcephysProjectLimsApi
with EcephysProjectLimsApi.from_snapshot(sys.argv[1]) as api:
    print(len(api.get_units()), flush=True)
    sys.stdin.readline()
    print(len(api.get_unit_analysis_metrics()))
"""


@pytest.fixture
def copy(small: Lims, tmp_path: Path) -> Path:
    return Path(shutil.copy(small.snapshot("whole"), tmp_path / "copy.db"))


@pytest.mark.slow
def test_many_processes_read_at_once(small: Lims, copy: Path) -> None:
    copy.chmod(0o444)
    readers = [
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", READER, str(copy)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    n_units = len(small.api().get_units())
    assert [int(one.stdout.readline()) for one in readers if one.stdout] == [n_units] * 2
    answers = [one.communicate("\n")[0] for one in readers]
    assert {int(one) for one in answers} == {len(small.api().get_unit_analysis_metrics())}
    assert [one.name for one in copy.parent.iterdir()] == ["copy.db"]


def test_it_is_read_only(copy: Path) -> None:
    with (
        snapshot.SnapshotDatabase(copy) as database,
        database.engine.connect() as connection,
        pytest.raises(OperationalError, match="readonly"),
    ):
        connection.execute(text("DELETE FROM ecephys_units"))


def test_a_pickle_knows_what_it_covers(small: Lims) -> None:
    spec = SessionFilter(session_ids=small.ids.session_ids[:1])
    with EcephysProjectLimsApi.from_snapshot(small.snapshot("one", spec)) as api:
        other = pickle.loads(pickle.dumps(api))
        with other:
            pd.testing.assert_frame_equal(other.get_units(), api.get_units())
            with pytest.raises(EcephysDalError, match="can't answer"):
                other.get_units(session_ids=small.ids.session_ids[1:2])


@pytest.mark.parametrize("name", ["with space.db", "50%25.db", "a?b#c&mode=rwc.db", "é.db"])
def test_any_name_can_be_opened(small: Lims, tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(small.snapshot("whole"), tmp_path / name))
    assert snapshot.verify(path).ok
    with EcephysProjectLimsApi.from_snapshot(path) as api:
        assert len(api.get_sessions()) == len(small.api().get_sessions())


@pytest.mark.parametrize(
    ("version", "remedy"), [(0, "make it anew with ecephys_dal.snapshot.create"), (9, "newer")]
)
def test_another_format_version_is_refused_with_what_to_do(
    copy: Path, version: int, remedy: str
) -> None:
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute(
            "UPDATE ecephys_dal_snapshot SET value = ? WHERE name = 'format_version'", (version,)
        )
    for opened in (EcephysProjectLimsApi.from_snapshot, snapshot.info):
        with pytest.raises(ConfigurationError, match=f"format version {version}.*{remedy}"):
            opened(copy)
    assert not snapshot.verify(copy).ok


def test_what_is_no_snapshot_is_refused(small: Lims, tmp_path: Path) -> None:
    for path in (tmp_path / "text", Path(small.url.removeprefix("sqlite:///"))):
        if not path.exists():
            path.write_text("no database at all\n" * 1000)
        with pytest.raises(ConfigurationError, match="is no snapshot"):
            EcephysProjectLimsApi.from_snapshot(path)
    with pytest.raises(DatabaseUnavailableError, match="there is no snapshot"):
        EcephysProjectLimsApi.from_snapshot(tmp_path / "nothing")


@pytest.mark.slow
def test_a_flipped_byte_anywhere_is_found(copy: Path) -> None:
    assert snapshot.verify(copy).ok
    content = copy.read_bytes()
    places = random.Random(0).sample(range(len(content)), 40)  # noqa: S311 - no secret
    for place in [0, 20, 59, 60, 63, 64, len(content) - 1, *places]:
        with copy.open("r+b") as file:
            file.seek(place)
            file.write(bytes([content[place] ^ 4]))
        assert not snapshot.verify(copy).ok, place
        copy.write_bytes(content)
    assert snapshot.verify(copy).ok


def test_a_changed_row_is_named(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE ecephys_units SET snr = snr + 1e-9")
        connection.execute("DELETE FROM users")
    found = snapshot.verify(copy)
    assert "the rows of ecephys_units differ" in str(found)
    assert "users has 0 rows, not 1" in found._repr_html_()
    assert (found.to_dict()["ok"], len(found.problems)) == (False, 3)


def test_the_facade_opens_one_by_its_url_too(small: Lims) -> None:
    session, other = small.ids.visible_session_ids[:2]
    path = small.snapshot("of one", SessionFilter(session_ids=[session]))
    for named in (f"sqlite:///{path}", URL.create("sqlite", database=str(path))):
        with EcephysProjectLimsApi(named, ArtifactClient()) as api:
            assert api.get_sessions().index.tolist() == [session]
            with pytest.raises(BeyondSnapshotError):
                api.get_sessions(session_ids=[other])
    assert snapshot.snapshot_at(small.url) is None
    assert snapshot.snapshot_at(path) == path
    assert snapshot.snapshot_at("postgresql://nowhere/lims2") is None


@pytest.mark.slow
def test_its_files_are_found_from_any_folder(
    with_files: tuple[Path, ArtifactClient],
    served: tuple[str, SyntheticLims, ArtifactServer],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(with_files[0].parent)
    with EcephysProjectLimsApi.from_snapshot(with_files[0].name) as offline:
        monkeypatch.chdir("/")
        assert b"".join(offline.get_session_data(served[1].session_ids[0]))


def test_a_table_says_which_snapshot_it_is_of(small: Lims) -> None:
    path = small.snapshot("whole")
    with EcephysProjectLimsApi.from_snapshot(path) as offline:
        named = offline.get_sessions().attrs["ecephys_dal.database"]
    assert named == f"sqlite:///{path}"
    assert Database(named).url.database == str(path)


@pytest.mark.parametrize("progress", [True, False])
def test_a_verification_shows_a_bar_if_that_is_wanted(
    small: Lims, capfd: pytest.CaptureFixture[str], progress: bool
) -> None:
    path = small.snapshot("whole")
    snapshot.verify(path)
    assert capfd.readouterr().err == ""  # there is no terminal
    assert snapshot.verify(path, progress=progress).ok
    assert ("table/s" in capfd.readouterr().err) == progress


def test_two_releases_are_compared(
    small: Lims, tmp_path: Path, fresh_url: Callable[[str], str]
) -> None:
    url = fresh_url("sqlite")
    ids = create_synthetic_lims(
        url, sessions=3, channels_per_probe=4, units_per_session=8, progress=False
    )
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    snapshot.create(url, old, progress=False)
    assert not snapshot.diff(old, old)
    with Database(url, owned=True) as owned:
        units = UnitRepository(owned).ids(UnitFilter(session_ids=ids.session_ids))
        with owned.connection() as connection:
            for statement in (
                (
                    "UPDATE ecephys_sessions SET workflow_state = 'failed'"
                    f" WHERE id = {ids.session_ids[0]}"
                ),
                f"UPDATE ecephys_units SET snr = NULL WHERE id = {units[-1]}",
            ):
                connection.execute(text(statement))
    snapshot.create(url, new, progress=False)
    there, back = snapshot.diff(old, new), snapshot.diff(new, old)
    assert there.sessions.removed == back.sessions.added == (ids.session_ids[0],)
    assert len(there.probes.removed) == 6
    assert (there.units.changed, there.units.columns) == ((int(units[-1]),), {"snr": 1})
    assert "1 units changed" in str(there)
    assert json.dumps(there.to_dict())
    assert "<table>" in there._repr_html_()


NAMES = ("sessions", "probes", "channels", "units", "unit_analysis_metrics")


def test_parquet_is_read_as_it_is(lims: Lims, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    files = snapshot.export(lims.database, tmp_path, progress=False)
    assert tuple(files) == NAMES
    online = lims.api()
    for name, path in files.items():
        expected = getattr(online, f"get_{name}")()
        found = pd.read_parquet(path).set_index(expected.index.name)
        assert list(found.columns) == list(expected.columns)
        assert found.index.tolist() == expected.index.tolist()
    if duckdb := pytest.importorskip("duckdb"):
        query = f"SELECT count(*), sum(snr) FROM '{files['units']}'"
        n, total = duckdb.sql(query).fetchall()[0]
        units = online.get_units()
        assert (n, round(total, 6)) == (len(units), round(units["snr"].sum(), 6))
    schemas = json.loads((tmp_path / "schemas.json").read_text())
    assert schemas["sessions"]["published_at"] == "timestamp[us]"
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(
        ["schemas.json", *(f"{name}.parquet" for name in NAMES)]
    )


def test_csv_of_a_part_of_a_snapshot(small: Lims, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    probe = small.ids.probe_ids[0]
    spec = ChannelFilter(probe_ids=[probe])
    files = snapshot.export(small.snapshot("whole"), tmp_path, spec, format="csv", progress=False)
    online = small.api()
    channels = pd.read_csv(files["channels"], index_col="id")
    assert channels.index.tolist() == online.get_channels(probe_ids=[probe]).index.tolist()
    assert pd.read_csv(files["probes"])["id"].tolist() == [probe]
    assert len(pd.read_csv(files["sessions"])) == 1
    with pytest.raises(ConfigurationError, match="did you mean 'parquet'"):
        snapshot.export(small.database, tmp_path, format="parqet", progress=False)


@pytest.fixture(scope="module")
def served(
    fresh_url: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, SyntheticLims, ArtifactServer]]:
    folder, url = tmp_path_factory.mktemp("artifacts"), fresh_url("sqlite")
    lims = create_synthetic_lims(
        url,
        sessions=1,
        channels_per_probe=4,
        units_per_session=8,
        artifacts=folder,
        progress=False,
    )
    with ArtifactServer(folder) as server:
        yield url, lims, server


@pytest.fixture
def with_files(
    served: tuple[str, SyntheticLims, ArtifactServer], tmp_path: Path
) -> Iterator[tuple[Path, ArtifactClient]]:
    """A snapshot of the first session, its files beside it, and what fetched them."""
    url, lims, server = served
    path, spec = tmp_path / "s.db", SessionFilter(session_ids=lims.session_ids[:1])
    settings = ArtifactSettings(host=server.host, mounts=None, progress=False)
    with ArtifactClient(settings) as client:
        try:
            snapshot.create(url, path, spec, artifacts=client, progress=False)
        except ArtifactError as error:  # the LIMS lists templates whose files are not there
            assert "is whole" in str(error)  # noqa: PT017
        yield path, client


def test_files_are_served_from_beside_it_without_a_network(
    served: tuple[str, SyntheticLims, ArtifactServer],
    with_files: tuple[Path, ArtifactClient],
    tmp_path: Path,
) -> None:
    (url, lims, server), (path, client) = served, with_files
    session, probe = lims.session_ids[0], lims.probe_ids[0]
    reports = snapshot.fetch(path, client, kinds=["nwb", "lfp"])
    assert {report.source for report in reports} == {"present"}
    with EcephysProjectLimsApi(url, client) as online:
        calls = {"get_session_data": session, "get_probe_lfp_data": probe}
        calls |= {"get_natural_movie_template": 1, "get_natural_scene_template": 3}
        expected = {name: b"".join(getattr(online, name)(one)) for name, one in calls.items()}
        asked = len(server.requests)
        with EcephysProjectLimsApi.from_snapshot(path) as offline:
            for name, one in calls.items():
                assert b"".join(getattr(offline, name)(one)) == expected[name]
            listed = offline.list_files(session_id=session, types=["EcephysNwb"])
            assert listed["reachable"].tolist() == [True]
            artifacts = offline.locate(session_id=session, type="EcephysNwb")
            copied = offline.app_engine.download_many(artifacts, tmp_path / "copies")
            with offline.app_engine.open_artifact(artifacts[0]) as opened:
                assert opened.read() == copied[0].path.read_bytes()
    assert len(server.requests) == asked
    assert copied[0].path.read_bytes() == expected["get_session_data"]
    assert snapshot.verify(path).ok
    with pytest.raises(ConfigurationError, match="did you mean 'lfp'"):
        snapshot.fetch(path, client, kinds=["lpf"])


@pytest.mark.slow
def test_files_that_nobody_noted_are_fetched_anew(
    served: tuple[str, SyntheticLims, ArtifactServer], with_files: tuple[Path, ArtifactClient]
) -> None:
    (_, lims, _), (path, client) = served, with_files
    (snapshot.folder_of(path) / ".artifacts.jsonl").unlink()
    with EcephysProjectLimsApi.from_snapshot(path) as offline:
        with pytest.raises(ArtifactCorruptError, match="does not note its SHA-256"):
            offline.get_session_data(lims.session_ids[0])
        snapshot.fetch(path, client, kinds=["nwb", "lfp"])
        assert b"".join(offline.get_session_data(lims.session_ids[0]))


def test_files_that_were_changed_are_not_served(
    served: tuple[str, SyntheticLims, ArtifactServer],
    with_files: tuple[Path, ArtifactClient],
    tmp_path: Path,
) -> None:
    (_, lims, _), (path, _) = served, with_files
    session = lims.session_ids[0]
    (nwb,) = snapshot.folder_of(path).glob(f"*ecephys_session_{session}.nwb")
    content = bytearray(nwb.read_bytes())
    content[len(content) // 2] ^= 1
    nwb.write_bytes(content)
    assert "is not what was fetched" in str(snapshot.verify(path))
    assert snapshot.verify(path, artifacts=False).ok
    with EcephysProjectLimsApi.from_snapshot(path) as offline:
        with pytest.raises(ArtifactCorruptError, match="SHA-256"):
            offline.get_session_data(session)
        artifacts = offline.locate(session_id=session, type="EcephysNwb")
        (report,) = offline.app_engine.download_many(artifacts, tmp_path / "more")
        assert isinstance(report.error, ArtifactCorruptError)
        nwb.unlink()
        assert f"{nwb} was fetched, and is not there any more" in str(snapshot.verify(path))
        with pytest.raises(ArtifactNotFoundError, match=r"snapshot\.fetch"):
            offline.get_session_data(session)
