"""The record of what was fetched into a folder: one line a publication, only ever appended to."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["MANIFEST", "Manifest", "Record", "sha256_of"]

MANIFEST = ".artifacts.jsonl"
_BLOCK = 1024 * 1024


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
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / MANIFEST

    def add(self, record: Record) -> None:
        """Append a record."""
        line = json.dumps(asdict(record), ensure_ascii=True)
        # The line that a killed process left unfinished must not swallow this one.
        with self.path.open("ab") as file:
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
            return self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []


def _parsed(line: str) -> Record | None:
    try:
        columns = json.loads(line)
        known = {field.name: columns[field.name] for field in fields(Record)}
        known["verified_by"] = tuple(known["verified_by"])
        return Record(**known)
    except (ValueError, TypeError, KeyError):
        return None


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
