"""AllenSDK's two engines, used as its cache uses them."""

from __future__ import annotations

import asyncio
import warnings
from contextlib import suppress
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from allensdk.brain_observatory.ecephys.ecephys_project_api.http_engine import (
        AsyncHttpEngine,
        HttpEngine,
    )

__all__ = ["fetch", "fetch_async", "read_badly"]


def fetch(host: str, route: str, path: Path) -> None:
    """Fetch a file by the blocking engine."""
    engine = HttpEngine("http", host)
    engine.write_bytes(str(path), engine.stream(route))


def fetch_async(host: str, route: str, path: Path) -> None:
    """Fetch a file by the asynchronous engine."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    async def made() -> AsyncHttpEngine:  # its HTTP client insists on a running loop
        return AsyncHttpEngine("http", host)

    engine = loop.run_until_complete(made())
    engine.write_bytes(str(path), engine.stream(route))


def read_badly(host: str, route: str, path: Path) -> None:
    """Let a reader fail on a file that is there, in the way in which the cache reads."""
    from allensdk.api.warehouse_cache.caching_utilities import one_file_call_caching

    def read(_: Path) -> None:
        raise RuntimeError("out of memory")

    engine = HttpEngine("http", host)
    with suppress(RuntimeError):
        one_file_call_caching(
            str(path), lambda: engine.stream(route), engine.write_bytes, read, num_tries=2
        )
