"""A database to read LIMS tables from."""

from __future__ import annotations

import os
import time
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from threading import TIMEOUT_MAX, Thread
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from ecephys_dal.config import (
    DatabaseSettings,
    DbCredentials,
    Password,
    function_of,
    name_of,
    password_from_env,
)
from ecephys_dal.database.bulk import Bulk, has_bulk_route
from ecephys_dal.database.counters import Counters
from ecephys_dal.database.engine import given_engine, make_engine
from ecephys_dal.database.server_settings import longest_statement
from ecephys_dal.database.translation import translated_errors
from ecephys_dal.database.url import is_in_memory, parsed, shown, url_of, without_secrets
from ecephys_dal.errors import ConfigurationError, DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session
    from typing_extensions import Self

__all__ = ["Database"]


class Database:
    """A database with LIMS tables, on PostgreSQL or SQLite, opened for reading only.

    Parameters
    ----------
    where : str, URL or Engine
        An SQLAlchemy URL of PostgreSQL or SQLite, or an engine of the caller's.
    owned : bool
        The database is our own (a demo, a test), so it may also be written to.
    bulk : bool
        Read large tables by the bulk route, where there is one; it needs connections that keep
        their settings, which some connection poolers do not.
    settings : DatabaseSettings, optional
        Timeouts, pool, TLS; without them those of the ``ECEPHYS_DAL_*`` variables. Of an engine of
        the caller's, how it connects is the caller's.
    password : callable, optional
        Asked for the password at each new connection, where passwords change.

    Attributes
    ----------
    bulk : Bulk or None
        The route for whole tables, where there is one; else `connection` serves for them too.
    has_answered : bool
        The database has answered once, so that it is waited for when it refuses connections. A
        pickle remembers it.

    Notes
    -----
    Nothing is connected until it is used; PostgreSQL is reached by psycopg2 unless the URL names
    another driver. A pickle holds no password: where there was one, it is read from LIMS_PASSWORD
    when the pickle is loaded, and a function is found by its name. Of an engine of the caller's a
    pickle keeps the URL alone. Whoever made the engine closes it. A forked process makes
    connections of its own.
    """

    def __init__(
        self,
        where: str | URL | Engine,
        *,
        owned: bool = False,
        bulk: bool = True,
        settings: DatabaseSettings | None = None,
        password: Password | None = None,
    ) -> None:
        self.owned = owned
        self.settings = _checked(settings)
        self.password = password
        self._may_bulk = bulk
        self.has_answered = False
        if not isinstance(where, (str, URL, Engine)):
            Database.of(where)  # which says what to give instead
        self.url = url_of(where) if isinstance(where, Engine) else parsed(where)
        if password is not None and (isinstance(where, Engine) or not _needs(self.url, password)):
            raise ConfigurationError(
                "password is a function, for a URL of PostgreSQL that holds no password itself"
            )
        self._use(where if isinstance(where, Engine) else None)

    def _use(self, given: Engine | None) -> None:
        """Read through the caller's engine, or through one of our own."""
        self.is_the_callers = given is not None
        self._counters = Counters()
        self._pings: dict[int, Future[None]] = {}  # that go on, by process
        self.bulk: Bulk | None = None
        if given is not None:
            self.engine = given_engine(given, owned=self.owned)
            event.listen(self.engine, "engine_connect", self._note_answer)
            return
        connections = self.settings.pool_size
        for_bulk = connections // 2 if self._may_bulk and has_bulk_route(self.url) else 0
        self.engine = make_engine(
            self.url,
            self.settings,
            owned=self.owned,
            connections=connections - for_bulk,
            password=self.password,
        )
        event.listen(self.engine, "engine_connect", self._note_answer)
        if for_bulk:
            self.bulk = Bulk(self, for_bulk)

    @classmethod
    def of(cls, where: Database | str | URL | Engine) -> Database:
        """Return ``where`` itself if it is a `Database`, else the database that it names."""
        if isinstance(where, Database):
            return where
        if isinstance(where, (str, URL, Engine)):
            return cls(where)
        if hasattr(where, "sync_engine"):  # SQLAlchemy's AsyncEngine
            raise ConfigurationError(
                "an AsyncEngine can't be asked here; give a URL of postgresql+psycopg2 or sqlite,"
                " or an Engine of such a driver, and ask from coroutines by asyncio.to_thread"
            )
        raise ConfigurationError(
            f"a {type(where).__name__} is no database; give a Database, an SQLAlchemy Engine or a"
            " URL such as 'postgresql+psycopg2://user@host/dbname'"
        )

    @classmethod
    def from_credentials(
        cls, credentials: DbCredentials, *, settings: DatabaseSettings | None = None
    ) -> Database:
        """Return the PostgreSQL database that these credentials open."""
        secret = credentials.password
        text, function = (secret, None) if isinstance(secret, str) else (None, secret)
        url = URL.create(
            "postgresql+psycopg2",
            username=credentials.user,
            password=text or None,
            host=credentials.host,
            port=credentials.port,
            database=credentials.dbname,
        )
        return cls(url, settings=settings, password=function)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open an ORM session, which ends with the block; only an owned database is committed.

        Its first statement takes a connection; the end of a transaction gives it back.
        """
        from sqlalchemy.orm import Session  # noqa: PLC0415 - who reads tables alone needs none

        with translated_errors(self):
            db = Session(self.engine, expire_on_commit=False)
            with _closing(db):
                yield db
                if self.owned:
                    db.commit()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Open a connection in a transaction; only an owned database is committed."""
        with translated_errors(self):
            connection = self.engine.connect()
            with _closing(connection):
                yield connection
                if self.owned:
                    connection.commit()

    def ping(self, timeout: float = 1.0) -> float:
        """Ask whether the database answers, and wait no longer than `timeout` for it.

        Parameters
        ----------
        timeout : float
            Seconds after which to wait no more, whatever it is that takes so long: to look up the
            host, to connect, to get a connection of the pool, or the answer.

        Returns
        -------
        float
            Seconds that the answer took.

        Raises
        ------
        DatabaseUnavailableError
            If there was no answer in time, or the database can't be reached; the message says why.
        ConfigurationError
            If the timeout is no positive number.

        Notes
        -----
        The connection is one of the pool, so it is also asked whether one is free. Nothing is
        asked again, counted or logged. What is waited for in vain is left to a thread, which ends
        when the settings say so; pings that come meanwhile wait for the same one.
        """
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
            raise ConfigurationError(f"timeout={timeout!r} is wrong; give a positive number")
        timeout = min(timeout, TIMEOUT_MAX)
        began = time.monotonic()
        if is_in_memory(self.url):  # which another thread has not
            self._ask_for_nothing()
            return time.monotonic() - began
        made: Future[None] = Future()
        ping = self._pings.setdefault(process := os.getpid(), made)
        if ping is made:
            Thread(
                target=self._answer_ping, args=(made, process), name="ecephys_dal-ping", daemon=True
            ).start()
        if wait([ping], timeout).not_done:
            raise DatabaseUnavailableError(
                f"{self} did not answer within {timeout:g} s{self._in_use()}; check that it runs,"
                " host and network, or use fewer threads than connections"
            )
        ping.result()
        return time.monotonic() - began

    def _answer_ping(self, ping: Future[None], process: int) -> None:
        error = None
        try:
            self._ask_for_nothing()
        except BaseException as raised:
            error = raised
        del self._pings[process]  # first, so that the next one asks anew
        if error is None:
            ping.set_result(None)
        else:
            ping.set_exception(error)

    def _ask_for_nothing(self) -> None:
        """Send a statement that needs no table; SQLite must look into its file for the answer."""
        is_sqlite = self.url.get_backend_name() == "sqlite"
        with self.connection() as connection:
            connection.execute(text("PRAGMA schema_version" if is_sqlite else "SELECT 1"))

    def _in_use(self) -> str:
        pool = self.engine.pool
        if not isinstance(pool, QueuePool):
            return ""
        return f" ({pool.checkedout()} of {pool.size()} pooled connections are in use)"

    def _note_answer(self, _connection: Connection) -> None:
        self.has_answered = True

    @property
    def longest_statement(self) -> float:
        """After how many seconds the server ends a statement; 0 if the caller's engine knows."""
        return 0 if self.is_the_callers else longest_statement(self.url, self.settings)

    @property
    def counters(self) -> Counters:
        """What was asked so far in this process: a pickle and a forked process begin at zero."""
        if self._counters.process != os.getpid():
            self._counters = Counters()
        return self._counters

    def close(self) -> None:
        """Close the pooled connections, unless the engine is the caller's."""
        if not self.is_the_callers:
            self.engine.dispose()
            if self.bulk is not None:
                self.bulk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        owned = ", owned=True" if self.owned else ""
        return f"Database({shown(self.url)!r}{owned})"

    def __getstate__(self) -> dict[str, Any]:
        if is_in_memory(self.url):
            raise ConfigurationError("a database in memory can't be pickled; put it into a file")
        if self.engine.get_execution_options().get("schema_translate_map"):
            raise ConfigurationError(
                "an engine with a schema_translate_map can't be pickled; give a URL whose options"
                " set the search path: ?options=-csearch_path%3Dlims"
            )
        return {
            "url": without_secrets(self.url),
            "needs_password": self.url.password is not None,
            "password": None if self.password is None else name_of(self.password),
            "owned": self.owned,
            "may_bulk": self._may_bulk,
            "has_answered": self.has_answered,
            "settings": self.settings,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        url: URL = state["url"]
        self.url = url.set(password=password_from_env()) if state["needs_password"] else url
        self.password = None if state["password"] is None else function_of(state["password"])
        self.owned, self._may_bulk = state["owned"], state["may_bulk"]
        self.settings, self.has_answered = state["settings"], state["has_answered"]
        self._use(None)


@contextmanager
def _closing(opened: Connection | Session) -> Iterator[None]:
    """Close at the end; if the server has gone since the last statement, nothing was lost."""
    try:
        yield
    finally:
        with suppress(DBAPIError):
            opened.close()


def _checked(settings: DatabaseSettings | None) -> DatabaseSettings:
    if settings is None:
        return DatabaseSettings.from_env()
    if not isinstance(settings, DatabaseSettings):
        raise ConfigurationError(
            f"settings, a {type(settings).__name__}, are no DatabaseSettings;"
            " DatabaseSettings.from_env(statement_timeout=60) makes them"
        )
    return settings


def _needs(url: URL, password: object) -> bool:
    """Tell whether a password can be asked for."""
    return callable(password) and url.get_backend_name() == "postgresql" and not url.password
