"""The bulk route: PostgreSQL's answers as Arrow, by the driver that reads its binary COPY.

SQLAlchemy prepares a statement as for every other route, psycopg2 quotes its values, and ADBC
runs it on a connection of the same settings.
"""

from __future__ import annotations

import re
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool

from ecephys_dal.database.engine import connect_arguments
from ecephys_dal.database.translation import translated_errors, worded

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from sqlalchemy import Engine, Executable
    from sqlalchemy.engine.interfaces import DBAPICursor, ExecutionContext

    from ecephys_dal.config import DatabaseSettings

__all__ = ["Bulk", "bulk_route"]

_GLANCE = 0.1  # seconds
_SMALL = {"adbc.postgresql.batch_size_hint_bytes": str(2**18)}
_QUOTE_ONLY = "ecephys_dal_quote_only"
_ABANDONED: list[Any] = []  # for ever, one for each fork


def bulk_route(
    engine: Engine, settings: DatabaseSettings, *, read_only: bool, shown: object
) -> Bulk | None:
    """Return the bulk route to a database, or None where there is none.

    There is one to PostgreSQL, where psycopg2 quotes and the ``arrow`` extra is installed.

    Parameters
    ----------
    engine : Engine
        Made by us, from a URL: what else an engine's maker told the driver can't be known.
    settings, read_only, shown
        As for `Bulk`.

    Returns
    -------
    Bulk or None
    """
    if engine.dialect.driver != "psycopg2":
        return None
    try:
        import adbc_driver_postgresql.dbapi  # noqa: F401, PLC0415 - an extra, and slow to import
        import pyarrow  # noqa: F401, PLC0415
    except ImportError:
        return None
    return Bulk(engine, settings, read_only=read_only, shown=shown)


class Bulk:
    """Pooled connections of ADBC, of the same settings as an engine's.

    Parameters
    ----------
    engine : Engine
        Of psycopg2, which quotes the values of statements.
    settings : DatabaseSettings
        Of the connections.
    read_only : bool
        The connections can't write.
    shown : object
        What an error calls the database.
    """

    def __init__(
        self, engine: Engine, settings: DatabaseSettings, *, read_only: bool, shown: object
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._database = shown
        self._read_only = read_only
        event.listen(engine, "do_execute", _quote)
        self._pool = QueuePool(self._connect, reset_on_return=None)
        event.listen(self._pool, "checkout", _ping)

    @contextmanager
    def batches(
        self, query: Executable, *, steady: bool = False
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """Run a query in a transaction of its own.

        Parameters
        ----------
        query : Executable
            A SELECT.
        steady : bool
            In small batches, of 256 KiB, that need little memory; else in those that are fastest.

        Yields
        ------
        iterator of RecordBatch
            The answer as it arrives, its types as the database has them.
        """
        statement = self._quoted(query)
        # All that waits for the server is done by a thread, so that the next batch comes while the
        # last one is worked on, and Ctrl-C is heard meanwhile.
        with ThreadPoolExecutor(1, "ecephys_dal") as thread:
            asked = partial(_asked, thread, self._database)
            connection = asked(self._pool.connect)
            try:
                cursor = connection.cursor()
                if steady:
                    cursor.adbc_statement.set_options(**_SMALL)
                asked(cursor.execute, statement)
                yield _ahead(cursor.fetch_record_batch(), thread, self._database)
            except BaseException:
                with suppress(Exception):  # if the server is gone, it can't be told either
                    cursor.adbc_cancel()
                thread.shutdown()
                connection.invalidate()  # it may be in the middle of an answer
                raise
            thread.shutdown()
            cursor.close()
            connection.close()

    def _quoted(self, query: Executable) -> str:
        """Return the text of a query, its values quoted by psycopg2."""
        with translated_errors(self._database), self._engine.connect() as connection:
            result = connection.execute(query, execution_options={_QUOTE_ONLY: True})
            statement: str = result.context.quoted  # type: ignore[attr-defined]
        return statement

    def _connect(self) -> Any:
        import adbc_driver_postgresql.dbapi as adbc  # noqa: PLC0415
        from psycopg2.extensions import make_dsn  # noqa: PLC0415

        url = self._engine.url
        _, arguments = self._engine.dialect.create_connect_args(url)
        settings = {
            **arguments,
            **connect_arguments(url, self._settings),
            "client_encoding": "UTF8",
        }  # Arrow's
        connection = adbc.connect(make_dsn(**settings), autocommit=True)
        if self._read_only:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            except BaseException:
                connection.close()
                raise
        return connection

    def leave_to_parent(self) -> None:
        """Forget the connections that another process made, without a word to the server."""
        _ABANDONED.append(self._pool)  # if it were freed, it would close them for the parent too
        self._pool = self._pool.recreate()

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.dispose()


def _quote(
    cursor: DBAPICursor, statement: str, parameters: Any, context: ExecutionContext
) -> bool | None:
    """Quote a statement instead of executing it, if only that is wanted."""
    if not context.execution_options.get(_QUOTE_ONLY):
        return None
    from psycopg2.extensions import encodings  # noqa: PLC0415

    quoted = cursor.mogrify(statement, parameters)
    context.quoted = quoted.decode(encodings[cursor.connection.encoding])  # type: ignore[attr-defined]
    return True


def _ping(connection: Any, *_: object) -> None:
    """Let the pool replace a connection that a firewall or a restart has cut."""
    import adbc_driver_postgresql.dbapi as adbc  # noqa: PLC0415

    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except (adbc.Error, OSError) as error:
        raise DisconnectionError from error


def _asked(thread: ThreadPoolExecutor, database: object, call: Any, *arguments: Any) -> Any:
    with translated_errors(database), _translated_errors(database):
        return _awaited(thread.submit(call, *arguments))


def _awaited(future: Future[Any]) -> Any:
    while wait([future], _GLANCE).not_done:
        pass  # ADBC imports Polars if it is there, which makes a longer wait deaf to Ctrl-C
    return future.result()


def _ahead(
    batches: Iterator[Any], thread: ThreadPoolExecutor, database: object
) -> Iterator[pa.RecordBatch]:
    """Yield the batches, and fetch the next one meanwhile."""
    coming = thread.submit(next, batches, None)
    while True:
        with _translated_errors(database):
            batch = _awaited(coming)
        if batch is None:
            return
        coming = thread.submit(next, batches, None)
        yield batch


@contextmanager
def _translated_errors(database: object) -> Iterator[None]:
    """Raise as ours the errors of ADBC that we have a word for, without the query."""
    import adbc_driver_postgresql.dbapi as adbc  # noqa: PLC0415

    try:
        yield
    except (adbc.Error, OSError) as error:
        # The message quotes the query; what the server says stands behind. An answer that breaks
        # off is an OSError without a state.
        said = re.search(r"(?:ERROR|FATAL):\s+(.*)", str(error))
        reason = said[1] if said else str(error).partition("]")[2].partition("'")[0]
        lost = isinstance(error, (OSError, adbc.OperationalError))
        ours = worded(reason, getattr(error, "sqlstate", None) or ("08" if lost else ""), database)
        if ours is None:
            raise
        raise ours from error
