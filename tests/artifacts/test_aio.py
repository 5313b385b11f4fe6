"""The asynchronous face gives what the blocking one gives, without blocking the loop."""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from importlib.util import find_spec
from pathlib import Path
from threading import Event

import pytest

from ecephys_dal import (
    Artifact,
    ArtifactChangedError,
    ArtifactClient,
    ArtifactCorruptError,
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactTransferError,
    AsyncArtifactClient,
    ConfigurationError,
)
from ecephys_dal.artifacts.partial import Partial
from ecephys_dal.artifacts.version import Version
from tests.artifacts.conftest import (
    ETAG,
    NWB,
    ROUTE,
    Answer,
    ScriptedServer,
    answer,
    eventually,
    ranged,
    visible,
)


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[AsyncArtifactClient]:
    with AsyncArtifactClient(server.settings) as made:
        yield made
    assert eventually(lambda: not threads())


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("ecephys_dal")]


async def iterated(client: AsyncArtifactClient, folder: Path) -> bytes:
    return b"".join([piece async for piece in client.stream(ROUTE)])


async def awaited(client: AsyncArtifactClient, folder: Path) -> bytes:
    return await client.stream(ROUTE)


async def called_back(client: AsyncArtifactClient, folder: Path) -> bytes:
    received = []

    async def callback(pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            received.append(piece)  # noqa: PERF401 - what AllenSDK does

    await client.stream(ROUTE)(callback)
    return b"".join(received)


async def downloaded(client: AsyncArtifactClient, folder: Path) -> bytes:
    return (await client.download(ROUTE, folder / "a.nwb", refresh=True)).path.read_bytes()


async def downloaded_with_others(client: AsyncArtifactClient, folder: Path) -> bytes:
    [report] = await client.download_many({ROUTE: folder / "a.nwb"}, refresh=True)
    if report.error:
        raise report.error
    return report.path.read_bytes()


async def saved(client: AsyncArtifactClient, folder: Path) -> bytes:
    client.write_bytes(folder / "a.nwb", client.stream(ROUTE))  # which blocks, as AllenSDK's
    return (folder / "a.nwb").read_bytes()


Form = Callable[[AsyncArtifactClient, Path], Awaitable[bytes]]
STREAMS: list[Form] = [iterated, awaited, called_back]
ASYNCHRONOUS: list[Form] = [*STREAMS, downloaded, downloaded_with_others]
FORMS: list[Form] = [*ASYNCHRONOUS, saved]


def run(form: Form, client: AsyncArtifactClient, folder: Path) -> bytes:
    async def main() -> bytes:
        return await form(client, folder)

    return asyncio.run(main())


@pytest.mark.parametrize("form", FORMS)
def test_a_file_comes_in_each_form(
    client: AsyncArtifactClient, server: ScriptedServer, tmp_path: Path, form: Form
) -> None:
    server.script = [ranged()]
    assert run(form, client, tmp_path) == NWB
    assert len(server.seen) == 1


@pytest.mark.parametrize("form", FORMS)
def test_faults_are_survived_in_each_form(
    client: AsyncArtifactClient, server: ScriptedServer, tmp_path: Path, form: Form
) -> None:
    server.script = [answer(503, b""), ranged(cut=100_000), answer(503, b""), ranged()]
    assert run(form, client, tmp_path) == NWB
    assert server.seen[-1].headers["Range"] == "bytes=100000-"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("script", "error"),
    [
        ([answer(404, b"")], ArtifactNotFoundError),
        ([answer(503, b"")], ArtifactTransferError),
        ([answer(body=NWB, Content_Encoding="br")], ArtifactCorruptError),
        ([ranged(cut=100_000), answer(410, b"")], ArtifactNotFoundError),
    ],
)
def test_errors_reach_the_awaiting_code(
    client: AsyncArtifactClient,
    server: ScriptedServer,
    tmp_path: Path,
    form: Form,
    script: list[Answer],
    error: type[ArtifactError],
) -> None:
    server.script = script
    with pytest.raises(error) as caught:
        run(form, client, tmp_path)
    assert type(caught.value) is error
    assert caught.value.url == client.blocking.url_of(ROUTE)
    assert not (tmp_path / "a.nwb").exists()


