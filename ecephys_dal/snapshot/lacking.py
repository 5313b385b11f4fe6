"""Take from a new database of our own the tables and columns that another LIMS lacks.

What needs them then fails there as it does here, by name, instead of finding nothing.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import inspect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

__all__ = ["drop_lacking"]


def drop_lacking(connection: Connection, lacking: Iterable[str]) -> None:
    """Drop tables and ``table.column``.

    Parameters
    ----------
    connection : Connection
        To a database that holds no rows.
    lacking : iterable of str
        What to drop.
    """
    operations = Operations(MigrationContext.configure(connection))
    columns: dict[str, list[str]] = defaultdict(list)
    for name in lacking:
        table, _, column = name.partition(".")
        if column:
            columns[table].append(column)
        else:
            operations.drop_table(table)
    for table, names in columns.items():
        for index in inspect(connection).get_indexes(table):
            if set(names).intersection(index["column_names"]):
                operations.drop_index(index["name"] or "", table)
        with operations.batch_alter_table(table, recreate="always") as batch:
            for name in names:
                batch.drop_column(name)
