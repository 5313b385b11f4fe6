"""Any condition on any column: it is refused, or has the answer of plain Python on every output."""

from __future__ import annotations

import datetime as dt
import math
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any, NamedTuple

import pandas as pd
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from sqlalchemy import Table, and_, inspect, not_, or_

from ecephys_dal import (
    ChannelRepository,
    InvalidFilterError,
    ProbeRepository,
    SessionRepository,
    UnitRepository,
    models,
)
from ecephys_dal.models import Age, Base, Donor, Gender, Specimen, Structure
from ecephys_dal.testing import SyntheticLims
from tests.repositories.test_answers import QUESTIONS, Row, relaxed, table, visible

MODELS: list[type[Base]] = sorted(
    (one for one in vars(models).values() if hasattr(one, "__table__")),
    key=lambda model: model.__name__,
)
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
NAN_IS_MORE = {"==": False, "!=": True, "<": False, "<=": False, ">": True, ">=": True}
MOMENTS = st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2100, 1, 1))
# Among them what no record can be compared with.
VALUES: dict[type, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**64), 2**64) | st.integers(-10, 10),
    float: st.floats() | st.floats(-5, 5),
    bool: st.booleans(),
    str: st.text(st.characters() | st.characters(categories=["Cs"]) | st.just("\0"), max_size=5),
    dt.datetime: MOMENTS | st.just(pd.NaT) | MOMENTS.map(pd.Timestamp),
}
COLUMNS = [
    (model, column.key)
    for model in MODELS
    for column in inspect(model).columns
    if column.type.python_type in VALUES
]
Truth = bool | None


class Drawn(NamedTuple):
    """A condition in SQL, and the same in Python."""

    clause: Any
    is_met: Callable[[Row], Truth]
    tables: frozenset[str]
    constants: tuple[Any, ...]


def compared(draw: st.DataObject, model: type[Base], key: str, lims: SyntheticLims) -> Drawn:
    """Compare a column with values that are stored there, or with any."""
    attribute, name = getattr(model, key), model.__tablename__
    kind = attribute.type.python_type
    stored = sorted({row[key] for row in table(lims, model).values()} - {None}, key=repr)[:50]
    known = [one for one in stored if one == one]  # noqa: PLR0124 - all but NaN
    some = VALUES[kind] | (st.sampled_from(known) if known else st.nothing())
    # Databases sort texts and truths as they like.
    signs = ["==", "!="] if kind in (str, bool) else list(COMPARISONS)
    sign = draw.draw(st.sampled_from([*signs, "in", "is", "is not"]))
    values = tuple(draw.draw(st.lists(some, min_size=sign != "in", max_size=3)))
    if sign in ("is", "is not"):
        clause = attribute.is_(None) if sign == "is" else attribute.is_not(None)
        return Drawn(
            clause, lambda c: (c[name][key] is None) == (sign == "is"), frozenset({name}), ()
        )
    if sign == "in":
        clause = attribute.in_(values)
        return Drawn(clause, lambda c: _among(c[name][key], values), frozenset({name}), values)
    clause = COMPARISONS[sign](attribute, values[0])
    met = lambda chain: _compared(sign, chain[name][key], values[0])  # noqa: E731
    return Drawn(clause, met, frozenset({name}), values[:1])


def _among(found: Any, values: tuple[Any, ...]) -> Truth:
    return False if not values else None if found is None else found in values


def _compared(sign: str, found: Any, value: Any) -> Truth:
    if found is None:
        return None
    if isinstance(found, float) and math.isnan(found):
        return NAN_IS_MORE[sign]
    return bool(COMPARISONS[sign](found, value))


def both(one: Truth, other: Truth) -> Truth:
    return False if False in (one, other) else None if None in (one, other) else True


def inverse(one: Truth) -> Truth:
    return None if one is None else not one


def joined(how: str, one: Drawn, other: Drawn) -> Drawn:
    tables, values = one.tables | other.tables, one.constants + other.constants
    if how == "and":
        clause = and_(one.clause, other.clause)
        return Drawn(clause, lambda c: both(one.is_met(c), other.is_met(c)), tables, values)
    clause = or_(one.clause, not_(other.clause))  # not (not one and other)
    return Drawn(
        clause,
        lambda c: inverse(both(inverse(one.is_met(c)), other.is_met(c))),
        tables,
        values,
    )


def can_be_meant(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" not in value and value.encode(errors="replace").decode() == value
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return value is not pd.NaT and value == value  # noqa: PLR0124 - all but NaN


def chains(lims: SyntheticLims, repository: type[Any]) -> dict[int, Row]:
    """The visible records, each with the rows of the tables that the statement joins."""
    found = visible(lims, repository.model)
    empty: Row = {column.key: None for model in MODELS for column in inspect(model).columns}
    for chain in found.values():
        if repository is ChannelRepository:
            structure_id = chain["ecephys_channels"]["manual_structure_id"]
            chain["structures"] = table(lims, Structure).get(structure_id, empty)
        elif repository is SessionRepository:
            chain["specimens"] = table(lims, Specimen)[chain["ecephys_sessions"]["specimen_id"]]
            chain["donors"] = table(lims, Donor)[chain["specimens"]["donor_id"]]
            for model in (Gender, Age):
                key = chain["donors"][f"{model.__name__.lower()}_id"]
                chain[model.__tablename__] = table(lims, model).get(key, empty)
    return found


@pytest.mark.parametrize(
    "repository", [SessionRepository, ProbeRepository, ChannelRepository, UnitRepository]
)
@relaxed
@given(draw=st.data())
@pytest.mark.sample(7)
def test_any_condition_is_refused_or_has_the_brute_force_answer(
    synthetic: SyntheticLims, repository: type[Any], draw: st.DataObject
) -> None:
    names = {one.name for one in repository._joined() if isinstance(one, Table)}
    near = [one for one in COLUMNS if one[0].__tablename__ in names]
    columns = st.sampled_from(near) if draw.draw(st.integers(0, 4)) else st.sampled_from(COLUMNS)
    parts = [
        compared(draw, *draw.draw(columns), synthetic) for _ in range(draw.draw(st.integers(1, 3)))
    ]
    how = draw.draw(st.sampled_from(["and", "or not"]))
    drawn = reduce(lambda one, other: joined(how, one, other), parts)
    records = repository(synthetic.database)
    if not drawn.tables <= names or not all(map(can_be_meant, drawn.constants)):
        event("refused")
        for ask in (records.count, records.frame, records.entities, records.ids):
            with pytest.raises(InvalidFilterError, match=r"where\[0\] (names|compares with) "):
                ask(where=drawn.clause)
        return
    shown = chains(synthetic, repository)
    expected = [record_id for record_id in sorted(shown) if drawn.is_met(shown[record_id])]
    event("answered" if expected else "empty")
    assert records.ids(where=drawn.clause).tolist() == expected
    assert records.frame(where=drawn.clause).index.tolist() == expected
    assert [one.id for one in records.entities(where=drawn.clause)] == expected
    assert records.count(where=drawn.clause) == len(expected)


def test_the_tables_are_those_of_the_brute_force_answer() -> None:
    assert {SessionRepository, ProbeRepository, ChannelRepository, UnitRepository} == set(QUESTIONS)
