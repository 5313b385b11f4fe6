"""Real servers whose every answer is scripted, also behind TLS or a proxy."""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Lock, Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import h5py
import numpy as np
import pytest

from ecephys_dal import ArtifactClient, ArtifactSettings
from ecephys_dal.artifacts.manifest import MANIFEST


def _hdf5() -> bytes:
    written = BytesIO()
    with h5py.File(written, "w") as file:
        file["noise"] = np.random.default_rng(0).integers(256, size=500_000, dtype=np.uint8)
    return written.getvalue()


NWB = _hdf5()
ROUTE = "well_known_files/download/7?wkf_id=7"
ETAG = '"one"'


def visible(folder: Path) -> list[str]:
    """List what a folder holds, but for the record of what was fetched into it."""
    return sorted(path.name for path in folder.iterdir() if path.name != MANIFEST)


def eventually(condition: Callable[[], object], seconds: float = 10) -> bool:
    """Wait until something holds, and tell whether it does."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.002)
    return bool(condition())


Answer = Callable[[BaseHTTPRequestHandler], None]


def answer(
    status: int = 200,
    body: bytes = NWB,
    *,
    length: int | None = None,
    keep: bool = False,
    **headers: str,
) -> Answer:
    """Script an answer; a length that is not the body's makes it a lie, -1 leaves it out."""

    def give(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if length != -1:
            handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)
        handler.close_connection = not keep

    return give


def ranged(
    body: bytes = NWB, etag: str | None = ETAG, *, cut: int | None = None, **headers: str
) -> Answer:
    """Script what a server of files answers; it may hang up after so many bytes."""

    def give(handler: BaseHTTPRequestHandler) -> None:
        first, stop, status, fields = 0, len(body), 200, dict(headers)
        if etag:
            fields["ETag"] = etag
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
        if asked and handler.headers.get("If-Range", etag) == etag:
            first, stop = int(asked[1]), min(int(asked[2] or stop) + 1, stop)
            status = 206 if first < stop else 416
            span = f"{first}-{stop - 1}" if first < stop else "*"
            fields["Content_Range"] = f"bytes {span}/{len(body)}"
        piece = body[first:stop]
        broken = cut is not None and cut < len(piece)
        answer(status, piece[:cut], length=len(piece), keep=not broken, **fields)(handler)

    return give


def chunked(body: bytes = NWB, *, ends: bool = True, **headers: str) -> Answer:
    """Script a body in chunks, which may lack the last one."""
    coded = f"{len(body):x}\r\n".encode() + body + b"\r\n" + b"0\r\n\r\n" * ends
    return answer(body=coded, length=-1, keep=ends, Transfer_Encoding="chunked", **headers)


def by_path(answers: dict[str, Answer]) -> Answer:
    """Script the answers of a server of several files."""

    def give(handler: BaseHTTPRequestHandler) -> None:
        answers.get(handler.path.lstrip("/"), answer(404, b"<html>", keep=True))(handler)

    return give


class Seen(NamedTuple):
    """A request that arrived."""

    method: str
    path: str
    headers: Message


class ScriptedServer(ThreadingHTTPServer):
    """Gives the scripted answers in turn, and the last one for ever.

    ``accepted`` counts the connections so far, ``connections`` holds those that are open, and
    ``most_at_once`` tells how many requests were answered at the same time at most.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, 0), _Handler)
        self.script: list[Answer] = [answer()]
        self.seen: list[Seen] = []
        self.accepted = self.now = self.most_at_once = 0
        self.connections: set[Any] = set()
        self.lock = Lock()
        self.host = f"{f'[{address}]' if ':' in address else address}:{self.server_port}"
        self.scheme = "https" if tls else "http"
        if tls:
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    @property
    def settings(self) -> ArtifactSettings:
        """Settings that reach this server, and lose no time."""
        return ArtifactSettings(
            scheme=self.scheme,
            host=self.host,
            attempts=3,
            backoff=0.001,
            max_backoff=0.002,
            read_timeout=0.5,
            chunksize=65536,
            progress=False,
        )

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.lock:
            self.accepted += 1
            self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self.lock:
            self.connections.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet about clients that go away."""

    @contextmanager
    def running(self) -> Iterator[ScriptedServer]:
        thread = Thread(target=self.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def do_GET(self) -> None:
        server, script = self.server, self.server.script
        with server.lock:
            server.seen.append(Seen(self.command, self.path, self.headers))
            server.now += 1
            server.most_at_once = max(server.most_at_once, server.now)
            give = script.pop(0) if len(script) > 1 else script[0]
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                give(self)
        finally:
            with server.lock:
                server.now -= 1

    do_HEAD = do_GET  # noqa: N815 - as http.server names it

    def do_CONNECT(self) -> None:
        """Be a proxy that is asked for a tunnel."""
        with self.server.lock:
            self.server.seen.append(Seen(self.command, self.path, self.headers))
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as onward:
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            _exchange(self.connection, onward)

    def log_message(self, *_: Any) -> None:
        pass


def _exchange(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes on in both directions, until either hangs up."""
    beyond = {one: other, other: one}
    while True:
        for readable in select.select([one, other], [], [], 10)[0]:
            piece = readable.recv(65536)
            if not piece:
                return
            beyond[readable].sendall(piece)


def forward(handler: BaseHTTPRequestHandler) -> None:
    """Script what a proxy does: ask for the URL, and pass the answer on."""
    parts = urlsplit(handler.path)
    asked = f"{handler.command} {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    with socket.create_connection((parts.hostname or "", parts.port or 80)) as onward:
        onward.sendall(f"{asked}Connection: close\r\n\r\n".encode())
        while piece := onward.recv(65536):
            handler.wfile.write(piece)
    handler.close_connection = True


@pytest.fixture(autouse=True)
def _unproxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing depend on the proxies and authorities of this machine."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "curl_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)


Start = Callable[..., ScriptedServer]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start further servers."""
    with ExitStack() as stack:
        yield lambda *of, **them: stack.enter_context(ScriptedServer(*of, **them).running())


@pytest.fixture
def server(start: Start) -> ScriptedServer:
    return start()


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[ArtifactClient]:
    with ArtifactClient(server.settings) as made:
        yield made
