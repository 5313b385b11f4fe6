"""Which files there are, and whether they can be had: the facade, a real database and server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecephys_dal import (
    ArtifactClient,
    ArtifactSettings,
    AsyncArtifactClient,
    Database,
    EcephysProjectLimsApi,
    FileFilter,
    FileRepository,
    InvalidFilterError,
    RecordNotFoundError,
)
from ecephys_dal.artifacts import Artifact
from ecephys_dal.migrations import upgrade
from ecephys_dal.testing import ArtifactServer, SyntheticLims, build_synthetic_lims
from tests.conftest import BACKENDS, FreshUrl

COLUMNS = [
    "owner", "owner_id", "type", "name", "size", "run", "run_is_current", "ecephys_session_id",
    "ecephys_probe_id", "storage_directory", "published_at", "reachable",
]  # fmt: skip


@dataclass
class Served:
    """A LIMS whose files a server has, and how to ask for either."""

    lims: SyntheticLims
    database: Database
    server: ArtifactServer

    def api(self, *, asynchronous: bool = False, **settings: Any) -> EcephysProjectLimsApi:
        made = ArtifactSettings(host=self.server.host, progress=False, attempts=1, **settings)
        client = AsyncArtifactClient(made) if asynchronous else ArtifactClient(made)
        return EcephysProjectLimsApi(self.database, client)


@pytest.fixture(scope="module", params=BACKENDS)
def served(
    request: pytest.FixtureRequest, fresh_url: FreshUrl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    url, folder = fresh_url(request.param), tmp_path_factory.mktemp("files")
    with Database(url, owned=True) as owned:
        with owned.connection() as connection:
            upgrade(connection)
        lims = build_synthetic_lims(
            owned,
            sessions=2,
            probes=(2, 2),
            channels_per_probe=4,
            units_per_session=8,
            artifacts=folder,
            progress=False,
        )
    with Database(url) as database, ArtifactServer(folder) as server:
        yield Served(lims, database, server)


@pytest.fixture
def api(served: Served) -> Iterator[EcephysProjectLimsApi]:
    with served.api().app_engine as client:
        yield EcephysProjectLimsApi(served.database, client)


def test_the_files_of_a_session_are_listed_with_whether_they_can_be_had(
    served: Served, api: EcephysProjectLimsApi
) -> None:
    session_id = served.lims.session_ids[0]
    files = api.list_files(session_id=session_id)
    assert files.columns.tolist() == COLUMNS
    assert files.index.name == "id"
    assert len(files) == 3 + 2 + 2 + 1 + 2 * 2
    assert files["reachable"].dtype == "boolean"
    assert files["reachable"].all()
    records = FileRepository(served.database).frame(FileFilter(session_ids=[session_id]))
    pd.testing.assert_frame_equal(files.drop(columns="reachable"), records)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_the_server_does_not_have_is_not_reachable(served: Served, asynchronous: bool) -> None:
    awkward = served.lims.awkward
    api = served.api(asynchronous=asynchronous)
    files = api.list_files(session_id=awkward["session_bare"])
    api.app_engine.close()
    lost = {awkward["file_without_type_and_size"], awkward["file_without_bytes"]}
    assert set(files.index[~files["reachable"]]) == lost
    assert files["reachable"].sum() == len(files) - 2 > 5


def test_the_routes_are_asked_for_once_each_and_without_their_bytes(served: Served) -> None:
    ids = served.api().list_files(probe_ids=served.lims.probe_ids[:2], check=False).index
    before = len(served.server.requests)
    served.api().list_files(ids)
    asked = sorted(served.server.requests[before:])
    assert asked == sorted(f"/well_known_files/download/{i}?wkf_id={i}" for i in ids)


def test_a_mounted_file_needs_no_server(served: Served, tmp_path: Path) -> None:
    api = served.api(mounts={"/allen": str(tmp_path)})
    # Of a table in CSV nothing but the recorded size can tell that it is cut.
    spec = FileFilter(session_ids=served.lims.session_ids[:1], types=["EcephysStimulusTable"])
    record = FileRepository(served.database).one(spec)
    stored = f"{record.storage_directory}{record.filename}"
    mounted = tmp_path / stored.removeprefix("/allen/")
    mounted.parent.mkdir(parents=True)
    content = next((Path(served.lims.artifacts or "") / str(record.id)).iterdir()).read_bytes()
    mounted.write_bytes(content)
    before = len(served.server.requests)
    assert api.list_files([record.id])["reachable"].tolist() == [True]
    assert len(served.server.requests) == before
    mounted.write_bytes(content[:-1])  # no longer the file that LIMS knows
    assert api.list_files([record.id])["reachable"].tolist() == [True]
    assert len(served.server.requests) == before + 1


def test_unchecked_files_are_neither_reachable_nor_not(served: Served) -> None:
    class OnlyStreams:
        def stream(self, route: str) -> Iterator[bytes]:
            raise AssertionError(route)

    before = len(served.server.requests)
    unable = EcephysProjectLimsApi(served.database, OnlyStreams())
    for files in (unable.list_files(), served.api().list_files(check=False)):
        assert len(files) == FileRepository(served.database).count()
        assert files["reachable"].dtype == "boolean"
        assert files["reachable"].isna().all()
    assert len(served.server.requests) == before


def test_no_file_is_an_empty_table_with_all_columns(api: EcephysProjectLimsApi) -> None:
    full = api.list_files(check=False)
    for empty in (
        api.list_files([]),
        api.list_files(session_ids=[]),
        api.list_files(types=[]),
        api.list_files(run_id=-1),
        api.list_files(types=["EcephysNwb"], probe_id=-1),
    ):
        pd.testing.assert_frame_equal(empty, full.iloc[:0])


@pytest.mark.parametrize("kind", ["session", "probe", "run"])
def test_one_record_may_be_named_by_itself(
    served: Served, api: EcephysProjectLimsApi, kind: str
) -> None:
    column = {"session": "ecephys_session_id", "probe": "ecephys_probe_id", "run": "run"}[kind]
    everything = api.list_files(check=False)
    wanted = int(everything[column].dropna().iloc[0])
    expected = everything[everything[column] == wanted]
    for arguments in ({f"{kind}_id": wanted}, {f"{kind}_id": np.int64(wanted)},
                      {f"{kind}_ids": [wanted]}):  # fmt: skip
        pd.testing.assert_frame_equal(api.list_files(**arguments, check=False), expected)
    with pytest.raises(InvalidFilterError, match=rf"both {kind}_id and {kind}_ids"):
        api.list_files(**{f"{kind}_id": wanted, f"{kind}_ids": [wanted]})
    for wrong in ("5", [5], 1.5, True):
        with pytest.raises(InvalidFilterError, match=rf"{kind}_id: "):
            api.list_files(**{f"{kind}_id": wrong})
    with pytest.raises(InvalidFilterError, match=rf"{kind}_ids="):
        api.list_files(**{f"{kind}_ids": wanted})


def test_conditions_are_taken_together(served: Served, api: EcephysProjectLimsApi) -> None:
    session_id, other = served.lims.session_ids
    probe_id = served.lims.probe_ids[0]
    assert len(api.list_files(session_id=session_id, probe_id=probe_id, check=False)) == 3
    assert len(api.list_files(session_id=other, probe_id=probe_id, check=False)) == 0
    eyes = api.list_files(types=["EyeTracking Ellipses"], session_ids=[session_id, other])
    assert eyes["name"].tolist() == ["ellipse.h5"] * 2


@pytest.mark.parametrize(
    ("file_type", "start"),
    [
        ("EcephysStimulusTable", b"Start,End,"),
        ("EcephysRigSync", b"\x89HDF"),
        ("EyeTracking Ellipses", b"\x89HDF"),
    ],
)
def test_a_file_of_a_session_is_located_by_its_type(
    served: Served, api: EcephysProjectLimsApi, file_type: str, start: bytes
) -> None:
    (artifact,) = api.locate(session_id=served.lims.session_ids[0], type=file_type)
    assert isinstance(artifact, Artifact)
    content = b"".join(api.app_engine.stream(artifact))
    assert content.startswith(start)
    assert artifact.size == len(content)


def test_spikes_of_a_probe_and_of_its_session(served: Served, api: EcephysProjectLimsApi) -> None:
    spikes = "EcephysSortedSpikeTimes"
    (artifact,) = api.locate(probe_id=served.lims.probe_ids[0], type=spikes)
    times = np.load(BytesIO(b"".join(api.app_engine.stream(artifact))))
    assert times.shape == (1000,)
    of_session = api.locate(session_id=served.lims.session_ids[0], type=spikes)
    assert len(of_session) == 2
    assert of_session[0] == artifact
    assert of_session[0].id == artifact.id < (of_session[1].id or 0)


def test_older_runs_are_left_out_unless_they_are_wanted(
    served: Served, api: EcephysProjectLimsApi
) -> None:
    session_id = served.lims.awkward["session_with_older_nwb"]
    (in_force,) = api.locate(session_id=session_id, type="EcephysNwb")
    older, newer = api.locate(session_id=session_id, type="EcephysNwb", current=False)
    assert (older.id, newer) == (served.lims.awkward["file_older_nwb"], in_force)
    old_run = api.list_files([older.id])["run"].item()
    assert api.locate(run_id=int(old_run), type="EcephysNwb") == []
    assert api.locate(run_id=int(old_run), type="EcephysNwb", current=False) == [older]


def test_a_probe_in_a_run_is_located_by_both(served: Served, api: EcephysProjectLimsApi) -> None:
    probe_id = served.lims.awkward["probe_two_lfp_files"]
    both = api.locate(probe_id=probe_id, type="EcephysLfpNwb")
    runs = api.list_files([artifact.id for artifact in both])["run"]
    assert runs.nunique() == 2
    for artifact, run in zip(both, runs, strict=True):
        assert api.locate(probe_id=probe_id, run_id=int(run), type="EcephysLfpNwb") == [artifact]


def test_a_type_that_is_none_is_refused_with_the_nearest_one(
    served: Served, api: EcephysProjectLimsApi
) -> None:
    session_id = served.lims.session_ids[0]
    with pytest.raises(InvalidFilterError, match="'EcephysStimulusTabel'.*'EcephysStimulusTable'"):
        api.locate(session_id=session_id, type="EcephysStimulusTabel")
    assert api.locate(session_id=session_id, type="Stimulus") == []  # a type of other files
    with pytest.raises(InvalidFilterError, match="types: None"):
        api.locate(session_id=session_id, type=None)  # type: ignore[arg-type]
    with pytest.raises(InvalidFilterError, match="session_id, probe_id or run_id"):
        api.locate(type="EcephysNwb")
    with pytest.raises(InvalidFilterError, match="probe_id: 'A'"):
        api.locate(probe_id="A", type="EcephysNwb")  # type: ignore[arg-type]


def test_a_listed_file_is_fetched_by_its_id(served: Served, api: EcephysProjectLimsApi) -> None:
    listed = api.list_files(session_id=served.lims.session_ids[0], types=["StimulusPickle"])
    content = b"".join(api.get_file(listed.index[0]))
    assert len(content) == listed["size"].item()
    with pytest.raises(RecordNotFoundError, match="WellKnownFile -1 "):
        api.get_file(-1)
    with pytest.raises(InvalidFilterError, match="file_id: 'x'"):
        api.get_file("x")  # type: ignore[arg-type]


def test_a_listed_file_is_fetched_without_blocking(served: Served) -> None:
    api = served.api(asynchronous=True)
    (artifact,) = api.locate(session_id=served.lims.session_ids[0], type="EcephysRigSync")

    async def read() -> bytes:
        stream: Any = api.get_file(artifact.id or 0)
        return b"".join([chunk async for chunk in stream])

    assert len(asyncio.run(read())) == artifact.size
    api.app_engine.close()
