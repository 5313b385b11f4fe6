"""The same transfers for asyncio: the blocking client's work, awaited in threads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ecephys_dal.artifacts.client import ArtifactClient
from ecephys_dal.artifacts.stream import ArtifactStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

__all__ = ["AsyncArtifactClient", "AsyncArtifactStream"]


class AsyncArtifactStream:
    """The bytes of a file, for ``async for``, or for a callback that consumes them.

    Parameters
    ----------
    stream : ArtifactStream
        The blocking stream.
    """

    def __init__(self, stream: ArtifactStream) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes; this blocks."""
        yield from self.stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes, each piece awaited in a thread."""
        loop = asyncio.get_running_loop()
        chunks: Any = iter(self.stream)
        step: asyncio.Future[bytes | None] | None = None
        try:
            while True:
                step = loop.run_in_executor(None, next, chunks, None)
                chunk = await asyncio.shield(step)
                if chunk is None:
                    return
                yield chunk
        finally:
            if step is not None and not step.done():
                await asyncio.wait([step])  # a generator can't be closed while it runs
                step.exception()  # nobody is left to raise it to
            chunks.close()

    async def __call__(self, callback: Callable[[AsyncIterator[bytes]], Awaitable[None]]) -> None:
        """Let a callback consume the bytes, as AllenSDK's asynchronous writer does.

        Parameters
        ----------
        callback : callable
            Takes an asynchronous iterator of bytes, and is awaited.
        """
        await callback(self.__aiter__())

    def save(self, path: str | Path) -> Path:
        """Fetch into a file, as `ArtifactClient.download` does; this blocks."""
        return self.stream.save(path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.stream.url!r})"


class AsyncArtifactClient(ArtifactClient):
    """Fetches files from the LIMS web application without blocking the event loop."""

    def stream(self, route: str) -> AsyncArtifactStream:
        """Return the bytes of a file, to iterate over with ``async for``.

        Parameters
        ----------
        route : str
            The path under the web application.

        Returns
        -------
        AsyncArtifactStream
            It can also be called with a callback, which is AllenSDK's form.
        """
        return AsyncArtifactStream(ArtifactStream(self, route))
