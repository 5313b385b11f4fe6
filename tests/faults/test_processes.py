"""Processes that are killed, compete, are interrupted, or find no room: nothing wrong is left."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from ecephys_dal import ArtifactClient, ArtifactStorageError

from .children import Hindrance, start
from .contents import FIRST, LONGER, SECOND, Version
from .forms import ROUTE, settings_for
from .machine import (
    HALF,
    HALFWAY,
    disk_full,
    halfway,
    interrupted,
    kill_halfway,
    killed,
    locked_folder,
    misread,
    mode,
    paced,
    power_lost,
    racing,
    small_disk,
)
from .replies import Script, Step, honest, stalled, whole
from .server import FaultServer

FILES = ("file", "file, async")
BARE = replace(FIRST, etag=None)
MANIFEST = ".artifacts.jsonl"


@pytest.mark.parametrize("way", FILES)
def test_a_killed_download_is_resumed(way: str, tmp_path: Path) -> None:
    seen = killed(way, tmp_path)
    assert seen["survived"], seen
    _, request = seen["requests"]
    report = seen["outcome"]["report"]
    assert request.offset == report.resumed_from == HALF
    assert request.headers["if-range"] == FIRST.etag
    assert request.sent[0] == len(FIRST) - HALF == report.received
    assert report.sha256 == FIRST.sha256
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.nwb", MANIFEST}


@pytest.mark.slow
@pytest.mark.parametrize("version", [SECOND, LONGER, replace(SECOND, etag=None)])
def test_what_changed_after_a_kill_is_taken_whole(version: Version, tmp_path: Path) -> None:
    path = tmp_path / "a.nwb"
    with FaultServer((stalled(honest(), HALF), honest(version))) as server:
        assert kill_halfway("file", server, path)
        with ArtifactClient(settings_for(server.host)) as client:
            report = client.download(ROUTE, path)
    assert path.read_bytes() == version.data
    assert report.resumed_from == 0
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.nwb", MANIFEST}


@pytest.mark.slow
@pytest.mark.parametrize("way", FILES)
def test_without_a_validator_a_killed_download_begins_anew(way: str, tmp_path: Path) -> None:
    path = tmp_path / "a.nwb"
    with FaultServer((stalled(honest(BARE), HALF), honest(SECOND))) as server:
        assert kill_halfway(way, server, path)
        outcome = start(way, server.host, path).outcome()
    assert outcome
    assert outcome["error"] is None
    assert [request.offset for request in server.requests] == [None, None]
    assert path.read_bytes() == SECOND.data
    _check_litter(tmp_path)


def _check_litter(folder: Path) -> None:
    """Let nothing lie about for ever that a killed process wrote to, and nobody can go on with."""
    (folder / ".b.nwb.1.part").write_bytes(b"of another file")
    litter = {entry for entry in folder.iterdir() if entry.name.startswith(".a.nwb.")}
    assert {entry.suffix for entry in litter} <= {".part"}
    for entry in litter:
        os.utime(entry, (0, 0))  # an hour is enough: nobody writes to it any more
    with FaultServer((honest(),)) as server, ArtifactClient(settings_for(server.host)) as client:
        client.download(ROUTE, folder / "a.nwb")
    names = {entry.name for entry in folder.iterdir()}
    assert names == {"a.nwb", MANIFEST, ".b.nwb.1.part"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage", ["shorter", "power loss", "no note", "half a note", "an odd note"]
)
def test_a_partial_file_that_was_damaged_meanwhile_does_no_harm(
    damage: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.nwb"
    with FaultServer(HALFWAY) as server:
        assert kill_halfway("file", server, path)
        (partial,) = [entry for entry in tmp_path.iterdir() if entry.suffix == ".part"]
        (note,) = [entry for entry in tmp_path.iterdir() if entry.name.endswith(".part.json")]
        _damage(damage, partial, note)
        outcome = start("file", server.host, path).outcome()
    assert outcome
    assert outcome["error"] is None, outcome
    assert path.read_bytes() == FIRST.data


def _damage(damage: str, partial: Path, note: Path) -> None:
    if damage == "shorter":
        os.truncate(partial, partial.stat().st_size // 2)
    elif damage == "power loss":  # the length reached the disk, and the bytes did not
        with partial.open("ab") as file:
            file.write(bytes(1_000_000))
        for entry in (note, partial):  # under the name that the start before gave it
            entry.rename(entry.with_name(entry.name.replace(".a.nwb.", ".a.nwb.0")))
    elif damage == "no note":
        note.unlink()
    elif damage == "half a note":
        note.write_text(note.read_text()[: len(note.read_text()) // 2])
    else:
        note.write_text(json.dumps(["what is this?"]))


@pytest.mark.parametrize("where", ["fsync", "rename"])
def test_a_process_that_dies_before_the_file_has_its_name_loses_nothing(
    where: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.nwb"
    with FaultServer((honest(),)) as server:
        hindrance = Hindrance(dies_at=where)
        assert start("file", server.host, path, hindrance=hindrance).outcome() is None
        assert not path.exists()
        sent = server.sent
        outcome = start("file", server.host, path).outcome()
    assert outcome
    assert outcome["error"] is None, outcome
    assert path.read_bytes() == FIRST.data
    assert server.sent - sent < len(FIRST) // 2
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.nwb", MANIFEST}


def _races() -> list[object]:
    return [
        pytest.param(
            way, step, tag, no_locks, id=f"{way}, {tag}, {'no locks' if no_locks else 'locks'}"
        )
        for way, step, tag, no_locks in [
            ("file", honest(), "ETag", False),
            ("file, async", honest(), "ETag", True),
            ("file", honest(BARE), "no ETag", True),
            ("file, async", honest(BARE), "no ETag", False),
        ]
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("way", "step", "tag", "no_locks"), _races())
def test_six_processes_get_one_file_though_some_are_killed(
    way: str, step: Step, tag: str, no_locks: bool, tmp_path: Path
) -> None:
    seen = racing(way, tmp_path, (paced(step, 0.006),), no_locks=no_locks)
    assert seen["survived"], seen
    if "no ETag" in tag:
        _check_litter(tmp_path)
    else:
        assert seen["names"] == {"a.nwb", MANIFEST}


@pytest.mark.slow
@pytest.mark.parametrize("no_locks", [False, True], ids=["locks", "no locks"])
@pytest.mark.parametrize("tagged", [False, True], ids=["no ETag", "ETag"])
def test_processes_that_are_given_different_versions_never_mix_them(
    tagged: bool, no_locks: bool, tmp_path: Path
) -> None:
    versions = (FIRST, SECOND) if tagged else (BARE, replace(SECOND, etag=None))
    steps: Script = tuple(paced(whole(versions[n % 2]), 0.005) for n in range(8))
    path, hindrance = tmp_path / "a.nwb", Hindrance(no_locks=no_locks)
    with FaultServer(steps) as server:
        children = [start("file", server.host, path, hindrance=hindrance) for _ in range(4)]
        while any(child.process.is_alive() for child in children):
            if path.exists():
                assert path.read_bytes() in (FIRST.data, SECOND.data)
        outcomes = [child.outcome() for child in children]
    assert [outcome and outcome["error"] for outcome in outcomes] == [None] * 4
    assert path.read_bytes() in (FIRST.data, SECOND.data)


def test_who_reads_while_a_file_is_replaced_sees_the_old_or_the_new_one(tmp_path: Path) -> None:
    path, seen = tmp_path / "a.nwb", [FIRST.data]

    def read() -> None:
        while seen[-1] != SECOND.data and len(seen) < 3:
            found = path.read_bytes()
            if found != seen[-1]:
                seen.append(found)

    with (
        FaultServer((honest(), paced(honest(SECOND), 0.005))) as server,
        ArtifactClient(settings_for(server.host)) as client,
    ):
        client.download(ROUTE, path)
        reader = Thread(target=read)
        reader.start()
        client.download(ROUTE, path, refresh=True)
        reader.join()
    assert seen == [FIRST.data, SECOND.data]


@pytest.mark.parametrize("way", FILES)
def test_a_full_disk_is_named_and_not_tried_again(way: str, tmp_path: Path) -> None:
    seen = disk_full(way, tmp_path)
    assert seen["error"] == "ArtifactStorageError", seen
    assert seen["requests"] == 1
    assert not {name for name in seen["names"] if not name.startswith(".")}
    assert any(name.endswith(".part") for name in seen["names"])


def test_a_file_that_is_known_to_be_too_large_is_not_fetched(tmp_path: Path) -> None:
    with FaultServer((honest(),)) as server, small_disk(tmp_path) as (small, limit):
        outcome = start("file", server.host, small / "a.nwb", hindrance=limit).outcome()
        names = {entry.name for entry in small.iterdir()}
    assert outcome
    assert outcome["error"] == "ArtifactStorageError"
    assert len(server.requests) <= 1
    assert "a.nwb" not in names


def test_when_there_is_room_again_a_full_disk_is_resumed_from(tmp_path: Path) -> None:
    path = tmp_path / "a.nwb"
    with FaultServer((whole(framing="chunked"), honest())) as server:
        limit = Hindrance(most_bytes=1_000_000)
        outcome = start("file", server.host, path, hindrance=limit).outcome()
        assert outcome
        assert outcome["error"] == "ArtifactStorageError"
        with ArtifactClient(settings_for(server.host)) as client:
            report = client.download(ROUTE, path)
    assert path.read_bytes() == FIRST.data
    assert [request.offset for request in server.requests] == [None, report.resumed_from]
    assert 500_000 < report.resumed_from <= 1_000_000


def test_a_folder_that_may_not_be_written_to_is_named(tmp_path: Path) -> None:
    with (
        locked_folder(tmp_path) as locked,
        FaultServer((honest(),)) as server,
        ArtifactClient(settings_for(server.host)) as client,
    ):
        with pytest.raises(ArtifactStorageError, match=str(locked)):
            client.download(ROUTE, locked / "a.nwb")
        assert list(locked.iterdir()) == []
    assert len(server.requests) <= 1


@pytest.mark.parametrize("way", FILES)
def test_a_file_is_made_to_last_before_it_has_its_name(way: str, tmp_path: Path) -> None:
    seen = power_lost(way, tmp_path)
    assert seen["survived"], seen


@pytest.mark.parametrize("way", [*FILES, "stream", "stream, async"])
def test_ctrl_c_ends_at_once_and_is_not_tried_again(way: str, tmp_path: Path) -> None:
    seen = interrupted(way, tmp_path)
    assert seen["survived"], seen
    assert seen["requests"] == 1
    if way in FILES:
        assert any(name.endswith(".part") for name in seen["names"])


@pytest.mark.slow
@pytest.mark.parametrize("way", FILES)
def test_after_ctrl_c_a_download_is_resumed(way: str, tmp_path: Path) -> None:
    path = tmp_path / "a.nwb"
    with FaultServer(HALFWAY) as server:
        child = start(way, server.host, path)
        assert halfway(tmp_path)
        child.interrupt()
        outcome = child.outcome()
        assert outcome
        assert outcome["error"] == "KeyboardInterrupt"
        again = start(way, server.host, path).outcome()
    assert again
    assert again["report"].resumed_from == server.requests[1].offset == HALF
    assert path.read_bytes() == FIRST.data


@pytest.mark.parametrize("way", FILES)
def test_a_file_that_someone_failed_to_read_stays(way: str, tmp_path: Path) -> None:
    seen = misread(way, tmp_path)
    assert seen["survived"], seen
    assert seen["outcome"]["error"] is None


@pytest.mark.parametrize("way", FILES)
def test_a_file_may_be_read_by_whom_the_umask_lets(way: str, tmp_path: Path) -> None:
    seen = mode(way, tmp_path)
    assert seen["survived"], seen
