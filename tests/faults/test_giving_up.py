"""A consumer that goes away, or a task that is cancelled, leaves nothing open and nothing wrong."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ecephys_dal import ArtifactClient, AsyncArtifactClient

from .contents import FIRST
from .forms import ROUTE, settings_for
from .machine import HALF, reached
from .replies import Script, honest, page, stalled
from .server import FaultServer

pytestmark = pytest.mark.usefixtures("nothing_left")
PATIENT = {"read_timeout": 60.0, "connect_timeout": 60.0, "max_retry_after": 60.0}
PROMPT = 10  # seconds; a second is meant, and a minute is what it must not be
SILENCES: dict[str, Script] = {
    "in mid-body": (stalled(honest(), HALF),),
    "before the header": (stalled(honest()),),
    "between attempts": (page(503, Retry_After="60"),),
}


Fetch = Callable[[AsyncArtifactClient, Path], Awaitable[Any]]


async def _cancel(task: asyncio.Future[Any], server: FaultServer, sent: int) -> float:
    """Cancel it when the server has sent so much, and return how long it took to end."""
    while server.sent < sent or not server.requests:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.2)  # until it waits for more
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return time.monotonic() - began


async def _consume(chunks: AsyncIterator[bytes]) -> None:
    async for _ in chunks:
        pass


def _file(client: AsyncArtifactClient, folder: Path) -> Awaitable[Any]:
    return client.download(ROUTE, folder / "a.nwb")


def _stream(client: AsyncArtifactClient, _: Path) -> Awaitable[Any]:
    return _consume(aiter(client.stream(ROUTE)))


def _awaited(client: AsyncArtifactClient, _: Path) -> Awaitable[Any]:
    return client.stream(ROUTE)


def _callback(client: AsyncArtifactClient, _: Path) -> Awaitable[Any]:
    return client.stream(ROUTE)(_consume)


@pytest.mark.parametrize("form", [_file, _stream, _awaited, _callback])
@pytest.mark.parametrize("silence", SILENCES)
@pytest.mark.in_turn("silence", "form")
@pytest.mark.sample(2)
def test_a_cancelled_task_ends_at_once(silence: str, form: Fetch, tmp_path: Path) -> None:
    async def run(server: FaultServer) -> float:
        with AsyncArtifactClient(settings_for(server.host, **PATIENT)) as client:
            task = asyncio.ensure_future(form(client, tmp_path))
            return await _cancel(task, server, HALF if silence == "in mid-body" else 0)

    began = time.monotonic()
    with FaultServer(SILENCES[silence]) as server:
        assert asyncio.run(run(server)) < PROMPT
        assert time.monotonic() - began < 2 * PROMPT  # the loop's end waits for threads too
        assert server.is_quiet()
        time.sleep(0.1)
    assert len(server.requests) == 1
    partials = [entry for entry in tmp_path.iterdir() if entry.suffix == ".part"]
    assert not (tmp_path / "a.nwb").exists()
    assert len(partials) == (form is _file and silence == "in mid-body")
    assert all(FIRST.data[:HALF].startswith(partial.read_bytes()) for partial in partials)


def test_a_cancelled_download_is_resumed(tmp_path: Path) -> None:
    async def run(server: FaultServer) -> Any:
        with AsyncArtifactClient(settings_for(server.host, **PATIENT)) as client:
            task = asyncio.create_task(client.download(ROUTE, tmp_path / "a.nwb"))
            await _cancel(task, server, HALF)
            return await client.download(ROUTE, tmp_path / "a.nwb")

    with FaultServer((stalled(honest(), HALF), honest())) as server:
        report = asyncio.run(run(server))
    # What the server has sent may not have been read.
    assert 0 < report.resumed_from == server.requests[1].offset <= HALF
    assert (tmp_path / "a.nwb").read_bytes() == FIRST.data


def test_a_time_limit_of_the_callers_own_is_kept() -> None:
    async def run(server: FaultServer) -> None:
        with (
            AsyncArtifactClient(settings_for(server.host, **PATIENT)) as client,
            pytest.raises(asyncio.TimeoutError),
        ):
            await asyncio.wait_for(_all_of(client.stream(ROUTE)), 0.3)

    began = time.monotonic()
    with FaultServer((stalled(honest(), HALF),)) as server:
        asyncio.run(run(server))
    assert time.monotonic() - began < 2 * PROMPT


def test_one_cancelled_task_does_not_disturb_another() -> None:
    async def run(server: FaultServer) -> bytes:
        with AsyncArtifactClient(settings_for(server.host, **PATIENT)) as client:
            first = asyncio.ensure_future(_all_of(client.stream(ROUTE)))
            while not reached(server, HALF, 0):
                await asyncio.sleep(0.005)
            second = asyncio.ensure_future(_all_of(client.stream(ROUTE)))
            await _cancel(first, server, HALF)
            return await second

    with FaultServer((stalled(honest(), HALF), honest())) as server:
        assert asyncio.run(run(server)) == FIRST.data


async def _all_of(stream: Any) -> bytes:
    return b"".join([chunk async for chunk in stream])


@pytest.fixture(params=["paused", "stalled"])
def server(request: pytest.FixtureRequest) -> Iterator[FaultServer]:
    step = honest() if request.param == "paused" else stalled(honest(), HALF)
    with FaultServer((step,)) as made:
        yield made


def test_an_abandoned_stream_hangs_up(server: FaultServer) -> None:
    with ArtifactClient(settings_for(server.host, **PATIENT)) as client:
        for chunk in client.stream(ROUTE):
            assert FIRST.data.startswith(chunk)
            break
        gc.collect()
        assert server.is_quiet()  # while the client is open
    assert len(server.requests) == 1


def test_a_closed_iterator_hangs_up(server: FaultServer) -> None:
    with ArtifactClient(settings_for(server.host, **PATIENT)) as client:
        chunks: Any = iter(client.stream(ROUTE))
        next(chunks)
        chunks.close()
        assert server.is_quiet()


def test_a_consumer_that_fails_hangs_up(server: FaultServer, tmp_path: Path) -> None:
    with ArtifactClient(settings_for(server.host, **PATIENT)) as client:
        with pytest.raises(ZeroDivisionError):
            for chunk in client.stream(ROUTE):
                assert 1 / (len(chunk) - len(chunk))
        gc.collect()
        assert server.is_quiet()


@pytest.mark.parametrize("ending", ["break", "aclose", "never closed"])
@pytest.mark.sample(2)
def test_an_abandoned_asynchronous_stream_hangs_up(server: FaultServer, ending: str) -> None:
    async def run() -> None:
        with AsyncArtifactClient(settings_for(server.host, **PATIENT)) as client:
            chunks: Any = aiter(client.stream(ROUTE))
            async for _ in chunks:
                break
            if ending == "aclose":
                await chunks.aclose()
            elif ending == "break":
                del chunks
                gc.collect()
            if ending != "never closed":
                await asyncio.to_thread(server.is_quiet)
                assert not server.connections

    began = time.monotonic()
    asyncio.run(run())
    gc.collect()
    assert server.is_quiet()
    assert time.monotonic() - began < 2 * PROMPT


@pytest.mark.slow
def test_a_slow_consumer_is_not_a_slow_server() -> None:
    received = bytearray()
    with FaultServer((honest(),)) as server:
        settings = settings_for(server.host, read_timeout=0.3, min_bytes_per_second=10**6)
        with ArtifactClient(settings) as client:
            for number, chunk in enumerate(client.stream(ROUTE)):
                received += chunk
                time.sleep(0.5 if number < 3 else 0)
    assert received == FIRST.data
    assert len(server.requests) == 1
