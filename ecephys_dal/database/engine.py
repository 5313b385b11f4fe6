"""Engines that read: how they connect, and what keeps them from harm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import create_engine, event
from sqlalchemy.exc import NoSuchModuleError

from ecephys_dal.errors import ConfigurationError, DatabaseUnavailableError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection

    from ecephys_dal.config import DatabaseSettings

__all__ = ["connect_arguments", "limited_engine", "make_engine"]

# PostgreSQL's option must be known to the engine; other databases ignore it.
_READ_ONLY = {"postgresql_readonly": True}


def make_engine(url: URL, settings: DatabaseSettings, *, owned: bool) -> Engine:
    """Return an engine of our own, whose connections can't write unless the database is owned."""
    try:
        engine = create_engine(
            url,
            execution_options={} if owned else _READ_ONLY,
            connect_args=connect_arguments(url, settings),
            # A firewall or a restart may have cut an idle connection.
            pool_pre_ping=settings.pre_ping and url.get_backend_name() == "postgresql",
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(
            f"the driver of {url.drivername} is not installed: {error};"
            " use postgresql+psycopg2 or sqlite"
        ) from error
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, owned=owned)
    event.listen(engine, "before_cursor_execute", _with_plain_values, retval=True)
    return engine


def connect_arguments(url: URL, settings: DatabaseSettings) -> dict[str, Any]:
    """Return what a driver is told beside the URL."""
    waits = url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query
    return {"connect_timeout": settings.connect_timeout} if waits else {}


def limited_engine(engine: Engine) -> Engine:
    """Return the caller's engine as it is, but for our connections, which can't write."""
    limited = engine.execution_options(**_READ_ONLY)
    event.listen(limited, "before_cursor_execute", _with_plain_values, retval=True)
    return limited


def _with_plain_values(
    _connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any
) -> tuple[str, Any]:
    """Bind what NumPy holds as Python's own values: drivers don't know it, or misread it."""
    if isinstance(parameters, dict):
        parameters = {name: _plain(value) for name, value in parameters.items()}
    elif isinstance(parameters, tuple):
        parameters = tuple(map(_plain, parameters))
    return statement, parameters


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _prepare_sqlite(engine: Engine, *, owned: bool) -> None:
    """Make transactions real (pysqlite would begin them late or never), and reading harmless."""
    path = engine.url.database or ":memory:"

    @event.listens_for(engine, "do_connect")
    def refuse_to_create(*_: object) -> None:
        # SQLite makes an empty file of a misspelt name. A URI says itself what it may.
        if not (owned or path == ":memory:" or path.startswith("file:") or Path(path).exists()):
            raise DatabaseUnavailableError(f"there is no SQLite database {path}")

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, _: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON" if owned else "PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.connection.cursor().execute("BEGIN")
