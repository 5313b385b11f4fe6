"""What tables and columns a database has, from its own catalogue."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import inspect
from sqlalchemy.engine import ObjectKind
from sqlalchemy.exc import SAWarning

from ecephys_dal.database import FOUND_BY_NAME, SECURED, VIEW, schema_of, what_hides_rows
from ecephys_dal.doctor.families import fit_of
from ecephys_dal.models import LIMS_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.engine.interfaces import ReflectedColumn

    from ecephys_dal.doctor.asking import Lims
    from ecephys_dal.doctor.uses import Name

__all__ = ["Catalogue", "read_catalogue"]

# What the role may not read, of tables that the models' names find; SQLite has no roles.
_UNREADABLE = {
    "postgresql": f"""
        SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relname = ANY (:names) AND {FOUND_BY_NAME}
            AND attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'f')
            AND NOT has_column_privilege(pg_class.oid, attnum, 'SELECT')
    """  # noqa: S608
}
# In which schemas tables are that the models' names don't find.
_ELSEWHERE = {
    "postgresql": f"""
        SELECT relname, min(nspname::text) FROM pg_class
        JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE relname = ANY (:names) AND relkind IN ('r', 'p', 'v', 'm', 'f')
            AND NOT {FOUND_BY_NAME} AND nspname NOT LIKE 'pg|_%' ESCAPE '|'
        GROUP BY relname
    """  # noqa: S608
}


@dataclass(frozen=True)
class Catalogue:
    """The tables of the models, as the database has them.

    Attributes
    ----------
    dialect : str
        The kind of database.
    columns : mapping
        By the names of table and column, what is known of each column; views are tables too.
    views : frozenset of str
        Which of the tables are views.
    others : tuple of str
        The tables that the models do not have.
    unreadable : frozenset of (str, str)
        The columns that the role may not read.
    elsewhere : mapping of str to str
        A schema for each missing table that is there, where the connection does not look.
    secured : tuple of str
        The tables on which row-level security is active for the role.
    """

    dialect: str
    columns: Mapping[str, Mapping[str, ReflectedColumn]]
    views: frozenset[str] = frozenset()
    others: tuple[str, ...] = ()
    unreadable: frozenset[Name] = frozenset()
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    secured: tuple[str, ...] = ()

    def unusable(self, names: Iterable[Name]) -> list[str]:
        """Return which of these columns can't be asked about, as ``table.column``, sorted."""
        return sorted(".".join(name) for name in names if not self._is_usable(*name))

    def _is_usable(self, table: str, column: str) -> bool:
        found = self.columns.get(table, {}).get(column)
        if found is None or (table, column) in self.unreadable:
            return False
        declared = LIMS_TABLES[table].columns[column].type
        return fit_of(declared, found["type"], self.dialect) != "type_unfit"


def read_catalogue(lims: Lims) -> Catalogue:
    """Read the catalogue, in a few statements however many tables there are."""
    models = sorted(LIMS_TABLES)
    with lims.connection() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # of types that SQLAlchemy does not know
        inspector, schema = inspect(connection), schema_of(connection)
        reflected = inspector.get_multi_columns(schema, models, ObjectKind.ANY)
        hiding = what_hides_rows(connection, models)
        names = {*inspector.get_table_names(schema), *inspector.get_view_names(schema)}
    columns = {
        table: {one["name"]: one for one in found} for (_, table), found in reflected.items()
    }
    missing = sorted(set(models) - columns.keys())
    unreadable = lims.rows_by_dialect(_UNREADABLE, names=models)
    elsewhere = [
        tuple(row) for row in (lims.rows_by_dialect(_ELSEWHERE, names=missing) if missing else [])
    ]
    return Catalogue(
        dialect=lims.database.engine.dialect.name,
        columns=columns,
        views=frozenset(table for table, why in hiding.items() if why == VIEW),
        others=tuple(sorted(names - set(models))),
        unreadable=frozenset((table, column) for table, column in unreadable),
        elsewhere=dict(elsewhere),
        secured=tuple(table for table, why in hiding.items() if why == SECURED),
    )
