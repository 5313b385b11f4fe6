"""A real HTTP server whose every answer is scripted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import h5py
import numpy as np
import pytest

from ecephys_dal import ArtifactSettings
from ecephys_dal.artifacts.manifest import MANIFEST


def _hdf5() -> bytes:
    written = BytesIO()
    with h5py.File(written, "w") as file:
        file["noise"] = np.random.default_rng(0).integers(256, size=500_000, dtype=np.uint8)
    return written.getvalue()


NWB = _hdf5()
ROUTE = "well_known_files/download/7?wkf_id=7"


def visible(folder: Path) -> list[str]:
    """List what a folder holds, but for the record of what was fetched into it."""
    return sorted(path.name for path in folder.iterdir() if path.name != MANIFEST)


Answer = Callable[[BaseHTTPRequestHandler], None]


def answer(
    status: int = 200, body: bytes = NWB, *, length: int | None = None, **headers: str
) -> Answer:
    """Script an answer; a length that is not the body's makes it a lie, -1 leaves it out."""

    def give(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if length != -1:
            handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return give


class ScriptedServer(ThreadingHTTPServer):
    """Gives the scripted answers in turn, and the last one for ever."""

    daemon_threads = True
    script: list[Answer]
    seen: list[BaseHTTPRequestHandler]

    @property
    def settings(self) -> ArtifactSettings:
        """Settings that reach this server, and lose no time."""
        return ArtifactSettings(
            host=f"127.0.0.1:{self.server_port}",
            attempts=3,
            backoff=0.001,
            max_backoff=0.002,
            read_timeout=0.5,
            chunksize=65536,
            progress=False,
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        server.seen.append(self)
        script = server.script
        with suppress(BrokenPipeError, ConnectionResetError):
            (script.pop(0) if len(script) > 1 else script[0])(self)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(("127.0.0.1", 0), _Handler) as made:
        made.script, made.seen = [answer()], []
        thread = Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()
