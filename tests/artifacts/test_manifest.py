"""What was fetched is on record, and is not fetched again as long as the record holds."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecephys_dal import (
    Artifact,
    ArtifactClient,
    ArtifactCorruptError,
    ArtifactStorageError,
    verify,
)
from ecephys_dal.artifacts.manifest import MANIFEST, Manifest, Record, sha256_of
from tests.artifacts.conftest import ETAG, NWB, ROUTE, ScriptedServer, answer, ranged, visible

SHA256 = hashlib.sha256(NWB).hexdigest()
OTHER = bytes([*NWB[:-1], NWB[-1] ^ 1])
NAMES = [
    "a.nwb",
    "ü 漢字 \U0001f9e0.nwb",
    'quo"te\\.nwb',
    "new\nline",
    "\u2028\x85\x1c.nwb",
    "{}",
    " ",
]


def record(name: str = "a.nwb", **columns: Any) -> Record:
    return Record.now(**{"name": name, "url": "u", "size": 1, "mtime_ns": 2, **columns})


def test_the_newest_record_of_a_name_is_found(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    assert manifest.of("a.nwb") is None
    for number, name in enumerate(["a.nwb", "b.nwb", "a.nwb", "a", "xa.nwb", "a.nwb.gz"]):
        manifest.add(record(name, size=number))
    found = {name: manifest.of(name) for name in ("a.nwb", "b.nwb", "a", "nwb", "")}
    assert {name: one and one.size for name, one in found.items()} == {
        "a.nwb": 2, "b.nwb": 1, "a": 3, "nwb": None, "": None,
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_letters_are_found(tmp_path: Path, name: str) -> None:
    manifest = Manifest(tmp_path)
    full = record(name, url=name, sha256=SHA256, etag='"ü"', verified_by=("a", name))
    manifest.add(full)
    for other in NAMES:
        assert manifest.of(other) == (full if other == name else None)


@given(st.text(min_size=1).filter(lambda name: Path(name).name == name), st.text())
def test_any_record_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, name: str, url: str
) -> None:
    manifest = Manifest(tmp_path_factory.mktemp("records"))
    written = record(name, url=url, etag=url, verified_by=(url, name))
    manifest.add(written)
    assert manifest.of(name) == written


TORN = {
    "cut": lambda line: line[: len(line) // 2],
    "cut at its end": lambda line: line[:-1],
    "of zeros": lambda line: b"\0" * len(line),
    "no UTF-8": lambda line: line.replace(b"a.nwb", b"a.nwb\xff"),
    "a list": lambda _: b'["a.nwb", {"name": "a.nwb"}]',
    "text": lambda _: b'"\\"name\\": \\"a.nwb\\""',
    "lacks a column": lambda _: b'{"name": "a.nwb"}',
    "odd evidence": lambda line: line.replace(b'"verified_by": []', b'"verified_by": 5'),
    "of another name": lambda line: line.replace(
        b'"name": "a.nwb"', b'"x": {"name": "a.nwb"}, "name": "b.nwb"'
    ),
}  # fmt: skip


@pytest.mark.parametrize("torn", TORN)
def test_a_line_that_is_no_record_is_passed_over(tmp_path: Path, torn: str) -> None:
    manifest = Manifest(tmp_path)
    manifest.add(record(size=5))
    line = json.dumps(asdict(record(size=6))).encode()
    with manifest.path.open("ab") as file:
        file.write(TORN[torn](line))
    assert (found := manifest.of("a.nwb"))
    assert found.size == 5
    manifest.add(record(size=7))  # which the unfinished line does not swallow
    assert (found := manifest.of("a.nwb"))
    assert found.size == 7


PROGRAM = """
import os, sys
from pathlib import Path
from ecephys_dal.artifacts.manifest import Manifest, Record
begin, writers = os.pipe(), []
for who in range(3):
    if not (child := os.fork()):
        os.close(begin[1])
        os.read(begin[0], 1)  # which ends for all at once
        manifest = Manifest(Path(sys.argv[1]))
        for number in range(300):
            manifest.add(Record.now(name=f"{who}-{number}", url="x" * 1000, size=1, mtime_ns=1))
        os._exit(0)
    writers.append(child)
