"""The contestants of AllenSDK, used as its cache uses them."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from allensdk.brain_observatory.ecephys.ecephys_project_api.http_engine import (
        AsyncHttpEngine,
        HttpEngine,
    )

if TYPE_CHECKING:
    from benchmarks.downloads.task import Task


def write_bytes(task: Task) -> None:
    """Write a stream to a file."""
    engine = HttpEngine("http", task.host)
    engine.write_bytes(str(task.paths[0]), engine.stream(task.routes[0]))


def write_bytes_async(task: Task) -> None:
    """Write an asynchronous stream to a file."""
    engine = _engine(task)
    engine.write_bytes(str(task.paths[0]), engine.stream(task.routes[0]))


def stream(task: Task) -> None:
    """Iterate over a stream, and throw it away."""
    for _ in HttpEngine("http", task.host).stream(task.routes[0]):
        pass


def stream_async(task: Task) -> None:
    """Iterate over an asynchronous stream, and throw it away."""

    async def consume(pieces: Any) -> None:
        async for _ in pieces:
            pass

    fetch = _engine(task).stream(task.routes[0])
    asyncio.get_event_loop().run_until_complete(fetch(consume))


def _engine(task: Task) -> AsyncHttpEngine:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    async def made() -> AsyncHttpEngine:  # its HTTP client insists on a running loop
        return AsyncHttpEngine("http", task.host)

    return loop.run_until_complete(made())
