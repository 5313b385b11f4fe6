"""Is a snapshot still what it was when it was made?"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from ecephys_dal.artifacts.manifest import MANIFEST, sha256_of
from ecephys_dal.bars import make_bar
from ecephys_dal.display import html_table, printable
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.models import LIMS_TABLES
from ecephys_dal.paths import absolute_path
from ecephys_dal.safe_open import open_regular
from ecephys_dal.snapshot.description import connected, noted_in
from ecephys_dal.snapshot.digests import checksum_of, digest_of, sealed_checksum
from ecephys_dal.snapshot.files import folder_of, manifest_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from ecephys_dal.artifacts.manifest import Record

__all__ = ["Verification", "verify"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What came of the check of a snapshot.

    Attributes
    ----------
    path : str
        Of the snapshot.
    checked : tuple of str
        What was compared with what was noted when it was made.
    problems : tuple of str
        What is different now.
    """

    path: str
    checked: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Nothing is different."""
        return not self.problems

    @property
    def _summary(self) -> str:
        n = len(self.problems)
        found = "as it was made" if self.ok else f"{n} problem{'s' if n > 1 else ''}"
        return f"{self.path}: {found}; checked: {', '.join(self.checked)}"

    def __str__(self) -> str:
        return printable("\n".join([self._summary, *(f"  {problem}" for problem in self.problems)]))

    def _repr_html_(self) -> str:
        problems = html_table(("problem",), [(one,) for one in self.problems])
        return f"<p>{escape(self._summary)}</p>{'' if self.ok else problems}"

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes, as values that JSON can hold."""
        lists = {name: list(v) for name, v in asdict(self).items() if isinstance(v, tuple)}
        return {"path": self.path, "ok": self.ok, **lists}


def verify(
    path: str | Path, *, artifacts: bool = True, progress: bool | None = None
) -> Verification:
    """Compare a snapshot with what was noted when it was made: every byte, and every row.

    Parameters
    ----------
    path : str or Path
        Of the snapshot.
    artifacts : bool
        Read the files in ``<path>.artifacts`` too, and compare their SHA-256 with the manifest.
    progress : bool, optional
        Show bars on stderr; with None only on a terminal or in a notebook, after a second.

    Returns
    -------
    Verification

    Raises
    ------
    DatabaseUnavailableError
        If there is no such file.

    Notes
    -----
    It finds what a disk or a transfer has changed. It does not find what somebody has changed on
    purpose, digests and all.
    """
    path = absolute_path(path)
    connected(path).close()  # or there is none
    checked, problems = ["the checksum of the file"], []
    if checksum_of(path) != sealed_checksum(path):
        problems.append("the checksum of the file differs: bytes of it were changed")
    try:
        noted = noted_in(path)
        checked.append(f"{len(noted['digests'])} tables")
        problems += _table_problems(path, noted, progress=progress)
    except (ConfigurationError, LookupError, ValueError) as error:
        problems.append(f"what it says of itself can't be read: {error}")
    if artifacts and folder_of(path).is_dir():
        checked.append(f"the files in {folder_of(path)}")
        problems += _file_problems(folder_of(path), progress=progress)
    return Verification(path=str(path), checked=tuple(checked), problems=tuple(problems))


def _table_problems(path: Path, noted: dict[str, Any], *, progress: bool | None) -> Iterator[str]:
    size = path.stat().st_size  # of fewer bytes is no row
    with closing(connected(path)) as connection:
        for table, expected in _shown(noted["digests"].items(), "table", progress=progress):
            most = min(noted["rows"][table], size)
            try:
                if _has_more_than(most, connection, table):
                    yield f"{table} has more than {most} rows"
                    continue
                n_rows, digest = digest_of(connection, table)
            except (sqlite3.DatabaseError, ValueError) as error:
                yield f"{table} can't be read: {error}"
                continue
            if n_rows != noted["rows"][table]:
                yield f"{table} has {n_rows} rows, not {noted['rows'][table]}"
            elif digest != expected:
                yield f"the rows of {table} differ: SHA-256 {digest}, not {expected}"


def _has_more_than(most: int, connection: sqlite3.Connection, table: str) -> bool:
    """Tell whether a table is too long; pages that lead to each other hold rows without an end."""
    query = f"SELECT 1 FROM {table} LIMIT 1 OFFSET ?"  # noqa: S608 - as its digest
    return table in LIMS_TABLES and connection.execute(query, (most,)).fetchone() is not None


def _file_problems(folder: Path, *, progress: bool | None) -> Iterator[str]:
    try:
        records = sorted(manifest_of(folder).all().items())
    except OSError as error:
        yield f"{folder / MANIFEST} can't be read: {error.strerror or error}"
        return
    for name, record in _shown(records, "file", progress=progress):
        path = folder / name
        if path.parent != folder:
            yield f"{name!r} is noted, and is no name of a file in {folder}"
            continue
        try:
            with open_regular(path) as file:
                same = record.sha256 is None or _is_of(file, record)
        except FileNotFoundError:
            yield f"{path} was fetched, and is not there any more; fetch it again"
        except (OSError, ValueError) as error:
            yield f"{path} can't be read: {error}; remove it, and fetch it again"
        else:
            if not same:
                yield f"{path} is not what was fetched; remove it, and fetch it again"


def _shown(wanted: Collection[T], noun: str, *, progress: bool | None) -> Iterable[T]:
    """Show how many have been verified, if that is long work."""
    bar: Iterable[T] = make_bar(progress, iterable=wanted, desc="verify", unit=noun)
    return bar


def _is_of(file: BinaryIO, record: Record) -> bool:
    return os.fstat(file.fileno()).st_size == record.size and sha256_of(file) == record.sha256