os.close(begin[1])
sys.exit(any(os.waitpid(child, 0)[1] for child in writers))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no forks there")
def test_several_processes_append_at_once_and_no_record_is_lost(tmp_path: Path) -> None:
    subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, str(tmp_path)], check=True, timeout=60
    )
    lines = (tmp_path / MANIFEST).read_text().split("\n")
    names = {json.loads(line)["name"] for line in lines if line}
    assert names == {f"{who}-{number}" for who in range(3) for number in range(300)}
    assert len([line for line in lines if line]) == 900


def test_a_file_is_hashed_in_pieces(tmp_path: Path) -> None:
    content = os.urandom(3 * 2**20 + 1)
    for size in (0, 1, 2**20, len(content)):
        (tmp_path / "x").write_bytes(content[:size])
        assert sha256_of(tmp_path / "x") == hashlib.sha256(content[:size]).hexdigest()


# What a download does with it.


def asked(server: ScriptedServer) -> int:
    return len(server.seen)


def test_a_file_that_is_there_is_not_fetched_again(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [ranged()]
    first = client.download(ROUTE, tmp_path / "a.nwb")
    again = client.download(ROUTE, tmp_path / "a.nwb")
    assert asked(server) == 1
    assert (first.source, again.source) == ("web application", "present")
    for report in (first, again):
        assert (report.path, report.url) == (tmp_path / "a.nwb", client.url_of(ROUTE))
        assert (report.size, report.sha256, report.validator) == (len(NWB), SHA256, ETAG)
        assert report.verified_by == ("Content-Length", "structure of HDF5")
        assert report.verified
        assert report.ok
        assert report.error is None
        assert report.seconds > 0
    assert (first.received, first.attempts, first.restarts) == (len(NWB), 1, 0)
    assert (again.received, again.attempts, again.resumed_from) == (0, 0, 0)


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def change(path: Path) -> None:
    path.write_bytes(OTHER)


def change_unseen(path: Path) -> None:
    """Change the content and neither the size nor the time."""
    times = path.stat()
    path.write_bytes(OTHER)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def cut(path: Path) -> None:
    path.write_bytes(NWB[:1000])


def lose_record(path: Path) -> None:
    (path.parent / MANIFEST).unlink()


def tear_record(path: Path) -> None:
    manifest = path.parent / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:-10])


@pytest.mark.parametrize(
    ("meanwhile", "sha256", "requests"),
    [
        (touch, True, 1),  # its SHA-256 shows that it is the same
        (touch, False, 2),
        (change, True, 2),
        (change, False, 2),
        (cut, True, 2),
        (cut, False, 2),
        (Path.unlink, True, 2),
        (lose_record, True, 2),
        (tear_record, True, 2),
        (change_unseen, True, 1),  # that is for verify
    ],
)
def test_what_happened_to_a_file_meanwhile_tells_whether_it_is_fetched_again(
    server: ScriptedServer,
    tmp_path: Path,
    meanwhile: Callable[[Path], None],
    sha256: bool,
    requests: int,
) -> None:
    path = tmp_path / "a.nwb"
    with ArtifactClient(replace(server.settings, sha256=sha256)) as client:
        client.download(ROUTE, path)
        meanwhile(path)
        client.download(ROUTE, path)
        assert asked(server) == requests
        if meanwhile is not change_unseen:
            assert path.read_bytes() == NWB
        client.download(ROUTE, path)
        assert asked(server) == requests


