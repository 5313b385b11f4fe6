"""The snapshot that is being made: a database beside its final name, with what is left to do."""

from __future__ import annotations

import datetime as dt
import json
import operator
import os
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import JSON, URL, Text, cast, column, insert, select, table
from sqlalchemy.schema import CreateIndex

from ecephys_dal.database import Database
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import LIMS_TABLES
from ecephys_dal.repositories.clauses import among
from ecephys_dal.safe_open import JOURNALS, NotOursError, check_own, open_own
from ecephys_dal.snapshot.closure import key_of, pieces_of
from ecephys_dal.snapshot.lacking import drop_lacking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Column, Connection, Table

    from ecephys_dal.snapshot.source import Ids, Source

__all__ = ["Part"]

_ROWS = 5_000  # of one transaction
_TAKEN = {int, float, str, bool, type(None)}  # by the driver, as they are
_MARK = 0x45445053  # a number in the header of a file, by which its kind is known
_TABLES = """
CREATE TABLE ecephys_dal_snapshot (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE ecephys_dal_absent (
    kind TEXT, table_name TEXT, id INTEGER, PRIMARY KEY (kind, table_name, id)
) WITHOUT ROWID;
CREATE TABLE ecephys_dal_left (number INTEGER PRIMARY KEY, table_name TEXT, ids BLOB);
"""


