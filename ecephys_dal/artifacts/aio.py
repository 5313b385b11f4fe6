"""The same transfers for asyncio: the blocking client's work, awaited in a bounded pool of threads.

Threads, because one that reads large pieces is faster than reading in the event loop, and because
there is then one client whose faults are known. It works inside a running loop, also a notebook's.
"""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ecephys_dal.artifacts.client import ArtifactClient
from ecephys_dal.artifacts.download import Download
from ecephys_dal.artifacts.interruption import Interrupted, Interruption
from ecephys_dal.artifacts.locate import Artifact
from ecephys_dal.artifacts.many import base_of, download_all
from ecephys_dal.artifacts.stream import ArtifactStream
from ecephys_dal.artifacts.writing import write_bytes
from ecephys_dal.errors import ArtifactError, ArtifactTransferError
from ecephys_dal.paths import absolute_path

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Generator,
        Iterable,
        Iterator,
        Mapping,
    )
    from pathlib import Path
    from typing import BinaryIO

    from typing_extensions import Self

    from ecephys_dal.artifacts.report import DownloadReport
    from ecephys_dal.artifacts.settings import ArtifactSettings

__all__ = ["AsyncArtifactClient", "AsyncArtifactStream"]

T = TypeVar("T")

_AT_ONCE = 4  # pieces that are read for each step into a thread and back
_AT_MOST = 0.05  # seconds for which the first one is kept back


class _Taken:
    """Takes a few pieces at a time; what came before an error is given before it is raised."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._error: ArtifactError | None = None

    def next(self) -> list[bytes]:
        """Return the next pieces, none at the end."""
        if self._error is not None:
            raise self._error
        some: list[bytes] = []
        until = time.monotonic() + _AT_MOST
        try:
            for piece in self._pieces:
                some.append(piece)
                if len(some) == _AT_ONCE or time.monotonic() > until:
                    break
        except ArtifactError as error:
            if not some:
                raise
            self._error = error
        return some


class AsyncArtifactStream:
    """The bytes of a file, for ``async for``, for ``await``, or for a callback that consumes them.

    Parameters
    ----------
    client : AsyncArtifactClient
        Whose threads read.
    stream : ArtifactStream
        The blocking stream.
    """

    def __init__(self, client: AsyncArtifactClient, stream: ArtifactStream) -> None:
        self.client, self.stream = client, stream

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes; this blocks."""
        return iter(self.stream)

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        """Yield the bytes, a few pieces for each step into a thread."""
        interruption = Interruption()
        pieces = self.stream.pieces(interruption)
        taken = _Taken(pieces)
        try:
            while some := await self.client.in_thread(taken.next, interruption):
                for piece in some:
                    yield piece
        finally:
            pieces.close()

    def __await__(self) -> Generator[Any, None, bytes]:
        """Return all bytes at once."""
        interruption = Interruption()
        pieces = self.stream.pieces(interruption)
        return self.client.in_thread(lambda: b"".join(pieces), interruption).__await__()

    async def __call__(self, callback: Callable[[AsyncIterator[bytes]], Awaitable[None]]) -> None:
        """Let a callback consume the bytes, as AllenSDK's asynchronous writer does.

        Parameters
        ----------
        callback : callable
            Takes an asynchronous iterator of bytes, and is awaited.
        """
        async with aclosing(self.__aiter__()) as pieces:
            await callback(pieces)

    def save(self, path: str | Path) -> DownloadReport:
        """Fetch into a file, as `ArtifactClient.download` does; this blocks."""
        return self.stream.save(path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.stream.url!r})"


