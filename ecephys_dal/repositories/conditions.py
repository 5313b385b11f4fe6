"""What a question demands of a record, each demand under its own name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import BindParameter, Column, ColumnElement, DateTime, TextClause, case, not_
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import ColumnClause, Grouping
from sqlalchemy.sql.selectable import Join, SelectBase

from ecephys_dal.models.base import UtcValue
from ecephys_dal.repositories.literal import sql_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import ClauseElement, FromClause, Select

    Kind = Literal["join", "statement", "rule", "filter", "where"]

__all__ = [
    "Condition",
    "Joined",
    "columns_in",
    "is_text",
    "joined",
    "truth",
    "whole",
    "whole_where",
]


@dataclass(frozen=True)
class Condition:
    """A demand on a record.

    Parameters
    ----------
    kind : {"join", "statement", "rule", "filter", "where"}
        Where it comes from: the joins and the conditions that a table is declared with, its
        rules, a field of the filter, or a further condition of the caller's.
    name : str
        Of the joined table, the rule or the field.
    sentence : str
        What it means, for a person.
    clause : ColumnElement of bool
        What it means in SQL.
    if_null : str
        What is to be said of a record that a NULL leaves undecided.
    leads_by : tuple of Column
        The columns that a join finds its record by.
    """

    kind: Kind
    name: str
    sentence: str
    clause: ColumnElement[Any]
    if_null: str = "so it is not known to match"
    leads_by: tuple[Column[Any], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "clause", _in_utc(whole(self.clause)))

    @property
    def reads(self) -> tuple[Column[Any], ...]:
        """The columns of the record that it is about."""
        return self.leads_by or columns_in(self.clause)


class Joined(NamedTuple):
    """A declared SELECT, taken apart.

    Attributes
    ----------
    keys : tuple of Column
        The primary key of each table; first of the one whose records are listed.
    everything : FromClause
        The tables, joined such that no record is lost.
    conditions : tuple of Condition
        What the joins and the WHERE clause of the declaration demand.
    """

    keys: tuple[Column[Any], ...]
    everything: FromClause
    conditions: tuple[Condition, ...]


@cache
def joined(statement: Select[Any]) -> Joined:
    """Take a declared SELECT apart; each of its joins leads to one record at most."""
    (tree,) = statement.get_final_froms()  # as the declaration's check demands
    steps = tuple(_flattened(tree))
    keys = tuple(_key(step) for step in steps)
    everything, conditions = steps[0].right, []
    for join in steps[1:]:
        everything = everything.outerjoin(join.right, join.onclause)
        if not join.isouter:
            conditions.append(_found(join))
    if (declared := statement.whereclause) is not None:
        inner: Any = declared.element if isinstance(declared, Grouping) else declared
        text = sql_of(inner)
        name = str(next(iter(columns_in(declared)), text))
        conditions.append(Condition("statement", name, f"{text}.", declared))
    return Joined(keys, everything, tuple(conditions))


class _Step(NamedTuple):
    right: FromClause
    onclause: Any = None
    isouter: bool = False


def _flattened(tree: FromClause) -> Iterator[_Step]:
    if isinstance(tree, Join):
        yield from _flattened(tree.left)
        yield _Step(tree.right, tree.onclause, tree.isouter)
    else:
        yield _Step(tree)


def _key(step: _Step) -> Any:
    """Return the column that is not NULL where there is a record: of groups, what they are by."""
    named = () if step.onclause is None else columns_in(step.onclause)
    its_own = (column for column in named if column.table is step.right)
    return next(chain(step.right.primary_key, its_own))


def _found(join: _Step) -> Condition:
    key, table = _key(join), str(join.right)
    by = tuple(column for column in columns_in(join.onclause) if column.table is not key.table)
    sentence = f"There is the record of {table} that {' and '.join(map(str, by))} leads to."
    return Condition("join", table, sentence, key.is_not(None), leads_by=by)


def columns_in(clause: ClauseElement) -> tuple[Column[Any], ...]:
    """Return the columns that a clause reads of a record, without those of subqueries."""
    return tuple(dict.fromkeys(_columns_in(clause)))


def _columns_in(clause: ClauseElement) -> Iterator[Column[Any]]:
    if isinstance(clause, Column):
        yield clause._deannotate()  # noqa: SLF001 - so that equal ones are the same
    elif not isinstance(clause, SelectBase):
        for part in clause.get_children():
            yield from _columns_in(part)


def whole(clause: Any) -> Any:
    """Return a clause so that no text in it, such as one with an OR, reaches what stands beside it.

    Parameters
    ----------
    clause : ClauseElement
        A condition, which may hold texts anywhere.

    Returns
    -------
    ClauseElement
        The same with brackets around each text; the clause itself if there is no text in it.
    """
    if any(map(_is_loose, visitors.iterate(clause))):
        clause = visitors.cloned_traverse(clause, {}, _BRACKETERS)
    return Grouping(clause) if is_text(clause) else _bracketed(clause)


def whole_where(statement: Select[Any]) -> Select[Any]:
    """Return a SELECT to whose conditions others can be added, whatever texts they are."""
    kept = statement._where_criteria  # noqa: SLF001 - SQLAlchemy has no public name for it
    if all(whole(clause) is clause for clause in kept):
        return statement
    copied: Any = statement._generate()  # noqa: SLF001 - as `Select.where` does
    copied._where_criteria = tuple(map(whole, kept))  # noqa: SLF001
    return copied  # type: ignore[no-any-return]


def is_text(clause: Any) -> bool:
    """Return True of a text of SQL."""
    return isinstance(clause, TextClause) or clause.__visit_name__ == "tstring"


# One name, number or quoted word: brackets would change nothing, or the meaning, as in count(*).
_ONE_WORD = re.compile(r"\s*(?:[\w.]+|'[^']*'|\*)\s*")


def _is_loose(clause: Any) -> bool:
    """Return True of a text of SQL whose parts an operator beside it could take apart."""
    is_column = isinstance(clause, ColumnClause) and clause.is_literal
    text = clause.name if is_column else getattr(clause, "text", "")
    return (is_column or is_text(clause)) and not _ONE_WORD.fullmatch(text)


def _bracketed(clause: Any) -> Any:
    return Grouping(clause) if _is_loose(clause) else clause


def _bracket(*names: str) -> Callable[[Any], None]:
    """Return what puts brackets around the texts in these attributes of a copied clause."""

    def bracket(clause: Any) -> None:
        if getattr(clause, "operator", None) in _OF_LISTS or getattr(clause, "modifier", None):
            return
        for name in names:
            value = getattr(clause, name)
            some = isinstance(value, (list, tuple))
            bracketed = type(value)(map(_bracketed, value)) if some else _bracketed(value)
            setattr(clause, name, bracketed)

    return bracket


_OF_LISTS = (operators.comma_op, operators.any_op, operators.all_op)  # a text may be several
# What SQL writes without brackets of its own, by SQLAlchemy's names of the kinds of clauses.
_BRACKETERS = {
    "binary": _bracket("left", "right"),
    "clauselist": _bracket("clauses"),
    "expression_clauselist": _bracket("clauses"),
    "unary": _bracket("element"),
    "label": _bracket("_element"),
    "type_coerce": _bracket("clause"),
    "join": _bracket("onclause"),
    "select": _bracket("_where_criteria", "_having_criteria"),
}


def _in_utc(clause: Any) -> Any:
    """Return a clause whose moments that have a zone are bound in UTC, for columns without one."""
    if not any(map(_has_zone, visitors.iterate(clause))):
        return clause
    return visitors.cloned_traverse(clause, {}, {"bindparam": _bind_in_utc})


def _has_zone(clause: Any) -> bool:
    if not isinstance(clause, BindParameter) or not isinstance(clause.type, DateTime):
        return False
    values = clause.value if clause.expanding else (clause.value,)
    return any(getattr(value, "tzinfo", None) is not None for value in values or ())


def _bind_in_utc(bound: Any) -> None:
    if _has_zone(bound):
        bound.type = UtcValue()


def truth(clause: ColumnElement[Any]) -> ColumnElement[int | None]:
    """Return a clause as a value: 1 if it is met, 0 if not, NULL if that is not known."""
    return case((clause, 1), (not_(clause), 0))
