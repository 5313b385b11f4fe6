"""A text of SQL is one condition, whatever operators are in it, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    ColumnElement,
    and_,
    case,
    false,
    func,
    literal_column,
    not_,
    select,
    text,
    true,
    type_coerce,
)

from ecephys_dal import ConfigurationError, UnitFilter, UnitRepository
from ecephys_dal.models import EcephysChannel, EcephysUnit
from ecephys_dal.repositories import Repository
from ecephys_dal.rules import Rule
from ecephys_dal.testing import SyntheticLims
from tests.repositories.test_declarations import declare

ALL = "ecephys_units.snr > 1e9 OR ecephys_units.id > 0"
TEXTS: dict[str, Any] = {
    "text": text(ALL),
    "column": literal_column(ALL),
    "column of truths": literal_column(ALL, Boolean),
    "in AND": and_(EcephysUnit.id > 0, literal_column(ALL)),
    "text in AND": and_(EcephysUnit.id > 0, text(ALL)),
    "negated twice": not_(not_(literal_column(ALL, Boolean))),
    "in CASE": case((literal_column(ALL), literal_column("1 = 0 OR 1 = 1")), else_=false()),
    "compared": literal_column(ALL, Boolean) == true(),
    "labelled": literal_column(ALL, Boolean).label("x"),
    "coerced": type_coerce(literal_column(ALL), Boolean),
    "in a subquery": EcephysUnit.channel.has(literal_column("1 = 0 OR 1 = 1")),
    "a list, an order, and *": EcephysUnit.ecephys_channel_id.in_(
        select(EcephysChannel.id)
        .group_by(text("ecephys_channels.id, ecephys_channels.valid_data"))
        .having(func.count(literal_column("*")) > 0)
        .order_by(text("ecephys_channels.id DESC"))
    ),
}


@pytest.mark.parametrize("where", TEXTS)
def test_a_text_takes_no_condition_beside_it_along(synthetic: SyntheticLims, where: str) -> None:
    units, clause = UnitRepository(synthetic.database), TEXTS[where]
    spec = UnitFilter(unit_ids=units.ids()[:3])
    expect_three(units, spec, where=clause)
    assert units.count(where=clause) == units.count()  # and not what the rules hide


def expect_three(units: Repository[Any, Any], spec: UnitFilter, where: Any = ()) -> None:
    ids = list(spec.unit_ids or ())
    assert units.count(spec, where=where) == len(ids) == 3
    assert units.frame(spec, where=where).index.tolist() == ids
    assert [one.visible for one in units.why_each(ids, spec, where=where)] == [True] * 3
    assert units.explain(spec, where=where).funnel[-1].n_left == 3


def with_text(spec: UnitFilter) -> Iterator[ColumnElement[bool]]:
    yield from UnitRepository.criteria(spec)
    if spec.unit_ids is not None:
        yield text(ALL)  # type: ignore[misc]


DECLARED: dict[str, dict[str, Any]] = {
    "rule": {"rules": (*UnitRepository.rules, Rule("all", "All.", text(ALL), ""))},  # type: ignore[arg-type]
    "rule of one word": {"rules": (Rule("all", "All.", text("true"), ""),)},  # type: ignore[arg-type]
    "statement": {"statement": UnitRepository.statement.where(text(ALL))},
    "criteria": {"criteria": staticmethod(with_text)},
}


@pytest.mark.parametrize("attribute", DECLARED)
def test_a_text_may_be_declared(synthetic: SyntheticLims, attribute: str) -> None:
    attributes = {"statement": UnitRepository.statement, **DECLARED[attribute]}
    units = declare(**attributes)(synthetic.database)
    expect_three(units, UnitFilter(unit_ids=units.ids()[:3]))


def test_a_text_in_on_equates_nothing_that_is_known() -> None:
    on = and_(EcephysChannel.id == EcephysUnit.ecephys_channel_id, text("1 = 1 OR 1 = 0"))
    with pytest.raises(ConfigurationError, match="join of ecephys_channels has a text in its ON"):
        declare(statement=select(EcephysUnit).join(EcephysChannel, on))
