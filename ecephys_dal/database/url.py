"""URLs of databases: what they name, and what of them may be shown."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ecephys_dal.config import check_sendable
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.paths import absolute_path

if TYPE_CHECKING:
    from typing import TypeGuard

    from sqlalchemy import Engine

__all__ = ["bound", "cleaned", "is_in_memory", "parsed", "shown", "url_of", "without_secrets"]

_FILES = ("passfile", "sslcert", "sslcrl", "sslcrldir", "sslkey", "sslrootcert")
_SECRET_OPTIONS = re.compile("pass(?!file)|secret|scram_", re.IGNORECASE)
_SAYS_PASSWORD = re.compile(r"password\s*=", re.IGNORECASE)
_AUTHORITY = re.compile("[^:/]*://([^/?#]*)(.*)", re.DOTALL)  # by RFC 3986, and what is behind it


def parsed(where: str | URL) -> URL:
    """Return the URL of a database of a kind that we know, by the driver installed with us."""
    url = None
    with suppress(ArgumentError, ValueError):  # which repeat a text that may hold a password
        url = make_url(where)
    if url is None:
        raise ConfigurationError(
            "the database URL can't be parsed; it looks like postgresql+psycopg2://user@host/dbname"
        )
    if isinstance(where, str) and not url.drivername.startswith("sqlite"):
        _refuse_unescaped(where)
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg2")
    if url.get_backend_name() not in ("postgresql", "sqlite"):
        raise ConfigurationError(f"{url.drivername} is neither postgresql nor sqlite")
    refuse_asynchronous(url)
    return bound(cleaned(url))


def _refuse_unescaped(where: str) -> None:
    """Raise if a password may hold what ends it, so that a part of it would pass for the host."""
    found = _AUTHORITY.match(where)
    authority, behind = found.groups() if found else (where, "")
    userinfo, _, _ = authority.rpartition("@")
    _, _, password = userinfo.partition(":")
    if "@" in behind or re.search("[@:]", password):
        raise _unescaped()


def _unescaped() -> ConfigurationError:
    return ConfigurationError(
        "the database URL holds a character that must be escaped: in a password, and behind the"
        " host, write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23; or give what"
        " sqlalchemy.URL.create makes, to which a password is given as it is, or DbCredentials"
    )


def refuse_asynchronous(url: URL) -> None:
    """Raise if the URL names a driver that only asynchronous engines can use."""
    _, _, driver = url.drivername.partition("+")
    if driver == "asyncpg" or driver.startswith("aio") or driver.endswith("_async"):
        instead = {"sqlite": "sqlite"}.get(url.get_backend_name(), "postgresql+psycopg2")
        raise ConfigurationError(
            f"{url.drivername} is an asynchronous driver, which can't be asked here; use {instead},"
            " and from coroutines EcephysProjectLimsApi.default(asynchronous=True) or"
            " asyncio.to_thread"
        )


def bound(url: URL) -> URL:
    """Return the URL with absolute paths, so that it names the same files from any folder."""
    if url.get_backend_name() == "postgresql":
        given = {name: url.query.get(name) for name in _FILES}
        return url.update_query_dict(
            {name: str(absolute_path(path)) for name, path in given.items() if _is_path(path)}
        )
    name = url.database or ""
    if is_in_memory(url) or name.removeprefix("file:").startswith((":memory:", "/")):
        return url
    if name.startswith("file:"):  # a URI of SQLite's own
        path = unquote(name.removeprefix("file:"))
        return url.set(database=f"file:{quote(str(absolute_path(path)))}")
    return url.set(database=str(absolute_path(name)))


def url_of(engine: Engine) -> URL:
    """Return the URL of an engine of the caller's, to whom ``~`` is a folder of that name."""
    refuse_asynchronous(engine.url)
    url = cleaned(engine.url)
    if url.get_backend_name() == "sqlite" and (url.database or "").startswith("~"):
        url = url.set(database=str(Path.cwd() / str(url.database)))
    return bound(url)


def _is_path(value: object) -> TypeGuard[str]:
    """Return True if it is no word of libpq's, as ``system``, and no URI of a key."""
    return isinstance(value, str) and value != "system" and ":" not in value and bool(value)


def cleaned(url: URL) -> URL:
    """Return the URL with its password where a password belongs, or without an empty one."""
    options = [text for _, said in url.query.items() for text in _texts(said)]
    if "@" in (url.host or "") or any(
        map(_SAYS_PASSWORD.search, [unquote(url.database or ""), *options])
    ):
        raise _unescaped()
    if url.get_backend_name() == "postgresql":
        check_sendable(url.username, url.password, url.host, url.database, *options)
    if url.get_backend_name() == "sqlite" and (url.host or url.username or url.password):
        raise ConfigurationError(
            "the URL of an SQLite database names a host or a user; write sqlite:////an/absolute/path"
            " or sqlite:///a/relative/one"
        )
    if "password" in url.query:
        password = url.query["password"]
        if not isinstance(password, str):
            raise ConfigurationError("the database URL has several passwords; leave one")
        url = url.set(password=password).difference_update_query(["password"])
    return url if url.password else _without_password(url)


def is_in_memory(url: URL) -> bool:
    """Tell whether the database is one that SQLite keeps in the memory of this process."""
    unnamed = url.database in (None, "", ":memory:") or url.query.get("mode") == "memory"
    return unnamed and url.get_backend_name() == "sqlite"


def without_secrets(url: URL) -> URL:
    """Return the URL without what must not be shown or stored."""
    secret = list(filter(_SECRET_OPTIONS.search, url.query))
    return _without_password(url).difference_update_query(secret)


def shown(url: URL) -> str:
    """Return what of a URL may be shown to everybody: no password and no options."""
    if url.query.get("uri"):  # of SQLite, as snapshots are opened
        url = url.set(database=unquote((url.database or "").removeprefix("file:")))
    return without_secrets(url).difference_update_query(list(url.query)).render_as_string()


def _texts(said: str | tuple[str, ...]) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else said


def _without_password(url: URL) -> URL:
    # URL.set(password=None) would keep it.
    return URL.create(
        url.drivername, url.username, None, url.host, url.port, url.database, url.query
    )
