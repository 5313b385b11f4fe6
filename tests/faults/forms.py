"""The forms in which a file is fetched: to a file or as a stream, blocking or asynchronous."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecephys_dal import (
    ArtifactClient,
    ArtifactSettings,
    AsyncArtifactClient,
    DownloadReport,
)
from ecephys_dal.artifacts import Artifact

from .scenarios import ROUTE, Must, Scenario

__all__ = [
    "AUTH",
    "FORMS",
    "SECRET",
    "Fetched",
    "artifact_of",
    "fetch",
    "must_of",
    "settings_for",
]

SECRET = "not for others"
AUTH = ("reader", "word")
PATIENCE: dict[str, Any] = {
    "attempts": 4,
    "backoff": 0.001,
    "max_backoff": 0.002,
    "max_retry_after": 20,
    "connect_timeout": 5,
    "read_timeout": 20,
    "chunksize": 65536,
    "progress": False,
    "headers": {"X-Secret": SECRET},
    "auth": AUTH,
}


@dataclass
class Fetched:
    """What came of one fetch."""

    delivered: bytearray = field(default_factory=bytearray)  # by a stream
    report: DownloadReport | None = None  # of a file
    error: BaseException | None = None
    seconds: float = 0


def settings_for(host: str, **changes: Any) -> ArtifactSettings:
    """Return settings that lose no time."""
    given = {"allowed_redirect_hosts": "127.0.0.1,localhost", **PATIENCE, **changes}
    return ArtifactSettings(host=host, **given)


def artifact_of(scenario: Scenario) -> Artifact:
    """Return what is asked for."""
    return Artifact(ROUTE, id=7, filename=scenario.wanted.filename, size=scenario.size)


def must_of(scenario: Scenario, form: str) -> Must | None:
    """Return what must come of it in this form; None if the form does not know the notion."""
    return scenario.stream if "stream" in form else scenario.file


def fetch(form: str, scenario: Scenario, host: str, path: Path, **changes: Any) -> Fetched:
    """Fetch what a scenario is about."""
    fetched, began = Fetched(), time.monotonic()
    settings = settings_for(host, **{**scenario.settings, **changes})
    try:
        FORMS[form](scenario, settings, path, fetched)
    except Exception as error:
        fetched.error = error
    fetched.seconds = time.monotonic() - began
    return fetched


def _file(scenario: Scenario, settings: ArtifactSettings, path: Path, into: Fetched) -> None:
    with ArtifactClient(settings) as client:
        for _ in range(scenario.times):
            into.report = client.download(
                artifact_of(scenario), path, sha256=scenario.sha256, refresh=scenario.times > 1
            )


def _written(scenario: Scenario, settings: ArtifactSettings, path: Path, _: Fetched) -> None:
    with ArtifactClient(settings) as client:
        for _ in range(scenario.times):
            client.write_bytes(path, client.stream(artifact_of(scenario)))


def _stream(scenario: Scenario, settings: ArtifactSettings, _: Path, into: Fetched) -> None:
    with ArtifactClient(settings) as client:
        for _ in range(scenario.times):
            into.delivered.clear()
            for chunk in client.stream(artifact_of(scenario)):
                into.delivered += chunk


async def _file_async(
    scenario: Scenario, settings: ArtifactSettings, path: Path, into: Fetched
) -> None:
    with AsyncArtifactClient(settings) as client:
        for _ in range(scenario.times):
            into.report = await client.download(
                artifact_of(scenario), path, sha256=scenario.sha256, refresh=scenario.times > 1
            )


async def _stream_async(
    scenario: Scenario, settings: ArtifactSettings, _: Path, into: Fetched
) -> None:
    with AsyncArtifactClient(settings) as client:
        for _ in range(scenario.times):
            into.delivered.clear()
            async for chunk in client.stream(artifact_of(scenario)):
                into.delivered += chunk


async def _written_async(
    scenario: Scenario, settings: ArtifactSettings, path: Path, _: Fetched
) -> None:
    with AsyncArtifactClient(settings) as client:
        for _ in range(scenario.times):
            client.write_bytes(path, client.stream(artifact_of(scenario)))


def _run(form: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    def run(*arguments: Any) -> None:
        asyncio.run(form(*arguments))

    return run


FORMS: dict[str, Callable[..., None]] = {
    "file": _file,
    "stream": _stream,
    "file, async": _run(_file_async),
    "stream, async": _run(_stream_async),
    "written": _written,
    "written, async": _run(_written_async),
}
