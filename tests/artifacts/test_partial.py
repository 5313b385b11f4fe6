"""What arrived is kept where it can be used again, and what gets a name is what was looked at."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import pytest

from ecephys_dal import (
    Artifact,
    ArtifactClient,
    ArtifactCorruptError,
    ArtifactError,
    ArtifactStorageError,
    ArtifactTransferError,
)
from ecephys_dal.artifacts.partial import Partial, Unpublished
from ecephys_dal.artifacts.version import UNKNOWN, Version
from tests.artifacts.conftest import (
    ETAG,
    NWB,
    ROUTE,
    Answer,
    ScriptedServer,
    answer,
    ranged,
    visible,
)

URL = "http://lims2/files/7"
ONE, TWO = Version(ETAG, 100), Version('"two"', 100)
LONG_AGO = time.time() - 7200


def leave(target: Path, size: int, version: Version = ONE, url: str = URL) -> Path:
    """Leave so many bytes behind, as a download does that breaks off."""
    with closing(Partial(target, url, version)) as partial:
        partial.write(NWB[:size])
    return partial.path


def note_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def test_the_fullest_part_of_the_right_file_is_gone_on_with(tmp_path: Path) -> None:
    target = tmp_path / "a.nwb"
    assert Partial.version_to_resume(target, URL, None) is None
    leave(target, 10)
    leave(target, 30, TWO)
    leave(target, 20, Version('"three"', None))
    leave(target, 90, url="http://lims2/files/8")
    leave(tmp_path / "b.nwb", 90)
    leave(tmp_path / "a", 90)
    assert Partial.version_to_resume(target, URL, None) == TWO
    assert Partial.version_to_resume(target, URL, 100) == TWO
    assert Partial.version_to_resume(target, URL, 101) == Version('"three"', None)


def test_more_than_the_whole_and_nothing_are_not_gone_on_with(tmp_path: Path) -> None:
    target = tmp_path / "a.nwb"
    leave(target, 101)
    Partial(target, URL, TWO).release()  # of a process that was killed before the first byte
    assert Partial.version_to_resume(target, URL, None) is None


BROKEN_NOTES: dict[str, Callable[[dict[str, object]], object]] = {
    "empty": lambda _: "",
    "torn": lambda note: json.dumps(note)[:-9],
    "not JSON": lambda _: "\0\1\2",
    "a list": lambda _: [1, 2],
    "a number": lambda _: 5,
    "lacks a field": lambda _: {"target": "a.nwb"},
    "etag is none": lambda note: note | {"etag": None},
    "etag is empty": lambda note: note | {"etag": ""},
    "etag is a number": lambda note: note | {"etag": 5},
    "etag is a list": lambda note: note | {"etag": [5]},
    "total is text": lambda note: note | {"total": "100"},
    "total is a truth": lambda note: note | {"total": True},
}


@pytest.mark.parametrize("broken", BROKEN_NOTES)
def test_a_broken_note_is_passed_over(tmp_path: Path, broken: str) -> None:
    target = tmp_path / "a.nwb"
    note = note_of(leave(target, 50, TWO))
    content = BROKEN_NOTES[broken](json.loads(note.read_text()))
    note.write_text(content if isinstance(content, str) else json.dumps(content))
    assert Partial.version_to_resume(target, URL, None) is None
    leave(target, 10)
    assert Partial.version_to_resume(target, URL, None) == ONE


def test_a_note_without_a_part_is_passed_over(tmp_path: Path) -> None:
    leave(tmp_path / "a.nwb", 50).unlink()
    assert Partial.version_to_resume(tmp_path / "a.nwb", URL, None) is None


def test_what_can_be_used_again_is_kept_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.nwb"
    kept = leave(target, 50)
    assert sorted(tmp_path.iterdir()) == [kept, note_of(kept)]
    leave(target, 0, TWO)
    leave(target, 50, UNKNOWN)  # nothing could tell that the rest is of the same content
    assert sorted(tmp_path.iterdir()) == [kept, note_of(kept)]


def test_files_of_no_validator_are_written_apart(tmp_path: Path) -> None:
    one, other = (Partial(tmp_path / "a.nwb", URL, UNKNOWN) for _ in range(2))
    assert one.path != other.path
    for partial in (one, other):
        partial.close()
    assert visible(tmp_path) == []


def test_bytes_are_written_where_they_belong(tmp_path: Path) -> None:
    with closing(Partial(tmp_path / "a.nwb", URL, ONE)) as partial:
        partial.write(b"01234567")
        assert partial.read_at(2, 3) == b"234"
        partial.write(memoryview(b"89"))  # reading has not moved the place
        partial.seek(4)
        partial.write(b"xy")
        assert (partial.size, partial.read_at(0, 100)) == (10, b"0123xy6789")
    with closing(Partial(tmp_path / "a.nwb", URL, ONE)) as again:
        assert again.read_at(0, 100) == b"0123xy6789"


def test_the_file_gets_its_name_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "a.nwb"
    with closing(Partial(target, URL, ONE)) as partial:
        partial.write(b"whole")
        partial.sync()
        assert not target.exists()
        partial.publish()
    assert target.read_bytes() == b"whole"
    assert list(target.parent.iterdir()) == [target]


def test_a_file_that_another_process_published_is_published(tmp_path: Path) -> None:
    target = tmp_path / "a.nwb"
    one, other = (Partial(target, URL, ONE) for _ in range(2))
    one.write(b"whole")
    one.publish()
    other.publish()
    assert target.read_bytes() == b"whole"
    assert visible(tmp_path) == ["a.nwb"]


def test_a_file_that_another_process_took_away_is_not_published(tmp_path: Path) -> None:
    target = tmp_path / "a.nwb"
    target.write_bytes(b"older")
    one, other = (Partial(target, URL, ONE) for _ in range(2))
    one.write(b"whole")
    one.discard()
    with pytest.raises(Unpublished):
        other.publish()
    assert target.read_bytes() == b"older"
    assert visible(tmp_path) == ["a.nwb"]


def test_what_another_process_has_begun_anew_is_left_to_it(tmp_path: Path) -> None:
    target = tmp_path / "a.nwb"
    one = Partial(target, URL, ONE)
    one.write(b"whole")
    one.path.unlink()
    with closing(Partial(target, URL, ONE)) as other:
        other.write(b"half")
        assert not one.is_in_place
        with pytest.raises(Unpublished):
            one.publish()
        assert other.is_in_place
        assert not target.exists()
        other.publish()
    assert target.read_bytes() == b"half"


def test_only_ones_own_part_is_discarded(tmp_path: Path) -> None:
    one = Partial(tmp_path / "a.nwb", URL, ONE)
    one.path.unlink()
    with closing(Partial(tmp_path / "a.nwb", URL, ONE)) as other:
        other.write(b"half")
        one.discard()
        assert other.is_in_place


def test_what_killed_downloads_left_behind_is_swept_away_when_it_is_old(tmp_path: Path) -> None:
    target = tmp_path / "a.nwb"
    old, fresh = leave(target, 50, TWO), leave(target, 50, Version('"three"', 100))
    of_others = [leave(tmp_path / name, 50) for name in ("b.nwb", "a", "a.nwb.gz")]
    apart = Partial(target, URL, UNKNOWN)
    for path in (old, note_of(old), apart.path, *of_others):
        os.utime(path, (LONG_AGO, LONG_AGO))
    apart.release()
    for partial in (Partial(target, URL, ONE), Partial(tmp_path / "a", URL, ONE)):
        partial.publish()
    assert not any(path.exists() for path in (old, note_of(old), apart.path))
    assert all(path.exists() for path in (fresh, note_of(fresh), of_others[0], of_others[2]))


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0, 0o666)])
@pytest.mark.parametrize("version", [ONE, UNKNOWN])
def test_the_umask_says_who_may_read(
    tmp_path: Path, umask: int, mode: int, version: Version
) -> None:
    before = os.umask(umask)
    try:
        Partial(tmp_path / "a.nwb", URL, version).publish()
    finally:
        os.umask(before)
    assert (tmp_path / "a.nwb").stat().st_mode & 0o777 == mode


NAMES = [
    "a.nwb", "x" * 250 + ".nwb", "ü" * 125 + ".nwb", "\U0001f9e0" * 62, "a b\nc.nwb", "[a]*?.nwb",
    ".hidden", "a%20b", "-rf", "a\\b", "~", "e\u0301.nwb", "..a", "a.part", "a.part.json",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_resumed_and_published(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path, name: str
) -> None:
    server.script = [ranged(cut=100_000), answer(404, b"")]
    with pytest.raises(ArtifactError):
        client.download(Artifact(ROUTE, filename="a.nwb"), tmp_path / name)
    server.script = [ranged()]
    report = client.download(Artifact(ROUTE, filename="a.nwb"), tmp_path / name)
    assert report.resumed_from == 100_000
    assert (tmp_path / name).read_bytes() == NWB
    assert visible(tmp_path) == [name]
    assert client.download(ROUTE, tmp_path / name).source == "present"


@pytest.mark.parametrize("name", ["x" * 256, "a/b"])
def test_a_place_that_can_not_be_is_a_storage_error(
    client: ArtifactClient, tmp_path: Path, name: str
) -> None:
    (tmp_path / "a").write_bytes(b"no folder")
    places: list[Callable[[Path], object]] = [
        lambda path: client.download(ROUTE, path),
        lambda path: client.write_bytes(path, client.stream(ROUTE)),
        lambda path: client.write_bytes(path, iter([b"x"])),
    ]
    for write in places:
        with pytest.raises(ArtifactStorageError) as caught:
            write(tmp_path / name)
        assert isinstance(caught.value, OSError)
    [report] = client.download_many({ROUTE: tmp_path / name})
    assert isinstance(report.error, ArtifactStorageError)
    assert visible(tmp_path) == ["a"]


def test_a_folder_of_that_name_is_a_storage_error(client: ArtifactClient, tmp_path: Path) -> None:
    (tmp_path / "a" / "full").mkdir(parents=True)
    for write in (
        lambda path: client.download(ROUTE, path),
        lambda path: client.write_bytes(path, iter([b"x"])),
    ):
        with pytest.raises(ArtifactStorageError):
            write(tmp_path / "a")
    assert visible(tmp_path) == ["a"]


def test_a_part_that_can_not_get_its_name_is_kept_if_it_can_be_used_again(tmp_path: Path) -> None:
    (tmp_path / "a" / "full").mkdir(parents=True)
    for version, kept in ((UNKNOWN, False), (ONE, True)):
        with closing(Partial(tmp_path / "a", URL, version)) as partial:
            partial.write(b"whole")
            with pytest.raises(ArtifactStorageError):
                partial.publish()
        assert partial.path.exists() == kept
    assert len(visible(tmp_path)) == 3  # with its note


def test_space_is_looked_for_before_it_is_used(tmp_path: Path) -> None:
    with closing(Partial(tmp_path / "a.nwb", URL, ONE)) as partial:
        partial.check_space(None)
        partial.check_space(1000)
        with pytest.raises(ArtifactStorageError, match="needs 1000000000000000000 more bytes"):
            partial.check_space(10**18)


def test_a_stream_of_others_that_fails_leaves_nothing(
    client: ArtifactClient, tmp_path: Path
) -> None:
    def failing() -> Iterator[bytes]:
        yield b"some"
        raise RuntimeError("their own affair")

    with pytest.raises(RuntimeError, match="their own"):
        client.write_bytes(tmp_path / "a.nwb", failing())
    assert visible(tmp_path) == []


# What a download does with it all.


def digest(body: bytes = NWB) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def flipped(at: int = 300_000) -> bytes:
    body = bytearray(NWB)
    body[at] ^= 1
    return bytes(body)


@pytest.mark.parametrize(
    "wrong",
    [
        ranged(flipped(), Repr_Digest=digest()),
        ranged(flipped(), Content_Digest=digest()),
        ranged(flipped()[:400_000]),
    ],
)
def test_bytes_that_were_found_wrong_are_not_gone_on_with(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path, wrong: Answer
) -> None:
    server.script = [wrong]
    for _ in range(2):
        with pytest.raises(ArtifactCorruptError):
            client.download(ROUTE, tmp_path / "a.nwb")
        assert visible(tmp_path) == []
    server.script = [ranged()]
    report = client.download(ROUTE, tmp_path / "a.nwb")
    assert report.resumed_from == 0
    assert report.path.read_bytes() == NWB


def test_bytes_whose_given_digest_differs_are_not_gone_on_with(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [ranged(flipped())]
    with pytest.raises(ArtifactCorruptError, match="SHA-256"):
        client.download(ROUTE, tmp_path / "a.nwb", sha256=hashlib.sha256(NWB).hexdigest())
    assert visible(tmp_path) == []


def whole_version() -> Version:
    return Version(ETAG, len(NWB))


def test_a_whole_part_is_published_if_the_server_still_has_that_version(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    leave(tmp_path / "a.nwb", len(NWB), whole_version(), client.url_of(ROUTE))
    server.script = [ranged()]
    report = client.download(ROUTE, tmp_path / "a.nwb")
    assert report.path.read_bytes() == NWB
    assert report.received < 10
    assert report.verified
    assert server.seen[0].headers["If-Range"] == ETAG


def test_a_whole_part_of_a_version_that_is_gone_is_not_published(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    leave(tmp_path / "a.nwb", len(NWB), whole_version(), client.url_of(ROUTE))
    server.script = [ranged(flipped(), '"two"')]
    report = client.download(ROUTE, tmp_path / "a.nwb")
    assert report.path.read_bytes() == flipped()
    assert (report.validator, report.restarts, report.resumed_from) == ('"two"', 1, 0)


def test_a_whole_part_that_was_never_compared_with_its_digest_is_compared(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    part = leave(tmp_path / "a.nwb", len(NWB), whole_version(), client.url_of(ROUTE))
    part.write_bytes(flipped())
    server.script = [ranged(Repr_Digest=digest())]
    report = client.download(ROUTE, tmp_path / "a.nwb")
    assert report.path.read_bytes() == NWB
    assert report.restarts == 1


@pytest.mark.parametrize("there", [1, 1000, 300_000, len(NWB) - 1])
def test_a_download_goes_on_where_an_earlier_one_ended(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path, there: int
) -> None:
    leave(tmp_path / "a.nwb", there, whole_version(), client.url_of(ROUTE))
    server.script = [ranged(Repr_Digest=digest())]
    report = client.download(ROUTE, tmp_path / "a.nwb")
    assert report.path.read_bytes() == NWB
    assert server.seen[0].headers["Range"] == f"bytes={there}-"
    assert (report.resumed_from, report.received) == (there, len(NWB) - there)
    assert report.sha256 == hashlib.sha256(NWB).hexdigest()
    assert "Repr-Digest (sha256)" in report.verified_by


def test_a_download_waits_for_another_and_goes_on_with_what_that_leaves(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    other = Partial(tmp_path / "a.nwb", client.url_of(ROUTE), whole_version())
    other.write(NWB[:1000])
    assert other.lock()
    server.script = [ranged()]
    with ThreadPoolExecutor(1) as pool:
        download = pool.submit(client.download, ROUTE, tmp_path / "a.nwb")
        for first in range(1000, 5000, 1000):
            time.sleep(0.2)  # longer together than read_timeout, but each is a sign of life
            other.write(NWB[first : first + 1000])
        assert not download.done()
        assert server.seen == []
        other.close()
        assert download.result().path.read_bytes() == NWB
    assert server.seen[0].headers["Range"] == "bytes=5000-"


def test_a_download_does_not_wait_for_ever_for_one_that_hangs(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [ranged()]
    with ArtifactClient(replace(server.settings, read_timeout=0.2)) as client:
        other = Partial(tmp_path / "a.nwb", client.url_of(ROUTE), whole_version())
        other.write(NWB[:1000])
        assert other.lock()
        with closing(other):
            assert client.download(ROUTE, tmp_path / "a.nwb").path.read_bytes() == NWB


def test_a_file_that_another_process_brings_meanwhile_is_not_fetched_again(
    server: ScriptedServer, tmp_path: Path
) -> None:
    def held_up(handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        go_on.wait(10)
        ranged()(handler)

    asked, go_on = Event(), Event()
    server.script = [held_up]
    with (
        ArtifactClient(replace(server.settings, read_timeout=10)) as client,
        ThreadPoolExecutor(2) as pool,
    ):
        leave(tmp_path / "a.nwb", 1000, whole_version(), client.url_of(ROUTE))
        first = pool.submit(client.download, ROUTE, tmp_path / "a.nwb")
        assert asked.wait(10)
        second = pool.submit(client.download, ROUTE, tmp_path / "a.nwb")
        time.sleep(0.2)
        assert not second.done()
        go_on.set()
        assert first.result().source == "web application"
        assert second.result().source == "present"
    assert len(server.seen) == 1


def test_an_error_of_the_transfer_keeps_what_arrived(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [ranged(cut=100_000), answer(503, b"")]
    with pytest.raises(ArtifactTransferError) as caught:
        client.download(ROUTE, tmp_path / "a.nwb")
    assert caught.value.received == 100_000
    part, note = sorted(tmp_path.iterdir())
    assert part.read_bytes() == NWB[:100_000]
    said = json.loads(note.read_text())
    assert said == {
        "target": "a.nwb", "url": client.url_of(ROUTE), "etag": ETAG, "total": len(NWB),
    }  # fmt: skip


def test_what_another_machine_wrote_or_this_one_before_it_went_down_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.nwb"
    leave(target, 50)
    assert Partial.version_to_resume(target, URL, None) == ONE
    monkeypatch.setattr("ecephys_dal.artifacts.partial.this_boot", lambda: "of another")
    assert Partial.version_to_resume(target, URL, None) is None
    leave(target, 10)  # beside it, for both may be at work
    assert sorted(part.stat().st_size for part in tmp_path.glob(".*.part")) == [10, 50]
