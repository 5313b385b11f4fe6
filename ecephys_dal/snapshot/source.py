"""What is copied from: a LIMS or a snapshot, as far as it has what the models have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import inspect, text

from ecephys_dal.database import Question, schema_of
from ecephys_dal.models import LIMS_TABLES
from ecephys_dal.snapshot.opening import SnapshotDatabase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column, Executable, Row, Table

    from ecephys_dal.database import Database
    from ecephys_dal.snapshot.coverage import Coverage

    Ids = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["Source"]


class Source:
    """The database to copy from, as far as it has the tables and columns of the models.

    Parameters
    ----------
    database : Database
        Where it is.

    Attributes
    ----------
    columns : dict of Table to list of Column
        What there is.
    lacking : list of str
        Tables and ``table.column`` that there are not.
    coverage : Coverage or None
        Of a snapshot.
    noted : dict
        What a snapshot says of itself.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.columns: dict[Table, list[Column[Any]]] = {}
        self.lacking: list[str] = []
        self.coverage: Coverage | None = None
        self.noted: dict[str, Any] = {}
        if isinstance(database, SnapshotDatabase):
            self.coverage, self.noted = database.coverage, database.noted
        with database.connection() as connection:
            catalogue, schema = inspect(connection), schema_of(connection)
            for table in LIMS_TABLES.values():
                if not catalogue.has_table(table.name, schema):
                    self.lacking.append(table.name)
                    continue
                there = {column["name"] for column in catalogue.get_columns(table.name, schema)}
                self.columns[table] = [one for one in table.columns if one.name in there]
                missing = [one.name for one in table.columns if one.name not in there]
                self.lacking += [f"{table.name}.{name}" for name in missing]

    def has(self, *columns: Column[Any]) -> bool:
        """Tell whether there are all of these columns."""
        return all(one.name in {c.name for c in self.columns.get(one.table, ())} for one in columns)

    def rows(self, query: Executable) -> Sequence[Row[Any]]:
        """Return the answer to a small question, which is asked again if the connection breaks."""

        def read() -> Sequence[Row[Any]]:
            with self.database.connection() as connection:
                return connection.execute(query).all()

        with Question("snapshot.create", self.database) as question:
            rows = question.ask(read)
            question.rows = len(rows)
        return rows

    def ids(self, query: Executable) -> Ids:
        """Return the ids that a question of one column gives, each once, ascending."""
        ids = (row[0] for row in self.rows(query))
        return np.unique(np.fromiter((one for one in ids if one is not None), dtype=np.int64))

    def absent(self) -> list[tuple[str, str, int]]:
        """Return what a snapshot knows of records that are not there."""
        if self.coverage is None:
            return []
        query = text("SELECT kind, table_name, id FROM ecephys_dal_absent")
        return [tuple(row) for row in self.rows(query)]
