"""The declared half of a repository: one SELECT, and what a filter does to it."""

from __future__ import annotations

import reprlib
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from sqlalchemy import ClauseElement, Table, and_, true
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import InspectionAttr

from ecephys_dal.errors import ConfigurationError, InvalidFilterError
from ecephys_dal.filters import Filter, checked_id
from ecephys_dal.frames import frame_columns
from ecephys_dal.models import Base
from ecephys_dal.repositories.bound_values import check_values
from ecephys_dal.repositories.clauses import within
from ecephys_dal.repositories.comparisons import mistyped
from ecephys_dal.repositories.conditions import Condition, whole, whole_where
from ecephys_dal.repositories.declaration import (
    check_attributes,
    check_criteria,
    check_joins,
    clauses_of_criteria,
    configure_mappers,
    meaning_of,
)
from ecephys_dal.repositories.predicates import instead_of, unjoined
from ecephys_dal.repositories.subqueries import label_of, untied
from ecephys_dal.rules import check_rule_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import ColumnElement, FromClause, Select
    from sqlalchemy.orm.interfaces import ORMOption

    from ecephys_dal.frames import FrameColumn
    from ecephys_dal.repositories.reading import Reader
    from ecephys_dal.rules import Rule

    Where = ColumnElement[bool] | Sequence[ColumnElement[bool]]

__all__ = ["F", "M", "Statement", "check_count", "clauses_of", "made_when_read"]

M = TypeVar("M", bound=Base)
F = TypeVar("F", bound=Filter)
T = TypeVar("T")


class _MadeWhenRead:
    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __get__(self, _: object, owner: type) -> Any:
        return self._make()


def made_when_read(make: Callable[[], T]) -> T:
    """Return a class attribute that a function gives when it is read.

    SQLAlchemy configures the mappers for a load option, and to define a class must not.
    """
    return cast("T", _MadeWhenRead(make))


