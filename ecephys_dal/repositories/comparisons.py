"""Checks of what a condition compares: PostgreSQL refuses another type, SQLite answers somehow."""

from __future__ import annotations

import datetime as dt
import re
import reprlib
from decimal import Decimal
from numbers import Number
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
from sqlalchemy import BindParameter, Cast, UnaryExpression, types
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, Grouping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ClauseElement, Dialect

__all__ = ["mistyped"]

_COMPARED = (
    operators.eq, operators.ne, operators.lt, operators.le, operators.gt, operators.ge,
    operators.in_op, operators.not_in_op, operators.between_op, operators.not_between_op,
    operators.is_distinct_from, operators.is_not_distinct_from,
)  # fmt: skip
_OF_TEXTS = (
    operators.like_op, operators.not_like_op, operators.ilike_op, operators.not_ilike_op,
    operators.startswith_op, operators.not_startswith_op, operators.endswith_op,
    operators.not_endswith_op, operators.contains_op, operators.not_contains_op,
    operators.regexp_match_op, operators.not_regexp_match_op,
)  # fmt: skip
_NEGATIONS = (operators.inv, operators.is_true, operators.is_false)
_BOOLEAN, _NUMBER, _TEXT, _MOMENT, _DURATION = (
    "a truth value", "a number", "a text", "a moment", "a duration",
)  # fmt: skip
# By SQLAlchemy's types, and by those of Python and NumPy; the first that fits.
_OF_TYPES: dict[type, str] = {
    types.Boolean: _BOOLEAN,
    types.Integer: _NUMBER,
    types.Numeric: _NUMBER,
    types.Float: _NUMBER,
    types.String: _TEXT,
    types.DateTime: _MOMENT,
    types.Date: _MOMENT,
    types.Interval: _DURATION,
}
_OF_VALUES: dict[tuple[type, ...], str] = {
    (bool, np.bool_): _BOOLEAN,
    (dt.timedelta, np.timedelta64): _DURATION,
    (Number, Decimal, np.number): _NUMBER,
    (str,): _TEXT,
    (dt.date, np.datetime64): _MOMENT,
}
_BINDABLE = (bytes, bytearray, memoryview, dt.time, UUID, list, tuple, dict, type(None))
_INTEGER = re.compile("-?[0-9]+")  # which databases read as the number that it is


def mistyped(clause: ClauseElement, dialect: Dialect | None) -> str | None:
    """Return what a condition can't compare, or not alike on every database, or None.

    Parameters
    ----------
    clause : ClauseElement
        The condition.
    dialect : Dialect, optional
        Of the database; SQLite can't calculate with moments.

    Returns
    -------
    str or None
        The end of a sentence, which names the column and the value.
    """
    return next(_mistyped(clause, dialect is not None and dialect.name == "sqlite"), None)


def _mistyped(clause: ClauseElement, is_sqlite: bool) -> Iterator[str]:
    for leaf in _leaves(clause):
        kind = _kind(leaf)
        if kind not in (None, _BOOLEAN):
            yield f"is {_shown(leaf)}, {kind} and no condition; compare it with something"
    for part in visitors.iterate(clause):
        if isinstance(part, BindParameter):
            yield from _unknown(part)
        elif isinstance(part, BinaryExpression):
            yield from _mismatch(part)
            if is_sqlite and part.operator in (operators.add, operators.sub):
                yield from _calculated(part)
        elif is_sqlite and isinstance(part, Cast):
            yield from _converted(part)


def _leaves(clause: Any) -> Iterator[Any]:
    """Yield what AND, OR and NOT stand between."""
    if isinstance(clause, Grouping):
        yield from _leaves(clause.element)
    elif isinstance(clause, BooleanClauseList):
        for part in clause.clauses:
            yield from _leaves(part)
    elif isinstance(clause, UnaryExpression) and clause.operator in _NEGATIONS:
        yield from _leaves(clause.element)
    else:
        yield clause


