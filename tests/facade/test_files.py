"""Which files there are, and whether they can be had: the facade, a real database and server."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from ecephys_dal import (
    ArtifactClient,
    ArtifactError,
    ArtifactSettings,
    AsyncArtifactClient,
    Database,
    DatabaseSettings,
    EcephysProjectLimsApi,
    FileFilter,
    FileRepository,
    InvalidFilterError,
    NotExactlyOneError,
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


@pytest.mark.sample(1)
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


# An asynchronous client asks the database in threads.


@pytest.fixture
def asynchronous(served: Served) -> Iterator[EcephysProjectLimsApi]:
    api = served.api(asynchronous=True)
    with api.app_engine:
        yield api


async def awaited(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


async def iterated(stream: Any) -> bytes:
    return b"".join([piece async for piece in stream])


async def called_back(stream: Any) -> bytes:
    received: list[bytes] = []

    async def collect(pieces: Any) -> None:
        received.extend([piece async for piece in pieces])

    await stream(collect)
    return b"".join(received)


def test_files_are_listed_and_located_where_a_loop_runs_and_where_none_does(
    served: Served, asynchronous: EcephysProjectLimsApi
) -> None:
    async def ask() -> None:
        pd.testing.assert_frame_equal(await as_any.list_files(check=False), listed)
        assert await as_any.locate(**wanted) == located
        assert await asyncio.to_thread(asynchronous.locate, **wanted) == located
        with pytest.raises(InvalidFilterError, match="'EcephysRigSync'"):
            await as_any.locate(**{**wanted, "type": "EcephysRigSyncs"})
        with pytest.raises(InvalidFilterError, match="session_id: 'x'"):
            asynchronous.list_files(session_id="x")  # type: ignore[arg-type]

    as_any: Any = asynchronous
    wanted: Any = {"session_id": served.lims.session_ids[0], "type": "EcephysRigSync"}
    listed = served.api().list_files(check=False)
    pd.testing.assert_frame_equal(asynchronous.list_files(check=False), listed)
    located = asynchronous.locate(**wanted)
    assert len(located) == 1
    asyncio.run(ask())


def test_a_database_in_memory_is_asked_by_the_thread_that_has_it(tmp_path: Path) -> None:
    async def main() -> None:
        files = await awaited(api.list_files(check=False))
        file_id, *_ = files.index[files["type"] == "EcephysRigSync"]
        with pytest.raises(ArtifactError):  # which comes later than the record
            await api.get_file(file_id)

    with Database("sqlite://", owned=True) as memory:
        with memory.connection() as connection:
            upgrade(connection)
        build_synthetic_lims(memory, sessions=1, probes=(1, 1), progress=False)
        with AsyncArtifactClient(ArtifactSettings(host="127.0.0.1:9", attempts=1)) as client:
            api: Any = EcephysProjectLimsApi(memory, client)
            asyncio.run(main())


def test_what_has_no_file_raises_when_it_is_read(asynchronous: EcephysProjectLimsApi) -> None:
    async def read(method: str, number: int, error: type[Exception], form: Any) -> None:
        with pytest.raises(error):
            await form(getattr(asynchronous, method)(number))

    for method, error in (
        ("get_session_data", NotExactlyOneError),
        ("get_probe_lfp_data", NotExactlyOneError),
        ("get_natural_movie_template", NotExactlyOneError),
        ("get_natural_scene_template", NotExactlyOneError),
        ("get_file", RecordNotFoundError),
    ):
        for form in (awaited, iterated, called_back):
            asyncio.run(read(method, -1, error, form))
        with pytest.raises(InvalidFilterError):
            getattr(asynchronous, method)("x")


@contextmanager
def locked(database: Database) -> Iterator[Callable[[], None]]:
    """Hold a lock on what every look-up of a file reads, until the end or until it is let go."""
    with Database(database.url, owned=True) as other, ExitStack() as held:
        connection = held.enter_context(other.engine.connect())
        if other.url.get_backend_name() == "sqlite":
            connection.connection.cursor().execute("BEGIN EXCLUSIVE")
        else:
            connection.execute(text("LOCK TABLE well_known_files IN ACCESS EXCLUSIVE MODE"))
        yield held.close


@pytest.fixture
def patient(served: Served) -> Iterator[EcephysProjectLimsApi]:
    """A facade with one thread for files, that waits for a lock for longer than tests take."""
    url = served.database.url
    if url.get_backend_name() == "sqlite":
        url = url.update_query_dict({"timeout": "60"})
    client = AsyncArtifactClient(ArtifactSettings(host=served.server.host, max_parallel=1))
    settings = DatabaseSettings(lock_timeout=60)
    with client, Database(url, settings=settings) as database:
        yield EcephysProjectLimsApi(database, client)


READ: dict[str, Callable[[EcephysProjectLimsApi, Served], Awaitable[Any]]] = {
    "session, iterated": lambda api, served: iterated(
        api.get_session_data(served.lims.session_ids[0])
    ),
    "session, awaited": lambda api, served: awaited(
        api.get_session_data(served.lims.session_ids[0])
    ),
    "session, by a callback": lambda api, served: called_back(
        api.get_session_data(served.lims.session_ids[0])
    ),
    "LFP": lambda api, served: awaited(api.get_probe_lfp_data(served.lims.probe_ids[0])),
    "movie": lambda api, _: awaited(api.get_natural_movie_template(1)),
    "scene": lambda api, _: awaited(api.get_natural_scene_template(0)),
    "any file": lambda api, served: awaited(api.get_file(served.lims.awkward["file_older_nwb"])),
    "list": lambda api, _: awaited(api.list_files()),
    "locate": lambda api, served: awaited(
        api.locate(session_id=served.lims.session_ids[0], type="EcephysNwb")
    ),
}


@pytest.mark.parametrize("wanted", READ)
@pytest.mark.in_turn("wanted", "served")
@pytest.mark.sample(4)
def test_the_loop_never_waits_for_the_database(
    served: Served, patient: EcephysProjectLimsApi, wanted: str
) -> None:
    async def main() -> None:
        with locked(served.database) as let_go:
            task = asyncio.ensure_future(READ[wanted](patient, served))
            for _ in range(30):
                await asyncio.sleep(0.01)
            assert not task.done()
            let_go()  # to which only a free loop comes
            assert len(await task) > 0

    asyncio.run(main())


def test_a_query_that_waits_holds_up_no_transfer_and_no_cancellation(
    served: Served, patient: EcephysProjectLimsApi
) -> None:
    (artifact,) = patient.locate(session_id=served.lims.session_ids[0], type="EcephysRigSync")

    async def main() -> None:
        with locked(served.database):
            waiting = [asyncio.ensure_future(one(patient, served)) for one in READ.values()]
            content = await awaited(patient.app_engine.stream(artifact))
            assert len(content) == artifact.size
            for task in waiting:
                assert not task.done()
                task.cancel()
            started = time.monotonic()
            assert {
                type(one) for one in await asyncio.gather(*waiting, return_exceptions=True)
            } == {asyncio.CancelledError}
            assert time.monotonic() - started < 30

    asyncio.run(main())


def test_a_listed_file_is_fetched_without_blocking(served: Served) -> None:
    api = served.api(asynchronous=True)
    (artifact,) = api.locate(session_id=served.lims.session_ids[0], type="EcephysRigSync")

    async def read() -> bytes:
        stream: Any = api.get_file(artifact.id or 0)
        return b"".join([chunk async for chunk in stream])

    assert len(asyncio.run(read())) == artifact.size
    api.app_engine.close()


NOTHING_YET = """
import asyncio, sys
from ecephys_dal import *
from ecephys_dal.models import EcephysSession

async def main():
    api = EcephysProjectLimsApi(Database(sys.argv[1]), AsyncArtifactClient(ArtifactSettings()))
    asked = [api.get_session_data(1), api.get_probe_lfp_data(1), api.get_natural_movie_template(1),
             api.get_natural_scene_template(1), api.get_file(1), api.list_files(session_ids=[1]),
             api.locate(session_id=1, type="EcephysNwb")]
    assert not EcephysSession.__mapper__.configured  # which takes longer than a loop may wait
    asked[5].close(), asked[6].close()

asyncio.run(main())
"""


def test_what_takes_its_time_at_first_is_left_to_a_thread(filled: Any) -> None:
    url, _ = filled("sqlite")
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", NOTHING_YET, url], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
