"""A file that is mounted is read from there if it is right there, else fetched."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ecephys_dal import (
    Artifact,
    ArtifactClient,
    ArtifactNotFoundError,
    ArtifactTransferError,
)
from tests.artifacts.conftest import NWB, ROUTE, ScriptedServer, answer, ranged, visible

OTHER = bytes([*NWB[:-1], NWB[-1] ^ 1])  # of the same size and format


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """Mount the file, with another content than the server's so that they can be told apart."""
    path = tmp_path / "mnt" / "programs" / "a b" / "a.nwb"
    path.parent.mkdir(parents=True)
    path.write_bytes(OTHER)
    return path


def artifact(**columns: Any) -> Artifact:
    known = {"storage_directory": "/allen/programs/a b/", "filename": "a.nwb", "size": len(NWB)}
    return Artifact(ROUTE, id=7, **(known | columns))


@pytest.fixture
def client(server: ScriptedServer, tmp_path: Path) -> Iterator[ArtifactClient]:
    server.script = [ranged()]
    with ArtifactClient(replace(server.settings, mounts={"/allen": f"{tmp_path}/mnt"})) as made:
        yield made


def streamed(client: ArtifactClient, wanted: Artifact, folder: Path) -> bytes:
    return b"".join(client.stream(wanted))


def downloaded(client: ArtifactClient, wanted: Artifact, folder: Path) -> bytes:
    return client.download(wanted, folder / "target.nwb", refresh=True).path.read_bytes()


def opened(client: ArtifactClient, wanted: Artifact, folder: Path) -> bytes:
    with client.open_artifact(wanted) as file:
        return file.read()


FORMS = [streamed, downloaded, opened]
Form = Callable[[ArtifactClient, Artifact, Path], bytes]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("directory", ["/allen/programs/a b", "//allen/programs/a b/"])
def test_a_mounted_file_is_read_from_there(
    client: ArtifactClient,
    server: ScriptedServer,
    mounted: Path,
    tmp_path: Path,
    form: Form,
    directory: str,
) -> None:
    wanted = artifact(storage_directory=directory)
    assert form(client, wanted, tmp_path) == OTHER
    assert client.path_of(wanted) == mounted
    assert client.reachable([wanted]) == [True]
    assert server.seen == []


def test_a_mounted_file_is_copied_and_stays_as_it_is(
    client: ArtifactClient, mounted: Path, tmp_path: Path
) -> None:
    mounted.chmod(0o444)
    before = os.umask(0o022)
    try:
        report = client.download(artifact(), tmp_path / "new" / "b.nwb")
    finally:
        os.umask(before)
    assert (report.source, report.attempts, report.received) == ("file system", 0, 0)
    assert report.url == client.url_of(ROUTE)
    assert report.verified_by == ("structure of HDF5", "size in LIMS")
    assert report.sha256 == hashlib.sha256(OTHER).hexdigest()
    assert (report.size, report.validator) == (len(OTHER), None)
    assert not report.path.samefile(mounted)
    assert report.path.stat().st_mode & 0o777 == 0o644
    assert visible(report.path.parent) == ["b.nwb"]
    assert mounted.read_bytes() == OTHER
    assert client.download(artifact(), report.path).source == "present"


def test_mounts_may_be_text(server: ScriptedServer, mounted: Path, tmp_path: Path) -> None:
    settings = replace(server.settings, mounts=f"/other=/x; /allen/programs={mounted.parents[1]}")
    with ArtifactClient(settings) as client:
        assert streamed(client, artifact(), tmp_path) == OTHER


def test_mounts_may_say_that_paths_are_as_lims_has_them(
    server: ScriptedServer, mounted: Path, tmp_path: Path
) -> None:
    wanted, place = artifact(storage_directory=str(mounted.parent)), str(tmp_path)
    with ArtifactClient(replace(server.settings, mounts={place: place})) as client:
        assert client.path_of(wanted) == mounted
        assert streamed(client, wanted, tmp_path) == OTHER


@pytest.mark.parametrize("form", FORMS)
def test_no_file_system_is_looked_at_if_it_is_not_wanted(
    server: ScriptedServer, mounted: Path, tmp_path: Path, form: Form
) -> None:
    server.script = [ranged()]
    wanted = artifact(storage_directory=str(mounted.parent))
    with ArtifactClient(replace(server.settings, mounts=None)) as client:
        assert form(client, wanted, tmp_path) == NWB
        with pytest.raises(ArtifactNotFoundError, match="mounts=None"):
            client.path_of(wanted)


def longer(path: Path) -> None:
    path.write_bytes(NWB + b"!")


def shorter(path: Path) -> None:
    path.write_bytes(NWB[:-1])


