"""Engines that read: how they connect, and what keeps them from harm."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timezone
from functools import partial
from pathlib import Path
from secrets import token_hex
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, DateTime, Engine, TextClause, create_engine, event
from sqlalchemy.exc import InvalidRequestError, NoSuchModuleError

from ecephys_dal.config import asked_password
from ecephys_dal.database.forks import parted_by_a_fork
from ecephys_dal.database.left_behind import (
    IS_SET,
    known_by_the_driver,
    note_pragmas,
    refuse_planted,
)
from ecephys_dal.database.meanings import ONE_STATEMENT
from ecephys_dal.database.numbers import loads
from ecephys_dal.database.server_settings import (
    UTC,
    milliseconds,
    session_settings,
    set_locally,
    startup_options,
)
from ecephys_dal.database.url import is_in_memory
from ecephys_dal.display import without_passwords
from ecephys_dal.errors import ConfigurationError, DatabaseUnavailableError, ReadOnlyError
from ecephys_dal.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import URL, Dialect
    from sqlalchemy.engine.interfaces import DBAPIConnection, ExecutionContext
    from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState

    from ecephys_dal.config import DatabaseSettings, Password

__all__ = [
    "FOUND_BY_NAME",
    "asking",
    "connect_arguments",
    "given_engine",
    "is_owned",
    "make_engine",
    "schema_of",
]

_QUERY = re.compile(r"\A(EXPLAIN (?:\([^)]*\) )?)?((?:SELECT|WITH|\().*)\Z", re.DOTALL)
_ASKS = {"ecephys_dal_asks": True}
_OWNED = {"ecephys_dal_owned": True}
_AS_MADE = "ecephys_dal_as_made"
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
            execution_options={**_ASKS, **(_OWNED if owned else {})},
            connect_args=connect_arguments(url, settings, owned=owned),
            hide_parameters=True,  # in logs and errors
            json_deserializer=loads,
            **_dialect_options(url),
            # A firewall or a restart may have cut an idle connection.
            pool_pre_ping=settings.pre_ping and url.get_backend_name() == "postgresql",
            pool_reset_on_return=None,  # `_forget` does it
            **_limits(url, settings, connections),
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(
            f"the driver of {url.drivername} is not installed: {error};"
            " use postgresql+psycopg2 or sqlite"
        ) from error
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, owned=owned)
    else:
        _prepare_postgresql(engine, owned=owned)
        if settings.startup_options:
            event.listen(engine, "connect", _connect_in_utc)
            event.listen(engine, "reset", _connect_in_utc)
        else:
            _set_at_begin(engine, session_settings(url, settings, owned=owned), owned=owned)
    if password is not None:
        _log_in_by(engine, password)
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
    ours = _listenable(engine.execution_options(**_ASKS, **(_OWNED if owned else _READ_ONLY)))
    ours.hide_parameters = True  # in logs and errors
    ours._connection_cls = _Lent  # noqa: SLF001 - a Session asks the engine for connections too
    if engine.dialect.name == "postgresql":
        event.listen(ours, "begin", _begin_in_utc)
    if not owned:
        event.listen(ours, "set_connection_execution_options", _refuse_autocommit)
    return ours


def _listenable(engine: Engine) -> Engine:
    """Return the engine, or raise if SQLAlchemy, before some 2.0 version, can't listen on it."""
    try:
        event.contains(engine, "begin", _begin_in_utc)
    except InvalidRequestError as error:
        raise ConfigurationError(
            "this version of SQLAlchemy can't watch an engine that engine.execution_options() gave;"
            " give the options to create_engine(url, execution_options=...), or upgrade SQLAlchemy"
        ) from error
    return engine


