"""What the SQLSTATEs of PostgreSQL, and what stands for one where there is none, mean."""

from __future__ import annotations

import re
from typing import NamedTuple

from ecephys_dal.errors import (
    ConfigurationError,
    ConnectionLostError,
    DatabaseUnavailableError,
    EcephysDalError,
    ReadOnlyError,
    SchemaMismatchError,
    StatementRefusedError,
    StatementTimeoutError,
)

__all__ = [
    "CANCELLED",
    "LOST",
    "ONE_STATEMENT",
    "OVERDUE",
    "REFUSED",
    "UNREACHABLE",
    "Meaning",
    "meaning_of",
    "state_said",
]

LOST, REFUSED, CANCELLED = "08006", "08001", "57014"  # SQLSTATEs
# What has none, or shares one.
UNREACHABLE, OVERDUE, _UNKNOWN_HOST = "unreachable", "overdue", "unknown host"
_NO_OPTIONS = "no options"
ONE_STATEMENT = "ecephys_dal_one_"  # how the name of a query begins, which nobody can guess

# What is said where there is no SQLSTATE: by SQLite, which has none, and by libpq until a
# connection stands, which hands on the words alone. In other languages less is told apart. The
# first that fits counts.
_SAID = {
    "invalid dsn": "invalid dsn|invalid connection option",
    "read-write": "session is read-only",
    "sqlite": "unable to open|file is not a|malformed|disk I/O error",
    _NO_OPTIONS: "startup parameter|command-line options",
    "42P01": "no such table",
    "42703": "no such column",
    "25006": "attempt to write a readonly database",
    "28": "authentication failed|no password supplied|no pg_hba.conf entry|not permitted to log in"
    "|FATAL: +role .* does not exist|permission denied for database",
    "3D": "FATAL: +database .* does not exist",
    "53300": "too many (clients|connections)|connection slots",
    "57P03": "the database system is|not accepting connections",
    "55P03": "database is locked|database table is locked",
    "53": "out of memory|No space left on device|database or disk is full",
    _UNKNOWN_HOST: "could not translate host name|failed to resolve host",
    REFUSED: "(connection to server .* failed|could not connect to server): "
    ".*(refused|No such file|reach|No route|closed|reset|EOF)",
    UNREACHABLE: "connection to server .* failed|could not connect|connection failed",
}


class Meaning(NamedTuple):
    """An error of ours, what happened to the database, and what to do next."""

    error: type[EcephysDalError]
    happened: str
    advice: str


_BROKE_OFF = Meaning(ConnectionLostError, "broke off its answer", "the read may be tried again")
_NOT_ASKED = Meaning(
    DatabaseUnavailableError,
    "can't be asked",
    "check host, port, database, role and network",
)
_OVERDUE = Meaning(
    StatementTimeoutError,
    "was not done in time",
    "ask for less at once, by a narrower filter or partitions, or raise the timeout",
)
_UNEXPECTED = Meaning(
    SchemaMismatchError,
    "is not laid out as the models expect",
    "check that it is LIMS, and that the role may see the table",
)

# By SQLSTATE; the first that it begins with counts.
_MEANT = {
    **dict.fromkeys(("42P01", "42703", "42501", "42804", "42883"), _UNEXPECTED),
    **dict.fromkeys(("57P01", "57P02", "57P03", "57P05", "25P03", "40"), _BROKE_OFF),
    REFUSED: _NOT_ASKED,
    "08": _BROKE_OFF,
    "25006": Meaning(
        ReadOnlyError,
        "is only read",
        "a database of your own that may be written to is opened by Database(url, owned=True)",
    ),
    _NO_OPTIONS: Meaning(
        DatabaseUnavailableError,
        "takes no options at login",
        "set startup_options=False (ECEPHYS_DAL_STARTUP_OPTIONS=false), with which each transaction"
        " sets them",
    ),
    "25P02": Meaning(
        DatabaseUnavailableError,
        "answers no more within this transaction, which an earlier error has ended",
        "roll the ORM session back and ask again",
    ),
    "25P04": _OVERDUE,
    ONE_STATEMENT: Meaning(
        StatementRefusedError,
        "was not asked: a text of the question ends its statement and begins another one",
        "write one condition for each text(), and bind values instead of writing them into it",
    ),
    "invalid dsn": Meaning(ConfigurationError, "can't be opened", "check the options of the URL"),
    "read-write": Meaning(
        DatabaseUnavailableError,
        "was asked to write",
        "our sessions only read: ask for target_session_attrs=primary",
    ),
    "sqlite": Meaning(
        DatabaseUnavailableError,
        "can't be read",
        "check the path, and that it is a whole SQLite database",
    ),
    "28": Meaning(
        DatabaseUnavailableError, "refuses the login", "check user and password (or ~/.pgpass)"
    ),
    "3D": Meaning(DatabaseUnavailableError, "is not there", "check dbname"),
    _UNKNOWN_HOST: Meaning(
        DatabaseUnavailableError, "can't be found", "check host, and the network or VPN to it"
    ),
    "53300": Meaning(
        DatabaseUnavailableError,
        "has no connection left",
        "close some, keep smaller pools, or try again later",
    ),
    "53": Meaning(
        DatabaseUnavailableError,
        "has run out of memory or disk",
        "ask for less at once, by a narrower filter or partitions, and tell its administrator",
    ),
    "55P03": Meaning(
        DatabaseUnavailableError,
        "is locked by someone else",
        "try again later, or raise lock_timeout",
    ),
    OVERDUE: _OVERDUE,
    CANCELLED: Meaning(
        DatabaseUnavailableError,
        "was told to stop",
        "someone cancelled it there, so ask its administrator before you try again, or a"
        " statement_timeout was set that is shorter than that of the settings",
    ),
    **dict.fromkeys(("57", UNREACHABLE), _NOT_ASKED),
}


def state_said(message: str) -> tuple[str, str] | None:
    """Return the SQLSTATE that a driver's words stand for and the line that says so, or None."""
    for state, words in _SAID.items():
        if found := re.search(f".*(?:{words}).*", message):
            return state, found[0]
    return None


def meaning_of(state: str) -> Meaning | None:
    """Return what a SQLSTATE means, or None if we have no word for it."""
    return next((means for known, means in _MEANT.items() if state.startswith(known)), None)
