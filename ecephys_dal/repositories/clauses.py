"""How the values of a filter become WHERE clauses, on every database alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, ColumnElement, String, TypeDecorator, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from ecephys_dal.filters import split_published_at
from ecephys_dal.models.base import UtcValue

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler

    Clauses = Iterator[ColumnElement[bool]]

__all__ = ["among", "named", "published_by", "within"]


class _ListText(TypeDecorator[Any]):
    """Ids or names as one text, which is one bound value however many they are.

    PostgreSQL reads it as an array, SQLite as JSON.
    """

    impl = String
    cache_ok = True

    def __init__(self, brackets: str) -> None:
        super().__init__()
        self.brackets = brackets

    def process_bind_param(self, value: Iterable[int | str] | None, dialect: Dialect) -> str:  # noqa: ARG002
        """Write the ids or names between the brackets."""
        return ",".join(map(self._written, value or ())).join(self.brackets)

    def _written(self, value: int | str) -> str:
        if not isinstance(value, str):
            return str(value)
        if self.brackets == "[]":
            return json.dumps(value, ensure_ascii=False)
        return '"{}"'.format(value.replace("\\", r"\\").replace('"', r"\""))


_LIST_TEXT = _ListText("{}").with_variant(_ListText("[]"), "sqlite")


class _is_among(FunctionElement[bool]):  # noqa: N801 - named as SQLAlchemy names its functions
    """``column`` is one of the ids or names in a text."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> _is_among:  # noqa: ARG002
        """Stand as it is; SQLAlchemy would compare it with 1 on SQLite, which hides the index."""
        return self


@compiles(_is_among)
def _among_array(element: _is_among, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = (compiler.process(clause, **kw) for clause in element.clauses)
    kind = "TEXT" if isinstance(next(iter(element.clauses)).type, String) else "BIGINT"
    return f"{column} = ANY (CAST({values} AS {kind}[]))"


@compiles(_is_among, "sqlite")
def _among_json(element: _is_among, compiler: SQLCompiler, **kw: Any) -> str:
    column, ids = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608 - of compiled clauses


def among(column: Any, ids: Iterable[int] | None) -> Clauses:
    """Keep the records whose id is one of these; all if there is no condition."""
    if ids is not None:
        yield _is_among(column, bindparam(None, ids, _LIST_TEXT))


def named(column: Any, names: Iterable[str] | None) -> Clauses:
    """Keep the records whose name is one of these; all if there is no condition."""
    if names is not None:
        yield _is_among(column, bindparam(None, tuple(names), _LIST_TEXT))


def published_by(column: Any, published_at: str | dt.date | None) -> Clauses:
    """Keep the records that were published on this day at the latest."""
    split = split_published_at(published_at)
    if split.published_at_not_null:
        yield column.is_not(None)
        yield column <= bindparam(None, split.published_at, UtcValue())


def within(column: Any, id_range: tuple[int | None, int | None] | None) -> Clauses:
    """Keep the records whose id is in the half-open range; an end of None is open."""
    first, stop = id_range or (None, None)
    if first is not None:
        yield column >= first
    if stop is not None:
        yield column < stop
