"""A row of LIMS, or somebody else's snapshot, tries to have a file of this machine read."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from ecephys_dal import (
    Artifact,
    ArtifactClient,
    ArtifactNotFoundError,
    ArtifactSettings,
    EcephysProjectLimsApi,
    snapshot,
)
from ecephys_dal.artifacts import AsyncArtifactClient
from ecephys_dal.artifacts.mounts import Mounts
from ecephys_dal.cli.program import run
from ecephys_dal.testing import SyntheticLims
from tests.artifacts.conftest import NWB, ROUTE, ScriptedServer, answer, ranged

from .files import Form, each_form

SECRET = b"LIMS_PASSWORD=s3cret " * 10_000
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of this machine that is nobody else's affair."""
    path = tmp_path / "home" / "id_rsa"
    path.parent.mkdir()
    path.write_bytes(SECRET)
    path.chmod(0o600)
    return path


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """The institute's file system, and a file on it."""
    folder = tmp_path / "mnt" / "programs"
    folder.mkdir(parents=True)
    (folder / "a.dat").write_bytes(b"of the institute")
    return folder.parent


def row(path: Path | str, directory: str | None = None, **columns: Any) -> Artifact:
    """Return the file that a row tells of: by the folder and the name of a path, or otherwise."""
    directory = f"{Path(path).parent}/" if directory is None else directory
    columns = {"id": 7, "filename": Path(path).name, **columns}
    return Artifact(ROUTE, storage_directory=directory, **columns)


def refused(settings: ArtifactSettings, wanted: Artifact) -> None:
    with ArtifactClient(settings) as client, pytest.raises(ArtifactNotFoundError):
        client.path_of(wanted)
    with AsyncArtifactClient(settings) as client, pytest.raises(ArtifactNotFoundError):
        client.path_of(wanted)


@each_form
def test_no_file_of_this_machine_is_opened_by_default(
    server: ScriptedServer, secret: Path, tmp_path: Path, form: Form
) -> None:
    server.script = [ranged()]
    assert form(server.settings, row(secret), tmp_path) == NWB
    refused(server.settings, row(secret))


@pytest.mark.parametrize("mounts", [{}, "", None, {"/allen": "/nowhere"}, {"/": "/nowhere"}])
@pytest.mark.parametrize("place", ["/{}", "//{}", "/.//{}", "/./{}"])
def test_only_what_is_below_a_given_prefix_is_read(
    server: ScriptedServer, secret: Path, mounts: Any, place: str
) -> None:
    settings = replace(server.settings, mounts=mounts)
    refused(settings, row(secret, place.format(str(secret.parent).lstrip("/"))))


def link_to_file(secret: Path, mounted: Path) -> Artifact:
    (mounted / "programs" / "b.dat").symlink_to(secret)
    return row("b.dat", "/allen/programs/")


def link_by_steps(secret: Path, mounted: Path) -> Artifact:
    (mounted / "programs" / "b.dat").symlink_to("../c.dat")
    (mounted / "c.dat").symlink_to("../home/id_rsa")
    return row("b.dat", "/allen/programs/")


def link_to_folder(secret: Path, mounted: Path) -> Artifact:
    (mounted / "programs" / "home").symlink_to(secret.parent, target_is_directory=True)
    return row(secret.name, "/allen/programs/home/")


def sibling(secret: Path, mounted: Path) -> Artifact:
    """A folder whose name begins as the mounted one's."""
    shutil.move(secret.parent, f"{mounted}2")
    (mounted / "2").symlink_to(f"{mounted}2")
    return row(secret.name, "/allen/2/")


def climbing(secret: Path, mounted: Path) -> Artifact:
    return row(secret.name, "/allen/programs/../../home/")


def climbing_name(secret: Path, mounted: Path) -> Artifact:
    return row("", "/allen/programs", filename="../../home/id_rsa")


def absolute_name(secret: Path, mounted: Path) -> Artifact:
    return row("", "/allen", filename=str(secret))


def other_case(secret: Path, mounted: Path) -> Artifact:
    return row(secret.name, str(secret.parent).upper())


def pipe(secret: Path, mounted: Path) -> Artifact:
    os.mkfifo(mounted / "b.dat")
    return row("b.dat", "/allen/")


def folder(secret: Path, mounted: Path) -> Artifact:
    return row("programs", "/allen/")


WAYS_OUT = [
    link_to_file, link_by_steps, link_to_folder, sibling, climbing, climbing_name, absolute_name,
    other_case, pipe, folder,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS_OUT, ids=lambda way: way.__name__)
def test_no_way_leads_out_of_a_prefix(
    server: ScriptedServer,
    secret: Path,
    mounted: Path,
    tmp_path: Path,
    way: Callable[[Path, Path], Artifact],
) -> None:
    server.script = [ranged()]
    settings = replace(server.settings, mounts={"/allen": str(mounted)})
    wanted = way(secret, mounted)
    refused(settings, wanted)
    with ArtifactClient(settings) as client:
        assert b"".join(client.stream(wanted)) == NWB
        assert client.download(wanted, tmp_path / "got").source == "web application"


