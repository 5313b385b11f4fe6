"""The ways to have a file, synchronous and asynchronous, which every attack is tried with."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ecephys_dal import ArtifactClient, ArtifactSettings, AsyncArtifactClient, safe_open

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
    """Let a file belong to another user; who is not root becomes that other user themselves."""
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    else:
        other = os.geteuid() + 1
        new_file_like = safe_open._new_file_like

        def of_another(folder: Path, mode: int) -> os.stat_result:
            found = new_file_like(folder, mode)
            return os.stat_result((*found[:4], other, *found[5:]))

        monkeypatch.setattr(safe_open, "_new_file_like", of_another)
        monkeypatch.setattr("os.geteuid", lambda: other)
