"""The bulk route: PostgreSQL's answers as Arrow, by the driver that reads its binary COPY.

SQLAlchemy prepares a statement as for every other route, psycopg2 quotes its values, and ADBC
runs it on a connection of the same settings.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import JSON, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool

from ecephys_dal.config import asked_password
from ecephys_dal.database.engine import connect_arguments
from ecephys_dal.database.forks import parted_by_a_fork
from ecephys_dal.database.meanings import LOST, UNREACHABLE
from ecephys_dal.database.server_settings import session_settings, set_locally
from ecephys_dal.database.translation import (
    line_of,
    raise_without_query,
    reason_of,
    refused,
    translated_errors,
    worded,
)
from ecephys_dal.display import printable
from ecephys_dal.errors import ConnectionLostError, SchemaMismatchError
from ecephys_dal.threads import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa
    from sqlalchemy import URL, Executable
    from sqlalchemy.engine.cursor import CursorResult
    from sqlalchemy.engine.interfaces import DBAPICursor, ExecutionContext
    from sqlalchemy.pool import ConnectionPoolEntry
    from sqlalchemy.types import TypeEngine

    from ecephys_dal.database.database import Database

    Columns: TypeAlias = Sequence[tuple[str, type | None]]

__all__ = ["Bulk", "BulkUnfitError", "has_bulk_route"]

_LOG = logging.getLogger(__name__)
_GLANCE = 0.1  # seconds
_SMALL = {"adbc.postgresql.batch_size_hint_bytes": str(2**18)}
_QUOTE_ONLY = "ecephys_dal_quote_only"
_NUMBERS = {"int2", "int4", "int8", "numeric"}
_MOMENTS = {"date", "timestamp", "timestamptz"}
_NO_TEXTS = {"numeric", "json", "jsonb"}  # which old versions of Arrow can't tell from text
# The types of PostgreSQL whose values are the same on both routes, by what a column is declared as.
_ALIKE: dict[type, set[str]] = {
    int: _NUMBERS,
    float: {*_NUMBERS, "float4", "float8"},
    bool: {"bool"},
    dict: {"json", "jsonb", "text", "varchar", "bpchar", "name"},  # which JSON may be kept as
    dt.date: _MOMENTS,
    dt.datetime: _MOMENTS,
}


class BulkUnfitError(Exception):
    """The bulk route can't read an answer, which is then read row by row; no user meets it."""


def has_bulk_route(url: URL) -> bool:
    """Tell whether there is a bulk route to a database.

    There is one to PostgreSQL, where psycopg2 quotes and the ``arrow`` extra is installed.
    """
    extra = ("adbc_driver_postgresql", "pyarrow")
    return url.drivername == "postgresql+psycopg2" and all(map(find_spec, extra))


