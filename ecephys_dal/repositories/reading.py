"""Where the values of a table come from: the bulk route where there is one, else rows."""

from __future__ import annotations

from collections.abc import Callable, Sized
from contextlib import ExitStack, closing, contextmanager
from functools import partial, wraps
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import JSON, Float, Label, Numeric, String, func, select, type_coerce
from sqlalchemy.exc import DBAPIError, InvalidRequestError, UnboundExecutionError
from sqlalchemy.orm import Session, scoped_session

from ecephys_dal.bars import reading_bar
from ecephys_dal.database import (
    Bulk,
    BulkUnfitError,
    Database,
    Question,
    asking,
    coverage_of,
    line_of,
    raise_without_query,
    shown,
    translated_errors,
)
from ecephys_dal.errors import EcephysDalError, SchemaMismatchError, StatementRefusedError
from ecephys_dal.frames import piece_of_batch, piece_of_rows, resized, table_of
from ecephys_dal.models.base import Real

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import URL, Connection, CursorResult, Dialect, Engine, Select

    from ecephys_dal.bars import ReadingBar
    from ecephys_dal.database import Covers
    from ecephys_dal.filters import Filter
    from ecephys_dal.frames import Piece
    from ecephys_dal.models import Base

__all__ = ["Reader", "asked"]

P = ParamSpec("P")
T = TypeVar("T")

_JSON = (114, 3802)  # PostgreSQL's json and jsonb, which psycopg2 reads as Python's objects
_TEXTS = (19, 25, 1042, 1043)  # name, text, char and varchar
# What fetching raises, the last one of a number's column that holds none.
_UNREADABLE = (
    TypeError,
    ValueError,
    ArithmeticError,
    RecursionError,
    DBAPIError,
    InvalidRequestError,
)
_NO_TEXT = ("22021", "22P05")  # SQLSTATEs of bytes that are no text of an encoding
_UNDECODABLE = "Could not decode to UTF-8"  # Python's, which is the same in all languages
_FEW = 500  # rows that fit into a processor's cache until they are converted


