"""Checks of a repository's declaration: names when the class is defined, joins at the first query.

Joins along relationships can only be read when the mappers are configured. To define a class must
not configure them, because the models that a relationship names may be defined later.
"""

from __future__ import annotations

from contextlib import suppress
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, get_args

from sqlalchemy import (
    ClauseElement,
    Index,
    Label,
    Select,
    Table,
    UniqueConstraint,
    and_,
    true,
    type_coerce,
)
from sqlalchemy.orm import InspectionAttr
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ColumnClause, Grouping
from sqlalchemy.sql.expression import Alias
from sqlalchemy.sql.functions import coalesce
from sqlalchemy.sql.selectable import Join, Subquery

from ecephys_dal.errors import ConfigurationError
from ecephys_dal.filters import Day, Filter, Ids, Names
from ecephys_dal.frames import frame_columns
from ecephys_dal.models import Base
from ecephys_dal.repositories.conditions import columns_in, whole
from ecephys_dal.repositories.predicates import froms_of, unjoined
from ecephys_dal.repositories.subqueries import label_of, untied
from ecephys_dal.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, FromClause

    from ecephys_dal.repositories.statement import Statement

    Declared = type[Statement[Any, Any]]

__all__ = [
    "check_attributes",
    "check_criteria",
    "check_joins",
    "clauses_of_criteria",
    "configure_mappers",
    "meaning_of",
    "nullable",
]

# The parts of a SELECT that answers of a repository would be wrong with.
_UNFIT = {
    "_group_by_clauses": "GROUP BY",
    "_having_criteria": "HAVING",
    "_distinct": "DISTINCT",
    "_order_by_clauses": "ORDER BY",
    "_limit_clause": "LIMIT",
    "_offset_clause": "OFFSET",
    "_fetch_clause": "FETCH",
    "_for_update_arg": "FOR UPDATE",
    "_prefixes": "a prefix",
    "_suffixes": "a suffix",
}


# A value of each kind of field, to try criteria with.
_SAMPLES = [(Ids, [1]), (Names, ["a"]), (Day, "2019-10-03")]
# NULL meets none of these.
_NOT_OF_NULL = (
    operators.eq,
    operators.lt,
    operators.le,
    operators.gt,
    operators.ge,
    operators.is_not,
)


def nullable(expression: Any) -> Any:
    """Declare that an expression among the columns of a repository may be NULL.

    Parameters
    ----------
    expression : ColumnElement
        A column, or an expression with or without a label.

    Returns
    -------
    ColumnElement
        The same in SQL. Columns of tables know whether they may be NULL; of an expression, and of
        a column that an outer join may leave empty, nothing else does.
    """
    inner = expression.element if isinstance(expression, Label) else expression
    marked: Any = type_coerce(inner, expression.type)
    marked.nullable = True
    name = getattr(expression, "key", None)
    return marked if name is None else marked.label(name)


def check_attributes(repository: Declared) -> None:
    """Raise a `ConfigurationError` if what a repository declares is not there, or is no such thing.

    Parameters
    ----------
    repository : type
        A class with a statement; a class without one is a base of others.
    """
    for attribute, kind in (("model", Base), ("filter_type", Filter)):
        value = getattr(repository, attribute, None)
        if not (isinstance(value, type) and issubclass(value, kind)):
            raise _wrong(
                repository, f"{attribute} is {value!r}; give a subclass of {kind.__name__}"
            )
    if not isinstance(repository.statement, Select):
        raise _wrong(repository, f"statement is {repository.statement!r}; give select(...)")
    if getattr(repository.criteria, "__isabstractmethod__", False):
        raise _wrong(repository, "criteria is missing; yield the clauses that each field means")
    if not isinstance(getattr_static(repository, "criteria"), (staticmethod, classmethod)):
        raise _wrong(repository, "criteria is no @staticmethod; make it one, of the filter alone")
    for attribute, part in _UNFIT.items():
        value = getattr(repository.statement, attribute)
        if value is not None and value is not False and value != ():
            raise _wrong(
                repository,
                f"statement has {part}, with which counts, pages or orders would be wrong; join"
                " and filter only, and aggregate in a scalar_subquery() of a column",
            )
    _check_rules(repository)
    _check_columns(repository)


def _check_rules(repository: Declared) -> None:
    if not isinstance(repository.rules, (tuple, list)):
        raise _wrong(repository, f"rules is {repository.rules!r}; give a tuple of Rule")
    for rule in repository.rules:
        if not isinstance(rule, Rule):
            raise _wrong(repository, f"rules has {rule!r}, which is no Rule")
    _check_unique(repository, "rules", [rule.name for rule in repository.rules])