@on_linux
@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/environ", "/proc/self/./environ", "/proc/self/mem", "/proc/1/cmdline",
        "/proc/self/root/proc/self/environ", "/proc/thread-self/environ", "/sys/kernel/mm/ksm/run",
        "/dev/zero", "/dev/null", "/dev/stdin", "/dev/fd/0",
    ],
)  # fmt: skip
def test_files_of_the_system_are_never_read_although_all_is_mounted(
    server: ScriptedServer, path: str
) -> None:
    refused(replace(server.settings, mounts={"/": "/"}), row(path))


@on_linux
@pytest.mark.parametrize("path", ["/proc/self/environ", "/proc/self/status", "/sys/kernel/notes"])
def test_nor_where_they_are_mounted_under_another_name(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecephys_dal.safe_open._NO_FILES", ())
    with pytest.raises(PermissionError, match="system's own"):
        Mounts.of({"/": "/"}).opened(str(Path(path).parent), Path(path).name)


def test_a_link_below_the_prefix_that_leads_to_nothing_else_is_followed(
    server: ScriptedServer, mounted: Path
) -> None:
    (mounted / "b").symlink_to("programs")
    (mounted / "programs" / "c.dat").symlink_to("a.dat")
    settings = replace(server.settings, mounts={"/allen": str(mounted)})
    with ArtifactClient(settings) as client:
        wanted = row("c.dat", "/allen/b/")
        assert b"".join(client.stream(wanted)) == b"of the institute"
        assert client.path_of(wanted) == (mounted / "programs" / "a.dat").resolve()


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_becomes_a_link_between_the_look_and_the_opening_is_not_followed(
    secret: Path, mounted: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    path, resolve = mounted / "programs" / "a.dat", os.path.realpath
    (secret.parent / "a.dat").write_bytes(SECRET)

    def resolve_and_be_late(given: Any, **how: Any) -> str:
        found = resolve(given, **how)
        if Path(given) == path and not path.is_symlink() and not path.parent.is_symlink():
            taken, place = (path.parent, secret.parent) if what == "folder" else (path, secret)
            taken.rename(taken.with_name("away"))
            taken.symlink_to(place)
        return found

    monkeypatch.setattr("os.path.realpath", resolve_and_be_late)
    with pytest.raises(OSError, match=r"(?i)link|not a directory|no regular file"):
        Mounts.of({"/allen": str(mounted)}).opened("/allen/programs", "a.dat")


@pytest.fixture
def strangers(
    filled: Callable[[str], tuple[str, SyntheticLims]], secret: Path, tmp_path: Path
) -> tuple[Path, int]:
    """A snapshot whose records tell of a file of this machine, and the id of a session."""
    url, ids = filled("sqlite")
    shutil.copy(url.removeprefix("sqlite:///"), tmp_path / "lims.db")
    engine = create_engine(f"sqlite:///{tmp_path}/lims.db")
    with engine.begin() as connection:
        told = {"folder": f"{secret.parent}/", "name": secret.name}
        connection.execute(
            text(
                "UPDATE well_known_files SET storage_directory=:folder, filename=:name, size=NULL"
            ),
            told,
        )
    engine.dispose()
    path = tmp_path / "strangers.db"
    snapshot.create(f"sqlite:///{tmp_path}/lims.db", path, progress=False)
    return path, ids.session_ids[0]


def holds_the_secret(folder: Path) -> bool:
    return any(one.is_file() and SECRET in one.read_bytes() for one in folder.rglob("*"))


def test_a_strangers_snapshot_copies_nothing_of_this_machine(
    server: ScriptedServer,
    strangers: tuple[Path, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.script = [answer(404, b"")]
    path, session_id = strangers
    with ArtifactClient(server.settings) as client:
        assert not any(report.ok for report in snapshot.fetch(path, client))
        with (
            closing(EcephysProjectLimsApi.from_snapshot(path, artifacts=client)) as api,
            pytest.raises(ArtifactNotFoundError),
        ):
            list(api.get_session_data(session_id))
    # The variable is meant for LIMS, and not for what anybody may have sent.
    monkeypatch.setenv("ECEPHYS_DAL_MOUNTS", "/=/")
    monkeypatch.setenv("ECEPHYS_DAL_DATABASE", str(path))
    app, into = ("--app", server.host), ("--output-dir", str(tmp_path / "got"))
    assert run(["snapshot", "fetch", str(path), *app]) != 0
    assert run(["download", "session", str(session_id), *app, *into]) != 0
    assert not holds_the_secret(tmp_path / "strangers.db.artifacts")
    assert not holds_the_secret(tmp_path / "got")
    # Who names them for this very snapshot has its files.
    run(["snapshot", "fetch", str(path), *app, "--mounts", f"{tmp_path}={tmp_path}"])
    assert holds_the_secret(tmp_path / "strangers.db.artifacts")
