"""Engines that read: how they connect, and what keeps them from harm."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import InvalidRequestError, NoSuchModuleError

from ecephys_dal.config import asked_password
from ecephys_dal.database.forks import parted_by_a_fork
from ecephys_dal.database.numbers import loads
from ecephys_dal.database.server_settings import (
    UTC,
    milliseconds,
    session_settings,
    set_locally,
    startup_options,
)
from ecephys_dal.database.url import is_in_memory
from ecephys_dal.errors import ConfigurationError, DatabaseUnavailableError, ReadOnlyError
from ecephys_dal.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import URL, Dialect, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection

    from ecephys_dal.config import DatabaseSettings, Password

__all__ = [
    "FOUND_BY_NAME",
    "connect_arguments",
    "given_engine",
    "is_owned",
    "make_engine",
    "schema_of",
]

_OWNED = {"ecephys_dal_owned": True}
# PostgreSQL's option must be known to the engine; other databases ignore it.
_READ_ONLY = {"postgresql_readonly": True}
# Whether a table of PostgreSQL's pg_class is one that a name without a schema leads to.
FOUND_BY_NAME = """(
    CASE WHEN CAST(:schema AS text) IS NULL THEN pg_table_is_visible(pg_class.oid)
    ELSE pg_class.relnamespace = to_regnamespace(quote_ident(:schema)) END
)"""


def make_engine(
    url: URL,
    settings: DatabaseSettings,
    *,
    owned: bool,
    connections: int,
    password: Password | None = None,
) -> Engine:
    """Return an engine of our own, whose connections can't write unless the database is owned.

    Parameters
    ----------
    url : URL
        Of PostgreSQL or SQLite.
    settings : DatabaseSettings
        Of its connections.
    owned : bool
        Whether they may write.
    connections : int
        How many there may be at once.
    password : callable, optional
        Asked for the password at each new connection.
    """
    try:
        engine = create_engine(
            url,
            execution_options=_OWNED if owned else _READ_ONLY,
            connect_args=connect_arguments(url, settings, owned=owned),
            json_deserializer=loads,
            **_dialect_options(url),
            # A firewall or a restart may have cut an idle connection.
            pool_pre_ping=settings.pre_ping and url.get_backend_name() == "postgresql",
            **_limits(url, settings, connections),
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(
            f"the driver of {url.drivername} is not installed: {error};"
            " use postgresql+psycopg2 or sqlite"
        ) from error
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, owned=owned)
    elif settings.startup_options:
        event.listen(engine, "connect", _connect_in_utc)
    else:
        _set_at_begin(engine, session_settings(url, settings, owned=owned), owned=owned)
    if password is not None:
        _log_in_by(engine, password)
    event.listen(engine, "before_cursor_execute", _with_plain_values, retval=True)
    if not is_in_memory(url):  # which a child has a copy of
        parted_by_a_fork(engine)
    return engine


def _dialect_options(url: URL) -> dict[str, Any]:
    """Return what a dialect is told: psycopg2's, not to look hstore up, which asks pg_type."""
    return {"use_native_hstore": False} if url.drivername == "postgresql+psycopg2" else {}


def _limits(url: URL, settings: DatabaseSettings, connections: int) -> dict[str, Any]:
    """Return the limits of a pool, where there is one: not of a database in memory."""
    if is_in_memory(url):
        return {}
    return {
        "pool_size": connections,
        "max_overflow": 0,
        "pool_timeout": settings.pool_timeout,
    }


def connect_arguments(url: URL, settings: DatabaseSettings, *, owned: bool) -> dict[str, Any]:
    """Return what libpq is told beside the URL, and nothing that the URL says itself.

    Parameters
    ----------
    url : URL
        Of PostgreSQL; SQLite is told nothing.
    settings : DatabaseSettings
        Of the connections.
    owned : bool
        Whether they may write.

    Returns
    -------
    dict
        Names and values of libpq.
    """
    if url.get_backend_name() != "postgresql":
        return {}
    settled = {
        "connect_timeout": settings.connect_timeout,
        "keepalives_idle": settings.keepalives_idle,
        "keepalives_interval": settings.keepalives_interval,
        "keepalives_count": settings.keepalives_count,
        "tcp_user_timeout": milliseconds(settings.tcp_user_timeout),
        "sslmode": settings.sslmode,
        "sslrootcert": settings.sslrootcert,
        "application_name": settings.application_name,
        "fallback_application_name": f"ecephys_dal/{__version__}",
        "client_encoding": "UTF8",  # of a database of SQL_ASCII, texts come as they are stored
    }
    unsaid = {
        name: value
        for name, value in settled.items()
        if value is not None and name not in url.query
    }
    options = startup_options(url, settings, owned=owned) if settings.startup_options else ""
    return {**unsaid, "options": options}  # where there are none, libpq would read PGOPTIONS


def _log_in_by(engine: Engine, password: Password) -> None:
    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, _: Any, arguments: Any, named: dict[str, Any]) -> Any:
        return dialect.connect(*arguments, **{**named, "password": asked_password(password)})


