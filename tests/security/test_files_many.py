"""One hostile file among many: that is its own error, and the others arrive."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecephys_dal import (
    Artifact,
    ArtifactClient,
    ArtifactError,
    ArtifactSettings,
    AsyncArtifactClient,
    DownloadReport,
)
from ecephys_dal.artifacts import locate
from ecephys_dal.models import WellKnownFile
from tests.artifacts.conftest import NWB, ScriptedServer, by_path, ranged

Fetch = Callable[[ArtifactSettings, list[Artifact], Path], list[DownloadReport]]


def fetched(
    settings: ArtifactSettings, wanted: list[Artifact], folder: Path
) -> list[DownloadReport]:
    with ArtifactClient(settings) as client:
        return client.download_many(wanted, folder)


def fetched_meanwhile(
    settings: ArtifactSettings, wanted: list[Artifact], folder: Path
) -> list[DownloadReport]:
    async def main() -> list[DownloadReport]:
        async with AsyncArtifactClient(settings) as client:
            return await client.download_many(wanted, folder)

    return asyncio.run(main())


both = pytest.mark.parametrize("fetch", [fetched, fetched_meanwhile], ids=lambda one: one.__name__)

NAMES = {
    "NUL": "a\0.nwb",
    "a name of NUL": "\0",
    "half a surrogate pair": "a\ud800.nwb",
    "300 characters": "a" * 300 + ".nwb",
    "a huge name": "a" * 100_000,
    "climbs": "../../a.nwb",
    "is the folder above": "..",
    "is the folder": ".",
    "absolute": "/etc/a.nwb",
    "a newline": "a\n.nwb",
    "control characters": "\x1b]0;a\x07.nwb",
    "backslashes": "..\\..\\a.nwb",
    "a device of Windows": "CON",
    "ends with a slash": "a/",
    "only slashes": "///",
    "blank": " ",
}


def npy(shape: str, descr: str = "'<f8'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


def tiff(*directories: bytes, first: int = 8) -> bytes:
    return b"II*\0" + struct.pack("<I", first) + b"".join(directories)


def directory(tag: int, kind: int, n: int, value: int, following: int) -> bytes:
    return struct.pack("<HHHIII", 1, tag, kind, n, value, following)


ENDLESS = b"".join(directory(254, 4, 1, 0, 8 + 18 * (n + 1)) for n in range(70_000))
CONTENTS = {
    "a shape of 10^5000.npy": npy(f"({'1' + '0' * 5000},)"),
    "a shape of 10^4000 twice.npy": npy(f"({'1' + '0' * 4000}, {'1' + '0' * 4000})"),
    "a shape of 500 axes.npy": npy(f"({', '.join(['9' * 18] * 480)},)"),
    "a type of many bytes.npy": npy("(9,)", "('<f8', (2147483647, 2147483647))"),
    "a deep type.npy": npy("(1,)", "[('a', " * 900 + "'<f8'" + ")]" * 900),
    "a deep header.npy": npy("(" * 4000 + ")" * 4000),
    "a negative shape.npy": npy("(-1,)"),
    "endless directories.tiff": tiff(ENDLESS, first=8),
    "directories in a circle.tiff": tiff(directory(254, 4, 1, 0, 8)),
    "a directory beyond.tiff": tiff(directory(273, 4, 2**32 - 1, 2**32 - 1, 2**32 - 1)),
    "a tree of directories.tiff": tiff(
        directory(330, 4, 2**20, 8, 0) + struct.pack("<I", 8) * 2**20
    ),
}


def among_others(
    server: ScriptedServer,
    folder: Path,
    fetch: Fetch,
    name: str | None,
    content: bytes,
    number: Any = 3,
) -> DownloadReport:
    """Fetch a hostile file between two others, which arrive; return its report."""
    good = [Artifact(f"files/{number}", id=number, filename="a.nwb") for number in (1, 2)]
    bad = Artifact("files/3", id=number, filename=name)
    server.script = [
        by_path({"files/1": ranged(), "files/2": ranged(), "files/3": ranged(content)})
    ]
    one, report, other = fetch(server.settings, [good[0], bad, good[1]], folder)
    for arrived in (one, other):
        assert arrived.ok
        assert arrived.path.read_bytes() == NWB
    return report


@both
@pytest.mark.in_turn("name", "fetch")
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_hostile_name_is_the_error_of_its_file(
    server: ScriptedServer, tmp_path: Path, name: str, fetch: Fetch
) -> None:
    folder = tmp_path / "of" / "many"
    report = among_others(server, folder, fetch, name, NWB)
    if report.error is None:  # it has a place of its own in the folder
        assert report.path.parent == folder
        assert report.path.read_bytes() == NWB
    else:
        assert isinstance(report.error, ArtifactError)
        assert report.error.url.endswith("files/3")
        assert len(str(report.error)) < 1000 + 2 * len(name)
    outside = [one for one in tmp_path.rglob("*") if not one.is_relative_to(tmp_path / "of")]
    assert outside == []
    assert len([one for one in folder.iterdir() if not one.name.startswith(".")]) in (2, 3)


@both
def test_a_row_without_a_name_keeps_back_no_other(
    server: ScriptedServer, tmp_path: Path, fetch: Fetch
) -> None:
    for name in (None, ""):
        report = among_others(server, tmp_path, fetch, name, NWB)
        assert report.path == tmp_path / "3"


@both
@pytest.mark.parametrize("number", ["../../.bash", "/etc/x", "..", "", b"x", 1.5, "\0"])
def test_what_is_no_number_is_no_path(
    server: ScriptedServer, tmp_path: Path, number: Any, fetch: Fetch
) -> None:
    """SQLite stores text in a column of numbers, and a snapshot may be anybody's."""
    folder = tmp_path / "of" / "many"
    report = among_others(server, folder, fetch, "profile", NWB, number)
    assert report.path == folder / "?_profile"
    assert not list(tmp_path.glob("*.bash*"))


@pytest.mark.parametrize("field", ["filename", "storage_directory", "size"])
def test_what_is_no_text_or_number_is_not_there(field: str) -> None:
    for value in (b"\xff", 1.5, [], "x" if field == "size" else 5):
        artifact = locate(WellKnownFile(id=7, **{field: value}))
        assert getattr(artifact, field) is None


@both
@pytest.mark.in_turn("name", "fetch")
@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.sample(5)
def test_a_hostile_content_is_the_error_of_its_file(
    server: ScriptedServer, tmp_path: Path, name: str, fetch: Fetch
) -> None:
    report = among_others(server, tmp_path, fetch, name, CONTENTS[name])
    assert report.seconds < 5
    assert report.ok or isinstance(report.error, ArtifactError)
    if name.startswith("a shape"):
        assert not report.ok
        assert len(str(report.error)) < 1000
