"""The errors of drivers (psycopg2, sqlite3, ADBC) and of SQLAlchemy, in our words."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy.exc import (
    ArgumentError,
    CompileError,
    DatabaseError,
    DBAPIError,
    OperationalError,
    PendingRollbackError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ecephys_dal.database.meanings import (
    CANCELLED,
    LOST,
    ONE_STATEMENT,
    OVERDUE,
    REFUSED,
    UNREACHABLE,
    meaning_of,
    state_said,
)
from ecephys_dal.display import printable
from ecephys_dal.errors import (
    ConnectionLostError,
    DatabaseUnavailableError,
    EcephysDalError,
    SchemaMismatchError,
    StatementRefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["line_of", "raise_without_query", "reason_of", "refused", "translated_errors", "worded"]

# As PostgreSQL and SQLite name them; SQLAlchemy numbers the tables that it joins twice.
_COLUMN = re.compile(r'column:? "?(?:(?:\w+\.)?(?P<table>\w+?)(?:_\d+)?\.)?(?P<column>\w+)')
_TABLE = re.compile(r'(?:relation|table|view):? "?(?:\w+\.)?(?P<table>\w+?)(?:_\d+)?\b')
# And in other languages.
_ANY_COLUMN = re.compile(r"(?:\b(?P<table>\w+?)(?:_\d+)?\.|[\"'«»„“])(?P<column>\w+)")
_ANY_TABLE = re.compile(r"[\"'«»„“](?:\w+\.)?(?P<table>\w+?)(?:_\d+)?\b")
_NAMES = {"42703": (_COLUMN, _ANY_COLUMN), "42P01": (_TABLE, _ANY_TABLE)}
_ALMOST = 0.98  # of a timeout, for two clocks never agree
# Where a message quotes the statement from the place on that the database could not read.
_QUOTES_STATEMENT = re.compile(r'^near "|^unrecognized token: ')  # SQLite's
_SYNTAX_ERROR = "42601"
_QUOTED = re.compile(r"""(["'«»„“])([^\s"'«»„“]{0,30}).*(["'«»„“])""", re.DOTALL)
# What ADBC puts before what it says, the query among it.
_OF_ADBC = re.compile(
    r"^(?:[A-Z_]+: )?(?:\[libpq\] )?(?:Failed to \w+(?: query(?: '.*')?)?: )?", re.DOTALL
)
_LONGEST = 300  # letters of what a driver says that are repeated
_OF_SQLALCHEMY = (StatementError, CompileError, ArgumentError, PendingRollbackError)


@contextmanager
def translated_errors(database: object) -> Iterator[None]:
    """Raise as ours the errors of a driver and of SQLAlchemy, without password and query."""
    began = time.monotonic()
    try:
        yield
    except Exception as error:
        ours = _ours(error, database, began)
        if ours is None:
            raise
        raise_without_query(ours, error)


def raise_without_query(ours: Exception, error: BaseException) -> NoReturn:
    """Raise our error for one of a driver, of which the traceback shows neither query nor values.

    Parameters
    ----------
    ours : Exception
        What to raise.
    error : BaseException
        What the driver, or SQLAlchemy, raised. Its kind and what it says become the cause.
    """
    try:
        raise ours from _stripped(error)
    finally:
        ours.__context__ = None  # the error that is handled here, which Python has noted


def _stripped(error: BaseException) -> Exception:
    """Return an error that says the same, and holds no statement, cursor, value or traceback."""
    said = _unwrapped(error)
    kind, reason = type(said), line_of(error)
    try:
        bare: Any = kind(reason)
        if state := getattr(said, "pgcode", None):
            bare.__setstate__({"pgcode": state})
    except Exception:  # one that is made otherwise, as those of ADBC
        bare = RuntimeError(f"{kind.__name__}: {reason}")
    return bare  # type: ignore[no-any-return]


def _ours(error: Exception, database: object, began: float) -> EcephysDalError | None:
    if isinstance(error, PoolTimeoutError):
        return DatabaseUnavailableError(
            f"no connection to {database} became free in time; close some, or use fewer threads"
        )
    if isinstance(error, DBAPIError):
        return _of_driver(error, database, began) or refused(error, database)
    # Of what can't be sent, which holds all that should be.
    if isinstance(error, (*_OF_SQLALCHEMY, UnicodeError)):
        return refused(error, database)
    if hasattr(error, "pgcode"):  # psycopg2's own, while SQLAlchemy prepares a connection
        otherwise = "" if type(error).__name__ == "ProgrammingError" else LOST  # of a value
        ours = worded(reason_of(error), error.pgcode, database, otherwise=otherwise, began=began)
        return ours or refused(error, database)
    if type(error).__module__ == "sqlite3":
        return worded(str(error), "", database) or refused(error, database)
    return None


def reason_of(error: object) -> str:
    """Return what the server says, or else all that the driver does but the query."""
    if isinstance(error, UnicodeError):  # whose text tells a character, and where it stood
        return str(getattr(error, "reason", "a text has no such characters"))
    said = getattr(getattr(error, "diag", None), "message_primary", None)  # psycopg2
    for name, value in getattr(error, "details", None) or ():  # ADBC
        if name in ("PG_DIAG_MESSAGE_PRIMARY", b"PG_DIAG_MESSAGE_PRIMARY"):
            said = value.decode(errors="replace")
    return said or _OF_ADBC.sub("", str(error).partition("\n\nQuery was: ")[0])


def _state_of(error: object) -> str | None:
    """Return the SQLSTATE of a driver's error, "" if the driver has none of any error."""
    state: str | None = getattr(error, "pgcode", getattr(error, "sqlstate", ""))  # or psycopg 3's
    return state


