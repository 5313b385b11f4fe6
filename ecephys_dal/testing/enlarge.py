"""Make a synthetic LIMS several times as large, inside of its database."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, func, insert, select, text, union_all
from sqlalchemy.schema import AddConstraint, DropConstraint

from ecephys_dal.errors import ConfigurationError
from ecephys_dal.migrations import refuse_somebody_elses_lims
from ecephys_dal.models import LIMS_MODELS, LIMS_TABLES, Project, WellKnownFile
from ecephys_dal.testing.synthetic import FIRST_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, Connection, Insert

    from ecephys_dal.database import Database

__all__ = ["enlarge_synthetic_lims"]

# What hangs on these is copied, and with it all of a session; what it only refers to is shared.
_ROOTS = ("donors", "isi_experiments")
_FILES = LIMS_TABLES[WellKnownFile.__tablename__]


def enlarge_synthetic_lims(database: Database, times: int) -> None:
    """Multiply the sessions of a synthetic LIMS, and all that hangs on them.

    Parameters
    ----------
    database : Database
        Owned, and filled by `~ecephys_dal.testing.build_synthetic_lims`.
    times : int
        How often each session is there afterwards, itself included.

    Raises
    ------
    ConfigurationError
        If the number can't be, or the database is not owned or not one of ours.

    Notes
    -----
    A session is copied with its animal, its imaging, probes, channels, units, runs, metrics and
    the records of its files, the awkward ones as well. Copies differ from it by their ids alone,
    which follow after all others. Copied files have no bytes. What sessions share (structures,
    genders, ages, projects, types, stimuli) stays as it is.
    """
    if times < 1:
        raise ConfigurationError(f"times={times!r} is too small a number")
    if not database.owned:
        raise ConfigurationError(f"{database} is only read; use Database(url, owned=True)")
    with database.connection() as connection:
        refuse_somebody_elses_lims(connection)
        if not _is_synthetic(connection):
            raise ConfigurationError(f"{database} holds no synthetic LIMS to enlarge")
        _enlarge(connection, times)


def _is_synthetic(connection: Connection) -> bool:
    project = select(Project.id).where(Project.id == FIRST_ID)
    return connection.execute(project).first() is not None


def _enlarge(connection: Connection, times: int) -> None:
    first, last = _ends_of_ids(connection)
    with _unhindered(connection):
        for table in _copied():
            for copy in range(1, times):
                connection.execute(_copy(table, last, copy * (last - first + 1)))
    # Both databases know the statement; without it they guess, and join in a bad order.
    connection.execute(text("ANALYZE"))


@contextmanager
def _unhindered(connection: Connection) -> Iterator[None]:
    """Do without indexes and foreign keys while the block fills tables; check all rows at its end.

    That takes half the time, and if the transaction fails, all is as it was.
    """
    # SQLite can't add a foreign key to a table that is there, but checks them fast.
    can_add = connection.dialect.supports_alter
    keys = [key for table in _copied() for key in table.foreign_key_constraints if can_add]
    indexes = [index for table in _copied() for index in table.indexes]
    for key in keys:
        connection.execute(DropConstraint(key))
    for index in indexes:
        index.drop(connection)
    yield
    for index in indexes:
        index.create(connection)
    for key in keys:
        connection.execute(AddConstraint(key))


@cache
def _copied() -> list[Table]:
    """Return the tables that are copied, those that others refer to first."""
    copied: list[Table] = []
    for table in LIMS_TABLES.values():
        parents = {key.column.table for key in table.foreign_keys}
        if table.name in _ROOTS or parents.intersection(copied):
            copied.append(table)
    return [*copied, _FILES]


def _ends_of_ids(connection: Connection) -> tuple[int, int]:
    """Return the first and the last id of all tables, because no two records share one."""
    tables = (table for table in LIMS_TABLES.values() if "id" in table.c)
    ids = union_all(*(select(table.c.id) for table in tables)).subquery()
    first, last = connection.execute(select(func.min(ids.c.id), func.max(ids.c.id))).one()
    return first, last


def _copy(table: Table, last: int, shift: int) -> Insert:
    """Return the statement that copies the rows that a table held at first."""
    columns = (column + shift if _is_shifted(column) else column for column in table.c)
    rows = select(*columns).where(*(key <= last for key in table.primary_key if _is_shifted(key)))
    if table is _FILES:
        rows = rows.where(WellKnownFile.attachable_type.in_(_owners()))
    return insert(table).from_select(list(table.c), rows)


def _is_shifted(column: Column[Any]) -> bool:
    """Tell whether a column holds ids of records that are copied."""
    referred = (key.column.table for key in column.foreign_keys)
    return (
        column.key == "id"
        or column is _FILES.c.attachable_id
        or any(table in _copied() for table in referred)
    )


def _owners() -> list[str]:
    """Return the names, as files know them, of what is copied."""
    return [model.__name__ for model in LIMS_MODELS if model.__table__ in _copied()]