class AsyncArtifactClient:
    """Fetches files as `ArtifactClient` does, without blocking the event loop.

    A task that is cancelled ends at once, unless a connection is just being made; what arrived is
    kept as after any other interruption.

    Parameters
    ----------
    settings : ArtifactSettings, optional
        Where the web application is, and how patient to be. At most ``max_parallel`` threads are
        used.
    """

    def __init__(self, settings: ArtifactSettings | None = None) -> None:
        self.blocking = ArtifactClient(settings)
        self._pool: ThreadPoolExecutor | None = None
        self._running: set[Interruption] = set()
        self._pid = os.getpid()

    @property
    def settings(self) -> ArtifactSettings:
        """Where the web application is, and how patient to be."""
        return self.blocking.settings

    def stream(self, route: str) -> AsyncArtifactStream:
        """Return the bytes of a file, to iterate over with ``async for``.

        Parameters
        ----------
        route : str
            The path under the web application; an `Artifact` is one that knows more of its file.

        Returns
        -------
        AsyncArtifactStream
            It can also be awaited, which gives all bytes, and called with a callback, which is
            AllenSDK's form.
        """
        stream = ArtifactStream(self.blocking, Artifact.of(route), beside_others=True)
        return AsyncArtifactStream(self, stream)

    async def download(
        self,
        artifact: str,
        path: str | Path,
        *,
        refresh: bool = False,
        sha256: str | None = None,
    ) -> DownloadReport:
        """Fetch a file, as `ArtifactClient.download` does."""
        interruption = Interruption()
        download = Download(
            self.blocking, Artifact.of(artifact), absolute_path(path), interruption, sha256=sha256
        )
        return await self.in_thread(lambda: download.run(refresh=refresh), interruption)

    async def download_many(
        self,
        wanted: Iterable[str] | Mapping[str, str | Path],
        folder: str | Path | None = None,
        *,
        refresh: bool = False,
    ) -> list[DownloadReport]:
        """Fetch files, as `ArtifactClient.download_many` does."""
        interruption = Interruption()
        fetch_all = partial(
            download_all,
            self.blocking,
            wanted,
            base_of(wanted, folder),
            interruption,
            refresh=refresh,
        )
        return await self.in_thread(fetch_all, interruption)

    def path_of(self, artifact: str) -> Path:
        """Return where a file is mounted, as `ArtifactClient.path_of` does."""
        return self.blocking.path_of(artifact)

    def reachable(self, artifacts: Iterable[str]) -> list[bool]:
        """Tell which files can be had, as `ArtifactClient.reachable` does; this blocks."""
        return self.blocking.reachable(artifacts)

    def open_artifact(self, artifact: str, path: str | Path | None = None) -> BinaryIO:
        """Open a file where it is, as `ArtifactClient.open_artifact` does; reading it blocks."""
        return self.blocking.open_artifact(artifact, path)

    write_bytes = staticmethod(write_bytes)

    async def in_thread(self, work: Callable[[], T], interruption: Interruption) -> T:
        """Await blocking work; if the task is cancelled, interrupt the work and wait for its end.

        Parameters
        ----------
        work : callable
            Runs in one of the client's threads.
        interruption : Interruption
            Which ends the work.

        Returns
        -------
        object
            What the work returns.
        """
        task = self._threads().submit(work)
        waiting = asyncio.wrap_future(task)
        self._running.add(interruption)
        try:
            await asyncio.wait([waiting])
        except asyncio.CancelledError:
            interruption.set()
            task.cancel()
            while not waiting.done():  # also if the task is cancelled once more meanwhile
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([waiting])
            if not waiting.cancelled():
                waiting.exception()  # nobody is left to raise it to
            raise
        finally:
            self._running.discard(interruption)
        try:
            return waiting.result()
        except Interrupted:
            raise ArtifactTransferError("the client was closed in the middle of it") from None

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None or self._pid != os.getpid():
            self._pool = ThreadPoolExecutor(self.settings.max_parallel, "ecephys_dal-async")
            self._pid = os.getpid()
        return self._pool

    def close(self) -> None:
        """End what is running, close the connections, and end the threads."""
        for interruption in list(self._running):
            interruption.set()
        if self._pool is not None and self._pid == os.getpid():
            self._pool.shutdown()
        self._pool = None
        self.blocking.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Self], tuple[ArtifactSettings]]:
        return type(self), (self.settings,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings.url})"
