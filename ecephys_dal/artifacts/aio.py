"""The same transfers for asyncio: the blocking client's work, awaited in a bounded pool of threads.

Threads, because one that reads large pieces is faster than reading in the event loop, and because
there is then one client whose faults are known. It works inside a running loop, also a notebook's.
"""

from __future__ import annotations

import asyncio
import os
import time
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
from ecephys_dal.threads import ThreadPool

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
_TO_END = 0.1  # seconds that a cancelled task waits for its thread


class _Taken:
    """Takes a few pieces at a time; what came before an error is given before it is raised."""

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
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

    def close(self) -> None:
        """Close the pieces; a thread that was left behind with them does so itself."""
        with suppress(ValueError):
            self._pieces.close()


class AsyncArtifactStream:
    """The bytes of a file, for ``async for``, for ``await``, or for a callback that consumes them.

    Parameters
    ----------
    client : AsyncArtifactClient
        Whose threads read.
    route : str or callable
        As for `AsyncArtifactClient.stream`.
    """

    def __init__(self, client: AsyncArtifactClient, route: str | Callable[[], str]) -> None:
        self.client, self.route = client, route

    def _blocking(self) -> ArtifactStream:
        """Return the blocking stream; what finds the route may ask a database."""
        route = self.route if isinstance(self.route, str) else self.route()
        return ArtifactStream(self.client.blocking, Artifact.of(route), beside_others=True)

    async def _found(self) -> ArtifactStream:
        if isinstance(self.route, str):
            return self._blocking()
        return await self.client.await_query(self._blocking)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes; this blocks."""
        return iter(self._blocking())

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        """Yield the bytes, a few pieces for each step into a thread."""
        interruption = Interruption()
        taken = _Taken((await self._found()).pieces(interruption))
        try:
            while some := await self.client.in_thread(taken.next, interruption):
                for piece in some:
                    yield piece
        finally:
            taken.close()

    def __await__(self) -> Generator[Any, None, bytes]:
        """Return all bytes at once."""
        return self._read().__await__()

    async def _read(self) -> bytes:
        interruption = Interruption()
        pieces = (await self._found()).pieces(interruption)
        return await self.client.in_thread(lambda: b"".join(pieces), interruption)

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
        return self._blocking().save(path)

    def __repr__(self) -> str:
        url = (
            self.client.blocking.url_of(self.route)
            if isinstance(self.route, str)
            else "to be found"
        )
        return f"{type(self).__name__}({url!r})"


class AsyncArtifactClient:
    """Fetches files as `ArtifactClient` does, without blocking the event loop.

    A task that is cancelled ends at once; what arrived is kept as after any other interruption. A
    thread that is just making a connection, or asks a database, ends when that does.

    Parameters
    ----------
    settings : ArtifactSettings, optional
        Where the web application is, and how patient to be. At most ``max_parallel`` threads fetch
        files, and as many ask the database of a facade.
    """

    def __init__(self, settings: ArtifactSettings | None = None) -> None:
        self.blocking = ArtifactClient(settings)
        self._pools: dict[str, ThreadPool] = {}
        self._running: set[Interruption] = set()
        self._pid = os.getpid()

    @property
    def settings(self) -> ArtifactSettings:
        """Where the web application is, and how patient to be."""
        return self.blocking.settings

    def stream(self, route: str | Callable[[], str]) -> AsyncArtifactStream:
        """Return the bytes of a file, to iterate over with ``async for``.

        Parameters
        ----------
        route : str or callable
            The path under the web application; an `Artifact` is one that knows more of its file.
            A function that finds it is called by a thread, each time when the stream is read.

        Returns
        -------
        AsyncArtifactStream
            It can also be awaited, which gives all bytes, and called with a callback, which is
            AllenSDK's form.
        """
        return AsyncArtifactStream(self, route)

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
        """Await a transfer; if the task is cancelled, interrupt it.

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
        task = self._threads("transfers").submit(work)
        waiting = asyncio.wrap_future(task)
        self._running.add(interruption)
        try:
            await asyncio.wait([waiting])
        except asyncio.CancelledError:
            interruption.set()
            if not task.cancel():
                await _ended(waiting)
            raise
        finally:
            self._running.discard(interruption)
        try:
            return waiting.result()
        except Interrupted:
            raise ArtifactTransferError("the client was closed in the middle of it") from None

    async def await_query(self, query: Callable[[], T]) -> T:
        """Await a query, in a thread that no transfer needs; a cancelled task leaves it behind.

        Parameters
        ----------
        query : callable
            Waits for a database.

        Returns
        -------
        object
            What the query returns.
        """
        return await asyncio.wrap_future(self._threads("queries").submit(query))

    def _threads(self, purpose: str) -> ThreadPool:
        if self._pid != os.getpid():
            self._pools, self._pid = {}, os.getpid()
        if purpose not in self._pools:
            name = f"ecephys_dal-async-{purpose}"
            self._pools[purpose] = ThreadPool(self.settings.max_parallel, name)
        return self._pools[purpose]

    def close(self) -> None:
        """End what is running, close the connections, and end the threads; this blocks."""
        for interruption in list(self._running):
            interruption.set()
        pools, self._pools = self._pools, {}
        for pool in pools.values() if self._pid == os.getpid() else ():
            pool.shutdown()
        self.blocking.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        thread = ThreadPool(1, "ecephys_dal-async-closing")
        try:
            await asyncio.wrap_future(thread.submit(self.close))
        finally:
            thread.shutdown(wait=False)

    def __reduce__(self) -> tuple[type[Self], tuple[ArtifactSettings]]:
        return type(self), (self.settings,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings.url})"


async def _ended(waiting: asyncio.Future[Any]) -> None:
    """Wait for the end of what was interrupted, but not for long.

    What makes a connection ends late. Meanwhile a scope of anyio's would cancel the task at each
    turn of the loop, which takes all of a processor.
    """
    until = time.monotonic() + _TO_END
    while not waiting.done() and (left := until - time.monotonic()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.wait([waiting], timeout=left)
    waiting.cancel()
    if not waiting.cancelled():
        waiting.exception()  # nobody is left to raise it to
