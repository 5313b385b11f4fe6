"""Sessions and LFP from real NWB files through AllenSDK's cache: what was written is read."""

from __future__ import annotations

import asyncio
import fcntl
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pytest

from . import oracle
from .asynchronous_caches import Seen, sessions_seen
from .caches import Lims, cache_of, facts_of, files_in, opened, served, unlike
from .comparison import cells
from .conftest import Report
from .faulty import FAULTS, FaultyServer
from .recording import Facts, Recording


@pytest.fixture(scope="module")
def written(recording: Recording) -> Facts:
    """What was written, and enough of it that a difference would show."""
    facts = recording.facts()
    assert len(facts["units"]) >= 3
    assert 0 < facts["spike counts"].sum() < facts["spike counts"].size * 10
    return facts


def _note(report: Report, facts: Facts) -> None:
    report.asked += 1
    report.agreed += 1
    frames = [fact for fact in facts.values() if isinstance(fact, pd.DataFrame)]
    report.cells += sum(map(cells, frames))
    report.bytes += sum(fact.nbytes for fact in facts.values() if isinstance(fact, np.ndarray))


def test_same_session_and_lfp(
    lims: Lims, recording: Recording, written: Facts, report: Report, tmp_path: Path
) -> None:
    theirs = facts_of(cache_of(lims.theirs(), tmp_path / "theirs"), recording.session_id)
    with lims.ours() as api:
        ours = facts_of(cache_of(api, tmp_path / "ours"), recording.session_id)
    assert unlike(written, theirs) == {}
    assert unlike(written, ours) == {}
    assert files_in(tmp_path / "ours") == files_in(tmp_path / "theirs")
    _note(report, ours)


def test_same_session_and_lfp_in_a_notebook(
    lims: Lims, recording: Recording, written: Facts, report: Report, tmp_path: Path
) -> None:
    async def cell() -> Facts:
        with lims.ours(asynchronous=True) as api:
            return facts_of(cache_of(api, tmp_path), recording.session_id)

    ours = asyncio.run(cell())  # a loop is running, and AllenSDK has not patched it
    assert unlike(written, ours) == {}
    _note(report, ours)


def test_writer_of_allensdk_takes_our_stream(
    lims: Lims, recording: Recording, artifacts: Path, tmp_path: Path
) -> None:
    with FaultyServer(artifacts) as server, lims.at(server).ours() as ours:
        assert opened(cache_of(ours, tmp_path, writer=oracle.write_from_stream), recording)
    assert files_in(tmp_path) == served(artifacts, recording)


def test_asynchronously(
    lims: Lims, recording: Recording, artifacts: Path, report: Report, tmp_path: Path
) -> None:
    servers = {"good": (), "faulty": FAULTS}
    # AllenSDK's writer patches asyncio for good, so it gets a process of its own.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        waiting = processes.submit(sessions_seen, lims, recording, artifacts, servers, tmp_path)
        seen = waiting.result()
    good = Seen(opened=True, files=served(artifacts, recording), error="")
    assert {way for way, session in seen.items() if session == good} == {
        ("good", "AllenSDK's"),
        *((server, way) for server in servers for way in ("ours", "ours by AllenSDK's writer")),
    }
    assert seen["faulty", "AllenSDK's"] == Seen(opened=False, files={}, error="ClientPayloadError")
    report.asked += 1
    report.agreed += 1
    report.bytes += sum(map(len, good.files.values()))


# --- a reader that fails ---


class _Locked:
    """An API whose file another program has locked, until it is fetched again or for longer."""

    def __init__(self, api: Any, file: BinaryIO, *, longer: bool) -> None:
        self._api, self._file, self._longer = api, file, longer
        self.app_engine = api.app_engine
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def get_session_data(self, session_id: int) -> Any:
        if not self._longer:
            self._file.close()
        return self._api.get_session_data(session_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)


def _fetched_because_of_a_lock(
    api: Any, server: FaultyServer, recording: Recording, folder: Path, *, longer: bool
) -> int:
    """Fetch a session, let its reading fail, and return how often it was fetched then."""
    session_id = recording.session_id
    path = folder / f"session_{session_id}/session_{session_id}.nwb"
    path.parent.mkdir(parents=True)
    api.app_engine.write_bytes(str(path), api.get_session_data(session_id))
    fetched = len(server.answers)
    with path.open("rb") as file:
        cache = cache_of(_Locked(api, file, longer=longer), folder)
        with pytest.raises(OSError, match="unable to lock file"):
            oracle.EcephysNwbSessionApi(path)
        assert isinstance(cache.get_session_data(session_id), oracle.EcephysSession)
    return len(server.answers) - fetched


@pytest.mark.filterwarnings("ignore:retrying fetch:UserWarning")
@pytest.mark.parametrize(
    ("longer", "by_theirs", "by_ours"),
    # If its second reading fails too, AllenSDK deletes the file, and then it has to be fetched.
    [(False, 1, 0), (True, 2, 1)],
)
def test_what_is_there_is_not_fetched_because_a_reader_failed(
    longer: bool,
    by_theirs: int,
    by_ours: int,
    lims: Lims,
    recording: Recording,
    artifacts: Path,
    tmp_path: Path,
) -> None:
    with FaultyServer(artifacts) as server, lims.at(server).ours() as ours:
        theirs = lims.at(server).theirs()
        for api, name, fetched in ((theirs, "theirs", by_theirs), (ours, "ours", by_ours)):
            assert fetched == _fetched_because_of_a_lock(
                api, server, recording, tmp_path / name, longer=longer
            )
