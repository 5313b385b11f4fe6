"""Files that are written: whole under their names, and what keeps them from it in our words."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from ecephys_dal.errors import ConfigurationError, EcephysDalError
from ecephys_dal.paths import sync_folder
from ecephys_dal.safe_open import NotOursError, open_own, set_final_mode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["part_of", "publish", "told"]

# By what SQLite or the system says; the first that fits counts.
_ADVICE = {
    "locked": "another process makes this snapshot, so wait for it",
    "full": "make room there, and the same call goes on",
    "No space": "make room there, and call again",
    "unable to open": "check that its folder is there and may be written to",
    "No such file": "check that its folder is there and may be written to",
    "malformed": "remove that file, and call again",
    "not a database": "remove that file, and call again",
}


def part_of(path: Path) -> Path:
    """Return what a file is called until it is whole."""
    return path.with_name(f"{path.name}.part")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Raise as a `ConfigurationError` what keeps a file from being written."""
    try:
        yield
    except EcephysDalError:
        raise
    except NotOursError as error:
        raise ConfigurationError(f"{error.filename} can't be written: {error.strerror}") from error
    except (sqlite3.Error, DBAPIError, OSError) as error:
        reason = str(getattr(error, "orig", error))
        advice = (advice for words, advice in _ADVICE.items() if words in reason)
        remedy = next(advice, "check the path, and that it may be written to")
        raise ConfigurationError(f"{path} can't be written: {reason}; {remedy}") from error


def publish(part: Path, path: Path) -> None:
    """Give a whole file its name, and the mode that the umask leaves to new files, for good."""
    descriptor = open_own(part, os.O_RDONLY)
    try:
        set_final_mode(descriptor, part.parent)
    finally:
        os.close(descriptor)
    part.replace(path)
    sync_folder(path.absolute().parent)