class Part:
    """A snapshot that is not whole yet.

    Parameters
    ----------
    connection : Connection
        To its file, which no other process can use meanwhile.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.driver: Any = connection.connection.driver_connection

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Part]:
        """Open the file, or make it, with the schema of LIMS and without rows.

        Raises
        ------
        NotOursError
            If it, or what SQLite would take for its journal, may have been put there by somebody.
        """
        # By its name: to close a descriptor of it would end the locks that SQLite has on it.
        for suffix in ("", *JOURNALS):
            check_own(f"{path}{suffix}")
        if not path.exists():
            # For us alone until it is published; SQLite gives its journal the same mode.
            os.close(open_own(path, os.O_RDWR | os.O_CREAT))
        before = path.lstat()
        with cls._connected(path) as part:
            if not os.path.samestat(before, path.lstat()):
                raise NotOursError(path, "another file was put in its place")
            yield part

    @classmethod
    @contextmanager
    def _connected(cls, path: Path) -> Iterator[Part]:
        url = URL.create("sqlite", database=str(path))
        with Database(url, owned=True) as database, database.engine.connect() as connection:
            part = cls(connection)
            part._lock(path)
            # Rows come table by table; whether all that they refer to is there is asked at the end.
            part.driver.execute("PRAGMA foreign_keys = OFF")
            yield part

    def _lock(self, path: Path) -> None:
        """Keep all others out until the connection is closed, by whatever."""
        self.driver.execute("PRAGMA busy_timeout = 0")
        self.driver.execute("PRAGMA locking_mode = EXCLUSIVE")
        self.driver.execute("BEGIN EXCLUSIVE").execute("COMMIT")
        if not path.exists():  # it has just got its final name, and must not be touched
            raise ConfigurationError(f"{path} was finished by another process just now")
        if not self.table_names():
            self.driver.execute(f"PRAGMA application_id = {_MARK}")
        elif self.driver.execute("PRAGMA application_id").fetchone() != (_MARK,):
            raise ConfigurationError(
                f"{path} is no snapshot that was begun, and is in the way of one; move it elsewhere"
            )

    def note(self, **values: Any) -> None:
        """Write what is to be known of the snapshot."""
        rows = [(name, json.dumps(value)) for name, value in values.items()]
        self.driver.executemany("INSERT OR REPLACE INTO ecephys_dal_snapshot VALUES (?, ?)", rows)

    @property
    def noted(self) -> dict[str, Any]:
        """What is known of the snapshot; nothing if it was not planned to its end."""
        if "ecephys_dal_snapshot" not in self.table_names():
            return {}
        rows = self.driver.execute("SELECT name, value FROM ecephys_dal_snapshot")
        return {name: json.loads(value) for name, value in rows}

    def table_names(self) -> list[str]:
        """Return the names of all tables, sorted."""
        query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        return [name for (name,) in self.driver.execute(query)]

    def clear(self) -> None:
        """Begin anew."""
        if names := self.table_names():
            for name in names:
                self.driver.execute(f"DROP TABLE {name}")
            self.driver.execute("VACUUM")

    def make_schema(self, source: Source) -> None:
        """Make the tables, without those and without the columns that the source lacks."""
        upgrade(self.connection)
        self.connection.commit()
        drop_lacking(self.connection, source.lacking)
        self.connection.commit()
        self.driver.executescript(_TABLES)
        # To fill an index in one go is faster, and leaves no gaps in it.
        query = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        for (name,) in self.driver.execute(query).fetchall():
            self.driver.execute(f"DROP INDEX {name}")

    def make_indexes(self) -> None:
        """Make the indexes of the models, when all rows are there."""
        for of in LIMS_TABLES.values():
            query = "SELECT name FROM pragma_table_info(?)"
            there = {name for (name,) in self.driver.execute(query, (of.name,))}
            for index in sorted(of.indexes, key=lambda one: str(one.name)):
                if there.issuperset(index.columns.keys()):
                    self.driver.execute(str(CreateIndex(index).compile(self.connection)))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all of the block or nothing."""
        self.driver.execute("BEGIN")
        try:
            yield
        except BaseException:
            if self.driver.in_transaction:  # which a full disk has ended
                self.driver.execute("ROLLBACK")
            raise
        self.driver.execute("COMMIT")

    def plan(self, wanted: dict[Table, Ids]) -> None:
        """Note which rows are to come."""
        ordered = [one for one in LIMS_TABLES.values() if one in wanted]
        rows = [
            (one.name, np.array(ids, dtype=np.int64).tobytes())
            for one in ordered
            for ids in pieces_of(wanted[one], _ROWS)
        ]
        self.driver.executemany(
            "INSERT INTO ecephys_dal_left (table_name, ids) VALUES (?, ?)", rows
        )

    def absent(self, rows: Iterable[tuple[str, str, int]]) -> None:
        """Note records that do not come: how they are known not to, their tables, their ids."""
        self.driver.executemany("INSERT OR IGNORE INTO ecephys_dal_absent VALUES (?, ?, ?)", rows)

    @property
    def rows_left(self) -> int:
        """How many rows are left to copy."""
        query = "SELECT coalesce(sum(length(ids)), 0) / 8 FROM ecephys_dal_left"
        n_rows: int = self.driver.execute(query).fetchone()[0]
        return n_rows

    def left(self) -> Iterator[tuple[int, Table, list[int]]]:
        """Yield what is left to copy."""
        numbers = self.driver.execute("SELECT number FROM ecephys_dal_left ORDER BY number")
        for (number,) in numbers.fetchall():
            query = "SELECT table_name, ids FROM ecephys_dal_left WHERE number = ?"
            name, ids = self.driver.execute(query, (number,)).fetchone()
            yield number, LIMS_TABLES[name], np.frombuffer(ids, dtype=np.int64).tolist()

    def copy(self, number: int, of: Table, ids: list[int], source: Source) -> None:
        """Copy some rows, and strike them off, in one transaction."""
        columns = source.columns[of]
        # JSON is copied letter by letter.
        reads = [cast(one, Text) if isinstance(one.type, JSON) else one for one in columns]
        rows = source.rows(select(*reads).where(*among(key_of(of), ids)).order_by(key_of(of)))
        with self.transaction():
            self._insert(of, columns, rows)
            self.driver.execute("DELETE FROM ecephys_dal_left WHERE number = ?", (number,))

    def _insert(self, into: Table, columns: Sequence[Column[Any]], rows: Sequence[Any]) -> None:
        # The driver takes a table of numbers and texts as it is, many times faster than it could
        # be taken value by value.
        kept = [self._kept(*one) for one in zip(columns, zip(*rows, strict=True), strict=False)]
        query = insert(table(into.name, *(column(one.name) for one in columns)))
        sql = str(query.compile(dialect=self.connection.dialect))
        self.driver.executemany(sql, zip(*kept, strict=True))

    def _kept(self, of: Column[Any], values: Sequence[Any]) -> Sequence[Any]:
        """Return values as SQLite can hold them, and as they are read back to the same."""
        if _TAKEN.issuperset(map(type, values)) and all(map(operator.eq, values, values)):
            return values
        dialect = self.connection.dialect
        written = of.type.dialect_impl(dialect).bind_processor(dialect)
        return [_kept(value, written) for value in values]


def _kept(value: Any, written: Callable[[Any], Any] | None) -> Any:
    if value != value:  # noqa: PLR0124 - SQLite would make NULL of NaN
        return "NaN"
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        value = value.astimezone(dt.timezone.utc).replace(tzinfo=None)
    return written(value) if written and isinstance(value, dt.date) else value