def _prepare_postgresql(engine: Engine, *, owned: bool) -> None:
    """Let each user of a pooled connection find it as a new one, and begin by reading."""
    dialect: Any = engine.dialect

    if not owned:

        @event.listens_for(engine, "checkout")
        def read_only(connection: DBAPIConnection, *_: object) -> None:
            dialect.set_readonly(connection, True)

    @event.listens_for(engine, "connect")
    def remember(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        record.info[_AS_MADE] = known_by_the_driver(connection)

    @event.listens_for(engine, "reset")
    def forget(
        connection: DBAPIConnection, record: ConnectionPoolEntry, state: PoolResetState
    ) -> None:
        if state.terminate_only:
            return
        if known_by_the_driver(connection) != record.info.get(_AS_MADE):
            record.invalidate()
            return
        try:
            connection.rollback()
            if not owned:
                dialect.set_readonly(connection, None)
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("DISCARD ALL")
            cursor.close()
            connection.autocommit = False
        except dialect.loaded_dbapi.Error:  # the server has gone, and with it all that was set
            record.invalidate()


def _connect_in_utc(connection: DBAPIConnection, *_: object) -> None:
    """Set the zone where the server was not told, or PGTZ told it otherwise after the options."""
    if _zone(connection) not in (UTC, None):
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

    Transactions of PostgreSQL do that, so that each statement is not one of its own here; what is
    set within them goes with them.
    """

    def __init__(self, engine: Engine, **named: Any) -> None:
        super().__init__(engine, **named)
        self._before: Any = None  # what is to be set again
        try:
            self._borrow()
        except BaseException:
            super().close()
            raise

    def _borrow(self) -> None:
        if self.dialect.name == "sqlite":
            if not is_owned(self):
                self._before = self.exec_driver_sql("PRAGMA query_only").scalar_one()
                self.exec_driver_sql("PRAGMA query_only = ON")
                self.rollback()  # so that the transaction begins with the first statement
        elif getattr(driver := self._driver, "autocommit", False):
            driver.autocommit, self._before = False, True

    @property
    def _driver(self) -> Any:
        return self.connection.dbapi_connection

    def close(self) -> None:
        """Give it back as it was."""
        try:
            if self._before is not None and not (self.closed or self.invalidated):
                self._give_back()
        finally:
            super().close()

    def _give_back(self) -> None:
        before, self._before = self._before, None
        if self.dialect.name == "sqlite":
            self.exec_driver_sql(f"PRAGMA query_only = {before}")
        else:
            self._driver.rollback()
            self._driver.autocommit = before


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


@event.listens_for(Engine, "before_cursor_execute", retval=True)
def _as_sent(
    connection: Connection,
    _cursor: Any,
    statement: str,
    parameters: Any,
    context: ExecutionContext,
    _executemany: bool,
) -> tuple[str, Any]:
    """Return what is sent of a statement of ours: one statement, and values that drivers know."""
    options = context.execution_options
    if not options.get("ecephys_dal_asks"):
        return statement, parameters
    if isinstance(parameters, dict):
        parameters = {name: _plain(value) for name, value in parameters.items()}
    elif isinstance(parameters, tuple):
        parameters = tuple(map(_plain, parameters))
    if connection.dialect.name == "postgresql" and "ecephys_dal_owned" not in options:
        statement = _as_one(statement, context)
    return statement, parameters


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _as_one(statement: str, context: ExecutionContext) -> str:
    """Let the server refuse a query that a text of the caller's has made several statements of.

    psycopg2 sends the text as it is, and the server runs all that stands between its semicolons.
    So each query gets a name that nobody can guess, where it begins and where it ends: what ends
    before asks for a name that is not there.
    """
    compiled: Any = context.compiled
    if compiled is None or isinstance(compiled.statement, TextClause):
        return statement
    if (query := _QUERY.match(statement)) is None:
        return statement
    name = f"{ONE_STATEMENT}{token_hex(8)}"
    return f"{query[1] or ''}SELECT {name}.* FROM (\n{query[2]}\n) AS {name}"  # noqa: S608 - of two texts that are ours


@contextmanager
def asking(connection: Connection) -> Iterator[None]:
    """Treat what is executed meanwhile on a connection of the caller's as statements of ours."""
    connection.execution_options(**_ASKS)
    try:
        yield
    finally:
        connection.execution_options(ecephys_dal_asks=False)


def _bound_in_utc(kind: type[Any]) -> type[Any]:
    """Return SQLite's type of moments, which knows no zones, such that others are bound in UTC."""

    class Moment(kind):  # type: ignore[misc]
        def bind_processor(self, dialect: Dialect) -> Any:
            write: Any = super().bind_processor(dialect)

            def bind(value: Any) -> Any:
                zone = getattr(value, "tzinfo", None)
                return write(value.astimezone(timezone.utc) if zone else value)

            return bind

    return Moment


def _prepare_sqlite(engine: Engine, *, owned: bool) -> None:
    """Make transactions real (pysqlite would begin them late or never), and reading harmless."""
    path = engine.url.database or ":memory:"
    kinds: Any = engine.dialect.colspecs
    engine.dialect.colspecs = {**kinds, DateTime: _bound_in_utc(kinds[DateTime])}

    @event.listens_for(engine, "do_connect")
    def refuse_to_create(*_: object) -> None:
        # SQLite makes an empty file of a misspelt name. A URI says itself what it may.
        if not (owned or path == ":memory:" or path.startswith("file:") or Path(path).exists()):
            named = without_passwords(path)
            raise DatabaseUnavailableError(f"there is no SQLite database {named}")
        refuse_planted(path)  # which the first reading would go on with

    event.listen(engine, "checkout", partial(refuse_planted, path))
    event.listen(engine, "connect", note_pragmas)

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON" if owned else "PRAGMA query_only = ON")
        cursor.close()
        record.info.pop(IS_SET, None)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.connection.cursor().execute("BEGIN")

    @event.listens_for(engine, "reset")
    def forget(connection: Any, record: ConnectionPoolEntry, _: object) -> None:
        connection.rollback()
        is_set = IS_SET in record.info  # by a PRAGMA, of which none says how it was before
        configure(connection, record)
        attached = connection.execute("PRAGMA database_list").fetchall()
        # One of temporary tables, too.
        if (is_set or len(attached) > 1) and not is_in_memory(engine.url):
            record.invalidate()