def line_of(error: BaseException) -> str:
    """Return what an error of a driver or of SQLAlchemy says, in a line without the query."""
    said = _unwrapped(error)
    return _line_of(reason_of(said), _quotes_statement(said, _state_of(said)))


def _unwrapped(error: BaseException) -> BaseException:
    """Return the error that SQLAlchemy has wrapped."""
    wrapped: BaseException | None = getattr(error, "orig", None)
    return wrapped or error


def refused(error: BaseException, database: object) -> StatementRefusedError:
    """Return our error for a statement that a database refuses for a reason of its own."""
    return StatementRefusedError(
        f"{database} refused the statement: {line_of(error)}; look at the values of the filter"
        " and of the further conditions (where=)"
    )


def _quotes_statement(error: BaseException, state: str | None) -> bool:
    """Return True if a message may quote the statement, and not only a name of it or a value."""
    ours = isinstance(error, (CompileError, ArgumentError))
    return ours or state == _SYNTAX_ERROR or bool(_QUOTES_STATEMENT.search(str(error)))


def _line_of(message: str, quotes_statement: bool = False) -> str:
    """Return the first line, without the severity that libpq puts before it, and not too long."""
    if quotes_statement:
        message = _QUOTED.sub(r"\1\2...\3", message)
    line = re.split("(?:ERROR|FATAL): +", message.strip().partition("\n")[0])[-1].strip()
    return printable(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}...")


def _of_driver(error: DBAPIError, database: object, began: float) -> EcephysDalError | None:
    state, otherwise = _state_of(error.orig), ""
    if state is None:  # libpq found no connection or no answer; or psycopg2 what it can't send
        lost = error.connection_invalidated or type(error) is DatabaseError
        otherwise = LOST if lost else UNREACHABLE if isinstance(error, OperationalError) else ""
    return worded(reason_of(error.orig), state, database, otherwise=otherwise, began=began)


def worded(
    message: str,
    state: str | None,
    database: object,
    *,
    otherwise: str = "",
    began: float | None = None,
) -> EcephysDalError | None:
    """Return our error for what a driver says, or None if we have no word for it.

    Parameters
    ----------
    message : str
        The driver's; the line that counts is repeated.
    state : str or None
        The SQLSTATE, if the driver knows it.
    database : object
        What was asked; shown.
    otherwise : str
        What stands for the SQLSTATE if the message does not tell it either.
    began : float, optional
        When the statement was sent at the earliest, by the monotonic clock.

    Returns
    -------
    EcephysDalError or None
    """
    reason, quotes_statement = message, state == _SYNTAX_ERROR
    if not state:
        # A server that has answered before may be restarting, whatever its language.
        if otherwise == UNREACHABLE and getattr(database, "has_answered", False):
            otherwise = REFUSED
        state, reason = state_said(message) or (otherwise, message)
    if ONE_STATEMENT in message:
        state = ONE_STATEMENT
    if state == CANCELLED and _is_overdue(database, began):
        state = OVERDUE
    meaning = meaning_of(state)
    if meaning is None:
        return None
    reason = _line_of(reason, quotes_statement)
    text = f"{database} {meaning.happened}: {reason}; {meaning.advice}"
    if meaning.error is SchemaMismatchError:
        patterns = _NAMES.get(state, (_COLUMN, _TABLE))
        named = next(filter(None, (one.search(reason) for one in patterns)), None)
        return SchemaMismatchError(text, **(named.groupdict() if named else {}))
    # A server that has answered before and refuses now is being restarted, or has a successor.
    if state == REFUSED and getattr(database, "has_answered", False):
        return ConnectionLostError(text)
    return meaning.error(text)


def _is_overdue(database: object, began: float | None) -> bool:
    """Tell whether what the server stopped can have reached its timeout: nothing else tells.

    Where the timeout is the caller's, it is taken to be reached: nobody cancels as often.
    """
    longest: float = getattr(database, "longest_statement", 0)
    return began is None or time.monotonic() - began >= _ALMOST * longest
