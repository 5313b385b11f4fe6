"""Parts of a file are read where it is, and are always parts of one version of it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynwb import NWBHDF5IO

from ecephys_dal import (
    Artifact,
    ArtifactChangedError,
    ArtifactClient,
    ArtifactCorruptError,
    ArtifactNotFoundError,
    ArtifactTransferError,
)
from ecephys_dal.artifacts import reader
from ecephys_dal.artifacts.partial import Partial
from ecephys_dal.artifacts.version import Version
from ecephys_dal.testing.content import session_nwb
from tests.artifacts.conftest import (
    ETAG,
    ROUTE,
    Answer,
    ScriptedServer,
    answer,
    chunked,
    ranged,
)

MIB = 2**20
BIG = np.random.default_rng(1).bytes(3 * MIB + 12_345)
OTHER = BIG[::-1]


@pytest.fixture
def big(server: ScriptedServer) -> ScriptedServer:
    server.script = [ranged(BIG)]
    return server


def asked_for(server: ScriptedServer) -> list[str | None]:
    return [asked.headers["Range"] for asked in server.seen]


def span(number: int) -> str:
    return f"bytes={number * MIB}-{(number + 1) * MIB - 1}"


OPERATIONS = st.lists(
    st.tuples(st.just("read"), st.integers(-1, 2500))
    | st.tuples(st.just("readinto"), st.integers(0, 2500))
    | st.tuples(st.sampled_from(["set", "now", "end"]), st.integers(-11_000, 11_000)),
    max_size=12,
)


def test_it_reads_as_a_file_in_memory_does(
    client: ArtifactClient, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_BLOCK", 1000)
    monkeypatch.setattr(reader, "_BLOCKS", 3)
    server.script = [ranged(BIG[:9876])]
    with client.open_artifact(ROUTE) as file:

        @settings(deadline=None, max_examples=settings.default.max_examples // 4)
        @given(OPERATIONS)
        def compare(operations: list[tuple[str, int]]) -> None:
            plain = io.BytesIO(BIG[:9876])
            file.seek(0)
            for operation, number in operations:
                assert _done(file, operation, number) == _done(plain, operation, number)
                assert file.tell() == plain.tell()

        compare()


def _done(file: Any, operation: str, number: int) -> object:
    if operation == "read":
        return file.read(number)
    if operation == "readinto":
        buffer = bytearray(number)
        return file.readinto(buffer), bytes(buffer)
    whence = {"set": io.SEEK_SET, "now": io.SEEK_CUR, "end": io.SEEK_END}[operation]
    position = {"set": 0, "now": file.tell(), "end": 9876}[operation]
    return file.seek(max(number, -position), whence)


def test_it_is_a_file_to_read_and_to_seek_in(client: ArtifactClient, big: ScriptedServer) -> None:
    with client.open_artifact(ROUTE) as file:
        assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
        assert file.name == client.url_of(ROUTE)
        assert file.seek(0, io.SEEK_END) == len(BIG)
        assert file.read() == b""
        with pytest.raises(ValueError, match="before the beginning"):
            file.seek(-1)
        with pytest.raises(ValueError, match="whence"):
            file.seek(0, 7)
        assert file.tell() == len(BIG)
        with pytest.raises((io.UnsupportedOperation, NotImplementedError)):
            file.write(b"x")
    assert file.closed
    for use in (lambda: file.read(1), lambda: file.readinto(bytearray(1)), lambda: file.seek(0)):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_a_block_is_asked_for_once(client: ArtifactClient, big: ScriptedServer) -> None:
    with client.open_artifact(ROUTE) as file:
        assert asked_for(big) == [span(0)]
        for at in (0, 10, MIB - 5, 7):
            file.seek(at)
            assert file.read(5) == BIG[at : at + 5]
        assert asked_for(big) == [span(0)]
        file.seek(2 * MIB - 10)
        assert file.read(20) == BIG[2 * MIB - 10 : 2 * MIB + 10]
        assert asked_for(big) == [span(0), span(1), span(2)]
        file.seek(0)
        assert file.read() == BIG
        assert asked_for(big) == [span(0), span(1), span(2), span(3)]
    assert {asked.headers["If-Range"] for asked in big.seen[1:]} == {ETAG}
    assert big.accepted == 1


def test_the_blocks_that_were_read_last_are_kept(
    client: ArtifactClient, big: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_BLOCKS", 2)
    with client.open_artifact(ROUTE) as file:
        for number in (1, 0, 2, 0, 1):  # 2 drives 1 out, and not 0
            file.seek(number * MIB)
            assert file.read(3) == BIG[number * MIB : number * MIB + 3]
    assert asked_for(big) == [span(number) for number in (0, 1, 2, 1)]


def test_two_files_that_are_open_do_not_mix(client: ArtifactClient, big: ScriptedServer) -> None:
    with client.open_artifact(ROUTE) as one, client.open_artifact(ROUTE) as other:
        one.seek(MIB)
        assert other.read(4) == BIG[:4]
        assert one.read(4) == BIG[MIB : MIB + 4]


def test_h5py_reads_from_it(client: ArtifactClient, server: ScriptedServer) -> None:
    server.script = [ranged()]
    expected = np.random.default_rng(0).integers(256, size=500_000, dtype=np.uint8)
    with client.open_artifact(ROUTE) as remote, h5py.File(remote, "r") as file:
        assert np.array_equal(file["noise"][1234:5678], expected[1234:5678])
        assert np.array_equal(file["noise"][:], expected)


def test_h5py_fetches_what_it_reads_and_no_more(
    client: ArtifactClient, server: ScriptedServer
) -> None:
    written, values = io.BytesIO(), np.arange(8 * MIB // 8, dtype=np.int64)
    with h5py.File(written, "w") as file:
        file["values"] = values
    server.script = [ranged(written.getvalue())]
    with client.open_artifact(ROUTE) as remote, h5py.File(remote, "r") as file:
        assert np.array_equal(file["values"][-10:], values[-10:])
    assert len(server.seen) <= 3


def test_pynwb_reads_a_session_from_it(client: ArtifactClient, server: ScriptedServer) -> None:
    server.script = [ranged(session_nwb(721123822))]
    with (
        client.open_artifact(ROUTE) as remote,
        h5py.File(remote, "r") as file,
        NWBHDF5IO(file=file, load_namespaces=True) as nwb,
    ):
        session = nwb.read()
        assert session.identifier == "721123822"
        assert len(session.units) == 5
        assert np.allclose(session.units["spike_times"][2], 0.1 * np.arange(1, 21) + 0.02)


REFUSALS: dict[str, tuple[Answer, str]] = {
    "the whole": (answer(body=BIG, keep=True, ETag=ETAG), "as a whole only.*download it"),
    "the whole, no ETag": (answer(body=BIG), "as a whole only.*download it"),
    "the whole in chunks": (chunked(BIG), "as a whole only.*download it"),
    "no ETag": (ranged(BIG, None), "without an ETag"),
    "a weak ETag": (ranged(BIG, 'W/"x"'), "without an ETag"),
    "no range": (answer(206, BIG[:MIB], ETag=ETAG), "without a range"),
    "another range": (
        answer(206, BIG[5:9], ETag=ETAG, Content_Range=f"bytes 5-8/{len(BIG)}"),
        "from byte 5 instead of 0",
    ),
    "no size": (
        answer(206, BIG[:MIB], ETag=ETAG, Content_Range=f"bytes 0-{MIB - 1}/*"),
        "how long",
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_server_that_gives_no_parts_that_fit_together_is_refused(
    client: ArtifactClient, server: ScriptedServer, refusal: str
) -> None:
    script, match = REFUSALS[refusal]
    server.script = [script]
    with pytest.raises(ArtifactTransferError, match=match) as caught:
        client.open_artifact(ROUTE)
    assert not isinstance(caught.value, ArtifactChangedError)
    assert caught.value.url == client.url_of(ROUTE)
    assert len(server.seen) == 1


def test_where_the_server_tells_no_size_lims_may(
    client: ArtifactClient, server: ScriptedServer
) -> None:
    def give(handler: BaseHTTPRequestHandler) -> None:
        first, last = map(int, handler.headers["Range"][6:].split("-"))
        last = min(last, len(BIG) - 1)
        span = f"bytes {first}-{last}/*"
        answer(206, BIG[first : last + 1], keep=True, ETag=ETAG, Content_Range=span)(handler)

    server.script = [give]
    with client.open_artifact(Artifact(ROUTE, size=len(BIG))) as file:
        assert file.read() == BIG


def test_an_empty_file_is_opened(client: ArtifactClient, server: ScriptedServer) -> None:
    server.script = [ranged(b"")]
    with client.open_artifact(ROUTE) as file:
        assert file.read() == b""


@pytest.mark.parametrize(
    ("artifact", "script", "error"),
    [
        (Artifact(ROUTE), answer(404, b""), ArtifactNotFoundError),
        (Artifact(ROUTE, size=7), ranged(BIG), ArtifactCorruptError),
        (Artifact(ROUTE, filename="a.nwb"), ranged(BIG), ArtifactCorruptError),
        (Artifact(ROUTE), answer(503, b""), ArtifactTransferError),
    ],
)
def test_what_is_not_the_file_is_not_opened(
    client: ArtifactClient,
    server: ScriptedServer,
    artifact: Artifact,
    script: Answer,
    error: type[Exception],
) -> None:
    server.script = [script]
    with pytest.raises(error):
        client.open_artifact(artifact)


def ignoring_if_range(body: bytes, etag: str) -> Answer:
    def give(handler: BaseHTTPRequestHandler) -> None:
        del handler.headers["If-Range"]
        ranged(body, etag)(handler)

    return give


@pytest.mark.parametrize(
    "now",
    [
        ranged(OTHER, '"two"'),
        ignoring_if_range(OTHER, '"two"'),
        ignoring_if_range(OTHER[:-1], ETAG),
        ranged(BIG[:MIB], ETAG),
    ],
)
def test_a_file_that_changed_is_not_mixed(
    client: ArtifactClient, big: ScriptedServer, now: Answer
) -> None:
    with client.open_artifact(ROUTE) as file:
        assert file.read(MIB) == BIG[:MIB]
        big.script = [now]
        with pytest.raises(ArtifactChangedError):
            file.read(1)
        assert len(big.seen) == 2
        file.seek(0)
        assert file.read(5) == BIG[:5]  # what is there stays there


@pytest.mark.parametrize(
    "fault", [ranged(BIG, cut=5000), ranged(BIG, cut=0), answer(503, b"busy", keep=True)]
)
@pytest.mark.parametrize("block", [0, 1, 3])
def test_faults_in_mid_block_are_survived(
    client: ArtifactClient, big: ScriptedServer, fault: Answer, block: int
) -> None:
    big.script = [*[ranged(BIG)] * block, fault, ranged(BIG)]
    with client.open_artifact(ROUTE) as file:
        assert file.read() == BIG
    assert len(big.seen) == 5
    again = big.seen[block + 1].headers["Range"]
    assert again.split("-")[1] == span(block).split("-")[1]


def test_a_part_that_is_shorter_than_was_asked_for_is_gone_on_with(
    client: ArtifactClient, big: ScriptedServer
) -> None:
    def shorter(handler: BaseHTTPRequestHandler) -> None:
        first, last = map(int, handler.headers["Range"][6:].split("-"))
        handler.headers.replace_header("Range", f"bytes={first}-{min(last, first + 299_999)}")
        ranged(BIG)(handler)

    big.script = [shorter]
    with client.open_artifact(ROUTE) as file:
        assert file.read() == BIG
    assert len(big.seen) == 13


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "a.dat"


def test_what_a_download_has_brought_is_read_from_there(
    client: ArtifactClient, big: ScriptedServer, target: Path
) -> None:
    version = Version(ETAG, len(BIG))
    with closing(Partial(target, client.url_of(ROUTE), version)) as partial:
        partial.write(BIG[: 2 * MIB + 100])
        with client.open_artifact(ROUTE, target) as file:
            file.seek(MIB)
            assert file.read(MIB) == BIG[MIB : 2 * MIB]
            assert asked_for(big) == [span(0)]
            assert file.read(200) == BIG[2 * MIB : 2 * MIB + 200]  # of which half is there
            assert asked_for(big) == [span(0), span(2)]
            partial.write(BIG[2 * MIB + 100 :])  # and the rest comes meanwhile
            file.seek(3 * MIB)
            assert file.read() == BIG[3 * MIB :]
            assert asked_for(big) == [span(0), span(2)]


def test_a_finished_download_is_read_from_there(
    client: ArtifactClient, big: ScriptedServer, target: Path
) -> None:
    client.download(ROUTE, target)
    big.seen.clear()
    with client.open_artifact(ROUTE, target) as file:
        assert file.read() == BIG
    assert asked_for(big) == [span(0)]  # whether it is still the same


def of_another_version(client: ArtifactClient, target: Path) -> None:
    with closing(Partial(target, client.url_of(ROUTE), Version('"old"', len(BIG)))) as partial:
        partial.write(OTHER)


def of_another_file(client: ArtifactClient, target: Path) -> None:
    with closing(Partial(target, "http://other/", Version(ETAG, len(BIG)))) as partial:
        partial.write(OTHER)


def finished_of_another_version(client: ArtifactClient, target: Path) -> None:
    client.download(ROUTE, target)


def finished_of_another_file(client: ArtifactClient, target: Path) -> None:
    client.download("other", target)


def without_a_record(client: ArtifactClient, target: Path) -> None:
    target.write_bytes(OTHER)


def changed_since(client: ArtifactClient, target: Path) -> None:
    client.download(ROUTE, target)
    target.write_bytes(OTHER)
    os.utime(target, ns=(1, 1))


def lost(client: ArtifactClient, target: Path) -> None:
    client.download(ROUTE, target)
    target.unlink()


def a_folder(client: ArtifactClient, target: Path) -> None:
    target.mkdir()


def below_a_file(client: ArtifactClient, target: Path) -> None:
    target.parent.rmdir()
    target.parent.write_bytes(b"")


@pytest.mark.parametrize(
    "there",
    [of_another_version, of_another_file, finished_of_another_version, finished_of_another_file,
     without_a_record, changed_since, lost, a_folder, below_a_file],
)  # fmt: skip
def test_what_is_not_the_same_is_not_read(
    client: ArtifactClient,
    big: ScriptedServer,
    tmp_path: Path,
    there: Callable[[ArtifactClient, Path], None],
) -> None:
    target = tmp_path / "sub" / "a.dat"
    target.parent.mkdir()
    if there in (finished_of_another_version, finished_of_another_file):
        etag = '"old"' if there is finished_of_another_version else ETAG
        big.script = [ranged(OTHER, etag), ranged(BIG)]
    there(client, target)
    with client.open_artifact(ROUTE, target) as file:
        assert file.read() == BIG
