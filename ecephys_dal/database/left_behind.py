"""What the users of a connection, and others beside its file, leave to who comes after them."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from ecephys_dal.errors import DatabaseUnavailableError
from ecephys_dal.safe_open import planted_journal

if TYPE_CHECKING:
    from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["IS_SET", "known_by_the_driver", "note_pragmas", "refuse_planted"]

IS_SET = "ecephys_dal_is_set"  # by a PRAGMA


def known_by_the_driver(connection: Any) -> tuple[object, ...]:
    """Return what a driver keeps of a connection that the server can't forget for it."""
    for told in ("notices", "notifies"):
        if getattr(connection, told, None):
            del getattr(connection, told)[:]
    return tuple(getattr(connection, name, None) for name in ("cursor_factory", "encoding"))


def refuse_planted(path: str, *_: object) -> None:
    """Raise if SQLite would write into a database of ours what somebody else says."""
    if (found := planted_journal(path)) is not None:
        raise DatabaseUnavailableError(
            f"{found} is another user's, and SQLite would write what it says into {path};"
            " remove it, unless that user may write to the database"
        )


def note_pragmas(connection: Any, record: ConnectionPoolEntry) -> None:
    """Note when a PRAGMA is given a value, by whatever route."""

    def note(action: int, _: str | None, value: str | None, *__: object) -> int:
        if action == sqlite3.SQLITE_PRAGMA and value is not None:
            record.info[IS_SET] = True
        return sqlite3.SQLITE_OK

    connection.set_authorizer(note)
