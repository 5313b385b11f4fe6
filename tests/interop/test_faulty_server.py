"""AllenSDK's cache upon a server with faults: upon its own class it fails, upon ours it doesn't."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ecephys_dal import ArtifactCorruptError

from .caches import Lims, cache_of, files_in, opened, served
from .faulty import FAULTS, Fault, FaultyServer
from .recording import Recording

pytestmark = pytest.mark.filterwarnings("ignore:retrying fetch:UserWarning")

# What AllenSDK stumbles over.
THEIR_ERRORS = {
    Fault.BUSY: "file signature not found",  # the page was saved
    Fault.CUT: "IncompleteRead",
    Fault.RESET: "reset by peer",
    Fault.UNSIZED: "truncated file",  # the half was saved
}


def _theirs_fails(lims: Lims, recording: Recording, folder: Path, error: str, tries: int) -> None:
    cache = cache_of(lims.theirs(), folder, tries=tries)
    with pytest.raises(OSError, match=error):
        opened(cache, recording)
    assert files_in(folder) == {}


def _ours_opens(
    lims: Lims, recording: Recording, artifacts: Path, folder: Path, faults: Sequence[Fault]
) -> dict[str, list[int]]:
    """Open files from such a server; return from which bytes on each was fetched."""
    with FaultyServer(artifacts, faults) as server, lims.at(server).ours() as ours:
        assert opened(cache_of(ours, folder, tries=1), recording)
    assert files_in(folder) == served(artifacts, recording)
    return {name: server.starts(file_id) for name, file_id in recording.served.items()}


@pytest.mark.parametrize("fault", THEIR_ERRORS)
def test_one_fault(
    fault: Fault, lims: Lims, recording: Recording, artifacts: Path, tmp_path: Path
) -> None:
    with FaultyServer(artifacts, [fault]) as server:
        error = THEIR_ERRORS[fault]
        _theirs_fails(lims.at(server), recording, tmp_path / "theirs", error, tries=1)
    assert [answer.fault for answer in server.answers] == [fault]
    starts = _ours_opens(lims, recording, artifacts, tmp_path / "ours", [fault])
    assert [len(of_file) for of_file in starts.values()] == [2] * 4


def test_all_faults_in_turn(
    lims: Lims, recording: Recording, artifacts: Path, tmp_path: Path
) -> None:
    with FaultyServer(artifacts, FAULTS) as server:
        error = THEIR_ERRORS[Fault.CUT]  # at its second try, the last one
        _theirs_fails(lims.at(server), recording, tmp_path / "theirs", error, tries=2)
    starts = _ours_opens(lims, recording, artifacts, tmp_path / "ours", FAULTS)
    for name, content in served(artifacts, recording).items():
        busy, cut, reset, good = starts[name]
        assert (busy, cut, reset) == (0, 0, len(content) // 2)
        assert good >= reset


def test_a_page_in_the_place_of_a_file(
    lims: Lims, recording: Recording, artifacts: Path, tmp_path: Path
) -> None:
    pages = [Fault.PAGE] * 10
    with FaultyServer(artifacts, pages) as server:
        error = THEIR_ERRORS[Fault.BUSY]
        _theirs_fails(lims.at(server), recording, tmp_path / "theirs", error, tries=2)
    with FaultyServer(artifacts, pages) as server, lims.at(server).ours() as ours:
        cache = cache_of(ours, tmp_path / "ours", tries=1)
        with pytest.raises(ArtifactCorruptError, match=server.host):
            opened(cache, recording)
    assert len(server.answers) == 1  # it is no passing fault
    assert files_in(tmp_path / "ours") == {}


def test_a_stalled_answer(
    lims: Lims, recording: Recording, artifacts: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "theirs"
    with ThreadPoolExecutor(1) as threads:
        with FaultyServer(artifacts, [Fault.STALL]) as server:
            theirs = cache_of(lims.at(server).theirs(), folder, tries=1)
            waiting = threads.submit(opened, theirs, recording)
            while not server.answers:
                time.sleep(0.01)
            _ours_opens(lims, recording, artifacts, tmp_path / "ours", [Fault.STALL])
            assert not waiting.done()  # it has no time-out
            ((name, half),) = files_in(folder).items()
            assert len(half) <= len(served(artifacts, recording)[name]) // 2
        with pytest.raises(OSError, match=THEIR_ERRORS[Fault.CUT]):
            waiting.result()
