"""A proxy before a PostgreSQL server that cuts connections, as firewalls and failovers do."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

from sqlalchemy import URL, make_url
from typing_extensions import Self

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST


class Proxy:
    """Hands bytes on in both directions, until it is told to cut or to refuse.

    Parameters
    ----------
    url : str
        Of the server, at a TCP address or a Unix socket.

    Attributes
    ----------
    sent : int
        How many bytes the server has sent through the proxy.
    """

    def __init__(self, url: str) -> None:
        self._server = make_url(url)
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._left: int | None = None
        self._reset = False
        self._is_silent = False
        self.sent = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self._accept()

    @property
    def url(self) -> URL:
        """The server's URL, by way of the proxy."""
        url = self._server.difference_update_query(["host", "port"])
        return url.set(host="127.0.0.1", port=self._port)

    def cut_after(self, n_bytes: int, *, reset: bool = False) -> None:
        """Cut all connections once, when the server has sent so many more bytes."""
        with self._lock:
            self._left, self._reset = n_bytes, reset

    def cut(self, *, reset: bool = False) -> None:
        """Cut all connections."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    if reset:
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def refuse(self) -> None:
        """Refuse new connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def fall_silent(self) -> None:
        """Take connections, and give nothing; the port stays this proxy's."""
        self._is_silent = True
        self.cut()

    def take_over(self) -> None:
        """Accept connections again, at the same port."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._accept()

    def _accept(self) -> None:
        listener = self._listener

        def run() -> None:
            with suppress(OSError):
                while True:
                    self._join(listener.accept()[0])

        threading.Thread(target=run, daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        if self._is_silent:
            with self._lock:
                self._pairs.append((client, client))
            return
        server = self._connect()
        with self._lock:
            self._pairs.append((client, server))
        for source, sink in ((client, server), (server, client)):
            arguments = (source, sink, source is server)
            threading.Thread(target=self._hand_on, args=arguments, daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = self._server.host, self._server.port or 5432
        folder = self._server.query.get("host") or (host if host and "/" in host else None)
        if folder is None:
            return socket.create_connection((host or "127.0.0.1", port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{folder}/.s.PGSQL.{port}")
        return server

    def _hand_on(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while received := source.recv(65536):
                allowed, is_last = self._allowed(len(received)) if is_answer else (None, False)
                sink.sendall(self._changed(received[:allowed]) if is_answer else received)
                if is_last:
                    self.cut(reset=self._reset)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _changed(self, answer: bytes) -> bytes:
        return answer

    def _allowed(self, n_bytes: int) -> tuple[int, bool]:
        with self._lock:
            allowed, is_last = n_bytes, False
            if self._left is not None:
                allowed, is_last = min(n_bytes, self._left), n_bytes >= self._left
                self._left = None if is_last else self._left - n_bytes
            self.sent += allowed
            return allowed, is_last

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.refuse()
        self.cut()


class Translator(Proxy):
    """Gives the server's errors other words, as a server of another language does.

    Parameters
    ----------
    url : str
        Of the server.
    words : dict of bytes to bytes
        What stands in a message, and what shall.
    """

    def __init__(self, url: str, words: dict[bytes, bytes]) -> None:
        super().__init__(url)
        self._words = words

    def _changed(self, answer: bytes) -> bytes:
        """Change the errors of an answer, which are not cut in two as long as they are short."""
        kept = b""
        while (head := answer[:5]) and len(head) == 5:
            length = 1 + int.from_bytes(head[1:], "big")
            message, answer = answer[:length], answer[length:]
            kept += self._translated(message) if head[:1] == b"E" else message
        return kept + answer

    def _translated(self, message: bytes) -> bytes:
        fields = message[5:]
        for said, other in self._words.items():
            fields = fields.replace(said, other)
        return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields
