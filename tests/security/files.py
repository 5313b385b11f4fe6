"""The ways to have a file, synchronous and asynchronous, which every attack is tried with."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecephys_dal import ArtifactClient, ArtifactSettings, AsyncArtifactClient

Form = Callable[[ArtifactSettings, str, Path], bytes]


def streamed(settings: ArtifactSettings, wanted: str, folder: Path) -> bytes:
    with ArtifactClient(settings) as client:
        return b"".join(client.stream(wanted))


def downloaded(settings: ArtifactSettings, wanted: str, folder: Path) -> bytes:
    with ArtifactClient(settings) as client:
        return client.download(wanted, folder / "got").path.read_bytes()


def opened(settings: ArtifactSettings, wanted: str, folder: Path) -> bytes:
    with ArtifactClient(settings) as client, client.open_artifact(wanted) as file:
        return file.read()


def awaited(settings: ArtifactSettings, wanted: str, folder: Path) -> bytes:
    async def main() -> bytes:
        async with AsyncArtifactClient(settings) as client:
            return await client.stream(wanted)

    return asyncio.run(main())


def downloaded_meanwhile(settings: ArtifactSettings, wanted: str, folder: Path) -> bytes:
    async def main() -> bytes:
        async with AsyncArtifactClient(settings) as client:
            [report] = await client.download_many({wanted: folder / "got"})
            if report.error is not None:
                raise report.error
            return report.path.read_bytes()

    return asyncio.run(main())


FORMS: list[Form] = [streamed, downloaded, opened, awaited, downloaded_meanwhile]
each_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file belong to another user; who is not root can only let it look so."""
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534, follow_symlinks=False)
        return
    # Kept open, so that no other file gets its number; also a link itself.
    os.open(path, getattr(os, "O_PATH", getattr(os, "O_SYMLINK", 0)) | getattr(os, "O_NOFOLLOW", 0))
    given, other = path.lstat().st_ino, os.geteuid() + 1

    def as_anothers(look: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def looked(*arguments: Any, **named: Any) -> os.stat_result:
            found = look(*arguments, **named)
            if found.st_ino != given:
                return found
            more = {name: getattr(found, name) for name in dir(found) if name.startswith("st_")}
            return os.stat_result((*found[:4], other, *found[5:10]), more)

        return looked

    for name in ("lstat", "fstat"):
        monkeypatch.setattr(os, name, as_anothers(getattr(os, name)))
