"""The errors that this library raises.

Each is an `EcephysDalError`; where Python has a fitting built-in error it is that one too, so
that callers who only know Python catch the right thing. Their extra arguments have defaults, so
that an error survives a pickle on its way out of a worker process.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "ArtifactChangedError",
    "ArtifactCorruptError",
    "ArtifactError",
    "ArtifactNotFoundError",
    "ArtifactStorageError",
    "ArtifactTransferError",
    "BeyondSnapshotError",
    "ConfigurationError",
    "ConnectionLostError",
    "DatabaseUnavailableError",
    "EcephysDalError",
    "InvalidFilterError",
    "NotExactlyOneError",
    "ReadOnlyError",
    "RecordNotFoundError",
    "SchemaMismatchError",
    "StatementRefusedError",
    "StatementTimeoutError",
]


class EcephysDalError(Exception):
    """The base of every error of this library."""


class ConfigurationError(EcephysDalError):
    """A setting or credential is missing or wrong; the message names it."""


class InvalidFilterError(EcephysDalError, ValueError):
    """A filter field holds a value that it can't hold; the message names both."""


class DatabaseUnavailableError(EcephysDalError):
    """The database could not be reached, or stopped answering."""


class ConnectionLostError(DatabaseUnavailableError):
    """The connection to the database broke off; the read may be tried again."""


class StatementTimeoutError(DatabaseUnavailableError):
    """The database ended a question that took longer than it allows."""


class StatementRefusedError(EcephysDalError):
    """The database refused a statement for a reason of its own, such as a division by zero."""


class ReadOnlyError(EcephysDalError):
    """A write was refused: LIMS is only read; the message says what would have been written."""


class SchemaMismatchError(EcephysDalError):
    """The database lacks a table or column that the question needs, or stores it otherwise.

    Attributes
    ----------
    table, column : str or None
        What is missing or hidden, as far as the database says so.
    method : str or None
        What needs it, such as ``UnitRepository.frame``.
    """

    def __init__(
        self,
        message: str,
        *,
        table: str | None = None,
        column: str | None = None,
        method: str | None = None,
    ) -> None:
        super().__init__(message)
        self.table, self.column, self.method = table, column, method


class BeyondSnapshotError(EcephysDalError):
    """A snapshot was asked for what it was not made to hold, so it can't tell what LIMS has."""


class RecordNotFoundError(EcephysDalError, LookupError):
    """No record with this id is visible."""


class NotExactlyOneError(EcephysDalError, ValueError):
    """One record was asked for, and there is none or there are several.

    Attributes
    ----------
    expected : int
        How many records were expected: 1.
    found : sequence
        The records that were found.
    """

    def __init__(self, message: str, *, found: Sequence[object] = (), expected: int = 1) -> None:
        super().__init__(message)
        self.expected = expected
        self.found = found


class ArtifactError(EcephysDalError):
    """A file could not be fetched.

    Attributes
    ----------
    url : str
        Where it was looked for.
    """

    def __init__(self, message: str, *, url: str = "") -> None:
        super().__init__(message)
        self.url = url


class ArtifactNotFoundError(ArtifactError):
    """The server says that there is no such file, or that we may not have it."""


class ArtifactTransferError(ArtifactError):
    """The transfer failed, and trying again did not help.

    Attributes
    ----------
    attempts : int
        How many requests were made.
    received : int
        How many bytes of the file were there at the last failure.
    """

    def __init__(
        self, message: str, *, url: str = "", attempts: int = 1, received: int = 0
    ) -> None:
        super().__init__(message, url=url)
        self.attempts = attempts
        self.received = received


class ArtifactChangedError(ArtifactTransferError):
    """The file changed on the server while it was read; start anew to get the new version.

    It is raised to a consumer that was already given bytes of the older version.
    """


class ArtifactStorageError(ArtifactError, OSError):
    """The file can't be stored here: no space, no permission, no such folder.

    It is not tried again; what was stored already is kept, and used by the next download.
    """

    def __init__(self, message: str, *, url: str = "") -> None:
        ArtifactError.__init__(self, message, url=url)


class ArtifactCorruptError(ArtifactError):
    """What arrived is not the file that was asked for.

    Attributes
    ----------
    expected, found : object
        What the evidence (size, format, digest) should have been, and what it was.
    """

    def __init__(
        self, message: str, *, url: str = "", expected: object = None, found: object = None
    ) -> None:
        super().__init__(message, url=url)
        self.expected = expected
        self.found = found


def nearest_name(name: object, known: Iterable[str]) -> str:
    """Return the known name that looks most like this one, for a message about a misspelling."""
    return difflib.get_close_matches(str(name), list(known), n=1, cutoff=0)[0]
