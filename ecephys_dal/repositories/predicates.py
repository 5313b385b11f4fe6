"""Checks of a condition before it is sent: the tables that it names, and what to write instead.

A clause that names a table which the statement does not join would put that table into the FROM
list beside the joins: a Cartesian product, which multiplies rows and filters none.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

from ecephys_dal.repositories.conditions import columns_in
from ecephys_dal.repositories.subqueries import final_froms, lacks, subqueries_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from sqlalchemy import ClauseElement, FromClause, Select
    from sqlalchemy.orm import Mapper, RelationshipProperty

    from ecephys_dal.models import Base
    from ecephys_dal.repositories.subqueries import Subquery

    Froms = AbstractSet[FromClause]

__all__ = ["froms_of", "instead_of", "unjoined"]


def froms_of(statement: Select[Any]) -> frozenset[FromClause]:
    """Return the FROM list of a statement, with each table and alias that its joins bring."""
    return frozenset(
        chain.from_iterable(
            one._from_objects  # noqa: SLF001 - SQLAlchemy has no public name for it
            for one in statement.get_final_froms()
        )
    )


def unjoined(clause: ClauseElement, joined: Froms) -> FromClause | None:
    """Return the first table that a clause names and the FROM list lacks, or None.

    Parameters
    ----------
    clause : ClauseElement
        A condition or a column.
    joined : set of FromClause
        The FROM list, as `froms_of` returns it.

    Returns
    -------
    FromClause or None
        Also what a subquery takes from outside itself: `has`, `any` and ``correlate`` say what that
        is. A text names nothing that could be checked.
    """
    return next(_unjoined(clause, joined), None)


def _unjoined(clause: ClauseElement, joined: Froms) -> Iterator[FromClause]:
    yield from (one for one in clause._from_objects if lacks(joined, one))  # noqa: SLF001
    for one in subqueries_in(clause):
        yield from _unjoined_by(one, joined)


def _unjoined_by(subquery: Subquery, joined: Froms) -> Iterator[FromClause]:
    query, froms = subquery.query, final_froms(subquery.query)
    within = {each for one in froms for each in one._from_objects}  # noqa: SLF001
    nested = [found for part in query.get_children() for found in subqueries_in(part)]
    outer = [one for one in froms if _is_from_outside(query, one)]
    yield from (one for one in outer if lacks(joined, one))
    # The same for every record: what was meant is a table of the record's, which is not there.
    correlates = any(map(_correlates, (query, *(one.query for one in nested))))
    if subquery.place == "exists" and froms and not correlates:
        yield from froms if all(lacks(joined, one) for one in within) else ()
    for one in nested:
        yield from _unjoined_by(one, joined | within)


def _correlates(query: Select[Any]) -> bool:
    return bool(query._correlate) or query._correlate_except is not None  # noqa: SLF001


def _is_from_outside(query: Select[Any], one: FromClause) -> bool:
    """Return True if the query says that the statement around it has this table."""
    but = query._correlate_except  # noqa: SLF001
    return not lacks(query._correlate, one) or (but is not None and lacks(but, one))  # noqa: SLF001


def instead_of(clause: ClauseElement, one: FromClause, model: type[Base]) -> str:
    """Return what to write so that a clause reaches a table from the records of a model.

    Parameters
    ----------
    clause : ClauseElement
        The clause that names the table.
    one : FromClause
        The table.
    model : type
        The model whose records are listed.

    Returns
    -------
    str
        An expression along the relationships, or "" if none leads there.
    """
    start = inspect(model)
    target = next((each for each in start.registry.mappers if each.local_table == one), None)
    if target is None or not (path := _path(start, target)):
        return ""
    named = (column for column in columns_in(clause) if column.table is target.local_table)
    column = next(named, target.primary_key[0])
    text = f"{target.class_.__name__}.{target.get_property_by_column(column).key} == ..."
    for step in reversed(path):
        how = "any" if step.uselist else "has"
        text = f"{step.parent.class_.__name__}.{step.key}.{how}({text})"
    return text


def _path(start: Mapper[Any], target: Mapper[Any]) -> list[RelationshipProperty[Any]] | None:
    """Return the fewest relationships that lead from one model to another.

    Those that lead to many records count more: a unit's donor is that of its session, and not one
    of those whose specimens are of the unit's structure.
    """
    paths: dict[Mapper[Any], list[RelationshipProperty[Any]]] = {}
    ahead: list[tuple[Mapper[Any], list[RelationshipProperty[Any]]]] = [(start, [])]
    while ahead:
        ahead.sort(key=lambda one: (sum(bool(step.uselist) for step in one[1]), len(one[1])))
        mapper, path = ahead.pop(0)
        if mapper not in paths:
            paths[mapper] = path
            ahead += [(step.mapper, [*path, step]) for step in mapper.relationships]
    return paths.get(target)
