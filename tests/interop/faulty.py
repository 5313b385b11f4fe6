"""The folder of an artifact server, served by one whose first answers for each file are faulty."""

from __future__ import annotations

import re
import socket
import struct
from collections import Counter
from collections.abc import Sequence
from enum import Enum, auto
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, NamedTuple

from typing_extensions import Self

__all__ = ["FAULTS", "Answer", "Fault", "FaultyServer"]

_ROUTE = re.compile(r"/well_known_files/download/(\d+)\?wkf_id=\1")
_RANGE = re.compile(r"bytes=(\d+)-")
_PAGE = b"<html><body>Please come back later.</body></html>"
_RESET = struct.pack("ii", 1, 0)  # no lingering: what is not sent is lost


class Fault(Enum):
    """What may be wrong with an answer."""

    BUSY = auto()  # 503, come back at once
    CUT = auto()  # half of the body, and the end of the connection
    RESET = auto()  # half of the body, and a reset
    UNSIZED = auto()  # half of the body, whose length was not announced
    PAGE = auto()  # a web page that says it was all right
    STALL = auto()  # half of the body, and nothing more


FAULTS = (Fault.BUSY, Fault.CUT, Fault.RESET)  # in turn


class Answer(NamedTuple):
    """How a request was answered: for which file, from which byte on, and how badly."""

    file_id: int
    start: int
    fault: Fault | None


class FaultyServer:
    """Serves each file with these faults in turn, and from then on well.

    A good answer has a strong ETag and Content-Length, and honours Range and If-Range. The stalled
    ones wait for the end of the block.
    """

    def __init__(self, folder: Path, faults: Sequence[Fault] = ()) -> None:
        self._server = _Server(folder, faults)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.answers = self._server.answers

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def starts(self, file_id: int) -> list[int]:
        """Return the first byte of each answer for a file."""
        return [answer.start for answer in self.answers if answer.file_id == file_id]


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for the handlers

    def __init__(self, folder: Path, faults: Sequence[Fault]) -> None:
        self.folder, self.faults = folder, faults
        self.answers: list[Answer] = []
        self.over = Event()
        self._asked, self._lock = Counter[int](), Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def next_fault(self, file_id: int) -> Fault | None:
        with self._lock:
            asked = self._asked[file_id]
            self._asked[file_id] += 1
        return self.faults[asked] if asked < len(self.faults) else None

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)  # a shutdown before it would make a reset a clean close

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let clients go away; they are being tested, not this server."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        route = _ROUTE.fullmatch(self.path)
        if route is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        file_id = int(route[1])
        (file,) = (self.server.folder / route[1]).iterdir()
        content, fault = file.read_bytes(), self.server.next_fault(file_id)
        start = self._start(content)
        self.server.answers.append(Answer(file_id, start, fault))
        if fault in (Fault.BUSY, Fault.PAGE):
            self._send_page(
                HTTPStatus.OK if fault is Fault.PAGE else HTTPStatus.SERVICE_UNAVAILABLE
            )
            return
        self._send_head(content, start, sized=fault is not Fault.UNSIZED)
        rest = content[start:]
        self.wfile.write(rest if fault is None else rest[: len(rest) // 2])
        self._end(fault)

    def log_message(self, *_: object) -> None:
        """Stay quiet; the answers are the log."""

    def _start(self, content: bytes) -> int:
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        same = self.headers.get("If-Range", _tag(content)) == _tag(content)
        return int(asked[1]) if asked and same else 0

    def _send_page(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(_PAGE)))
        self.end_headers()
        self.wfile.write(_PAGE)

    def _send_head(self, content: bytes, start: int, *, sized: bool) -> None:
        self.send_response(HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if sized:
            self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", _tag(content))
        self.send_header("Connection", "close")
        self.end_headers()

    def _end(self, fault: Fault | None) -> None:
        if fault is Fault.STALL:
            self.server.over.wait()
        if fault is Fault.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _tag(content: bytes) -> str:
    return f'"{sha256(content).hexdigest()[:16]}"'
