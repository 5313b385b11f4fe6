"""SQL with its values, as a database sees it."""

from __future__ import annotations

import reprlib
from copy import copy
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy.exc import CompileError

from ecephys_dal.errors import InvalidFilterError

if TYPE_CHECKING:
    from sqlalchemy import ClauseElement, Connection, Dialect

__all__ = ["sql_of"]


class _Writing:
    """The part of a compiler that writes values, also those that SQLAlchemy only ever binds."""

    dialect: Dialect

    def render_literal_value(self, value: Any, type_: Any) -> str:
        """Return a value as it stands in SQL."""
        if isinstance(value, np.generic):  # whose nanoseconds would be an integer
            is_moment = isinstance(value, (np.datetime64, np.timedelta64))
            value = (value.astype(f"{value.dtype.kind}8[us]") if is_moment else value).item()
        # Of these SQLAlchemy writes what no database reads.
        misread = isinstance(value, bytes) or (isinstance(value, float) and not isfinite(value))
        if not misread:
            try:
                written: str = super().render_literal_value(value, type_)  # type: ignore[misc]
            except (CompileError, NotImplementedError):
                pass
            else:
                return written
        return self._as_the_driver_writes(value)

    def _as_the_driver_writes(self, value: Any) -> str:
        from psycopg2 import ProgrammingError  # noqa: PLC0415 - slow to import
        from psycopg2.extensions import adapt  # noqa: PLC0415

        try:
            written: str = adapt(value).getquoted().decode()
        except ProgrammingError as error:
            raise InvalidFilterError(
                f"{reprlib.repr(value)}, a {type(value).__name__}, can't be written in SQL; give a"
                " number, a text, a moment, or a list of them"
            ) from error
        return written.replace("%", "%%") if _doubles_percents(self.dialect) else written


def sql_of(clause: ClauseElement, connection: Connection | None = None) -> str:
    """Return a statement, or a part of one, as a database sees it, values and all.

    Parameters
    ----------
    clause : ClauseElement
        The statement.
    connection : Connection, optional
        To the database, which knows its dialect and schemas; PostgreSQL's dialect without it.

    Returns
    -------
    str
    """
    options = {} if connection is None else connection.get_execution_options()
    schemas = options.get("schema_translate_map")
    if connection is not None:
        dialect = connection.dialect
    else:
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - another is asked more often

        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    dialect = copy(dialect)
    compiler = dialect.statement_compiler
    dialect.statement_compiler = type(compiler.__name__, (_Writing, compiler), {})
    compiled = clause.compile(
        dialect=dialect,
        compile_kwargs={"literal_binds": True},
        schema_translate_map=schemas,
        render_schema_translate=bool(schemas),
    )
    text = str(compiled)
    return text % () if _doubles_percents(dialect) else text


def _doubles_percents(dialect: Dialect) -> bool:
    """Tell whether a driver's marks of values begin with %, so that it is given %% for others."""
    return dialect.paramstyle in ("format", "pyformat")