class Statement(ABC, Generic[M, F]):
    """A table of LIMS, declared as a SELECT.

    A subclass declares what follows and, in `criteria`, what each field of its filter means; it
    writes no query.

    Attributes
    ----------
    model : type
        The model whose records are listed.
    filter_type : type
        The filter spec that is understood.
    statement : Select
        The model, joined to what rules, columns and criteria need; one row a record, and each table
        once.
    rules : tuple of Rule
        What hides a record from everybody.
    load : tuple of ORMOption
        What an entity always brings along.
    to_locate : tuple of ORMOption
        Options for records that are only wanted for the places of their files.
    noun, advice : str
        What a message calls one record, and what it says if there is none.
    columns : tuple
        The columns of the public table; the first one is the index, which also gives the order.
    is_large : bool
        A table may have so many rows that the bulk route is worth its beginning.
    has_fixed_columns : bool
        The columns of a frame do not depend on its rows.
    without_rules : frozenset of str
        The rules that this repository leaves out.
    """

    model: type[M]
    filter_type: type[F]
    statement: ClassVar[Select[Any]]
    rules: ClassVar[tuple[Rule, ...]] = ()
    load: ClassVar[tuple[ORMOption, ...]] = ()
    to_locate: ClassVar[tuple[ORMOption, ...]] = ()
    noun: ClassVar[str] = "record"
    advice: ClassVar[str] = ""
    columns: ClassVar[tuple[Any, ...]]
    is_large: ClassVar[bool] = False
    has_fixed_columns: ClassVar[bool] = True
    without_rules: frozenset[str] = frozenset()
    _reader: Reader
    _froms: ClassVar[frozenset[FromClause]]
    _has_tried: ClassVar[bool]  # of criteria

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if hasattr(cls, "statement"):
            check_attributes(cls)
            cls.statement = whole_where(cls.statement)
            if all(mapper.configured for mapper in cls.model.registry.mappers):
                with suppress(NameError):  # criteria may need what the module defines below
                    cls._joined()

    @staticmethod
    @abstractmethod
    def criteria(spec: Any) -> Iterator[ColumnElement[bool]]:
        """Yield the WHERE clauses that the fields of a filter mean."""

    @classmethod
    def visible(cls) -> Select[Any]:
        """Return the statement under its rules: every record that anybody may see."""
        return cls.statement.where(*(whole(rule.clause) for rule in cls.rules))

    def select(self, spec: F | None = None, *, where: Where = ()) -> Select[M]:
        """Return the SELECT of the matching records, to join or to extend.

        Parameters
        ----------
        spec : Filter, optional
            Records to keep; all visible ones without it.
        where : ColumnElement or list of ColumnElement
            Further conditions.

        Returns
        -------
        Select
            Of the model, ascending by the index and then by id.
        """
        demanded = self._conditions(self._asked(spec), where)
        return self.statement.where(*(one.clause for one in demanded)).order_by(*self._order())

    def _asked(self, spec: F | None) -> F:
        """Return what is asked, complete: also the rules that this repository does without."""
        self._joined()
        spec = self.filter_type() if spec is None else spec
        if type(spec) is not self.filter_type:
            raise InvalidFilterError(
                f"{type(self).__name__} takes a {self.filter_type.__name__}, not {spec!r}"
            )
        check_rule_names(spec.without_rules or (), type(self).__name__, self.rule_names())
        without = self.without_rules.union(spec.without_rules or ())
        return replace(spec, without_rules=without) if self.without_rules else spec

    @classmethod
    def rule_names(cls) -> tuple[str, ...]:
        """Return the names of the rules that are applied."""
        return tuple(rule.name for rule in cls.rules)

    def _conditions(self, spec: F, where: Where = ()) -> Iterator[Condition]:
        """Yield what a question demands beyond what the table is declared with."""
        self._reader.check(spec)
        for rule in self.rules:
            if rule.name not in (spec.without_rules or ()):
                yield Condition("rule", rule.name, rule.sentence, rule.clause, rule.if_null)
        for clause in self._checked("every filter", clauses_of_criteria(type(self), type(spec)())):
            yield Condition("statement", "criteria", "What every question demands.", clause)
        for name, alone in spec.each_condition():
            for clause in self._meaning(name, alone):
                yield Condition("filter", name, f"{alone.described()}.", clause)
        for number, clause in enumerate(self._further(where)):
            yield Condition("where", f"where[{number}]", "A further condition.", clause)

    @classmethod
    def _joined(cls) -> frozenset[FromClause]:
        """Return the FROM list of the statement, read and checked once for each class."""
        configure_mappers(cls.model)
        if "_froms" not in cls.__dict__:
            cls._froms = check_joins(cls)
        if "_has_tried" not in cls.__dict__:
            check_criteria(cls)
            cls._has_tried = True
        return cls._froms

    @classmethod
    def _meaning(cls, name: str, alone: Any) -> list[ColumnElement[bool]]:
        """Return the clauses that a field of a filter means, or raise if it means none."""
        clauses = [*meaning_of(cls, name, alone), *within(cls.columns[0], alone.id_range)]
        return cls._checked(name, clauses)

    @classmethod
    def _checked(cls, name: str, clauses: list[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
        """Return the clauses of criteria, or raise if one can be no condition on these records."""
        for clause in clauses:
            if (reason := cls._refusal(clause)) is not None:
                raise ConfigurationError(f"{cls.__name__}.criteria, of {name}, {reason}")
        return clauses

    def _further(self, where: Where) -> list[Any]:
        """Return further conditions, or raise if one can't be a condition on these records."""
        clauses = clauses_of(where)
        for number, clause in enumerate(clauses):
            name = f"where[{number}]"
            if (reason := self._refusal(clause)) is not None:
                raise InvalidFilterError(f"{name} {reason}")
            check_values(name, clause, self._reader.dialect)
            if (reason := mistyped(clause, self._reader.dialect)) is not None:
                raise InvalidFilterError(f"{name} {reason}")
        return clauses

    @classmethod
    def _refusal(cls, clause: ClauseElement) -> str | None:
        """Return why a clause can be no condition on these records, or None."""
        if (one := unjoined(clause, cls._joined())) is None:
            return untied(clause, cls._joined())
        joined = ", ".join(sorted(str(each) for each in cls._joined() if isinstance(each, Table)))
        instead = instead_of(clause, one, cls.model)
        return (
            f"names {label_of(one)}, which {cls.__name__} does not join (it joins {joined}); write "
            + (f"{instead}, or " if instead else "")
            + f"a SELECT that joins it: {cls.__name__}(...).select().join(...)"
        )

    @classmethod
    def _frame_columns(cls) -> tuple[FrameColumn, ...]:
        return frame_columns(cls.columns)

    @classmethod
    def _order(cls) -> tuple[Any, ...]:
        # Where the index is not unique, the primary key makes the order one and the same.
        key = cls.columns[0]
        return (key,) if key is cls.model.id else (key, cls.model.id)

    def _table(self, spec: F | None, where: Where) -> Select[Any]:
        return self._of(self.select(spec, where=where), *self.columns)

    @staticmethod
    def _of(query: Select[Any], *columns: Any) -> Select[Any]:
        return query.with_only_columns(*columns, maintain_column_froms=True)


def clauses_of(where: Where) -> list[Any]:
    """Return the further conditions of a question, or say which of them is none."""
    return [_coerced(clause) for clause in (where if isinstance(where, (list, tuple)) else [where])]


def _coerced(clause: Any) -> ColumnElement[Any]:
    try:
        if isinstance(clause, (ClauseElement, InspectionAttr)):
            coerced: ColumnElement[Any] = whole(and_(true(), clause))  # type: ignore[arg-type]
            return coerced
    except ArgumentError:
        pass
    raise InvalidFilterError(
        f"where={reprlib.repr(clause)} is no SQL expression; give one such as EcephysUnit.snr > 3,"
        " or a list of them"
    )


def check_count(name: str, value: int) -> None:
    """Raise an `InvalidFilterError` if the value can't be a number of things."""
    if not 1 <= checked_id(name, value) < 2**31:
        raise InvalidFilterError(f"{name}={value!r} is no count; give 1 or more, below 2**31")