def given_engine(engine: Engine, *, owned: bool) -> Engine:
    """Return the caller's engine as it is, but for our connections: in UTC, and only reading.

    Parameters
    ----------
    engine : Engine
        The caller's.
    owned : bool
        Our connections may write.

    Returns
    -------
    Engine
        With the same pool.
    """
    if not is_in_memory(engine.url):
        parted_by_a_fork(engine)
    ours = _listenable(engine.execution_options(**(_OWNED if owned else _READ_ONLY)))
    ours._connection_cls = _Lent  # noqa: SLF001 - a Session asks the engine for connections too
    if engine.dialect.name == "postgresql":
        event.listen(ours, "begin", _begin_in_utc)
    event.listen(ours, "before_cursor_execute", _with_plain_values, retval=True)
    if not owned:
        event.listen(ours, "set_connection_execution_options", _refuse_autocommit)
    return ours


def _listenable(engine: Engine) -> Engine:
    """Return the engine, or raise if SQLAlchemy, before some 2.0 version, can't listen on it."""
    try:
        event.contains(engine, "before_cursor_execute", _with_plain_values)
    except InvalidRequestError as error:
        raise ConfigurationError(
            "this version of SQLAlchemy can't watch an engine that engine.execution_options() gave;"
            " give the options to create_engine(url, execution_options=...), or upgrade SQLAlchemy"
        ) from error
    return engine


def _connect_in_utc(connection: DBAPIConnection, _: object) -> None:
    """Set the zone where the server was not told, or PGTZ told it otherwise after the options."""
    if _zone(connection) != UTC:
        cursor = connection.cursor()
        cursor.execute(f"SET TimeZone = '{UTC}'")
        cursor.close()
        connection.commit()


def _set_at_begin(engine: Engine, settings: dict[str, str], *, owned: bool) -> None:
    """Set in each transaction what the server was not told at login."""

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(set_locally(settings))
        cursor.close()

    if not owned:
        event.listen(engine, "set_connection_execution_options", _refuse_autocommit)
        event.listen(engine, "set_engine_execution_options", _refuse_autocommit)


def _begin_in_utc(connection: Connection) -> None:
    """Set the zone of one transaction; the caller's are as before."""
    driver = connection.connection.dbapi_connection
    if driver is not None and not getattr(driver, "autocommit", False) and _zone(driver) != UTC:
        cursor = driver.cursor()
        cursor.execute(f"SET LOCAL TimeZone = '{UTC}'")
        cursor.close()


def _zone(connection: DBAPIConnection) -> str | None:
    """Return the time zone of a session, which the server tells whenever it changes."""
    info = getattr(connection, "info", None)  # of psycopg2 and its successor
    return None if info is None else info.parameter_status("TimeZone")


def _refuse_autocommit(_bind: Connection | Engine, options: dict[str, Any]) -> None:
    """Refuse what would take a connection out of the transaction in which it can't write."""
    if options.get("isolation_level") == "AUTOCOMMIT":
        raise ReadOnlyError(
            "on an engine of yours, or with startup_options=False, AUTOCOMMIT could write to LIMS,"
            " which is only read; give a URL instead, or leave the isolation level as it is"
        )


class _Lent(Connection):
    """A connection of a caller's engine: as long as it is ours it is in UTC, and can't write.

    Transactions of PostgreSQL do that already, but not where each statement is one of its own.
    """

    def __init__(self, engine: Engine, **named: Any) -> None:
        super().__init__(engine, **named)
        self._settings: dict[str, Any] = {}  # as they were before
        try:
            self._borrow()
        except BaseException:
            super().close()
            raise

    def _borrow(self) -> None:
        wanted = {} if is_owned(self) else {"query_only": "ON"}
        if self.dialect.name != "sqlite":
            if not getattr(self.connection.dbapi_connection, "autocommit", False):
                return
            read_only = {} if is_owned(self) else {"default_transaction_read_only": "on"}
            wanted = {"TimeZone": "UTC", **read_only}
        for name, value in wanted.items():
            before = self.exec_driver_sql(f"{self._words[0]} {name}").scalar_one()
            self._set(name, value)
            self._settings[name] = before
        self.rollback()  # so that the transaction begins with the first statement

    @property
    def _words(self) -> tuple[str, str]:
        return ("PRAGMA", "PRAGMA") if self.dialect.name == "sqlite" else ("SHOW", "SET")

    def _set(self, name: str, value: Any) -> None:
        self.exec_driver_sql(f"{self._words[1]} {name} = '{value}'")

    def close(self) -> None:
        """Give it back as it was."""
        try:
            while self._settings and not (self.closed or self.invalidated):
                self._set(*self._settings.popitem())
        finally:
            super().close()


def is_owned(bind: Connection | Engine) -> bool:
    """Tell whether what is reached here is a database that was opened as owned."""
    return _OWNED.items() <= bind.get_execution_options().items()


def schema_of(
    bind: Connection | Engine, options: Mapping[str, Any] = MappingProxyType({})
) -> str | None:
    """Return the schema in which tables without one are looked for, None if the server chooses.

    Parameters
    ----------
    bind : Connection or Engine
        Where they are.
    options : mapping
        Execution options of a statement, which come before those of the connection.
    """
    translated = {**bind.get_execution_options(), **options}.get("schema_translate_map") or {}
    schema: str | None = translated.get(None)
    return schema


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
