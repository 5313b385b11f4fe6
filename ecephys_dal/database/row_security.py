"""What may hide rows from a role: row-level security, and views in place of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from ecephys_dal.database.engine import FOUND_BY_NAME, schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

__all__ = ["SECURED", "VIEW", "what_hides_rows"]

SECURED = "row-level security is active for this role"
VIEW = "it is a view or a foreign table, which may leave rows out"
_HIDING = text(f"""
    SELECT relname, relkind IN ('r', 'p') FROM pg_class
    WHERE relname = ANY (:tables) AND {FOUND_BY_NAME}
        AND (relkind IN ('v', 'm', 'f') OR relkind IN ('r', 'p') AND row_security_active(oid))
    ORDER BY relname
""")  # noqa: S608


def what_hides_rows(connection: Connection, tables: Iterable[str]) -> dict[str, str]:
    """Return which of these tables the role may not see as a whole, and why.

    Parameters
    ----------
    connection : Connection
        Only the catalogue is read.
    tables : iterable of str
        Names of tables, without a schema.

    Returns
    -------
    dict of str to str
        What hides rows, by table.
    """
    names, schema = set(tables), schema_of(connection)
    if connection.dialect.name == "postgresql":
        rows = connection.execute(_HIDING, {"tables": sorted(names), "schema": schema})
        return {table: SECURED if is_table else VIEW for table, is_table in rows}
    views = names.intersection(inspect(connection).get_view_names(schema))
    return dict.fromkeys(sorted(views), VIEW)
