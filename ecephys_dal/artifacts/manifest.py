"""The record of what was fetched into a folder: one line a publication, only ever appended to."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from ecephys_dal.safe_open import open_own, open_regular, set_final_mode

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MANIFEST", "Manifest", "Record", "sha256_of"]

MANIFEST = ".artifacts.jsonl"
_BLOCK = 1024 * 1024
_MODE = 0o644  # others may read it, as far as the umask lets them


@dataclass(frozen=True, kw_only=True)
class Record:
    """What was published under a name.

    Parameters
    ----------
    name, url : str
        The file's name in the folder, and what it is a copy of.
    size, mtime_ns : int
        Bytes, and the time of its last change.
    sha256, etag : str or None
        As it was first seen.
    at : str
        When, in UTC.
    verified_by : tuple of str
        Why it was taken for whole.
    """

    name: str
    url: str
    size: int
    mtime_ns: int
    sha256: str | None = None
    etag: str | None = None
    at: str = ""
    verified_by: tuple[str, ...] = ()

    @classmethod
    def now(cls, **columns: object) -> Record:
        """Return a record of this moment."""
        now = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")
        return cls(at=now, **columns)  # type: ignore[arg-type]

    def is_of(self, found: os.stat_result) -> bool:
        """Tell whether the file that was found was not touched since it was published."""
        return (found.st_size, found.st_mtime_ns) == (self.size, self.mtime_ns)


class Manifest:
    """The records of a folder, in its file ``.artifacts.jsonl``.

    Several processes may append at once. A line that was not written to its end, by a process that
    was killed, is passed over.

    Parameters
    ----------
    folder : Path
        The folder.
    of_anybody : bool
        Read one that another user wrote, which is no reason to believe what it says.
    """

    def __init__(self, folder: Path, *, of_anybody: bool = False) -> None:
        self.path, self._of_anybody = folder / MANIFEST, of_anybody

    def add(self, record: Record) -> None:
        """Append a record.

        Raises
        ------
        NotOursError
            If the file may not be ours.
        """
        line = json.dumps(asdict(record), ensure_ascii=True)
        descriptor = open_own(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        with open(descriptor, "ab") as file:  # noqa: PTH123 - of a descriptor
            if not os.fstat(descriptor).st_size:
                set_final_mode(descriptor, self.path.parent, most=_MODE)
            # The line that a killed process left unfinished must not swallow this one.
            file.write(f"\n{line}\n".encode())

    def of(self, name: str) -> Record | None:
        """Return the newest record of this name."""
        return next(self._newest(name), None)

    def all(self) -> dict[str, Record]:
        """Return the newest record of each name."""
        records = filter(None, map(_parsed, self._lines()))
        return {record.name: record for record in records}

    def _newest(self, name: str) -> Iterator[Record]:
        marked = json.dumps({"name": name})[1:-1]
        for line in reversed(self._lines()):
            if marked in line and (record := _parsed(line)) and record.name == name:
                yield record

    def _lines(self) -> list[str]:
        try:
            file = (
                open_regular(self.path)
                if self._of_anybody
                else open(open_own(self.path, os.O_RDONLY), "rb")  # noqa: PTH123, SIM115
            )
        except FileNotFoundError:
            return []
        with file:
            return file.read().decode(errors="replace").splitlines()


def _parsed(line: str) -> Record | None:
    try:
        columns = json.loads(line)
        known = {field.name: columns[field.name] for field in fields(Record)}
        known["verified_by"] = tuple(known["verified_by"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return Record(**known) if isinstance(known["name"], str) else None


def sha256_of(file: Path | BinaryIO) -> str:
    """Return the SHA-256 of a file, or of what is left to read of one, in hexadecimal."""
    if isinstance(file, Path):
        with file.open("rb", buffering=0) as opened:
            return sha256_of(cast("BinaryIO", opened))
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()