class Reader:
    """Reads for a repository, from a database or inside the caller's ORM session.

    Parameters
    ----------
    db : Session, Database, Engine, URL or str
        Where to read.
    model : type
        What is read, by which an ORM session chooses among several databases.
    """

    def __init__(
        self,
        db: Session | scoped_session[Session] | Database | Engine | URL | str,
        model: type[Base],
    ) -> None:
        if isinstance(db, scoped_session):
            db = db()
        self.db = db if isinstance(db, Session) else Database.of(db)
        self._model = model

    def question(self, method: str) -> Question:
        """Begin a question; only where the connection is ours it may be tried again."""
        return Question(method, self.db if isinstance(self.db, Database) else None)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open an ORM session, or take the caller's."""
        if isinstance(self.db, Database):
            with self.db.session() as db:
                yield db
        else:
            with (
                translated_errors(self.shown),
                asking(self.db.connection(bind_arguments={"mapper": self._model})),
            ):
                yield self.db

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Open a connection, or take that of the caller's session."""
        if isinstance(self.db, Database):
            with self.db.connection() as connection:
                yield connection
        else:
            with translated_errors(self.shown):
                if self.db.autoflush:
                    self.db.flush()  # as the session does before a query of its own
                connection = self.db.connection(bind_arguments={"mapper": self._model})
                with asking(connection):
                    yield connection

    @property
    def _bind(self) -> Connection | Engine:
        db = self.db
        return db.engine if isinstance(db, Database) else db.get_bind(self._model)

    @property
    def _coverage(self) -> Covers | None:
        try:
            return coverage_of(self._bind)
        except UnboundExecutionError:  # a session without a database can still write statements
            return None

    @property
    def dialect(self) -> Dialect | None:
        """What the database speaks; None of a session without a database."""
        try:
            return self._bind.dialect
        except UnboundExecutionError:
            return None

    @property
    def shown(self) -> str:
        """The URL of what is read, without credentials."""
        return shown(self._bind.engine.url)

    def check(self, spec: Filter) -> None:
        """Raise a `BeyondSnapshotError` if a snapshot is read that can't answer for this."""
        if (coverage := self._coverage) is not None:
            with self.connection() as connection:
                coverage.check(connection, self._model, spec)

    def check_records(self, *ids: int) -> None:
        """Raise a `BeyondSnapshotError` if a snapshot is read that can't tell of these records."""
        if (coverage := self._coverage) is not None:
            with self.connection() as connection:
                coverage.check_records(connection, self._model, ids)

    @property
    def bulk(self) -> Bulk | None:
        """The route for large tables, where there is one."""
        bulk = self.db.bulk if isinstance(self.db, Database) else None
        return None if bulk is None or bulk.is_off else bulk

    def bar(self) -> AbstractContextManager[ReadingBar | None]:
        """Show how much has come, or nothing; inside an ORM session of the caller's nothing."""
        wanted = self.db.settings.progress if isinstance(self.db, Database) else False
        return reading_bar(self._model.__tablename__, wanted)

    @contextmanager
    def pieces(
        self, table: Select[Any], size: int | None = None, *, bulk: Bulk | None = None
    ) -> Iterator[Iterator[Piece]]:
        """Read a table, piece by piece.

        Parameters
        ----------
        table : Select
            What to read.
        size : int, optional
            Rows of each piece but the last; without it, as they come.
        bulk : Bulk, optional
            Read by this route; row by row without it.

        Yields
        ------
        iterator of Piece
            The table's columns, some rows at a time.
        """
        with ExitStack() as opened:
            if bulk is not None:
                try:
                    batches = opened.enter_context(bulk.batches(table, steady=size is not None))
                except BulkUnfitError as error:
                    unfit = error
                else:
                    yield map(piece_of_batch, batches) if size is None else resized(batches, size)
                    return
            connection = opened.enter_context(self.connection())
            yield self._rows(connection, table, size)
        if bulk is not None:
            bulk.note(unfit)  # which rows could be read

    def _rows(
        self, connection: Connection, table: Select[Any], size: int | None
    ) -> Iterator[Piece]:
        # Through a cursor of the server's, if the table shall not be held as a whole; it ends with
        # its transaction, which may be each statement's own.
        autocommit = getattr(connection.connection.dbapi_connection, "autocommit", False)
        options = {} if size is None or autocommit is True else {"yield_per": size}
        if not all(map(_is_exact, table.selected_columns)):
            columns = map(_exact, table.selected_columns)
            table = table.with_only_columns(*columns)
        # Closed, because an error that somebody keeps would keep the cursor, and its lock.
        with (
            self.readable(table),
            closing(connection.execute(table, execution_options=options)) as result,
        ):
            self._check_types(table, result)
            yield from map(piece_of_rows, result.partitions(size or _FEW))

    def _check_types(self, table: Select[Any], result: CursorResult[Any]) -> None:
        for column, described in zip(
            table.selected_columns, result.cursor.description, strict=True
        ):
            if isinstance(column.type, String) and described[1] in _JSON:
                what = "holds text, but is json in this LIMS, whose texts are quoted"
            elif isinstance(column.type, JSON) and described[1] not in (None, *_JSON, *_TEXTS):
                what = "holds JSON, but is neither json, jsonb nor text in this LIMS"
            else:
                continue
            raise SchemaMismatchError(
                f"column {column.key!r} of {table_of(column)} {what}: convert it, as by a view",
                table=table_of(column),
                column=column.key,
            )

    @contextmanager
    def readable(self, query: Select[Any]) -> Iterator[None]:
        """Raise a `SchemaMismatchError` if a driver can't read what a query gives."""
        try:
            yield
        except EcephysDalError:
            raise
        except _UNREADABLE as error:
            if isinstance(error, DBAPIError) and not _is_undecodable(error.orig):
                raise
            table, column, record = None, None, ""
            try:
                table, column, record = self._unreadable(query)
            except EcephysDalError as other:  # or the transaction of a caller's session has ended
                if _is_undecodable(other.__cause__):
                    raise error from None  # of a value of the question, which no record has
            named = f"column {column!r} of {table}" if column else "a value"
            no_json = isinstance(error, (JSONDecodeError, RecursionError))  # or too deep
            stored = (
                "no JSON" if no_json else "no text of its encoding, or no moment that Python has"
            )
            ours = SchemaMismatchError(
                f"{named} can't be read{record}: {line_of(error)}; LIMS stores there what is"
                f" {stored}: leave the record out by where=, and let it be mended;"
                " `ecephys-dal doctor` looks for more",
                table=table,
                column=column,
            )
            raise_without_query(ours, error)

    def _unreadable(self, query: Select[Any]) -> tuple[str | None, str | None, str]:
        """Return the table, column and record of the first value that can't be read."""
        table = query.order_by(None).subquery()
        key, *columns = table.columns
        for column, stored in zip(columns, list(query.selected_columns)[1:], strict=True):
            values = select(column).order_by(key)
            if self._fails(values):
                good, bad = 0, self._fetched(select(func.count()).select_from(table))[0]
                while bad - good > 1:
                    half = (good + bad) // 2
                    good, bad = (good, half) if self._fails(values.limit(half)) else (half, bad)
                record = self._fetched(select(key).order_by(key).offset(good).limit(1))[0]
                return table_of(stored), stored.key, f" in record {record}"
        return None, None, ""

    def _fails(self, query: Select[Any]) -> bool:
        try:
            self._fetched(query)
        except (*_UNREADABLE, StatementRefusedError):
            return True
        return False

    def _fetched(self, query: Select[Any]) -> Sequence[Any]:
        with self.connection() as connection:
            return connection.execute(query).scalars().all()


def _is_exact(column: Any) -> bool:
    """Return True of a column whose type takes no number for infinity, as other types of floats."""
    return not isinstance(column.type, Numeric | Float) or bool(column.type.asdecimal)


def _exact(column: Any) -> Any:
    inner = column.element if isinstance(column, Label) else column
    return column if _is_exact(column) else type_coerce(inner, Real()).label(column.key)


def _is_undecodable(error: BaseException | None) -> bool:
    state = getattr(error, "pgcode", getattr(error, "sqlstate", None))
    return state in _NO_TEXT or _UNDECODABLE in str(error)


class _Reads(Protocol):
    """What has a reader, such as a repository."""

    _reader: Reader


R = TypeVar("R", bound=_Reads)


def asked(method: Callable[Concatenate[R, P], T]) -> Callable[Concatenate[R, P], T]:
    """Make a method one question: tried again if the connection breaks off, counted and logged.

    Parameters
    ----------
    method : callable
        Reads by ``self._reader``, and gives all that it reads at once: an iterator would read when
        nothing tries again any more.

    Returns
    -------
    callable
        Of the same parameters.
    """

    @wraps(method)
    def ask(self: R, /, *args: P.args, **kwargs: P.kwargs) -> T:
        name = method.__name__.lstrip("_")  # which may be the inner half of a public method
        with self._reader.question(f"{type(self).__name__}.{name}") as question:
            answer = question.ask(partial(method, self, *args, **kwargs))
            question.rows = len(answer) if isinstance(answer, Sized) else 1
        return answer

    return ask
