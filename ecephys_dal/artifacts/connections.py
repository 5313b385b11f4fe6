"""Connections to the web application, whose waiting can be ended from another thread."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Event, Lock, Timer, get_ident
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Interrupted", "Interruption", "open_connections"]


class Interrupted(Exception):  # noqa: N818 - not an error: somebody asked for it
    """A transfer was asked to end."""


class Interruption:
    """Ends transfers in other threads: at their next step, in a wait, or while they read."""

    def __init__(self) -> None:
        self._event, self._lock = Event(), Lock()
        self._connections: dict[int, Any] = {}  # by the thread that uses it

    def set(self) -> None:
        """Ask the transfers to end, and wake them."""
        with self._lock:
            self._event.set()
            for connection in self._connections.values():
                _hang_up(connection)

    def check(self) -> None:
        """Raise if the transfer was asked to end."""
        if self._event.is_set():
            raise Interrupted

    def pause(self, seconds: float) -> None:
        """Wait, or raise as soon as the transfer is asked to end."""
        self._event.wait(seconds)
        self.check()

    @contextmanager
    def watching(self, header_timeout: float) -> Iterator[None]:
        """Watch the connection that a request in this block uses, and go on doing so after it.

        Parameters
        ----------
        header_timeout : float
            Seconds after which to hang up if, after the request, the block has not ended. A
            socket's own limit is one for each read, of which a header that drips has many.
        """
        timers: list[Timer] = []

        def start_timer(connection: Any) -> None:
            timers.append(Timer(header_timeout, _hang_up, (connection,)))
            timers[-1].daemon = True
            timers[-1].start()

        token = _WATCHER.set((self, start_timer))
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()
            _WATCHER.reset(token)

    def watch(self, connection: Any) -> None:
        """Hang up on this connection when the transfer is asked to end."""
        with self._lock:
            self._connections[get_ident()] = connection
            if self._event.is_set():
                _hang_up(connection)

    def forget(self) -> None:
        """Watch no connection of this thread, for it may serve another transfer by now."""
        with self._lock:
            self._connections.pop(get_ident(), None)


def _hang_up(connection: Any) -> None:
    sock = getattr(connection, "sock", None)
    if sock is not None:
        with suppress(OSError):  # it was closed at the same moment
            # Not the method of an SSL socket, which would forget the encryption.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


# Who watches the connections that are used, and is to be told when a request was sent.
_WATCHER: ContextVar[tuple[Interruption, Callable[[Any], None]] | None] = ContextVar(
    "_WATCHER", default=None
)


class _Watched:
    """A connection that tells who uses it."""

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        if watcher := _WATCHER.get():
            watcher[0].watch(self)

    def request(self, *args: Any, **kwargs: Any) -> None:
        watcher = _WATCHER.get()
        if watcher:
            watcher[0].watch(self)
        super().request(*args, **kwargs)  # type: ignore[misc]
        if watcher:
            watcher[1](self)


class _WatchedHTTP(_Watched, HTTPConnection):
    pass


class _WatchedHTTPS(_Watched, HTTPSConnection):
    pass


class _PoolHTTP(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _PoolHTTPS(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


_POOLS = {"http": _PoolHTTP, "https": _PoolHTTPS}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # those need connections of their own kind
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def close(self) -> None:
        # What is cleared is closed when the garbage collector comes to it, and errors keep it.
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - which can't be iterated over
                pool = manager.pools.get(key)
                if pool is not None:
                    pool.close()
        super().close()


def open_connections(at_once: int) -> requests.Session:
    """Return a session of requests that keeps so many connections for each server."""
    session = requests.Session()
    adapter = _Adapter(pool_maxsize=at_once, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