def test_it_is_fetched_again_where_it_is_asked_for(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    client.download(ROUTE, tmp_path / "a.nwb")
    assert client.download(ROUTE, tmp_path / "a.nwb", refresh=True).source == "web application"
    assert asked(server) == 2


def test_another_file_of_the_same_name_is_fetched(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    client.download(ROUTE, tmp_path / "a.nwb")
    assert client.download(ROUTE + "&other", tmp_path / "a.nwb").source == "web application"
    assert client.download(ROUTE, tmp_path / "b.nwb").source == "web application"
    assert client.download(ROUTE, tmp_path / "a.nwb").source == "web application"
    assert asked(server) == 4


def test_a_file_of_another_size_than_lims_has_now_is_fetched_again(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    client.download(ROUTE, tmp_path / "a.nwb")
    client.download(Artifact(ROUTE, size=len(NWB)), tmp_path / "a.nwb")
    assert asked(server) == 1
    with pytest.raises(ArtifactCorruptError):
        client.download(Artifact(ROUTE, size=len(NWB) + 1), tmp_path / "a.nwb")
    assert asked(server) == 2


@pytest.mark.parametrize("setting", [True, False])
def test_a_given_sha256_is_compared(server: ScriptedServer, tmp_path: Path, setting: bool) -> None:
    with ArtifactClient(replace(server.settings, sha256=setting)) as client:
        report = client.download(ROUTE, tmp_path / "a.nwb", sha256=SHA256.upper())
        assert "SHA-256 that was given" in report.verified_by
        for given_again in (SHA256, SHA256.upper()):
            again = client.download(ROUTE, tmp_path / "a.nwb", sha256=given_again)
            assert again.source == "present"
        assert asked(server) == 1
        with pytest.raises(ArtifactCorruptError, match="SHA-256") as caught:
            client.download(ROUTE, tmp_path / "a.nwb", sha256="0" * 64)
    assert asked(server) == 3  # once more, for it may have been the way
    assert (caught.value.expected, caught.value.found) == ("0" * 64, SHA256)
    assert (tmp_path / "a.nwb").read_bytes() == NWB


def test_no_sha256_is_computed_if_it_is_not_wanted(server: ScriptedServer, tmp_path: Path) -> None:
    with ArtifactClient(replace(server.settings, sha256=False)) as client:
        assert client.download(ROUTE, tmp_path / "a.nwb").sha256 is None
        assert client.download(ROUTE, tmp_path / "a.nwb").source == "present"
    assert (found := Manifest(tmp_path).of("a.nwb"))
    assert found.sha256 is None


def test_a_report_tells_what_was_endured(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [
        ranged(cut=100_000), answer(503, b""), ranged(OTHER, '"two"', cut=50_000),
        ranged(OTHER, '"two"'),
    ]  # fmt: skip
    report = client.download(Artifact(ROUTE, size=len(NWB)), tmp_path / "a.nwb")
    assert report.path.read_bytes() == OTHER
    assert (report.attempts, report.restarts, report.resumed_from) == (4, 1, 0)
    assert report.received == 100_000 + len(OTHER)
    assert report.validator == '"two"'
    assert report.verified_by[-2:] == ("size in LIMS", "structure of HDF5")
    assert "4 requests" in str(report)


def test_a_report_is_usable_as_the_path(client: ArtifactClient, tmp_path: Path) -> None:
    report = client.download(ROUTE, tmp_path / "a.nwb")
    assert os.fspath(report) == str(tmp_path / "a.nwb")
    with open(report, "rb") as file:  # noqa: PTH123 - what a user does
        assert file.read() == NWB
    assert Path(report) == tmp_path / "a.nwb"


def test_a_file_that_nothing_can_verify_is_said_to_be_so(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [answer(body=b"1,2,3\n", length=-1)]
    for source in ("web application", "present"):
        report = client.download(ROUTE, tmp_path / "table.csv")
        assert (report.source, report.verified_by) == (source, ())
        assert report.ok
        assert not report.verified
        assert "not verified" in str(report)


def test_the_record_says_what_is_known(client: ArtifactClient, tmp_path: Path) -> None:
    client.download(ROUTE, tmp_path / "a.nwb")
    [line] = filter(None, (tmp_path / MANIFEST).read_text().splitlines())
    found = tmp_path / "a.nwb"
    assert json.loads(line) | {"at": ""} == {
        "name": "a.nwb", "url": client.url_of(ROUTE), "size": len(NWB), "sha256": SHA256,
        "mtime_ns": found.stat().st_mtime_ns, "etag": None, "at": "",
        "verified_by": ["Content-Length", "structure of HDF5"],
    }  # fmt: skip
    assert json.loads(line)["at"].endswith("+00:00")


def test_a_failure_is_not_on_record(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [answer(200, b"<html>")]
    with pytest.raises(ArtifactCorruptError):
        client.download(ROUTE, tmp_path / "a.nwb")
    assert not (tmp_path / MANIFEST).exists()
    assert visible(tmp_path) == []


def test_a_record_that_can_not_be_written_is_a_storage_error(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(ArtifactStorageError):
        client.download(ROUTE, tmp_path / "a.nwb")
    [report] = client.download_many({ROUTE: tmp_path / "a.nwb"})
    assert isinstance(report.error, ArtifactStorageError)
    assert not (tmp_path / "a.nwb").exists()
    with pytest.raises(ArtifactStorageError):
        verify(tmp_path / "a.nwb")
