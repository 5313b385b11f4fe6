"""What both fetch asynchronously, in every way that each offers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from ecephys_dal import EcephysProjectLimsApi

from . import oracle

__all__ = ["Calls", "fetch_asynchronously"]

Calls = list[tuple[str, int]]  # the method, and the id or number that it is given


def fetch_asynchronously(url: str, host: str, calls: Calls, folder: str) -> list[dict[str, bytes]]:
    """Return the bytes of each file, by the way in which they were fetched."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    wanted = {
        "lims_credentials": oracle.credentials_of(url),
        "app_kwargs": {"host": host},
        "asynchronous": True,
    }
    theirs = loop.run_until_complete(_made(wanted))
    with EcephysProjectLimsApi.default(**wanted) as ours:
        return [_ways(loop, theirs, ours, *call, Path(folder)) for call in calls]


async def _made(wanted: dict[str, Any]) -> Any:
    """Make AllenSDK's class where a loop is running, which its HTTP client insists on."""
    return oracle.EcephysProjectLimsApi.default(**wanted)


def _ways(
    loop: Any, theirs: Any, ours: Any, getter: str, number: int, folder: Path
) -> dict[str, bytes]:
    def stream(api: Any) -> Any:
        return getattr(api, getter)(number)

    ways = {
        "AllenSDK's callback": loop.run_until_complete(_through_callback(stream(theirs))),
        "our callback": loop.run_until_complete(_through_callback(stream(ours))),
        "our iteration": loop.run_until_complete(_iterated(stream(ours))),
    }
    writers = {
        "AllenSDK's writer": (theirs.app_engine, theirs),
        "our writer": (ours.app_engine, ours),
        "AllenSDK's writer of our stream": (oracle.AsyncHttpEngine, ours),
    }
    for way, (engine, api) in writers.items():
        path = folder / way / str(number)
        engine.write_bytes(str(path), stream(api))
        ways[way] = path.read_bytes()
    return ways


async def _through_callback(stream: Any) -> bytes:
    chunks: list[bytes] = []

    async def collect(arriving: AsyncIterator[bytes]) -> None:
        chunks.extend([chunk async for chunk in arriving])

    await stream(collect)
    return b"".join(chunks)


async def _iterated(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])