def _kind(clause: Any) -> str | None:
    """Return what an expression is, or None if its type does not tell."""
    affinity = getattr(getattr(clause, "type", None), "_type_affinity", None)
    return _OF_TYPES.get(affinity) if affinity is not None else None


def _kind_of_value(value: Any) -> str | None:
    return next((kind for of, kind in _OF_VALUES.items() if isinstance(value, of)), None)


def _unknown(bound: BindParameter[Any]) -> Iterator[str]:
    values = bound.value if bound.expanding and bound.value is not None else [bound.value]
    known = (*(one for of in _OF_VALUES for one in of), *_BINDABLE)
    for value in values:
        if not isinstance(value, known) and type(bound.type) in _PLAIN:
            yield f"compares with {reprlib.repr(value)}, which is of no kind that a database has"


_PLAIN = (types.NullType, *_OF_TYPES, types.Double, types.BigInteger, types.Text)


def _mismatch(compared: BinaryExpression[Any]) -> Iterator[str]:
    left, right, operator = compared.left, compared.right, compared.operator
    if operator in _OF_TEXTS:
        if (kind := _kind(left)) not in (None, _TEXT) and not isinstance(left, BindParameter):
            yield f"looks for a pattern in {_shown(left)}, {kind}; compare it by ==, < or >"
    elif operator in _COMPARED:
        sides = [(left, one) for one in _operands(right)]
        for column, other in (*sides, *((other, column) for column, other in sides)):
            kind = None if isinstance(column, BindParameter) else _kind(column)
            if kind is not None:
                yield from _mismatch_of(column, kind, other)


def _operands(clause: Any) -> Iterator[Any]:
    """Yield what stands on the right of an operator; of BETWEEN and IN several."""
    inner = clause.element if isinstance(clause, Grouping) else clause
    several = getattr(inner, "clauses", None)
    is_list = several is not None and getattr(inner, "operator", None) in (
        operators.and_, operators.comma_op,
    )  # fmt: skip
    yield from several if is_list and several is not None else [clause]


def _mismatch_of(column: Any, kind: str, other: Any) -> Iterator[str]:
    if not isinstance(other, BindParameter):
        its = _kind(other)
        if its not in (None, kind):
            yield f"compares {_shown(column)}, {kind}, with {_shown(other)}, {its}"
        return
    values = other.value if other.expanding and other.value is not None else [other.value]
    for value in values:
        its = _kind_of_value(value)
        if its in (None, kind) or (its == _TEXT and _reads(kind, str(value))):
            continue
        yield (
            f"compares {_shown(column)}, {kind}, with {reprlib.repr(value)}, {its}; give {kind}, or"
            " convert by cast(...)"
        )


def _reads(kind: str, text: str) -> bool:
    """Return True if each database reads a text as a value of this kind."""
    return kind == _MOMENT or (kind == _NUMBER and bool(_INTEGER.fullmatch(text)))


def _converted(conversion: Cast[Any]) -> Iterator[str]:
    """Yield what SQLite makes something else of than PostgreSQL does."""
    kind, inner = conversion.type, conversion.clause
    if isinstance(kind, (types.Date, types.DateTime, types.Time, types.Interval)):
        yield (
            f"converts {_shown(inner)} to a {type(kind).__name__}, which SQLite can't; compare the"
            " moment itself, as by column >= day and column < next_day"
        )
    is_whole = isinstance(kind, types.Integer) and not isinstance(inner.type, types.Integer)
    if is_whole and _kind(inner) == _NUMBER:
        yield (
            f"converts {_shown(inner)} to an integer, which SQLite cuts and PostgreSQL rounds; use"
            " func.round(...) or func.floor(...)"
        )


def _calculated(sum_: BinaryExpression[Any]) -> Iterator[str]:
    for side in (sum_.left, sum_.right):
        if (kind := _kind(side)) in (_MOMENT, _DURATION):
            yield (
                f"calculates with {_shown(side)}, {kind}, which SQLite can't; calculate in Python"
                " what the moment is compared with"
            )


def _shown(clause: Any) -> str:
    return reprlib.repr(clause.value) if isinstance(clause, BindParameter) else str(clause)
