"""The errors of drivers, in our words."""

from __future__ import annotations

from contextlib import contextmanager
from json import JSONDecodeError
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ecephys_dal.errors import (
    DatabaseUnavailableError,
    EcephysDalError,
    ReadOnlyError,
    SchemaMismatchError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["translated_errors", "worded"]

# SQLSTATEs: undefined table or column, no privilege, other type, no operator; and SQLite's words.
_NOT_AS_EXPECTED = (
    "42P01", "42703", "42501", "42804", "42883", "no such table", "no such column",
)  # fmt: skip
# SQLSTATE classes: connection, login, database, resources, shutdown; and SQLite's words.
_UNREACHABLE = ("08", "28", "3D", "53", "57", "unable to open", "file is not a", "database is")
# A write in a transaction that only reads; and the words of SQLite, and of PostgreSQL where ADBC
# gives no SQLSTATE.
_WRITING = ("25006", "attempt to write", "cannot execute")


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
    except JSONDecodeError as error:
        raise SchemaMismatchError(
            f"{database} holds text that is no JSON where JSON belongs: {error}"
        ) from error


def _translated(error: DBAPIError, database: object) -> Exception:
    state = getattr(error.orig, "pgcode", str(error.orig).strip())
    if state is None:  # so libpq says that there is no connection, and psycopg2 what it can't send
        state = "08" if isinstance(error, OperationalError) else ""
    if error.connection_invalidated:
        state = "08"
    return worded(str(error.orig), state, database) or error


def worded(message: str, state: str, database: object) -> EcephysDalError | None:
    """Return our error for what a driver says, or None if we have no word for it.

    Parameters
    ----------
    message : str
        The driver's; its first line is repeated.
    state : str
        The SQLSTATE, or what SQLite says.
    database : object
        What was asked; shown.

    Returns
    -------
    EcephysDalError or None
    """
    reason = message.strip().partition("\n")[0]
    if state.startswith(_NOT_AS_EXPECTED):
        return SchemaMismatchError(
            f"{database} is not laid out as the models expect: {reason};"
            " check that it is LIMS, and that the role may see the table"
        )
    if state.startswith(_UNREACHABLE):
        return DatabaseUnavailableError(
            f"{database} can't be asked: {reason}; check host, port, database, role and network"
        )
    if state.startswith(_WRITING):
        return ReadOnlyError(
            f"{database} is only read: {reason}; a database of your own that may be written to is"
            " opened by Database(url, owned=True)"
        )
    return None
