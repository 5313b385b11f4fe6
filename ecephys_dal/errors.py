"""The errors that this library raises.

Each is an `EcephysDalError`; where Python has a fitting built-in error it is that one too, so
that callers who only know Python catch the right thing. Their extra arguments have defaults, so
that an error survives a pickle on its way out of a worker process.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from ecephys_dal.display import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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

_WORD = re.compile(r"[^\W_]+")
# Of difflib's ratio, above which two names are near: the same letters, and what lacks whole words.
_SAME_LETTERS, _LACKING_WORDS = 0.85, 0.68
_LONGEST_NAME = 200  # letters of a name that may be a slip of another
_FEW = 12  # names that a message can list


class EcephysDalError(Exception):
    """The base of every error of this library."""

    def __str__(self) -> str:
        """Return the message, in which what a server or a file says can't steer a terminal."""
        return printable(super().__str__())


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


def nearest_name(name: object, known: Iterable[str]) -> str | None:
    """Return the known name that is near this one, or None if none is.

    Near is a name with a slip of the keyboard in it, of other case, or with words that the other
    lacks: ``session_id`` is near ``session_ids``, and far from ``session_type``.
    """
    wanted = str(name).casefold()
    if len(wanted) > _LONGEST_NAME:  # to compare it would take its time
        return None
    nearness = {one: _nearness(wanted, one.casefold()) for one in known}
    best = max(nearness, key=lambda one: nearness[one], default=None)
    return best if best is not None and nearness[best] > 0 else None


def suggestion(name: object, known: Iterable[str], show: Callable[[str], str] = repr) -> str:
    """Return the end of a message about an unknown name: the near one, else those that are known.

    Parameters
    ----------
    name : object
        What is unknown.
    known : iterable of str
        The names that there are.
    show : callable
        How a name is shown.
    """
    known = list(known)
    nearest = nearest_name(name, known)
    if nearest is not None:
        return f"did you mean {show(nearest)}?"
    few = [*map(show, known[:_FEW]), *["..."] * (len(known) > _FEW)]
    return f"known are {', '.join(few)}" if few else "none is known"


def _nearness(one: str, other: str) -> float:
    """Return how alike two names are, 0 if they are not near each other."""
    words, others = _WORD.findall(one), _WORD.findall(other)
    alike = _ratio("".join(words), "".join(others))
    if len(words) == len(others):
        is_near = all(map(_is_slip, words, others))
    else:
        singular, of_other = ({word.removesuffix("s") for word in each} for each in (words, others))
        lacks_words = bool(singular and of_other) and (singular <= of_other or of_other <= singular)
        is_near = alike > (_LACKING_WORDS if lacks_words else _SAME_LETTERS)
    return alike if is_near else 0.0


def _is_slip(word: str, other: str) -> bool:
    """Return True if a word is the other one begun, or with a slip behind its first letter."""
    word, other = word.removesuffix("s"), other.removesuffix("s")
    if word == other or (len(word) > 2 and other.startswith(word)):
        return True
    slips = 2 if min(len(word), len(other)) > 9 else 1
    is_short = max(len(word), len(other)) < 5  # in which another letter makes another word
    is_other = is_short and len(word) == len(other) and sorted(word) != sorted(other)
    return word[:1] == other[:1] and not is_other and _slips(word, other) <= slips


def _slips(word: str, other: str) -> int:
    """Return the letters that were added, left out, mistaken or exchanged with the next one."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        now = [i]
        for j, wanted in enumerate(other, 1):
            cost = min(last[j] + 1, now[j - 1] + 1, last[j - 1] + (letter != wanted))
            if before and j > 1 and word[i - 2 : i] == wanted + other[j - 2]:
                cost = min(cost, before[j - 2] + 1)
            now.append(cost)
        before, last = last, now
    return last[-1]


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()
