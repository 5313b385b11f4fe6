"""Checks of a condition's subqueries: correlation, Cartesian products, one answer for all records.

SQLAlchemy correlates a subquery by itself: of two tables or more, those of the statement around it
are left out of its FROM list. What is meant to be the same table twice is then one, and of what is
left nothing may be tied to the record. Databases answer all of that, and no record is filtered.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import Case, ColumnClause, Lateral, Select, Table, UnaryExpression
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BooleanClauseList, Grouping
from sqlalchemy.sql.expression import Exists, FromClause
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import Join, TableValuedAlias

from ecephys_dal.repositories.conditions import is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy import ClauseElement

    Froms = AbstractSet[FromClause]
    Place = Literal["value", "exists", "from", "lateral"]

__all__ = ["Subquery", "final_froms", "label_of", "lacks", "subqueries_in", "untied"]

# Of a text: what names no table.
_CONSTANT = re.compile(r"\s*(?:[\d.]+|'[^']*'|\*)\s*")
_NEGATIONS = (operators.inv, operators.is_true, operators.is_false)


class Subquery(NamedTuple):
    """A SELECT inside a clause.

    Attributes
    ----------
    query : Select
        It.
    place : {"value", "exists", "from", "lateral"}
        Where it stands. In a FROM list nothing is correlated unless it is LATERAL.
    """

    query: Select[Any]
    place: Place = "value"


def subqueries_in(clause: Any, place: Place = "value") -> Iterator[Subquery]:
    """Yield the outermost SELECTs of a clause."""
    if isinstance(clause, Select):
        yield Subquery(clause, place)
    elif not isinstance(clause, Table):
        if isinstance(clause, Exists):
            place = "exists"
        elif _is_from(clause):
            is_lateral = isinstance(clause, Lateral) or place == "lateral"
            place = "lateral" if is_lateral else "from"
        for part in clause.get_children():
            yield from subqueries_in(part, place)


def _is_from(clause: Any) -> bool:
    return isinstance(clause, FromClause) and not isinstance(clause, FunctionElement)


@lru_cache(maxsize=64)
def final_froms(query: Select[Any]) -> list[FromClause]:
    """Return the FROM list of a subquery, whatever it correlates; `get_final_froms`, but faster."""
    # Of `Select.join`, which the ORM has yet to write out.
    if query._setup_joins or query._memoized_select_entities:  # noqa: SLF001
        return list(query.get_final_froms())
    parts = (*query._from_obj, *query._raw_columns, *query._where_criteria)  # noqa: SLF001
    named = dict.fromkeys(one for part in parts for one in part._from_objects)  # noqa: SLF001
    inside = {each for one in named for each in one._hide_froms}  # noqa: SLF001
    return [one for one in named if one not in inside]


def lacks(froms: Iterable[FromClause], one: FromClause) -> bool:
    """Return True if a table is none of these, as SQLAlchemy compares them."""
    return bool(one._cloned_set.isdisjoint(froms))  # noqa: SLF001


def label_of(one: FromClause) -> str:
    """Return what a message calls a table, an alias or a subquery."""
    if isinstance(one, Table):
        return str(one)
    if isinstance(one, Join):
        return f"{label_of(one.left)} and {label_of(one.right)}"
    element = getattr(one, "element", None)
    if isinstance(element, Table):
        return f"an alias of {element}"
    return f"a {type(one).__name__.lower()}"


def untied(clause: ClauseElement, joined: Froms, *, is_condition: bool = True) -> str | None:
    """Return what is wrong with the subqueries of a clause, or None.

    Parameters
    ----------
    clause : ClauseElement
        A condition or a column that names no table but those of the FROM list.
    joined : set of FromClause
        The FROM list of the statement.
    is_condition : bool
        It must be about the record; a column may be the same for all.

    Returns
    -------
    str or None
        The end of a sentence, which says what to write.
    """
    around = _Around(joined, joined)
    return next(_untied(clause, around, is_condition=is_condition), None)


class _Around(NamedTuple):
    """The FROM lists around a subquery.

    Attributes
    ----------
    next : set of FromClause
        Of the SELECT in which it stands, which it correlates by itself.
    all : set of FromClause
        Of that and those around it, which it may be told to correlate.
    """

    next: Froms
    all: Froms

    def of(self, one: Subquery) -> _Around:
        """Return what counts for a subquery."""
        return _Around(frozenset(), self.all - self.next) if one.place == "from" else self

    def inside(self, kept: Sequence[FromClause]) -> _Around:
        """Return what is around a subquery of a SELECT that keeps these tables."""
        own = _tables(kept)
        return _Around(own, self.all | own)


def _untied(clause: ClauseElement, around: _Around, *, is_condition: bool) -> Iterator[str]:
    for leaf in _leaves(clause):
        found = list(subqueries_in(leaf))
        for one in found:
            yield from _faults(one, around)
            if one.place == "exists" and (kept := _kept(one, around)) and not _taken(one, around):
                yield _same_for_all(kept)
        froms = [each for one in found for each in _kept(one, around)]
        if is_condition and froms and not _named(leaf, around):
            yield _same_for_all(froms)


def _same_for_all(froms: Sequence[FromClause]) -> str:
    return (
        f"has a subquery over {', '.join(map(label_of, froms))} that is one answer for all records,"
        " because nothing ties it to the record; write the plain condition, or .has() or .any() of"
        " a relationship, or let the subquery equate a column of its own with one of the record,"
        " which .correlate(...) names"
    )


def _faults(one: Subquery, around: _Around) -> Iterator[str]:
    """Yield what is wrong with a subquery, and with those inside it."""
    query, froms, kept = one.query, final_froms(one.query), _kept(one, around)
    if froms and not kept and query._auto_correlate:  # noqa: SLF001
        tables = " and ".join(map(label_of, froms))
        yield (
            f"has a subquery over {tables}, each of which is taken from the record, so that it"
            " reads nothing of its own; let it read an aliased() of them, or, if it shall read all"
            " of them anew, end it by .correlate(None)"
        )
        return
    if (strange := next(_not_joined(query), None)) is not None:
        yield (
            f"has a subquery whose ORDER BY, GROUP BY or HAVING names {label_of(strange)}, which it"
            " does not join; add .join(...)"
        )
        return
    if (apart := _apart(one, kept, around)) is not None:
        taken = [label_of(each) for each in froms if each not in kept]
        first, second = (_label(node, taken) for node in apart)
        yield (
            f"has a subquery in which nothing joins {first} to {second}, so that every row of one"
            " meets every row of the other; add .join(...), or a condition that equates columns"
            " of both"
        )
    inner = around.of(one).inside(kept)
    for part in (*kept, *_parts(query)):
        yield from _untied(part, inner, is_condition=False)


def _not_joined(query: Select[Any]) -> Iterator[FromClause]:
    """Yield the tables that the end of a SELECT names, and its FROM list does not.

    SQLAlchemy does not add them, so a database takes them from the record, or knows none.
    """
    froms = _tables(final_froms(query))
    ends = (*query._having_criteria, *query._group_by_clauses, *query._order_by_clauses)  # noqa: SLF001
    for part in ends:
        if not any(True for _ in subqueries_in(part)):
            for each in visitors.iterate(part):
                table = getattr(each, "table", None)
                if isinstance(table, FromClause) and lacks(froms, table):
                    yield table


def _apart(one: Subquery, kept: Sequence[FromClause], around: _Around) -> tuple[Any, Any] | None:
    """Return two parts of a subquery's FROM list that nothing joins, or None.

    What it takes from around it is one part, too.
    """
    inner = around.of(one).inside(kept)
    parts: list[set[Any]] = []
    for clause in (*kept, *_parts(one.query)):
        for leaf in _leaves(clause):
            named = {_node(each, kept) for each in _named(leaf, inner)}
            if _is_from(leaf):
                named.add(_node(leaf, kept))
            if _ANY in named:
                return None
            touched = [part for part in parts if part & named]
            parts = [part for part in parts if not part & named]
            parts.append(named.union(*touched))
    parts = [part for part in parts if part]
    if len(parts) < 2:
        return None
    first, second = (next(iter(part)) for part in parts[:2])
    return first, second


_ANY = "anything"  # what a text may name
_RECORD = "the record"  # or a table of a SELECT around


def _label(node: Any, taken: Sequence[str]) -> str:
    if node is not _RECORD:
        return label_of(node)
    return f"{' and '.join(taken)} of the record" if taken else "the record"


def _node(one: Any, kept: Sequence[FromClause]) -> Any:
    if one is _ANY:
        return one
    return next((each for each in kept if not lacks(_tables([each]), one)), _RECORD)


def _kept(one: Subquery, around: _Around) -> list[FromClause]:
    """Return the FROM list of a subquery without what it correlates, as SQLAlchemy does it."""
    query, froms = one.query, final_froms(one.query)
    nearest, everything = around.of(one)
    but = query._correlate_except  # noqa: SLF001
    if query._correlate:  # noqa: SLF001
        froms = [f for f in froms if lacks(everything, f) or lacks(query._correlate, f)]  # noqa: SLF001
    if but is not None:
        froms = [f for f in froms if lacks(everything, f) or not lacks(but, f)]
    if query._auto_correlate and len(froms) > 1:  # noqa: SLF001
        froms = [f for f in froms if lacks(nearest, f)]
    return froms


def _taken(one: Subquery, around: _Around) -> set[Any]:
    """Return the tables of the SELECTs around it that a subquery names."""
    kept = _kept(one, around)
    own, inner = _tables(kept), around.of(one).inside(kept)
    named: set[Any] = set()
    for part in (*kept, *_parts(one.query)):
        named |= _named(part, inner)
    return {each for each in named if each is _ANY or lacks(own, each)}


def _named(clause: Any, around: _Around) -> set[Any]:
    """Return the tables that a part of a SELECT names, with what its subqueries take from it."""
    named: set[Any] = set()
    if isinstance(clause, TableValuedAlias):
        named.update(clause.element._from_objects)  # noqa: SLF001
    elif not _is_from(clause):
        named.update(clause._from_objects)  # noqa: SLF001
        named.update(_ANY for part in visitors.iterate(clause) if _may_name(part))
    return named.union(*(_taken(one, around) for one in subqueries_in(clause)))


def _may_name(clause: Any) -> bool:
    """Return True of a text that may name a table."""
    is_column = isinstance(clause, ColumnClause) and clause.is_literal
    text = clause.name if is_column else getattr(clause, "text", "")
    return (is_column or is_text(clause)) and not _CONSTANT.fullmatch(text)


def _tables(froms: Iterable[FromClause]) -> frozenset[FromClause]:
    return frozenset(each for one in froms for each in one._from_objects)  # noqa: SLF001


def _parts(query: Select[Any]) -> Iterator[Any]:
    """Yield the columns and conditions of a SELECT, with those of its joins."""
    yield from query._raw_columns  # noqa: SLF001
    yield from query._where_criteria  # noqa: SLF001
    yield from query._having_criteria  # noqa: SLF001
    for one in final_froms(query):
        yield from _conditions_of(one)


def _conditions_of(one: FromClause) -> Iterator[Any]:
    if isinstance(one, Join):
        yield one.onclause
        yield from _conditions_of(one.left)
        yield from _conditions_of(one.right)


def _leaves(clause: Any) -> Iterator[Any]:
    """Yield the parts of a clause between AND, OR, NOT and CASE."""
    if isinstance(clause, Grouping):
        yield from _leaves(clause.element)
    elif isinstance(clause, BooleanClauseList):
        for part in clause.clauses:
            yield from _leaves(part)
    elif isinstance(clause, UnaryExpression) and clause.operator in _NEGATIONS:
        yield from _leaves(clause.element)
    elif isinstance(clause, Case):
        for inner in clause.get_children():
            yield from _leaves(inner)
    else:
        yield clause