class Bulk:
    """Pooled connections of ADBC, of the same settings as an engine's.

    Parameters
    ----------
    database : Database
        Opened from a URL: what else the maker of an engine told the driver can't be known.
    connections : int
        How many there may be at once.
    """

    def __init__(self, database: Database, connections: int) -> None:
        self._database = database
        event.listen(database.engine, "do_execute", _quote)
        self.pool = QueuePool(
            self._connect,
            pool_size=connections,
            max_overflow=0,
            timeout=database.settings.pool_timeout,
            reset_on_return=None,
        )
        settings = session_settings(database.url, database.settings, owned=database.owned)
        # In one transaction a pooler keeps one connection to the server, and forgets nothing.
        self._begin = f"BEGIN READ ONLY; {set_locally(settings)}"
        self.is_off = False
        self._said: set[str] = set()
        if database.settings.pre_ping:
            event.listen(self.pool, "checkout", _ping)
        parted_by_a_fork(self)

    @contextmanager
    def batches(
        self, query: Executable, *, steady: bool = False
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """Run a query in a transaction of its own, which keeps one server behind a pooler too.

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

        Raises
        ------
        BulkUnfitError
            If the driver or the server can't do this, or the answer is of another shape than the
            statement declares. Ask row by row instead.
        """
        statement, declared = self._quoted(query)
        # All that waits for the server is done by a thread, so that the next batch comes while the
        # last one is worked on, and Ctrl-C is heard meanwhile.
        with ThreadPool(1, "ecephys_dal") as thread:
            asked = partial(_asked, thread, self._database)
            connection = asked(self.pool.connect, otherwise=UNREACHABLE)
            try:
                cursor = connection.cursor()
                if steady:
                    cursor.adbc_statement.set_options(**_SMALL)
                began = time.monotonic()
                is_alive = partial(_awaited_of, thread, _is_alive, cursor)
                asked = partial(asked, is_alive=is_alive)
                asked(cursor.executescript, self._begin)
                asked(cursor.execute, statement)
                # Not by fetch_record_batch, whose reader raises errors without their SQLSTATE.
                reader = cursor._results.reader  # noqa: SLF001
                _check(reader.schema, declared)
                yield _ahead(iter(reader), thread, self._database, began, is_alive)
            except BaseException:
                with suppress(Exception):  # if the server is gone, it can't be told either
                    cursor.adbc_cancel()
                thread.shutdown()
                connection.invalidate()  # it may be in the middle of an answer
                raise
            thread.shutdown()
            try:
                cursor.executescript("ROLLBACK")
                cursor.executescript("DISCARD ALL")  # locks outlive a transaction
            except Exception:  # the server has gone, which loses nothing: all was read
                connection.invalidate()
            else:
                cursor.close()
                connection.close()

    def note(self, error: BulkUnfitError, *, for_good: bool = False) -> None:
        """Say once that rows are read instead, now or from now on."""
        self.is_off |= for_good
        if str(error) not in self._said:
            self._said.add(str(error))
            _LOG.warning("%s is read row by row, which is slower: %s; Database(..., bulk=False)"
                         " always does so", self._database, printable(str(error)))  # fmt: skip

    def _quoted(self, query: Executable) -> tuple[str, Columns]:
        """Return the text of a query, its values quoted by psycopg2, and its columns."""
        with translated_errors(self._database), self._database.engine.connect() as connection:
            self._database.has_answered = True
            result = connection.execute(query, execution_options={_QUOTE_ONLY: True})
            statement: str = result.context.quoted  # type: ignore[attr-defined]
            return statement, _declared(result)

    def _connect(self) -> Any:
        import adbc_driver_postgresql.dbapi as adbc  # noqa: PLC0415
        from psycopg2.extensions import make_dsn  # noqa: PLC0415

        database = self._database
        _, said = database.engine.dialect.create_connect_args(database.url)
        settled = connect_arguments(database.url, database.settings, owned=database.owned)
        arguments = {**said, **settled, "client_encoding": "UTF8"}  # Arrow's
        if settled["options"]:  # the driver looks up all types, for which a short limit is no limit
            arguments["options"] = f"{settled['options']} -c statement_timeout=0"
        if database.password is not None:
            arguments["password"] = asked_password(database.password)
        connection = adbc.connect(make_dsn(**arguments), autocommit=True)
        with connection.cursor() as cursor:
            is_alive = partial(_is_alive, cursor)
            with _translated_errors(database, time.monotonic(), is_alive):
                cursor.executescript("BEGIN READ ONLY")  # one server, behind a pooler too
                cursor.execute("SELECT current_setting('server_encoding')")
                encoding = cursor.fetchone()[0]
                cursor.executescript("ROLLBACK")
        if encoding == "SQL_ASCII":
            connection.close()
            raise BulkUnfitError("its encoding is SQL_ASCII, so that any bytes may stand for text")
        return connection

    def close(self) -> None:
        """Close the idle connections."""
        self.pool.dispose()


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


def _declared(result: CursorResult[Any]) -> Columns:
    """Return the name of each column of a statement, and the Python type that it declares."""
    compiled: Any = result.context.compiled
    return [(one.keyname, _kind_of(one.type)) for one in compiled._result_columns]  # noqa: SLF001


def _kind_of(declared: TypeEngine[Any]) -> type | None:
    if isinstance(declared, JSON):  # which may stand for any type of Python's
        return dict
    try:
        return declared.python_type
    except NotImplementedError:
        return None


def _check(schema: pa.Schema, declared: Columns) -> None:
    """Raise a `BulkUnfitError` if an answer is not of the declared columns and their types."""
    if declared and schema.names != [name for name, _ in declared]:
        raise BulkUnfitError(
            f"the columns {', '.join(schema.names)} came, of another question, as through a pooler"
            " that mixes connections"
        )
    for field, (name, kind) in zip(schema, declared, strict=bool(declared)):
        known = (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
        if kind is str:
            fits = str(field.type) == "string" and known not in _NO_TEXTS  # an old Arrow's
        else:
            fits = kind is None or kind not in _ALIKE or known in _ALIKE[kind]
        # Bytes where the driver does not know the type, whatever that is called.
        if not fits or ("binary" in str(field.type) and known != "bytea"):
            raise BulkUnfitError(f"column {name} is of type {known or field.type}")


def _ping(connection: Any, record: ConnectionPoolEntry, _: object) -> None:
    """Let the pool replace a connection that a firewall or a restart has cut."""
    import adbc_driver_postgresql.dbapi as adbc  # noqa: PLC0415

    if "was_used" not in record.info:  # which is emptied when the connection is replaced
        record.info["was_used"] = True
        return
    try:
        with connection.cursor() as cursor:
            cursor.executescript("SELECT 1")
    except (adbc.Error, OSError) as error:
        raise DisconnectionError from error


def _asked(
    thread: ThreadPool,
    database: object,
    call: Any,
    *arguments: Any,
    otherwise: str = LOST,
    is_alive: Callable[[], bool] = bool,
) -> Any:
    began = time.monotonic()
    with translated_errors(database), _translated_errors(database, began, is_alive, otherwise):
        return _awaited_of(thread, call, *arguments)


def _awaited_of(thread: ThreadPool, call: Any, *arguments: Any) -> Any:
    return _awaited(thread.submit(call, *arguments))


def _awaited(future: Future[Any]) -> Any:
    while wait([future], _GLANCE).not_done:
        pass  # ADBC imports Polars if it is there, which makes a longer wait deaf to Ctrl-C
    return future.result()


def _is_alive(cursor: Any) -> bool:
    """Tell whether the server still answers, once it has ended what it was asked."""
    with suppress(Exception):
        cursor.adbc_cancel()
    try:
        cursor.executescript("ROLLBACK")
    except Exception:  # the driver's own types, or the system's
        return False
    return True


def _ahead(
    batches: Iterator[Any],
    thread: ThreadPool,
    database: object,
    began: float,
    is_alive: Callable[[], bool],
) -> Iterator[pa.RecordBatch]:
    """Yield the batches, and fetch the next one meanwhile."""
    coming = thread.submit(next, batches, None)
    while True:
        with _translated_errors(database, began, is_alive, has_begun=True):
            batch = _awaited(coming)
        if batch is None:
            return
        coming = thread.submit(next, batches, None)
        yield batch


@contextmanager
def _translated_errors(
    database: object,
    began: float,
    is_alive: Callable[[], bool],
    otherwise: str = LOST,
    *,
    has_begun: bool = False,
) -> Iterator[None]:
    """Raise as ours the errors of ADBC that we have a word for, without the query."""
    import adbc_driver_postgresql.dbapi as adbc  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    try:
        yield
    except (adbc.Error, OSError, pa.ArrowException) as error:
        # Without a SQLSTATE the driver has met no server or lost it, unless it can't do a thing.
        has_no_server = isinstance(error, (adbc.OperationalError, OSError))
        state = getattr(error, "sqlstate", None)
        ours: Exception | None = worded(
            reason_of(error),
            state,
            database,
            otherwise=otherwise if has_no_server else "",
            began=began,
        )
        if ours is None:
            is_unfit = not state or not has_begun
        elif otherwise == UNREACHABLE:  # nothing was asked yet but the types of the database
            is_unfit = isinstance(ours, SchemaMismatchError)
        else:  # what the driver can't make out, it calls a fault of the connection too
            is_unfit = not state and isinstance(ours, ConnectionLostError) and is_alive()
        if is_unfit:
            raise_without_query(BulkUnfitError(line_of(error)), error)
        raise_without_query(ours or refused(error, database), error)
