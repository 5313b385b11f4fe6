"""What a snapshot says of itself."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ecephys_dal.display import html_table, printable, without_passwords
from ecephys_dal.errors import ConfigurationError, DatabaseUnavailableError
from ecephys_dal.models import LIMS_TABLES
from ecephys_dal.paths import absolute_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "FORMAT_VERSION",
    "SnapshotInfo",
    "connected",
    "info",
    "is_snapshot",
    "noted_in",
    "uri_of",
]

FORMAT_VERSION = 1
_TABLES = {
    *LIMS_TABLES,
    *("alembic_version", "ecephys_dal_snapshot", "ecephys_dal_absent", "ecephys_dal_left"),
}
_MOST_NOTES = 100
# What is noted has this shape; a name that is `str` stands for any.
_NOTED: dict[Any, Any] = {
    **dict.fromkeys(("schema_revision", "source", "created_at", "library_version"), str),
    "coverage": {
        "level": int,
        "deepest": int,
        "whole": bool,
        "published_at": str | None,
        "rules": [str],
    },
    "filters": [{"type": str, "fields": dict}],
    "rules": [str],
    "lacking": [str],
    "dangling": int,
    "rows": {str: int},
    "digests": {str: str},
}


@dataclass(frozen=True, kw_only=True)
class SnapshotInfo:
    """What a snapshot says of itself.

    Attributes
    ----------
    path : str
        Where it is.
    size : int
        Bytes of the file.
    format_version : int
        Of the way in which a snapshot is laid out.
    schema_revision : str
        Of the tables, as the migrations call it.
    filters : tuple of dict
        The filter: its ``type`` and its ``fields``. Of a snapshot that was made of a snapshot, the
        filters of both; the oldest first.
    rules : tuple of str
        The visibility rules that hid records when it was made.
    source : str
        What it was copied from, without credentials.
    created_at : str
        When, in UTC, as ISO 8601 has it.
    library_version : str
        Of this library, then.
    lacking : tuple of str
        Tables and ``table.column`` that the source did not have, so that neither has the snapshot.
    dangling : int
        References to records that the source did not have.
    rows : dict of str to int
        How many there are, by table.
    digests : dict of str to str
        The SHA-256 of the rows of each table.
    """

    path: str
    size: int
    format_version: int
    schema_revision: str
    filters: tuple[Mapping[str, Any], ...]
    rules: tuple[str, ...]
    source: str
    created_at: str
    library_version: str
    lacking: tuple[str, ...]
    dangling: int
    rows: Mapping[str, int]
    digests: Mapping[str, str]

    @classmethod
    def of(cls, path: str, size: int, noted: Mapping[str, Any]) -> SnapshotInfo:
        """Return what is noted in a snapshot."""
        stored = {name: noted[name] for name in cls.__dataclass_fields__ if name in noted}
        lists = {name: tuple(noted[name]) for name in ("filters", "rules", "lacking")}
        return cls(**{**stored, **lists, "path": path, "size": size})

    @property
    def _facts(self) -> dict[str, str]:
        filters = [
            f"{one['type']}({', '.join(f'{n}={_short(v)}' for n, v in one['fields'].items())})"
            for one in self.filters
        ]
        return {
            "filter": " of ".join(reversed(filters)),
            "rules": ", ".join(self.rules) or "none: what they hide is there too",
            "source": self.source,
            "created": f"{self.created_at}, by ecephys_dal {self.library_version}",
            "format": f"{self.format_version}, schema {self.schema_revision}",
            **({"lacking": ", ".join(self.lacking)} if self.lacking else {}),
            **({"dangling": f"{self.dangling} references"} if self.dangling else {}),
        }

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.size:,} bytes"]
        lines += [f"  {name}: {value}" for name, value in self._facts.items()]
        lines += [f"  {n:>10,}  {table}" for table, n in self.rows.items()]
        return printable("\n".join(lines))

    def _repr_html_(self) -> str:
        facts = html_table(("", ""), list(self._facts.items()))
        counts = [(table, f"{n:,}", self.digests[table][:16]) for table, n in self.rows.items()]
        rows = html_table(("table", "rows", "SHA-256 begins"), counts)
        return f"<p>{escape(self.path)}: {self.size:,} bytes</p>{facts}{rows}"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, as values that JSON can hold."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


def _short(value: Any) -> str:
    if isinstance(value, list) and len(value) > 5:
        return f"[{', '.join(map(str, value[:5]))}, ... ({len(value)})]"
    return str(value)


def uri_of(path: str | Path) -> str:
    """Return the URI by which SQLite opens a snapshot: read only, and never locked.

    That is safe because a snapshot is not changed any more when it has its name.
    """
    return f"file:{quote(str(absolute_path(path)))}?mode=ro&immutable=1"


def connected(path: str | Path) -> sqlite3.Connection:
    """Open a file for reading, past all that is known of snapshots."""
    if not absolute_path(path).is_file():
        # It may be a URL, which names none.
        raise DatabaseUnavailableError(f"there is no snapshot {without_passwords(str(path))}")
    return sqlite3.connect(uri_of(path), uri=True)


def noted_in(path: str | Path) -> dict[str, Any]:
    """Return what is noted in a snapshot, or raise a `ConfigurationError` if it can't be read."""
    with closing(connected(path)) as connection:
        try:
            _check_tables(path, connection)
            # Pages that lead to each other again and again are as many rows as one likes.
            query = "SELECT name, value FROM ecephys_dal_snapshot LIMIT ?"
            rows = connection.execute(query, (_MOST_NOTES,)).fetchall()
        except sqlite3.DatabaseError as error:
            raise ConfigurationError(
                f"{path} is no snapshot ({error}); ecephys_dal.snapshot.create makes one"
            ) from error
    try:
        noted = {name: json.loads(value) for name, value in rows}
    except (RecursionError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path} is no snapshot: what it notes is no JSON") from error
    _check_version(path, noted)
    if "digests" not in noted:
        raise ConfigurationError(
            f"{path} is a snapshot that is not whole; ecephys_dal.snapshot.create goes on with it"
        )
    for name, shape in _NOTED.items():
        if not _has(noted.get(name), shape):
            raise ConfigurationError(
                f"{path} is no snapshot: it notes {noted.get(name)!r:.80} as its {name}"
            )
    return noted