def another_format(path: Path) -> None:
    path.write_bytes(b"<html>" + NWB[6:])


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def no_folder(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()
    path.parent.write_bytes(b"")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


WRONG = [longer, shorter, another_format, folder, dangling, circle, no_folder, pipe, Path.unlink]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_right_there_is_fetched(
    client: ArtifactClient,
    server: ScriptedServer,
    mounted: Path,
    tmp_path: Path,
    wrong: Callable[[Path], None],
    form: Form,
) -> None:
    wrong(mounted)
    assert form(client, artifact(), tmp_path) == NWB
    assert server.seen
    with pytest.raises(ArtifactNotFoundError, match=r"not visible as .*a\.nwb.*/allen") as caught:
        client.path_of(artifact())
    assert caught.value.url == client.url_of(ROUTE)
    server.script = [answer(404, b"")]
    assert client.reachable([artifact()]) == [False]


def test_what_is_no_file_is_not_waited_for(
    client: ArtifactClient, mounted: Path, tmp_path: Path
) -> None:
    pipe(mounted)
    assert streamed(client, artifact(size=None), tmp_path) == NWB


@pytest.mark.parametrize(
    "columns",
    [
        {"storage_directory": None}, {"filename": None}, {"storage_directory": "programs/a b"},
        {"filename": "../../x/a.nwb"}, {"filename": "x" * 300}, {"filename": "a\0.nwb"},
        {"storage_directory": "/allen/../allen/programs/a b"},
    ],
)  # fmt: skip
def test_a_place_that_is_none_is_not_looked_at(
    client: ArtifactClient, mounted: Path, tmp_path: Path, columns: dict[str, Any]
) -> None:
    wanted = artifact(**columns)
    assert streamed(client, wanted, tmp_path) == NWB
    assert downloaded(client, wanted, tmp_path) == NWB
    with pytest.raises(ArtifactNotFoundError):
        client.path_of(wanted)


def test_the_size_or_the_format_suffices(client: ArtifactClient, mounted: Path) -> None:
    table = mounted.with_name("table.csv")
    table.write_bytes(b"1,2,3\n")
    assert client.path_of(artifact(size=None)) == mounted
    assert client.path_of(artifact(filename="table.csv", size=6)) == table
    with pytest.raises(ArtifactNotFoundError):
        client.path_of(artifact(filename="table.csv", size=7))


def test_a_file_of_which_nothing_is_known_is_copied_and_said_to_be_unverified(
    client: ArtifactClient, mounted: Path, tmp_path: Path
) -> None:
    mounted.with_name("table.csv").write_bytes(b"1,2,3\n")
    report = client.download(artifact(filename="table.csv", size=None), tmp_path / "table.csv")
    assert (report.source, report.verified_by) == ("file system", ())
    assert not report.verified


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user who may not read everything, as root may."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("locked", ["file", "folder"])
def test_a_file_that_may_not_be_read_is_fetched(
    client: ArtifactClient, mounted: Path, tmp_path: Path, locked: str
) -> None:
    for above in [*mounted.parents][:-2]:
        if above.is_relative_to(tmp_path.parents[1]):
            above.chmod(0o755)
    (mounted if locked == "file" else mounted.parent).chmod(0)
    with nobody():
        assert streamed(client, artifact(), tmp_path) == NWB
    mounted.parent.chmod(0o755)  # to be cleared away


class _Broken(io.FileIO):
    """A file on a disk that fails."""

    def read(self, _: int | None = -1, /) -> bytes:
        raise OSError(errno.EIO, "Input/output error")


def test_an_error_while_it_is_read_is_told_by_a_stream_and_circumvented_by_a_download(
    client: ArtifactClient,
    server: ScriptedServer,
    mounted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "open_local", lambda _: _Broken(mounted))
    with pytest.raises(ArtifactTransferError, match=r"a\.nwb.*Input.*mounts=None") as caught:
        list(client.stream(artifact()))
    assert caught.value.url == client.url_of(ROUTE)
    assert server.seen == []
    report = client.download(artifact(), tmp_path / "a.nwb")
    assert (report.source, report.path.read_bytes()) == ("web application", NWB)


@pytest.mark.parametrize("size", [0, 200_000, len(NWB) + 100])
def test_a_file_that_changes_its_size_while_it_is_read_is_not_taken_for_whole(
    client: ArtifactClient, mounted: Path, size: int
) -> None:
    pieces = iter(client.stream(artifact()))
    received = next(pieces)
    with mounted.open("r+b") as file:
        file.truncate(size)
    with pytest.raises(ArtifactTransferError, match="can't be read on"):
        for piece in pieces:
            received += piece
    assert OTHER.startswith(received[: len(OTHER)])


@pytest.mark.parametrize("filename", ["a.nwb", "a.dat"])
def test_a_copy_whose_given_sha256_differs_is_not_taken(
    client: ArtifactClient, server: ScriptedServer, mounted: Path, tmp_path: Path, filename: str
) -> None:
    mounted.rename(mounted.with_name(filename))
    wanted = artifact(filename=filename)
    for content, source in ((OTHER, "file system"), (NWB, "web application")):
        sha256 = hashlib.sha256(content).hexdigest()
        report = client.download(wanted, tmp_path / "b.nwb", sha256=sha256)
        assert (report.source, report.path.read_bytes()) == (source, content)
    assert len(server.seen) == 1


def test_a_page_in_the_place_of_a_file_of_no_format_is_not_copied(
    client: ArtifactClient, mounted: Path, tmp_path: Path
) -> None:
    mounted.with_name("a.dat").write_bytes(b"<html>The share is down</html>")
    report = client.download(artifact(filename="a.dat", size=None), tmp_path / "a.dat")
    assert (report.source, report.path.read_bytes()) == ("web application", NWB)
