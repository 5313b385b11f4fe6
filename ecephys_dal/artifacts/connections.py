"""Connections to the web application, whose waiting can be ended from another thread."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from ecephys_dal.artifacts.interruption import use_socket

if TYPE_CHECKING:
    import socket

__all__ = ["open_connections"]


class _Watched:
    """A connection that tells which socket it uses."""

    sock: socket.socket | None

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        use_socket(sock)
        return sock

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        use_socket(self.sock)  # another one, if it is encrypted

    def request(self, *args: Any, **kwargs: Any) -> None:
        use_socket(self.sock)
        super().request(*args, **kwargs)  # type: ignore[misc]


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


class _Session(requests.Session):
    """Connections that keep nothing of one request for another, and follow no redirection."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        # Even to say where one leads, requests would read all of its page, inflated, at once.
        return None


def open_connections(at_once: int) -> requests.Session:
    """Return a session of requests that keeps so many connections for each server."""
    session = _Session()
    adapter = _Adapter(pool_maxsize=at_once, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