def _has(value: Any, shape: Any) -> bool:
    """Tell whether a value of JSON has a shape."""
    if isinstance(shape, list):
        return isinstance(value, list) and all(_has(one, shape[0]) for one in value)
    if isinstance(shape, dict):
        if not isinstance(value, dict) or (str not in shape and value.keys() != shape.keys()):
            return False
        return all(_has(one, shape.get(str) or shape[name]) for name, one in value.items())
    return isinstance(value, shape)


def _check_tables(path: str | Path, connection: sqlite3.Connection) -> None:
    """Refuse what is no table of LIMS or of ours: a view of that name can take for ever."""
    strange = [
        f"{kind} {name}"
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master")
        if kind not in ("table", "index")
        or not (name.startswith("sqlite_") or kind == "index" or name in _TABLES)
        or not re.match(f"CREATE (UNIQUE )?{kind} ", sql or f"CREATE {kind} ", re.IGNORECASE)
    ]
    strange += [
        f"computed column {table}.{column}"
        for table, column in connection.execute(
            "SELECT t.name, c.name FROM sqlite_master AS t, pragma_table_xinfo(t.name) AS c"
            " WHERE t.type = 'table' AND c.hidden <> 0"
        )
    ]
    if strange:
        raise ConfigurationError(
            f"{path} is no snapshot: it holds the {strange[0]!r:.80}; take one that"
            " ecephys_dal.snapshot.create made"
        )


def is_snapshot(path: str | Path) -> bool:
    """Tell whether there is a snapshot, of whatever format version.

    Parameters
    ----------
    path : str or Path
        Of a file, or of nothing.

    Returns
    -------
    bool
    """
    try:
        with closing(connected(path)) as connection:
            query = "SELECT name FROM sqlite_master WHERE name = 'ecephys_dal_snapshot'"
            return connection.execute(query).fetchone() is not None
    except (DatabaseUnavailableError, sqlite3.DatabaseError, OSError, ValueError):
        return False


def _check_version(path: str | Path, noted: Mapping[str, Any]) -> None:
    found = noted.get("format_version")
    if found == FORMAT_VERSION:
        return
    remedy = (
        "install a newer ecephys_dal"
        if isinstance(found, int) and found > FORMAT_VERSION
        else f"make it anew with ecephys_dal.snapshot.create, or read it with ecephys_dal"
        f" {noted.get('library_version', 'of that time')}, that made it"
    )
    raise ConfigurationError(
        f"the snapshot {path} is of format version {found}, and this version reads"
        f" {FORMAT_VERSION}; {remedy}"
    )


def info(path: str | Path) -> SnapshotInfo:
    """Return what a snapshot says of itself, without reading its rows.

    Parameters
    ----------
    path : str or Path
        Of the snapshot.

    Returns
    -------
    SnapshotInfo

    Raises
    ------
    DatabaseUnavailableError
        If there is no such file.
    ConfigurationError
        If it is no snapshot, or of a format version that can't be read.
    """
    path = absolute_path(path)
    noted = noted_in(path)
    return SnapshotInfo.of(str(path), path.stat().st_size, noted)
