"""Whatever a server does, a wait for it has an end, and can be ended from another thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread, Timer

import pytest

from ecephys_dal import ArtifactClient, ArtifactSettings, ArtifactTransferError
from ecephys_dal.artifacts import Artifact
from ecephys_dal.artifacts.download import Download
from ecephys_dal.artifacts.interruption import Interrupted, Interruption

HEAD = b"HTTP/1.1 200 OK\r\n"
DRIPPING = {
    "a header": HEAD + b"X-Name: ",
    "the size of a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;",
    "a trailer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Name: ",
}
SILENT = {
    "kept": HEAD + b"Content-Length: 100\r\n\r\nhello",
    "closed after it": HEAD + b"Connection: close\r\nContent-Length: 100\r\n\r\nhello",
    "of an older protocol": b"HTTP/1.0 200 OK\r\n\r\nhello",
}


@contextmanager
def sending(start: bytes, *, drip: bool) -> Iterator[str]:
    """Serve this beginning of an answer, and then drip for ever, or be silent."""
    ended = Event()

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                connection.sendall(start)
                while not ended.wait(0.02):
                    if drip:
                        connection.sendall(b"x")
            except OSError:
                return  # the client has hung up

    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.slow
@pytest.mark.parametrize("where", DRIPPING)
def test_a_server_that_drips_is_given_up(where: str, tmp_path: Path) -> None:
    with sending(DRIPPING[where], drip=True) as host:
        settings = ArtifactSettings(
            host=host, read_timeout=0.2, attempts=2, backoff=0.001, progress=False
        )
        began = time.monotonic()
        with ArtifactClient(settings) as client, pytest.raises(ArtifactTransferError):
            client.download("files/7", tmp_path / "a.bin")
    assert time.monotonic() - began < 10
    assert [path.name for path in tmp_path.iterdir()] == []
    assert not [one for one in threading.enumerate() if one.name.startswith("ecephys_dal")]


@pytest.mark.parametrize("answer", SILENT)
def test_a_read_is_ended_from_another_thread(answer: str, tmp_path: Path) -> None:
    interruption = Interruption()
    with (
        sending(SILENT[answer], drip=False) as host,
        ArtifactClient(ArtifactSettings(host=host, progress=False)) as client,
    ):
        target = tmp_path / "a.bin"
        download = Download(client, Artifact("files/7"), target, interruption.child())
        timer = Timer(0.3, interruption.set)
        timer.start()
        began = time.monotonic()
        with pytest.raises(Interrupted):
            download.run()
        timer.join()
    assert time.monotonic() - began < 10  # and not the minute of read_timeout
    assert not (tmp_path / "a.bin").exists()
