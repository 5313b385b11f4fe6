"""The database: a read-only engine, its sessions, and its errors in our words."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from ecephys_dal.config import DbCredentials, password_from_env
from ecephys_dal.errors import (
    ConfigurationError,
    DatabaseUnavailableError,
    EcephysDalError,
    SchemaMismatchError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from typing_extensions import Self

__all__ = ["Database"]

# SQLSTATEs: undefined table and column, no privilege; and SQLite's words.
_NOT_AS_EXPECTED = ("42P01", "42703", "42501", "no such table", "no such column")
# SQLSTATE classes: connection, login, database, resources, shutdown; and SQLite's words.
_UNREACHABLE = ("08", "28", "3D", "53", "57", "unable to open", "file is not a", "database is")


class Database:
    """A database with LIMS tables, on PostgreSQL or SQLite, opened for reading only.

    Parameters
    ----------
    where : str, URL or Engine
        An SQLAlchemy URL of PostgreSQL or SQLite, or an engine of the caller's.
    owned : bool
        The database is our own (a demo, a test), so it may also be written to.

    Notes
    -----
    Nothing is connected until it is used; PostgreSQL is reached by psycopg2 unless the URL names
    another driver. A pickle holds no password: where there was one, it is
    read from LIMS_PASSWORD when the pickle is loaded. Whoever made the engine closes it.
    """

    def __init__(self, where: str | URL | Engine, *, owned: bool = False) -> None:
        self.owned = owned
        self._is_the_callers = isinstance(where, Engine)
        self.url = where.url if isinstance(where, Engine) else _parse(where)
        self.engine = self._limited(where) if isinstance(where, Engine) else self._make_engine()

    @classmethod
    def of(cls, where: Database | str | URL | Engine) -> Database:
        """Return ``where`` itself if it is a `Database`, else the database that it names."""
        if isinstance(where, Database):
            return where
        if isinstance(where, (str, URL, Engine)):
            return cls(where)
        raise ConfigurationError(
            f"a {type(where).__name__} is no database; give a Database, an SQLAlchemy Engine, a"
            " URL such as 'postgresql+psycopg2://user@host/dbname'"
        )

    @classmethod
    def from_credentials(cls, credentials: DbCredentials) -> Database:
        """Return the PostgreSQL database that these credentials open."""
        return cls(
            URL.create(
                "postgresql+psycopg2",
                username=credentials.user,
                password=credentials.password or None,
                host=credentials.host,
                port=credentials.port,
                database=credentials.dbname,
            )
        )

    def _make_engine(self) -> Engine:
        options = {} if self.owned else _READ_ONLY
        try:
            engine = create_engine(self.url, execution_options=options)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise ConfigurationError(
                f"the driver of {self.url.drivername} is not installed: {error};"
                " use postgresql+psycopg2 or sqlite"
            ) from error
        if engine.dialect.name == "sqlite":
            _prepare_sqlite(engine, owned=self.owned)
        return engine

    def _limited(self, engine: Engine) -> Engine:
        return engine if self.owned else engine.execution_options(**_READ_ONLY)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open an ORM session, which ends with the block; only an owned database is committed."""
        with self.connection() as connection, Session(connection, expire_on_commit=False) as db:
            yield db
            if self.owned:
                db.commit()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Open a connection in a transaction; only an owned database is committed."""
        with (
            translated_errors(self),
            self.engine.connect() as connection,
            self._guarded(connection),
        ):
            yield connection
            if self.owned:
                connection.commit()

    @contextmanager
    def _guarded(self, connection: Connection) -> Iterator[None]:
        """Keep a connection of the caller's SQLite engine from writing as long as it is ours."""
        if self.owned or not self._is_the_callers or connection.dialect.name != "sqlite":
            yield
            return
        connection.exec_driver_sql("PRAGMA query_only = ON")
        try:
            yield
        finally:
            connection.exec_driver_sql("PRAGMA query_only = OFF")

    def close(self) -> None:
        """Close the pooled connections, unless the engine is the caller's."""
        if not self._is_the_callers:
            self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        owned = ", owned=True" if self.owned else ""
        return f"Database({self.url.render_as_string(hide_password=True)!r}{owned})"

    def __getstate__(self) -> dict[str, Any]:
        if self.url.get_backend_name() == "sqlite" and self.url.database in (None, "", ":memory:"):
            raise ConfigurationError("a database in memory can't be pickled; put it into a file")
        return {
            "url": _without_password(self.url),
            "needs_password": self.url.password is not None,
            "owned": self.owned,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        url: URL = state["url"]
        self.url = url.set(password=password_from_env()) if state["needs_password"] else url
        self.owned, self._is_the_callers = state["owned"], False
        self.engine = self._make_engine()


# PostgreSQL's option must be known to the engine; other databases ignore it.
_READ_ONLY = {"postgresql_readonly": True}


def _parse(where: str | URL) -> URL:
    try:
        url = make_url(where)
    except ArgumentError:
        # The text may hold a password, so it is not repeated, nor is the error that repeats it.
        message = (
            "the database URL can't be parsed; it looks like postgresql+psycopg2://user@host/dbname"
        )
        raise ConfigurationError(message) from None
    if url.drivername in ("postgres", "postgresql"):  # the driver that is installed with us
        url = url.set(drivername="postgresql+psycopg2")
    if url.get_backend_name() not in ("postgresql", "sqlite"):
        raise ConfigurationError(f"{url.drivername} is neither postgresql nor sqlite")
    if "password" in url.query:  # where SQLAlchemy would show it
        password = str(url.query["password"])
        url = url.set(password=password).difference_update_query(["password"])
    return url if url.password else _without_password(url)


def _without_password(url: URL) -> URL:
    # URL.set(password=None) would keep it.
    return URL.create(
        url.drivername, url.username, None, url.host, url.port, url.database, url.query
    )


def _prepare_sqlite(engine: Engine, *, owned: bool) -> None:
    """Make transactions real (pysqlite would begin them late or never), and reading harmless."""
    path = engine.url.database

    @event.listens_for(engine, "do_connect")
    def refuse_to_create(*_: object) -> None:
        # SQLite makes an empty file of a misspelt name.
        if not owned and path and path != ":memory:" and not Path(path).exists():
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


@contextmanager
def translated_errors(database: object) -> Iterator[None]:
    """Raise as ours the errors of a driver that we have a word for, without password and query."""
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError(
            f"no connection to {database} became free in time; close some, or use fewer threads"
        ) from error
    except DBAPIError as error:
        raise _translated(error, database) from error


def _translated(error: DBAPIError, database: object) -> EcephysDalError | DBAPIError:
    reason = str(error.orig).strip().partition("\n")[0]
    state = getattr(error.orig, "pgcode", reason) or "08"  # libpq gives none if it can't connect
    if state.startswith(_NOT_AS_EXPECTED):
        return SchemaMismatchError(
            f"{database} is not laid out as the models expect: {reason};"
            " check that it is LIMS, and that the role may see the table"
        )
    if error.connection_invalidated or state.startswith(_UNREACHABLE):
        return DatabaseUnavailableError(
            f"{database} can't be asked: {reason}; check host, port, database, role and network"
        )
    return error
