"""Checks of a condition before it is sent: the tables that it names, and what to write instead.

A clause that names a table which the statement does not join would put that table into the FROM
list beside the joins: a Cartesian product, which multiplies rows and filters none.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, Table, inspect
from sqlalchemy.sql.expression import Alias, Exists

from ecephys_dal.repositories.conditions import columns_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from sqlalchemy import ClauseElement, FromClause
    from sqlalchemy.orm import Mapper, RelationshipProperty

    from ecephys_dal.models import Base

    Froms = AbstractSet[FromClause]

__all__ = ["froms_of", "instead_of", "label_of", "unjoined"]


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
    yield from (one for one in clause._from_objects if _lacks(joined, one))  # noqa: SLF001
    for query, is_exists in _queries_in(clause):
        yield from _unjoined_by(query, joined, is_exists=is_exists)


def _unjoined_by(query: Select[Any], joined: Froms, *, is_exists: bool) -> Iterator[FromClause]:
    froms = _final_froms(query)
    within = {each for one in froms for each in one._from_objects}  # noqa: SLF001
    nested = [found for part in query.get_children() for found in _queries_in(part)]
    outer = [one for one in froms if _is_from_outside(query, one)]
    yield from (one for one in outer if _lacks(joined, one))
    # The same for every record: what was meant is a table of the record's, which is not there.
    if is_exists and froms and not any(map(_correlates, (query, *(one for one, _ in nested)))):
        yield from froms if all(_lacks(joined, one) for one in within) else ()
    for one, its_exists in nested:
        yield from _unjoined_by(one, joined | within, is_exists=its_exists)


def _final_froms(query: Select[Any]) -> list[FromClause]:
    """Return the FROM list of a subquery, whatever it correlates; `get_final_froms`, but faster."""
    if query._setup_joins:  # noqa: SLF001 - of `Select.join`, which the ORM has yet to write out
        return list(query.get_final_froms())
    parts = (*query._from_obj, *query._raw_columns, *query._where_criteria)  # noqa: SLF001
    named = dict.fromkeys(one for part in parts for one in part._from_objects)  # noqa: SLF001
    inside = {each for one in named for each in one._hide_froms}  # noqa: SLF001
    return [one for one in named if one not in inside]


def _queries_in(clause: Any, *, is_exists: bool = False) -> Iterator[tuple[Select[Any], bool]]:
    """Yield the outermost SELECTs of a clause, and whether EXISTS stands before each."""
    if isinstance(clause, Select):
        yield clause, is_exists
    elif not isinstance(clause, Table):
        for part in clause.get_children():
            yield from _queries_in(part, is_exists=is_exists or isinstance(clause, Exists))


def _correlates(query: Select[Any]) -> bool:
    return bool(query._correlate) or query._correlate_except is not None  # noqa: SLF001


def _is_from_outside(query: Select[Any], one: FromClause) -> bool:
    """Return True if the query says that the statement around it has this table."""
    but = query._correlate_except  # noqa: SLF001
    return not _lacks(query._correlate, one) or (but is not None and _lacks(but, one))  # noqa: SLF001


def _lacks(joined: Iterable[FromClause], one: FromClause) -> bool:
    return bool(one._cloned_set.isdisjoint(joined))  # noqa: SLF001 - as SQLAlchemy compares them


def label_of(one: FromClause) -> str:
    """Return what a message calls a table, an alias or a subquery."""
    if isinstance(one, Table):
        return str(one)
    if isinstance(one, Alias):
        return f"an alias of {one.element}"
    return f"a {type(one).__name__.lower()}"


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
