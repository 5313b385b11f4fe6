"""URLs of databases: what they name, and what of them may be shown."""

from __future__ import annotations

from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ecephys_dal.errors import ConfigurationError

__all__ = ["cleaned", "is_in_memory", "parsed", "shown", "without_secrets"]

_SECRET_OPTIONS = ("password", "sslpassword")


def parsed(where: str | URL) -> URL:
    """Return the URL of a database of a kind that we know, by the driver installed with us."""
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        # The text may hold a password, so it is not repeated, nor is the error that repeats it.
        raise ConfigurationError(
            "the database URL can't be parsed; it looks like postgresql+psycopg2://user@host/dbname"
        ) from None
    if isinstance(where, str) and "@" in (url.database or "") and not where.startswith("sqlite"):
        # So reads a password with a slash in it, which cut the URL short.
        raise ConfigurationError(
            "the database URL holds an @ behind its host; write special characters of a password as"
            " %40 for @ and %2F for /, or give DbCredentials"
        )
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg2")
    if url.get_backend_name() not in ("postgresql", "sqlite"):
        raise ConfigurationError(f"{url.drivername} is neither postgresql nor sqlite")
    return cleaned(url)


def cleaned(url: URL) -> URL:
    """Return the URL with its password where a password belongs, or without an empty one."""
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
    return _without_password(url).difference_update_query(_SECRET_OPTIONS)


def shown(url: URL) -> str:
    """Return what of a URL may be shown to everybody: no password and no options."""
    if url.query.get("uri"):  # of SQLite, as snapshots are opened
        url = url.set(database=unquote((url.database or "").removeprefix("file:")))
    return without_secrets(url).difference_update_query(list(url.query)).render_as_string()


def _without_password(url: URL) -> URL:
    # URL.set(password=None) would keep it.
    return URL.create(
        url.drivername, url.username, None, url.host, url.port, url.database, url.query
    )
