"""An artifact server: the downloads of LIMS' web application, from a folder, in this process."""

from __future__ import annotations

import os
import re
import socket
import sys
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

from ecephys_dal.paths import absolute_path

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

__all__ = ["ArtifactServer"]

_DOWNLOAD = re.compile(r"/well_known_files/download/(\d+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_BLOCK = 1024 * 1024
_NOT_FOUND = b"<html><body><h1>The page you were looking for doesn't exist.</h1></body></html>"


class ArtifactServer:
    """Serve ``/well_known_files/download/<id>?wkf_id=<id>`` over HTTP/1.1, as LIMS does.

    Parameters
    ----------
    folder : str or Path
        Holds each file as ``<id of the well-known file>/<filename>``, as
        `~ecephys_dal.testing.build_synthetic_lims` writes them.
    port : int
        The port to listen on; 0 takes a free one.

    Attributes
    ----------
    host : str
        ``127.0.0.1:<port>``, for ``app_kwargs={"host": server.host}``.
    port : int
        The port.
    url : str
        ``http://127.0.0.1:<port>``.
    requests : list of str
        The path and query of every request so far, in the order of arrival.

    Notes
    -----
    A context manager: the port is open from the construction on, requests are answered inside
    the block, and no thread or socket outlives it. A strong ETag is sent, and ranges
    are, as ``open_artifact`` and a download that is resumed want them.

    Examples
    --------
    >>> with ArtifactServer(folder) as server:  # doctest: +SKIP
    ...     requests.get(f"{server.url}/well_known_files/download/7?wkf_id=7").content
    """

    def __init__(self, folder: str | Path, *, port: int = 0) -> None:
        self.requests: list[str] = []
        self._server = _Server(absolute_path(folder), self.requests, port)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.port = self._server.server_port
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"

    def start(self) -> None:
        """Begin to answer requests."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more requests, and close the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    def __init__(self, folder: Path, requests: list[str], port: int) -> None:
        self.folder, self.requests = folder, requests
        self._lock, self._open = Lock(), set[socket.socket]()
        self._handlers: list[Thread] = []
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        # A daemon, for else a script that closes nothing would wait for its own idle connection.
        handler = Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        self._handlers = [*filter(Thread.is_alive, self._handlers), handler]
        handler.start()

    def server_close(self) -> None:
        super().server_close()
        for handler in self._handlers:
            handler.join()

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep alive, for their handlers would wait for ever."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # the client was faster
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that goes away is its own affair; anything else is a defect to be seen.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_: object) -> None:
        """Stay quiet; `ArtifactServer.requests` is the log."""

    def _answer(self, *, with_body: bool) -> None:
        self.server.requests.append(self.path)
        file = self._file()
        if file is None:
            self._head(HTTPStatus.NOT_FOUND, len(_NOT_FOUND), "text/html; charset=utf-8")
            if with_body:
                self.wfile.write(_NOT_FOUND)
            return
        with file.open("rb") as opened:
            found = os.fstat(opened.fileno())
            self._give(
                opened, found.st_size, f'"{found.st_mtime_ns:x}-{found.st_size:x}"', with_body
            )

    def _give(self, opened: BinaryIO, size: int, etag: str, with_body: bool) -> None:
        """Send the file, or the range of it that was asked for."""
        fields = {"ETag": etag, "Accept-Ranges": "bytes"}
        asked = self._range(size, etag)
        first, stop = asked or (0, size)
        if asked and first >= stop:
            fields["Content-Range"] = f"bytes */{size}"
            self._head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, **fields)
            return
        status = HTTPStatus.OK
        if asked:
            status = HTTPStatus.PARTIAL_CONTENT
            fields["Content-Range"] = f"bytes {first}-{stop - 1}/{size}"
        self._head(status, stop - first, **fields)
        if with_body:
            opened.seek(first)
            for left in range(stop - first, 0, -_BLOCK):
                self.wfile.write(opened.read(min(left, _BLOCK)))

    def _range(self, size: int, etag: str) -> tuple[int, int] | None:
        """Return the offsets between which to send, None if the whole is to be sent."""
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if asked is None or self.headers.get("If-Range", etag) != etag:
            return None
        return int(asked[1]), min(int(asked[2] or size) + 1, size)

    def _head(
        self,
        status: HTTPStatus,
        length: int,
        content_type: str = "application/octet-stream",
        **fields: str,
    ) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": content_type,
            "Content-Length": str(length),
            **fields,
        }.items():
            self.send_header(name, value)
        self.end_headers()

    def _file(self) -> Path | None:
        url = urlsplit(self.path)
        route = _DOWNLOAD.fullmatch(url.path)
        if route is None or parse_qs(url.query).get("wkf_id") != [route[1]]:
            return None
        return next((self.server.folder / route[1]).glob("*"), None)
