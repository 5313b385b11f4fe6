"""The contestants of this package; each does what a user does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ecephys_dal import ArtifactClient, ArtifactSettings, AsyncArtifactClient
from ecephys_dal.artifacts import Artifact

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.downloads.task import Task


def download(task: Task) -> None:
    """Download a file."""
    with ArtifactClient(_settings(task)) as client:
        client.download(_artifacts(task)[0], task.paths[0])


def download_unknown(task: Task) -> None:
    """Download a file of which neither the size nor the format is known."""
    with ArtifactClient(_settings(task)) as client:
        client.download(task.routes[0], task.paths[0].with_suffix(".bin"))


def download_async(task: Task) -> None:
    """Download a file, awaited."""

    async def run() -> None:
        with AsyncArtifactClient(_settings(task)) as client:
            await client.download(_artifacts(task)[0], task.paths[0])

    asyncio.run(run())


def write_bytes(task: Task) -> None:
    """Write a stream to a file, as AllenSDK's cache does."""
    with ArtifactClient(_settings(task)) as client:
        client.write_bytes(task.paths[0], client.stream(_artifacts(task)[0]))


def write_pieces(task: Task) -> None:
    """Write a stream to a file piece by piece, of which the writer knows no more than the bytes."""
    with ArtifactClient(_settings(task)) as client:
        client.write_bytes(task.paths[0], iter(client.stream(_artifacts(task)[0])))


def stream(task: Task) -> None:
    """Iterate over a stream, and throw it away."""
    with ArtifactClient(_settings(task)) as client:
        for _ in client.stream(_artifacts(task)[0]):
            pass


def stream_async(task: Task) -> None:
    """Iterate over a stream by ``async for``, and throw it away."""

    async def run() -> None:
        with AsyncArtifactClient(_settings(task)) as client:
            async for _ in client.stream(_artifacts(task)[0]):
                pass

    asyncio.run(run())


def download_many(task: Task) -> None:
    """Download several files at once."""
    with ArtifactClient(_settings(task, max_parallel=len(task.numbers))) as client:
        _raise_first(client.download_many(_wanted(task)))


def download_many_async(task: Task) -> None:
    """Download several files at once, awaited."""

    async def run() -> None:
        settings = _settings(task, max_parallel=len(task.numbers))
        with AsyncArtifactClient(settings) as client:
            _raise_first(await client.download_many(_wanted(task)))

    asyncio.run(run())


def _settings(task: Task, **more: Any) -> ArtifactSettings:
    return ArtifactSettings(host=task.host, **task.settings, **more)


def _artifacts(task: Task) -> list[Artifact]:
    return [
        Artifact(route, id=number, filename="session.nwb", size=task.size)
        for number, route in zip(task.numbers, task.routes, strict=True)
    ]


def _wanted(task: Task) -> dict[str, str | Path]:
    return dict(zip(_artifacts(task), task.paths, strict=True))


def _raise_first(reports: list[Any]) -> None:
    for report in reports:
        if report.error is not None:
            raise report.error
