"""Sessions through AllenSDK's cache upon asynchronous APIs, from good and from faulty servers."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import oracle
from .caches import Lims, cache_of, files_in, opened
from .faulty import Fault, FaultyServer
from .recording import Recording

__all__ = ["Seen", "sessions_seen"]


class Seen(NamedTuple):
    """What came of a session and an LFP."""

    opened: bool
    files: dict[str, bytes]
    error: str


def sessions_seen(
    lims: Lims,
    recording: Recording,
    artifacts: Path,
    servers: Mapping[str, Sequence[Fault]],
    folder: Path,
) -> dict[tuple[str, str], Seen]:
    """Fetch from each server in each way, in a process of its own: AllenSDK patches asyncio."""
    warnings.simplefilter("ignore")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    seen = {}
    for name, faults in servers.items():
        for way in _WAYS:
            with FaultyServer(artifacts, faults) as server:
                api, writer = loop.run_until_complete(_made(lims.at(server), way))
                cache = cache_of(api, folder / name / way, writer=writer)
                seen[name, way] = _seen(cache, recording, folder / name / way)
    return seen


_OURS, _MIXED, _THEIRS = _WAYS = ("ours", "ours by AllenSDK's writer", "AllenSDK's")


async def _made(lims: Lims, way: str) -> tuple[Any, Any]:
    """Make a class and a writer where a loop is running, which AllenSDK's HTTP client needs."""
    api = (lims.theirs if way == _THEIRS else lims.ours)(asynchronous=True)
    return api, api.app_engine.write_bytes if way == _OURS else oracle.write_bytes_from_coroutine


def _seen(cache: Any, recording: Recording, folder: Path) -> Seen:
    try:
        good, error = opened(cache, recording), ""
    except Exception as raised:
        good, error = False, type(raised).__name__
    return Seen(good, files_in(folder), error)
