"""The errors of drivers, in our words."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ecephys_dal.database.meanings import LOST, REFUSED, UNREACHABLE, meaning_of, state_said
from ecephys_dal.errors import (
    ConnectionLostError,
    DatabaseUnavailableError,
    EcephysDalError,
    SchemaMismatchError,
    StatementRefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["refused", "translated_errors", "worded"]

# As PostgreSQL and SQLite name them; SQLAlchemy numbers the tables that it joins twice.
_COLUMN = re.compile(r'column:? "?(?:(?P<table>\w+?)(?:_\d+)?\.)?(?P<column>\w+)')
_TABLE = re.compile(r'(?:relation|table|view):? "?(?:\w+\.)?(?P<table>\w+?)(?:_\d+)?\b')


@contextmanager
def translated_errors(database: object) -> Iterator[None]:
    """Raise as ours the errors of a driver that we have a word for, without password and query."""
    try:
        yield
    except Exception as error:
        ours = _ours(error, database)
        if ours is None:
            raise
        raise ours from error


def _ours(error: Exception, database: object) -> EcephysDalError | None:
    if isinstance(error, PoolTimeoutError):
        return DatabaseUnavailableError(
            f"no connection to {database} became free in time; close some, or use fewer threads"
        )
    if isinstance(error, DBAPIError):
        return _of_driver(error, database)
    if hasattr(error, "pgcode"):  # psycopg2's own, while SQLAlchemy prepares a connection
        return worded(str(error), error.pgcode, database, otherwise=LOST)
    return None


def _state_of(error: object) -> str | None:
    """Return the SQLSTATE of a driver's error, "" if the driver has none of any error."""
    state: str | None = getattr(error, "pgcode", getattr(error, "sqlstate", ""))  # or psycopg 3's
    return state


def refused(reason: str, database: object) -> StatementRefusedError:
    """Return our error for a statement that a database refuses for a reason of its own."""
    reason = re.split("(?:ERROR|FATAL): +", reason.strip().partition("\n")[0])[-1]
    return StatementRefusedError(
        f"{database} refused the statement: {reason}; look at the further conditions (where=)"
    )


def _of_driver(error: DBAPIError, database: object) -> EcephysDalError | None:
    state, otherwise = _state_of(error.orig), ""
    if state is None:  # libpq found no connection or no answer; or psycopg2 what it can't send
        lost = error.connection_invalidated or type(error) is DatabaseError
        otherwise = LOST if lost else UNREACHABLE if isinstance(error, OperationalError) else ""
    return worded(str(error.orig), state, database, otherwise=otherwise)


def worded(
    message: str, state: str | None, database: object, *, otherwise: str = ""
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

    Returns
    -------
    EcephysDalError or None
    """
    reason = message.strip().partition("\n")[0]
    if not state:
        state, reason = state_said(message) or (otherwise, reason)
    meaning = meaning_of(state, reason)
    if meaning is None:
        return None
    reason = re.split("(?:ERROR|FATAL): +", reason)[-1].strip()
    text = f"{database} {meaning.happened}: {reason}; {meaning.advice}"
    if meaning.error is SchemaMismatchError:
        named = _COLUMN.search(reason) or _TABLE.search(reason)
        return SchemaMismatchError(text, **(named.groupdict() if named else {}))
    # A server that has answered before and refuses now is being restarted, or has a successor.
    if state == REFUSED and getattr(database, "has_answered", False):
        return ConnectionLostError(text)
    return meaning.error(text)
