"""The errors of drivers, in our words."""

from __future__ import annotations

import re
from contextlib import contextmanager
from json import JSONDecodeError
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ecephys_dal.errors import (
    ConnectionLostError,
    DatabaseUnavailableError,
    EcephysDalError,
    SchemaMismatchError,
    StatementTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["translated_errors", "worded"]

LOST, REFUSED = "08006", "08001"  # SQLSTATEs

# What is said where a driver gives no SQLSTATE: by a server that refuses a connection, by libpq, by
# ADBC in the middle of an answer, and by SQLite. The first that fits counts.
_SAID = {
    "42P01": "no such table",
    "42703": "no such column",
    "28": "authentication failed|no password supplied|no pg_hba.conf entry|not permitted to log in"
    "|FATAL: +role .* does not exist|permission denied for database",
    "3D": "FATAL: +database .* does not exist",
    "53300": "too many (clients|connections)|connection slots",
    "57P03": "the database system is|not accepting connections",
    "57014": "canceling statement due to (statement timeout|user request)",
    "55P03": "due to lock timeout",
    "40": "due to conflict with recovery|deadlock detected",
    "25P03": "due to idle-in-transaction timeout",
    "25P04": "due to transaction timeout",
    "57P05": "due to idle-session timeout",
    "53": "out of memory|No space left on device",
    "unknown host": "could not translate host name",
    REFUSED: "connection to server .*(refused|No such file|time|reach|No route|closed|reset|EOF)",
    "unreachable": "connection to server|unable to open|file is not a|database is|disk I/O error",
    LOST: "terminating connection|closed the connection|connection has been closed|SYSCALL"
    "|could not (receive|send)|connection (not open|already closed)|reset by peer",
}


class _Meaning(NamedTuple):
    error: type[EcephysDalError]
    happened: str
    advice: str


_BROKE_OFF = _Meaning(ConnectionLostError, "broke off its answer", "the read may be tried again")
_UNREACHABLE = _Meaning(
    DatabaseUnavailableError,
    "can't be asked",
    "check host, port, database, role and network",
)
_OVERDUE = _Meaning(
    StatementTimeoutError,
    "was not done in time",
    "ask for less at once, by a narrower filter or partitions, or raise the timeout",
)
_UNEXPECTED = _Meaning(
    SchemaMismatchError,
    "is not laid out as the models expect",
    "check that it is LIMS, and that the role may see the table",
)

# By SQLSTATE; the first that it begins with counts.
_MEANT = {
    **dict.fromkeys(("42P01", "42703", "42501", "42804", "42883"), _UNEXPECTED),
    **dict.fromkeys(("57P01", "57P02", "57P03", "57P05", "25P03", "40"), _BROKE_OFF),
    REFUSED: _UNREACHABLE,
    "08": _BROKE_OFF,
    "25P04": _OVERDUE,
    "28": _Meaning(
        DatabaseUnavailableError, "refuses the login", "check user and password (or ~/.pgpass)"
    ),
    "3D": _Meaning(DatabaseUnavailableError, "is not there", "check dbname"),
    "unknown host": _Meaning(
        DatabaseUnavailableError, "can't be found", "check host, and the network or VPN to it"
    ),
    "53300": _Meaning(
        DatabaseUnavailableError,
        "has no connection left",
        "close some, keep smaller pools, or try again later",
    ),
    "53": _Meaning(
        DatabaseUnavailableError,
        "has run out of memory or disk",
        "ask for less at once, by a narrower filter or partitions, and tell its administrator",
    ),
    "55P03": _Meaning(
        DatabaseUnavailableError,
        "is locked by someone else",
        "try again later, or raise lock_timeout",
    ),
    "57014": _Meaning(
        DatabaseUnavailableError,
        "was told to stop",
        "someone cancelled it there, so ask its administrator before you try again",
    ),
    **dict.fromkeys(("57", "unreachable"), _UNREACHABLE),
}


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
    state = getattr(error.orig, "pgcode", None)
    if state is None and hasattr(error.orig, "pgcode"):
        # So libpq says that there is no connection any more, and psycopg2 what it can't send.
        without = type(error) in (OperationalError, DatabaseError) or error.connection_invalidated
        return worded(str(error.orig), LOST if without else "", database) or error
    return worded(str(error.orig), state or "", database) or error