@pytest.mark.parametrize("cut", [1000, 50_000, 100_000, 300_000])
def test_the_bytes_before_an_error_are_given_and_none_after_it(
    client: AsyncArtifactClient, server: ScriptedServer, cut: int
) -> None:
    async def main() -> None:
        async for piece in client.stream(ROUTE):
            received.extend(piece)

    received = bytearray()
    server.script = [ranged(cut=cut), ranged(NWB[::-1], '"two"')]
    with pytest.raises(ArtifactChangedError) as caught:
        asyncio.run(main())
    assert caught.value.received == len(received)
    assert received == NWB[:cut]


def test_a_stream_can_be_used_again_and_told_apart(
    client: AsyncArtifactClient, server: ScriptedServer
) -> None:
    async def main() -> None:
        stream = client.stream(ROUTE)
        assert await stream == NWB
        assert b"".join([piece async for piece in stream]) == NWB
        assert b"".join(stream) == NWB
        assert client.blocking.url_of(ROUTE) in repr(stream)

    asyncio.run(main())
    assert len(server.seen) == 3


def test_several_at_once_do_not_mix(
    client: AsyncArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    async def main() -> list[bytes]:
        return await asyncio.gather(*(form(client, tmp_path) for form in ASYNCHRONOUS[:4] * 3))

    server.script = [ranged()]
    assert asyncio.run(main()) == [NWB] * 12


# Cancellation.


@pytest.fixture
def released() -> Iterator[Event]:
    made = Event()
    yield made
    made.set()


async def cancel(
    work: Awaitable[object], ready: Callable[[], object], *, within: float = 10
) -> None:
    """Cancel some work once it is so far, and see that it ends at once."""
    task = asyncio.ensure_future(work)
    while not ready():
        assert not task.done()
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    assert not task.done()
    task.cancel()
    started = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < within


@pytest.fixture
def slow(server: ScriptedServer) -> Iterator[AsyncArtifactClient]:
    """Be patient, so that only a cancellation ends what waits."""
    settings = replace(
        server.settings, connect_timeout=20, read_timeout=20, max_backoff=20, attempts=9
    )
    with AsyncArtifactClient(settings) as made:
        yield made
    assert eventually(lambda: not threads())


@pytest.mark.parametrize("form", ASYNCHRONOUS)
@pytest.mark.parametrize("phase", ["header", "body", "pause"])
@pytest.mark.in_turn("form", "phase")
@pytest.mark.sample(3)
def test_a_task_is_cancelled_wherever_it_is(
    slow: AsyncArtifactClient,
    server: ScriptedServer,
    released: Event,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    form: Form,
    phase: str,
) -> None:
    def stop(handler: BaseHTTPRequestHandler) -> None:
        if phase == "body":
            answer(body=NWB[:100_000], length=len(NWB), keep=True, ETag=ETAG)(handler)
        if phase == "pause":
            answer(503, b"", keep=True, Retry_After="20")(handler)
            return
        released.wait(30)

    def ready() -> bool:
        stored = sum(part.stat().st_size for part in tmp_path.glob(".*.part"))
        return bool(server.seen) and (phase != "body" or form in STREAMS or stored == 100_000)

    server.script = [stop]
    asyncio.run(cancel(form(slow, tmp_path), ready))
    assert len(server.seen) == 1
    kept = phase == "body" and form not in STREAMS
    assert len(visible(tmp_path)) == (2 if kept else 0)
    released.set()
    if phase != "pause":  # else the connection can be used again
        assert eventually(lambda: not server.connections)
    gc.collect()
    assert [one for one in caplog.records if one.name == "asyncio"] == []
    server.script = [ranged()]
    assert run(form, slow, tmp_path) == NWB  # the client is as good as new


def test_a_task_is_cancelled_while_it_uses_what_it_got(
    slow: AsyncArtifactClient, server: ScriptedServer
) -> None:
    async def use() -> None:
        async with aclosing(slow.stream(ROUTE).__aiter__()) as pieces:
            async for piece in pieces:
                received.append(piece)
                await asyncio.sleep(60)

    received: list[bytes] = []
    asyncio.run(cancel(use(), lambda: received))
    assert eventually(lambda: not server.connections)


def test_a_task_that_waits_for_a_thread_is_cancelled(
    server: ScriptedServer, released: Event, tmp_path: Path
) -> None:
    def stop(handler: BaseHTTPRequestHandler) -> None:
        released.wait(30)
        answer()(handler)

    async def main() -> None:
        first = asyncio.ensure_future(awaited(client, tmp_path))
        while not server.seen:
            await asyncio.sleep(0.001)
        for form in ASYNCHRONOUS:
            await cancel(form(client, tmp_path), lambda: True)
        released.set()
        assert await first == NWB

    server.script = [stop]
    with AsyncArtifactClient(replace(server.settings, max_parallel=1, read_timeout=20)) as client:
        asyncio.run(main())
    assert len(server.seen) == 1
    assert visible(tmp_path) == []


def test_a_task_that_waits_for_another_download_is_cancelled(
    slow: AsyncArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    target = tmp_path / "a.nwb"
    version = Version(ETAG, len(NWB))
    with closing(Partial(target, slow.blocking.url_of(ROUTE), version)) as partial:
        partial.write(NWB[:1000])
        assert partial.lock()
        asyncio.run(cancel(downloaded(slow, tmp_path), lambda: True))
        assert partial.is_in_place
    assert server.seen == []


@pytest.fixture
def full_server() -> Iterator[str]:
    """Be a server that has no place for another connection, and does not say so."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        for one in waiting:
            one.close()


def test_a_task_can_be_cancelled_twice(
    server: ScriptedServer, full_server: str, tmp_path: Path
) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(iterated(client, tmp_path))
        await asyncio.sleep(0.1)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await task

    settings = replace(server.settings, host=full_server, connect_timeout=1)
    with AsyncArtifactClient(settings) as client:
        asyncio.run(main())


async def cancelled_at_each_turn(work: Awaitable[object]) -> None:
    """Cancel some work as a scope of anyio's does, and so Starlette when a client leaves."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0.2)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()


async def cancelled_by_anyio(work: Awaitable[object]) -> None:
    from anyio import move_on_after

    with move_on_after(0.2) as scope:
        await work
    assert scope.cancelled_caught


WAYS = [cancelled_at_each_turn, *([cancelled_by_anyio] if find_spec("anyio") else [])]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.sample(1)
def test_clients_that_leave_cost_nothing(
    server: ScriptedServer,
    full_server: str,
    released: Event,
    tmp_path: Path,
    way: Callable[[Awaitable[object]], Awaitable[None]],
) -> None:
    async def main() -> None:
        began, used = time.monotonic(), time.process_time()
        works = [form(each, tmp_path / form.__name__) for each in clients for form in ASYNCHRONOUS]
        await asyncio.gather(*map(way, works))
        while (passed := time.monotonic() - began) < 1:
            await asyncio.sleep(0.1)
        assert time.process_time() - used < passed / 2

    server.script = [lambda _: released.wait(30) and None]
    connecting = replace(server.settings, host=full_server, connect_timeout=1.2, max_parallel=8)
    silent = replace(server.settings, read_timeout=30, max_parallel=8)
    with AsyncArtifactClient(connecting) as one, AsyncArtifactClient(silent) as other:
        clients = [one, other]
        asyncio.run(main())
    assert eventually(lambda: not threads())


def test_a_client_is_left_without_blocking_the_loop(
    server: ScriptedServer, full_server: str, tmp_path: Path
) -> None:
    async def leave() -> None:
        async with AsyncArtifactClient(settings) as client:
            task = asyncio.ensure_future(iterated(client, tmp_path))
            await asyncio.sleep(0.2)
            task.cancel()
        left.set()

    async def main() -> None:
        leaving = asyncio.ensure_future(leave())
        await asyncio.sleep(0.4)
        assert not left.is_set()  # a thread is still connecting, and the loop turns
        await leaving

    left = Event()
    settings = replace(server.settings, host=full_server, connect_timeout=3)
    asyncio.run(main())
    assert eventually(lambda: not threads())


def test_a_time_out_of_the_caller_ends_it(
    slow: AsyncArtifactClient, server: ScriptedServer, released: Event, tmp_path: Path
) -> None:
    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(downloaded(slow, tmp_path), 0.1)

    server.script = [lambda _: released.wait(30) and None]
    asyncio.run(main())
    assert eventually(lambda: len(server.seen) == 1)


def test_cancelling_one_task_harms_no_other(
    slow: AsyncArtifactClient, server: ScriptedServer, released: Event, tmp_path: Path
) -> None:
    def halting(handler: BaseHTTPRequestHandler) -> None:
        answer(body=NWB[:100_000], length=len(NWB), keep=True)(handler)
        released.wait(30)
        handler.wfile.write(NWB[100_000:])

    async def main() -> None:
        others = [asyncio.ensure_future(awaited(slow, tmp_path)) for _ in range(3)]
        await cancel(awaited(slow, tmp_path), lambda: len(server.seen) == 4)
        released.set()
        assert await asyncio.gather(*others) == [NWB] * 3

    server.script = [halting]
    asyncio.run(main())
    assert len(server.seen) == 4


def test_a_loop_that_is_left_early_closes_the_connection(
    client: AsyncArtifactClient, server: ScriptedServer
) -> None:
    async def main() -> bytes:
        async for piece in client.stream(ROUTE):
            return piece
        return b""

    assert NWB.startswith(asyncio.run(main()) or b"?")
    gc.collect()
    assert eventually(lambda: not server.connections)


def test_the_error_of_a_callback_is_the_callers(
    client: AsyncArtifactClient, server: ScriptedServer
) -> None:
    async def failing(pieces: AsyncIterator[bytes]) -> None:
        async for _ in pieces:
            raise RuntimeError("their own affair")

    async def idle(pieces: AsyncIterator[bytes]) -> None:
        """Take nothing."""

    async def main() -> None:
        with pytest.raises(RuntimeError, match="their own"):
            await client.stream(ROUTE)(failing)
        await client.stream(ROUTE)(idle)

    asyncio.run(main())
    assert len(server.seen) == 1
    assert eventually(lambda: not server.connections)


# The loop, the threads and the processes.


@pytest.mark.parametrize("form", ASYNCHRONOUS)
def test_the_loop_is_free_meanwhile(
    slow: AsyncArtifactClient,
    server: ScriptedServer,
    released: Event,
    tmp_path: Path,
    form: Form,
) -> None:
    def stop(handler: BaseHTTPRequestHandler) -> None:
        released.wait(30)
        answer()(handler)

    async def main() -> bytes:
        task = asyncio.ensure_future(form(slow, tmp_path))
        while not server.seen:
            await asyncio.sleep(0)
        released.set()  # which only a free loop comes to do
        return await task

    server.script = [stop]
    assert asyncio.run(main()) == NWB


def test_no_more_threads_than_allowed_are_used(server: ScriptedServer, tmp_path: Path) -> None:
    def counting(handler: BaseHTTPRequestHandler) -> None:
        counts.append(len([name for name in threads() if "guard" not in name]))
        ranged()(handler)

    async def main() -> None:
        received = await asyncio.gather(*(form(client, tmp_path) for form in STREAMS * 5))
        assert received == [NWB] * 15
        reports = await client.download_many(
            {f"files/{number}": tmp_path / f"{number}.nwb" for number in range(9)}
        )
        assert all(report.ok for report in reports)

    counts: list[int] = []
    server.script = [counting]
    with AsyncArtifactClient(replace(server.settings, max_parallel=3)) as client:
        asyncio.run(main())
    assert len(counts) == 24
    assert max(counts[:15]) <= 3
    assert max(counts) <= 3 + 3  # those of the pool wait while files are downloaded in parallel
    assert eventually(lambda: not threads())


def test_many_files_are_fetched_with_a_fate_for_each(
    client: AsyncArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    def give(handler: BaseHTTPRequestHandler) -> None:
        (answer(404, b"") if handler.path == "/files/1" else ranged())(handler)

    async def main() -> None:
        wanted = [Artifact(f"files/{n}", id=n, filename="a.nwb") for n in range(3)]
        reports = await client.download_many(wanted, tmp_path)
        assert [report.ok for report in reports] == [True, False, True]
        with pytest.raises(ConfigurationError):
            await client.download_many(wanted)
        report = await client.download(wanted[0], tmp_path / "0_a.nwb")
        assert report.source == "present"

    server.script = [give]
    asyncio.run(main())


def test_a_given_sha256_is_compared(client: AsyncArtifactClient, tmp_path: Path) -> None:
    async def main() -> None:
        await client.download(ROUTE, tmp_path / "a.nwb", sha256="0" * 64)

    with pytest.raises(ArtifactCorruptError, match="SHA-256"):
        asyncio.run(main())


def test_the_same_client_serves_one_loop_after_another_and_two_at_once(
    client: AsyncArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [ranged()]
    for form in ASYNCHRONOUS:
        assert run(form, client, tmp_path) == NWB
    received: list[bytes] = []
    loops = [
        threading.Thread(target=lambda: received.append(run(awaited, client, tmp_path)))
        for _ in range(2)
    ]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join(20)
    assert received == [NWB] * 2


def test_what_blocks_works_inside_a_running_loop(
    client: AsyncArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    async def notebook() -> None:
        assert client.reachable([ROUTE]) == [True]
        with client.open_artifact(ROUTE) as file:
            assert file.read() == NWB
        with pytest.raises(ArtifactNotFoundError):
            client.path_of(ROUTE)

    server.script = [ranged()]
    asyncio.run(notebook())


def test_a_mounted_file_is_read_from_there(server: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / "mnt").mkdir()
    (tmp_path / "mnt" / "a.nwb").write_bytes(NWB)
    mounted = Artifact(ROUTE, storage_directory=f"{tmp_path}/mnt", filename="a.nwb")

    async def main() -> None:
        assert await client.stream(mounted) == NWB
        assert b"".join([piece async for piece in client.stream(mounted)]) == NWB
        assert (await client.download(mounted, tmp_path / "b.nwb")).source == "file system"
        assert client.path_of(mounted) == tmp_path / "mnt" / "a.nwb"

    place = str(tmp_path / "mnt")
    with AsyncArtifactClient(replace(server.settings, mounts={place: place})) as client:
        asyncio.run(main())
    assert server.seen == []


def test_a_client_can_be_closed_again_and_again_and_be_used_after_that(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [ranged()]
    client = AsyncArtifactClient(server.settings)
    client.close()
    for _ in range(2):
        assert run(awaited, client, tmp_path) == NWB
        assert threads()
        assert server.connections
        client.close()
        client.close()
        assert eventually(lambda: not threads())
        assert eventually(lambda: not server.connections)


FORKING = """
import asyncio, os, sys
from ecephys_dal import ArtifactClient, ArtifactSettings, AsyncArtifactClient
host, folder = sys.argv[1:]
settings = ArtifactSettings(host=host, progress=False, attempts=1, read_timeout=5)
async def fetch(name):
    received, report = await asyncio.gather(
        client.stream("files/7"), client.download("files/7", f"{folder}/{name}")
    )
    assert report.path.read_bytes() == received
    blocking.download("files/7", f"{folder}/{name}, blocking")
with AsyncArtifactClient(settings) as client, ArtifactClient(settings) as blocking:
    asyncio.run(fetch("parent"))
    child = os.fork()
    if child and os.waitpid(child, 0)[1]:
        sys.exit("the child has failed")
    asyncio.run(fetch("parent again" if child else "child"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no forks there")
def test_a_client_is_usable_after_a_fork_on_both_sides(
    server: ScriptedServer, tmp_path: Path
) -> None:
    def give(handler: BaseHTTPRequestHandler) -> None:
        came_by.append(handler.client_address)
        ranged()(handler)

    came_by: list[object] = []
    server.script = [give]
    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", FORKING, server.host, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    names = ["child", "parent", "parent again"]
    assert visible(tmp_path) == sorted([*names, *(f"{name}, blocking" for name in names)])
    parent, child, again = (came_by[at : at + 3] for at in (0, 3, 6))
    assert not set(child) & {*parent, *again}
    # The child has not closed the parent's connections, of which there is one or two for the two
    # transfers at once, and one for the blocking one.
    assert set(again[:2]) & set(parent[:2])
    assert again[2] == parent[2]


INTERRUPTED = """
import asyncio, sys
from ecephys_dal import ArtifactSettings, AsyncArtifactClient
host, folder = sys.argv[1:]
with AsyncArtifactClient(ArtifactSettings(host=host, progress=False)) as client:
    async def main():
        await client.download("files/7", f"{folder}/a.nwb")
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_ctrl_c_ends_a_loop_at_once(
    server: ScriptedServer, released: Event, tmp_path: Path
) -> None:
    def halting(handler: BaseHTTPRequestHandler) -> None:
        answer(body=NWB[:100_000], length=len(NWB), keep=True, ETag=ETAG)(handler)
        released.wait(30)

    server.script = [halting]
    child = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", INTERRUPTED, server.host, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert eventually(lambda: [one for one in tmp_path.glob(".*.part") if one.stat().st_size], 30)
    child.send_signal(2)
    started = time.monotonic()
    assert child.communicate(timeout=30)[0] == b"interrupted\n"
    assert time.monotonic() - started < 15
    assert [one.stat().st_size for one in tmp_path.glob(".*.part")] == [100_000]


def test_the_settings_are_those_of_the_blocking_client(server: ScriptedServer) -> None:
    with AsyncArtifactClient(server.settings) as client:
        assert client.settings == client.blocking.settings == server.settings
        assert isinstance(client.blocking, ArtifactClient)
        assert server.host in repr(client)
    with AsyncArtifactClient() as default:
        assert default.settings.host == "lims2"
