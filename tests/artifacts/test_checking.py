"""A file that is on disk is compared with what was recorded of it, and with its format."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from ecephys_dal import (
    Artifact,
    ArtifactClient,
    ArtifactCorruptError,
    ArtifactStorageError,
    verify,
)
from ecephys_dal.artifacts.manifest import MANIFEST
from tests.artifacts.conftest import ETAG, NWB, ROUTE, ScriptedServer, ranged

SHA256 = hashlib.sha256(NWB).hexdigest()


@pytest.fixture
def fetched(client: ArtifactClient, server: ScriptedServer, tmp_path: Path) -> Path:
    server.script = [ranged()]
    return client.download(Artifact(ROUTE, filename="b.nwb"), tmp_path / "a.nwb").path


def flip(path: Path, at: int = 300_000) -> None:
    """Flip a bit, and leave the times as they are."""
    times, content = path.stat(), bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("form", [str, Path])
def test_a_file_that_is_as_it_was_is_verified(
    client: ArtifactClient, fetched: Path, form: type
) -> None:
    report = verify(form(fetched))
    assert report.verified_by[0].startswith("SHA-256 of 2")
    assert report.verified_by[1:] == ("recorded size", "structure of HDF5")
    assert (report.size, report.sha256, report.validator) == (len(NWB), SHA256, ETAG)
    assert (report.path, report.url, report.source) == (fetched, client.url_of(ROUTE), "present")
    assert report.verified
    os.utime(fetched, ns=(1, 1))
    assert verify(fetched).verified


def test_a_relative_path_is_found(fetched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fetched.parent)
    assert len(verify("a.nwb").verified_by) == 3


def test_a_flipped_bit_is_found(fetched: Path) -> None:
    flip(fetched)
    with pytest.raises(ArtifactCorruptError, match=r"SHA-256, since 2\d\d\d-") as caught:
        verify(fetched)
    assert caught.value.expected == SHA256
    assert caught.value.found == hashlib.sha256(fetched.read_bytes()).hexdigest()


@pytest.mark.parametrize("size", [0, 7, 1000, len(NWB) - 1, len(NWB) + 1])
def test_another_size_is_found(fetched: Path, size: int) -> None:
    fetched.write_bytes((NWB + b"!")[:size])
    with pytest.raises(ArtifactCorruptError, match="number of bytes") as caught:
        verify(fetched)
    assert (caught.value.expected, caught.value.found) == (len(NWB), size)


def test_without_a_sha256_what_was_recorded_is_the_size(
    server: ScriptedServer, tmp_path: Path
) -> None:
    with ArtifactClient(replace(server.settings, sha256=False)) as client:
        path = client.download(ROUTE, tmp_path / "a.nwb").path
    report = verify(path)
    assert report.verified_by == ("recorded size", "structure of HDF5")
    assert report.sha256 == SHA256
    flip(path)  # which nothing can find now
    assert verify(path).verified


def test_without_a_record_the_format_tells(fetched: Path) -> None:
    (fetched.parent / MANIFEST).unlink()
    report = verify(fetched)
    assert (report.verified_by, report.url) == (("structure of HDF5",), "")
    flip(fetched)
    assert verify(fetched).verified
    for wrong in (NWB[:-1], b"<html>" + NWB, b"", NWB[:4]):
        fetched.write_bytes(wrong)
        with pytest.raises(ArtifactCorruptError):
            verify(fetched)


def test_of_an_unknown_format_without_a_record_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"1,2,3\n")
    report = verify(tmp_path / "table.csv")
    assert report.verified_by == ()
    assert report.ok
    assert not report.verified


def test_of_an_unknown_format_the_record_tells(client: ArtifactClient, tmp_path: Path) -> None:
    path = client.download(ROUTE, tmp_path / "table.dat").path
    assert verify(path).verified_by[1:] == ("recorded size",)
    flip(path)
    with pytest.raises(ArtifactCorruptError):
        verify(path)


def test_the_record_is_of_the_name(fetched: Path) -> None:
    other = fetched.with_name("c.nwb")
    other.write_bytes(NWB)
    assert verify(other).verified_by == ("structure of HDF5",)


def test_what_can_not_be_read_is_a_storage_error_that_says_so(tmp_path: Path) -> None:
    for path in (tmp_path / "a.nwb", tmp_path, tmp_path / "no" / "folder" / "a.nwb"):
        with pytest.raises(ArtifactStorageError, match="can't be read") as caught:
            verify(path)
        assert isinstance(caught.value, OSError)
        assert str(path) in str(caught.value)
        assert "make space" not in str(caught.value)


def test_the_file_stays_as_it_is(fetched: Path) -> None:
    before = fetched.stat()
    flip(fetched)
    with pytest.raises(ArtifactCorruptError):
        verify(fetched)
    assert fetched.exists()
    assert fetched.stat().st_mtime_ns == before.st_mtime_ns