def _check_columns(repository: Declared) -> None:
    columns = getattr(repository, "columns", ())
    if not isinstance(columns, tuple) or not columns:
        raise _wrong(
            repository, f"columns is {columns!r}; give a tuple of columns, first the index"
        )
    for column in columns:
        key = getattr(column, "key", None)
        if not hasattr(column, "type"):
            raise _wrong(repository, f"columns has {column!r}, which is no column")
        if key is None or "%(" in key:  # which SQLAlchemy would make up
            raise _wrong(
                repository, f"the column {column} has no name; give it one by .label('...')"
            )
    _check_unique(repository, "columns", [column.key for column in columns])
    if repository.has_fixed_columns:
        index = repository._frame_columns()[0]  # noqa: SLF001
        if index.kind is not int:
            raise _wrong(
                repository, f"the first column, {index.name!r}, is the index; give an integer"
            )


def _check_unique(repository: Declared, attribute: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise _wrong(
                repository, f"{attribute} has {name!r} {names.count(name)} times; name each once"
            )


def configure_mappers(model: type[Base]) -> None:
    """Configure the mappers of all models, or raise an error that names the one that is broken.

    Raises
    ------
    ConfigurationError
        Of a class, maybe none of ours, whose relationships SQLAlchemy can't make out.
    """
    try:
        model.registry.configure(cascade=True)
    except Exception as error:  # SQLAlchemy's, or what an expression in a relationship raises
        failed = [one for one in model.registry.mappers if getattr(one, "_configure_failed", None)]
        names = ", ".join(sorted(one.class_.__name__ for one in failed)) or "a model"
        raise ConfigurationError(
            f"{names} can't be mapped, so that no model of its Base can be read; mend its"
            f" relationships: {error}"
        ) from error


def check_joins(repository: Declared) -> frozenset[FromClause]:
    """Return the FROM list of a repository's statement.

    Parameters
    ----------
    repository : type
        The mappers of its model are configured.

    Raises
    ------
    ConfigurationError
        If the statement lists other records than the model's, a join may bring several rows for
        one record, or a rule or a column names a table that is not joined.
    """
    statement = repository.statement
    if [one["expr"] for one in statement.column_descriptions] != [repository.model]:
        raise _wrong(
            repository, f"statement lists no {repository.model.__name__}; begin by select(model)"
        )
    tree, *others = statement.get_final_froms()
    if others:
        raise _wrong(
            repository, f"statement joins {label_of(others[0])} to nothing; give .join(...) for it"
        )
    for join in _joins(tree):
        if whole(join.onclause) is not join.onclause:
            raise _wrong(
                repository,
                f"the join of {label_of(join.right)} has a text in its ON; write it as an"
                " expression, or as a condition by .where(...)",
            )
        if join.full or not _is_unique(join):
            raise _wrong(
                repository,
                f"the join of {label_of(join.right)} may bring several rows for one record; its ON"
                " equates no primary or unique key of it. Filter by .any(), or give a column of a"
                " scalar_subquery()",
            )
    _check_index(repository, list(_joins(tree)))
    joined = froms_of(statement)
    parts: list[tuple[str, Any, bool]]
    parts = [(f"rule {rule.name!r}", rule.clause, True) for rule in repository.rules]
    parts += [(f"column {one.key!r}", _element(one), False) for one in repository.columns]
    if statement.whereclause is not None:
        parts.append(("statement.where", statement.whereclause, True))
    for name, clause, is_condition in parts:
        if (one := unjoined(clause, joined)) is not None:
            raise _wrong(repository, f"{name} names {label_of(one)}, which statement does not join")
        if (reason := untied(clause, joined, is_condition=is_condition)) is not None:
            raise _wrong(repository, f"{name} {reason}")
    return joined


def _check_index(repository: Declared, joins: list[Join]) -> None:
    """Raise if the index may be NULL, for then partitions would not have every record."""
    index: Any = _element(repository.columns[0])
    inner = index.element if isinstance(index, Label) else index
    demanded = list(_conjuncts(repository.statement.whereclause))
    demanded += [one for join in joins if not join.isouter for one in _conjuncts(join.onclause)]
    outer = {each for join in joins if join.isouter for each in join.right._from_objects}  # noqa: SLF001
    reads = () if isinstance(inner, coalesce) else columns_in(inner)
    may_be_null = [
        column
        for column in reads
        if (column.nullable or column.table in outer) and not _excludes_null(column, demanded)
    ]
    says_so = not reads and frame_columns((repository.columns[0],))[0].nullable
    if may_be_null or says_so:
        raise _wrong(
            repository,
            f"the first column, {index.key!r}, is the index and may be NULL, so that partitions and"
            " chunks would lose records; give one that is never NULL, or statement.where(... "
            ".is_not(None))",
        )


def _conjuncts(clause: Any) -> Iterator[Any]:
    """Yield the conditions that AND stands between."""
    if isinstance(clause, Grouping):
        yield from _conjuncts(clause.element)
    elif isinstance(clause, BooleanClauseList) and clause.operator is operators.and_:
        for part in clause.clauses:
            yield from _conjuncts(part)
    elif clause is not None:
        yield clause


def _excludes_null(column: Any, conditions: list[Any]) -> bool:
    """Return True if a comparison with a column, which NULL never meets, is demanded."""
    return any(
        isinstance(one, BinaryExpression)
        and one.operator in _NOT_OF_NULL
        and any(column is side or (column,) == columns_in(side) for side in (one.left, one.right))
        for one in conditions
    )


def check_criteria(repository: Declared) -> None:
    """Raise a `ConfigurationError` if a field of a repository's filter has no meaning.

    Parameters
    ----------
    repository : type
        Its joins are checked. Fields of ids, names and days are tried with a value; others are
        checked when they are asked.
    """
    filter_type = repository.filter_type
    for name, kind in filter_type.kinds().items():
        for of, value in _SAMPLES:
            if kind is get_args(of)[-1] and name != "without_rules":
                with suppress(LookupError, ValueError, TypeError):  # of a value that it can't take
                    spec = filter_type(**{name: value})
                    meaning_of(repository, name, spec)


def meaning_of(repository: Declared, name: str, spec: Filter) -> list[ColumnElement[bool]]:
    """Return the clauses that a field of a filter means, without those of every filter.

    Parameters
    ----------
    repository : type
        Whose criteria give them.
    name : str
        The field.
    spec : Filter
        With this condition alone.

    Raises
    ------
    ConfigurationError
        If there are none.
    """
    always = clauses_of_criteria(repository, repository.filter_type())
    given = clauses_of_criteria(repository, spec)
    clauses = [one for one in given if not any(map(one.compare, always))]
    if not clauses and spec.id_range is None:
        raise _wrong(
            repository,
            f"criteria gives no condition for {spec.described()}; yield a clause where {name} is"
            " not None",
        )
    return clauses


def clauses_of_criteria(repository: Declared, spec: Filter) -> list[ColumnElement[bool]]:
    """Return the clauses that a repository's criteria give for a filter.

    Raises
    ------
    ConfigurationError
        If they are none.
    """
    try:
        found: Any = repository.criteria(spec)
        clauses = None if found is None else list(found)
    except AttributeError as error:
        if getattr(error, "obj", None) is not spec:
            raise
        raise _wrong(
            repository,
            f"criteria reads {error.name!r}, which {type(spec).__name__} has not; it has"
            f" {', '.join(spec.kinds())}",
        ) from error
    if clauses is None:
        raise _wrong(repository, "criteria returns None; let it yield clauses")
    for clause in clauses:
        if not isinstance(clause, (ClauseElement, InspectionAttr)):
            raise _wrong(
                repository,
                f"criteria yields {clause!r} for {spec!r}, which is no SQL expression; write"
                " .is_(None), not `is None`, and true() for True",
            )
    return [and_(true(), clause) for clause in clauses]


def _joins(tree: FromClause) -> Iterator[Join]:
    if isinstance(tree, Join):
        yield from _joins(tree.left)
        yield tree


def _element(column: Any) -> ClauseElement:
    return column if isinstance(column, ClauseElement) else column.expression


def _is_unique(join: Join) -> bool:
    """Return True if at most one row of the table that a join brings meets its ON."""
    equated = set(_equated(join.right, join.onclause))
    return any(key and key <= equated for key in _unique_keys(join.right))


def _unique_keys(table: FromClause) -> Iterator[set[Any]]:
    """Yield the names of the columns of each key that no two rows of a table share."""
    whole: Any = table.element if isinstance(table, Alias) else table
    if isinstance(whole, Table):
        yield {column.key for column in whole.primary_key}
        constraints: tuple[Any, ...] = (*whole.constraints, *whole.indexes)
        for one in constraints:
            if _allows_no_other(one):
                yield {column.key for column in one.columns}
    elif isinstance(whole, Subquery) and isinstance(whole.element, Select):
        by: Any = whole.element._group_by_clauses  # noqa: SLF001
        keys = {getattr(whole.corresponding_column(one), "key", None) for one in by}
        yield set() if None in keys else keys


def _allows_no_other(one: Any) -> bool:
    """Return True of a UNIQUE constraint or index of all rows."""
    is_partial = any(name.endswith("_where") for name in one.dialect_kwargs)
    return isinstance(one, UniqueConstraint) or (
        isinstance(one, Index) and one.unique and not is_partial
    )


def _equated(table: FromClause, clause: Any) -> Iterator[Any]:
    """Yield the columns of a table that a clause demands to be equal to something outside of it."""
    for one in _conjuncts(clause):
        if isinstance(one, BinaryExpression) and one.operator is operators.eq:
            for column, other in ((one.left, one.right), (one.right, one.left)):
                is_its = isinstance(column, ColumnClause) and column.table == table
                if is_its and table not in other._from_objects:  # noqa: SLF001
                    yield column.key


def _wrong(repository: Declared, what: str) -> ConfigurationError:
    return ConfigurationError(f"{repository.__name__}: {what}")
