"""A server on bare sockets, which can do wrong whatever can be done wrong over HTTP/1.1."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fcntl import ioctl
from http import HTTPStatus
from itertools import chain, repeat
from termios import TIOCOUTQ
from threading import Condition, Event, Thread, current_thread

from typing_extensions import Self

from .replies import Reply, Request, Script

__all__ = ["FaultServer"]

_PIECE = 65536


class FaultServer:
    """Gives the scripted replies in turn, and notes every request.

    Parameters
    ----------
    script : tuple of Step
        What answers the first request, the second, and so on; the last one answers for ever.
    elsewhere : str
        What ``{elsewhere}`` in a header field stands for: the host of another server.
    name : str
        Of this computer, in `host`.
    """

    def __init__(self, script: Script, *, elsewhere: str = "", name: str = "127.0.0.1") -> None:
        self.script = script
        self.elsewhere = elsewhere
        self.requests: list[Request] = []
        self.connections: set[socket.socket] = set()  # those that are open
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.host = f"{name}:{self._listening.getsockname()[1]}"
        self._ended = Event()
        self._changed = Condition()
        self._threads = [Thread(target=self._accept, name="fault server", daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listening.shutdown(socket.SHUT_RDWR)  # which wakes who accepts
        self._threads[0].join()
        with self._changed:
            for connection in self.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listening.close()

    @property
    def sent(self) -> int:
        """How many bytes of bodies have been sent."""
        return sum(request.sent[0] for request in self.requests)

    def is_quiet(self, within: float = 5) -> bool:
        """Tell whether all clients hang up, within these seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.connections, within)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return  # it was shut down
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self.connections.add(connection)
            self._threads.append(Thread(target=self._serve, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        current_thread().name = "fault server's connection"
        with suppress(OSError), self._closing(connection):
            while (request := self._read(connection)) is not None:
                step = self.script[min(request.number, len(self.script)) - 1]
                if not self._answer(connection, request, step(request)):
                    return

    @contextmanager
    def _closing(self, connection: socket.socket) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self.connections.discard(connection)
                connection.close()
                self._changed.notify_all()

    def _read(self, connection: socket.socket) -> Request | None:
        """Return the next request, or None when the client has hung up."""
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(_PIECE)
            if not piece:
                return None
            received += piece
        line, *fields = received.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        pairs = (field.split(":", 1) for field in fields)
        headers = {name.lower(): value.strip() for name, value in pairs}
        with self._changed:
            number = len(self.requests) + 1
            request = Request(number=number, at=time.monotonic(), line=line, headers=headers)
            self.requests.append(request)
        return request

    def _answer(self, connection: socket.socket, request: Request, reply: Reply) -> bool:
        """Send a reply, and tell whether the connection can be used again."""
        if reply.head == "stall":
            return self._wait_for_the_end(connection)
        if reply.head == "none":
            return False
        head = self._head_of(reply)
        if reply.head == "drip":
            self._drip(connection, chain(head[:-2], repeat(ord("x"), 100)), reply.pause)
            return False
        connection.sendall(head)
        if not request.line.startswith("HEAD "):
            self._send(connection, request, reply)
        return self._end(connection, reply)

    def _head_of(self, reply: Reply) -> bytes:
        length = len(reply.body) if reply.announced is None else reply.announced
        framing = {
            "length": {"Content-Length": str(length)},
            "chunked": {"Transfer-Encoding": "chunked"},
            "close": {"Connection": "close"},
            "both": {"Content-Length": str(length), "Transfer-Encoding": "chunked"},
        }
        known = {status.value: status.phrase for status in HTTPStatus}
        fields = {**reply.headers, **framing[reply.framing]}
        lines = [f"HTTP/1.1 {reply.status} {known[reply.status]}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        text = "\r\n".join([*lines, "", ""]).replace("{elsewhere}", self.elsewhere)
        return text.encode("latin-1")

    def _send(self, connection: socket.socket, request: Request, reply: Reply) -> None:
        body, chunked = memoryview(reply.arriving), reply.framing in ("chunked", "both")
        for start in range(0, len(body), _PIECE):
            piece = body[start : start + _PIECE]
            connection.sendall(_chunk(piece, reply) if chunked else piece)
            request.sent[0] += len(piece)
            if reply.pace and self._ended.wait(reply.pace):
                return
        if chunked and reply.cut is None:
            connection.sendall(b"0\r\n\r\n")
        connection.sendall(reply.after)

    def _end(self, connection: socket.socket, reply: Reply) -> bool:
        if reply.end == "drip":
            self._drip(connection, reply.body[reply.cut :], reply.pause)
            return False
        if reply.end == "stall":
            return self._wait_for_the_end(connection)
        if reply.end == "reset":
            self._wait_until_arrived(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if reply.end == "close" or reply.framing == "close":
            connection.shutdown(socket.SHUT_WR)
            return self._wait_for_the_end(connection)
        return True

    def _drip(self, connection: socket.socket, left: Iterable[int], pause: float) -> None:
        for byte in left:
            if self._ended.wait(pause):
                return
            connection.sendall(bytes([byte]))

    def _wait_until_arrived(self, connection: socket.socket) -> None:
        """Wait until the kernel has no byte left to send; a reset throws those away."""
        left = struct.pack("i", 1)
        while left != bytes(4) and not self._ended.wait(0.001):
            left = ioctl(connection, TIOCOUTQ, left)

    def _wait_for_the_end(self, connection: socket.socket) -> bool:
        """Wait until the client hangs up, or the server ends."""
        while connection.recv(_PIECE):
            pass  # what a client sends meanwhile is not heard
        return False


def _chunk(piece: memoryview, reply: Reply) -> bytes:
    """Frame a chunk, which is left unfinished where the body is cut within it."""
    if reply.cut is not None and len(piece) < _PIECE:
        return b"%x\r\n%b" % (_PIECE, piece)
    return b"%x\r\n%b\r\n" % (len(piece), piece)
