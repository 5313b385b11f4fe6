"""The asynchronous face gives what the blocking one gives, without blocking the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import pytest

from ecephys_dal import ArtifactNotFoundError, AsyncArtifactClient
from tests.artifacts.conftest import NWB, ROUTE, ScriptedServer, answer, visible


@pytest.fixture
def client(server: ScriptedServer) -> AsyncArtifactClient:
    return AsyncArtifactClient(server.settings)


def test_a_stream_is_iterated_over_asynchronously(client: AsyncArtifactClient) -> None:
    async def read() -> bytes:
        return b"".join([chunk async for chunk in client.stream(ROUTE)])

    with client:
        assert asyncio.run(read()) == NWB


def test_a_stream_is_called_with_a_callback_as_allensdk_does(client: AsyncArtifactClient) -> None:
    received = []

    async def callback(chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            received.append(chunk)  # noqa: PERF401 - what AllenSDK does

    with client:
        asyncio.run(client.stream(ROUTE)(callback))
    assert b"".join(received) == NWB


def test_a_file_is_written_whole_or_not_at_all(
    client: AsyncArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    with client:
        client.write_bytes(tmp_path / "a.nwb", client.stream(ROUTE))
        server.script = [answer(404)]
        with pytest.raises(ArtifactNotFoundError):
            client.write_bytes(tmp_path / "b.nwb", client.stream(ROUTE))
    assert (tmp_path / "a.nwb").read_bytes() == NWB
    assert visible(tmp_path) == ["a.nwb"]


def test_writing_works_inside_a_running_loop(client: AsyncArtifactClient, tmp_path: Path) -> None:
    async def notebook() -> None:
        client.write_bytes(tmp_path / "a.nwb", client.stream(ROUTE))

    with client:
        asyncio.run(notebook())
    assert (tmp_path / "a.nwb").read_bytes() == NWB


def test_errors_reach_the_awaiting_code(
    client: AsyncArtifactClient, server: ScriptedServer
) -> None:
    server.script = [answer(404)]

    async def read() -> list[bytes]:
        return [chunk async for chunk in client.stream(ROUTE)]

    with client, pytest.raises(ArtifactNotFoundError):
        asyncio.run(read())


def test_the_loop_is_free_meanwhile_and_a_task_can_be_cancelled(
    client: AsyncArtifactClient, server: ScriptedServer
) -> None:
    server.script = [answer(503), answer(503), answer()]

    async def consume() -> None:
        async for _ in client.stream(ROUTE):
            await asyncio.sleep(60)

    async def cancelled() -> int:
        task, ticks = asyncio.create_task(consume()), 0
        while len(server.seen) < 3 and not task.done():
            await asyncio.sleep(0.001)
            ticks += 1
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return ticks

    with client:
        assert asyncio.run(cancelled()) > 1


def test_a_task_can_be_cancelled_while_it_waits_for_the_server(
    client: AsyncArtifactClient, server: ScriptedServer
) -> None:
    def stall(handler: BaseHTTPRequestHandler) -> None:
        released.wait(10)
        answer()(handler)

    async def consume() -> None:
        async for _ in client.stream(ROUTE):
            pass

    async def cancelled() -> None:
        task = asyncio.create_task(consume())
        while not server.seen:
            await asyncio.sleep(0.001)
        task.cancel()
        released.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    released = Event()
    server.script = [stall]
    with client:
        asyncio.run(cancelled())
