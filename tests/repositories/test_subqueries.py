"""A subquery is tied to the record, and nothing in it meets every row of something else."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import (
    Integer,
    and_,
    case,
    column,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
    tuple_,
    values,
)
from sqlalchemy.orm import aliased, with_parent

from ecephys_dal import ConfigurationError, InvalidFilterError, SessionRepository, UnitRepository
from ecephys_dal.models import (
    Donor,
    EcephysChannel,
    EcephysProbe,
    EcephysSession,
    EcephysUnit,
    Specimen,
    Structure,
)
from ecephys_dal.rules import Rule
from ecephys_dal.testing import SyntheticLims
from tests.repositories.test_declarations import declare

other, site, probe = aliased(EcephysUnit), aliased(EcephysChannel), aliased(EcephysProbe)
unit_id, snr = EcephysUnit.id, EcephysUnit.snr
is_deep = EcephysChannel.local_index > 3
in_visp = Structure.acronym == "VISp"
of_channel = EcephysUnit.ecephys_channel_id == EcephysChannel.id

ONE_ANSWER, NO_JOIN, NOTHING_LEFT = "one answer for all", "nothing joins", "taken from the record"
REFUSED: dict[str, tuple[Any, str, str]] = {
    "exists": (exists().where(is_deep), ONE_ANSWER, "ecephys_channels"),
    "exists of select": (exists(select(EcephysChannel.id).where(is_deep)), ONE_ANSWER, ".any()"),
    "exists in OR": (or_(snr > 3, exists().where(is_deep)), ONE_ANSWER, "ecephys_channels"),
    "exists in NOT": (~exists().where(is_deep), ONE_ANSWER, ".correlate(...)"),
    "exists in CASE": (case((exists().where(is_deep), True), else_=snr > 3), ONE_ANSWER, ""),
    "exists in a subquery": (
        unit_id.in_(select(other.id).where(exists().where(is_deep))),
        ONE_ANSWER,
        "ecephys_channels",
    ),
    "a count": (
        select(func.count(Structure.id)).where(in_visp).scalar_subquery() > 0,
        ONE_ANSWER,
        "structures",
    ),
    "a constant": (literal(1).in_(select(literal(1)).where(in_visp)), ONE_ANSWER, "structures"),
    "correlated by itself": (
        unit_id.in_(select(unit_id).where(in_visp)),
        NO_JOIN,
        "ecephys_units of the record to structures",
    ),
    "two of its own": (unit_id.in_(select(other.id).where(in_visp)), NO_JOIN, "structures"),
    "each with a condition": (
        unit_id.in_(select(other.id).where(and_(other.snr > 3, or_(site.id < 9, site.id > 99)))),
        NO_JOIN,
        "an alias of ecephys_units to an alias of ecephys_channels",
    ),
    "its order": (
        unit_id.in_(select(unit_id).order_by(EcephysProbe.id).limit(3).correlate(None)),
        "which it does not join",
        "names ecephys_probes",
    ),
    "its groups": (
        unit_id.in_(select(func.max(other.id)).group_by(Structure.acronym)),
        "which it does not join",
        "structures",
    ),
    "a condition of its groups": (
        unit_id.in_(select(func.max(other.id)).group_by(other.snr).having(Structure.id > 1)),
        "which it does not join",
        "structures",
    ),
    "in a subquery's FROM": (
        unit_id.in_(select(select(other.id).where(in_visp).subquery().c.id)),
        NO_JOIN,
        "structures",
    ),
    "in a subquery's subquery": (
        unit_id.in_(
            select(other.id).where(other.ecephys_channel_id.in_(select(site.id).where(in_visp)))
        ),
        NO_JOIN,
        "structures",
    ),
    "in a union": (
        unit_id.in_(select(other.id).union(select(other.id).where(in_visp))),
        NO_JOIN,
        "structures",
    ),
    "all correlated": (
        unit_id.in_(select(unit_id).where(of_channel, is_deep)),
        NOTHING_LEFT,
        "ecephys_units and ecephys_channels",
    ),
    "all correlated, counted": (
        select(func.count(EcephysProbe.id))
        .where(EcephysProbe.ecephys_session_id == EcephysSession.id)
        .scalar_subquery()
        > 1,
        NOTHING_LEFT,
        ".correlate(None)",
    ),
}


@pytest.mark.parametrize("where", REFUSED)
def test_a_subquery_that_filters_no_record_is_refused(where: str) -> None:
    clause, *said = REFUSED[where]
    with pytest.raises(InvalidFilterError, match=r"where\[0\] ") as refused:
        UnitRepository("sqlite://").select(where=clause)
    assert [one for one in said if one not in str(refused.value)] == []


def test_what_is_joined_differs_by_repository() -> None:
    of_sst = EcephysSession.id.in_(
        select(EcephysSession.id).where(Donor.full_genotype.like("Sst%"))
    )
    with pytest.raises(InvalidFilterError, match="ecephys_sessions and donors, each of which"):
        SessionRepository("sqlite://").select(where=of_sst)
    with pytest.raises(InvalidFilterError, match="nothing joins ecephys_sessions of the record to"):
        UnitRepository("sqlite://").select(where=of_sst)


PRODUCT = exists(select(EcephysUnit.id).where(in_visp))


def test_what_is_declared_is_checked_too() -> None:
    rule = Rule("visp", "In VISp.", PRODUCT, "")
    with pytest.raises(ConfigurationError, match="rule 'visp' has a subquery"):
        declare(rules=(rule,))
    with pytest.raises(ConfigurationError, match="column 'visp' has a subquery"):
        declare(columns=(unit_id, PRODUCT.label("visp")))
    n_structures = select(func.count(Structure.id)).scalar_subquery().label("n_structures")
    assert declare(columns=(unit_id, n_structures))  # the same for all, as it says


loud = select(unit_id, snr).where(snr > 3).subquery()
parent = select(Structure.id).where(in_visp).cte(recursive=True)
tree = parent.union_all(
    select(Structure.id).where(Structure.parent_structure_id == parent.c.id, Structure.id < 0)
)
ranked = select(
    other.id,
    func.row_number()
    .over(partition_by=other.ecephys_channel_id, order_by=(other.snr, other.id))
    .label("rank"),
).subquery()
KEPT: dict[str, Any] = {
    "ids": unit_id.in_(select(unit_id).where(snr > 3)),
    "ids of an alias": unit_id.in_(select(other.id).where(other.snr > 3)),
    "an order of what it joins": unit_id.in_(
        select(other.id.label("one"))
        .join(site, site.id == other.ecephys_channel_id)
        .order_by(site.id, "one", func.abs(other.snr).desc())
        .limit(3)
    ),
    "a subquery in FROM": unit_id.in_(select(loud.c.id)),
    "an alias of a subquery": unit_id.in_(
        select(aliased(EcephysUnit, select(EcephysUnit).where(snr > 3).subquery()).id)
    ),
    "a recursive CTE": EcephysChannel.manual_structure_id.in_(select(tree.c.id)),
    "a window": unit_id.in_(select(ranked.c.id).where(ranked.c.rank == 1)),
    "an average of its own": snr
    > select(func.avg(other.snr))
    .where(other.ecephys_channel_id == EcephysUnit.ecephys_channel_id)
    .scalar_subquery(),
    "an average of its probe": snr
    > select(func.avg(other.snr))
    .join(site, site.id == other.ecephys_channel_id)
    .where(site.ecephys_probe_id == EcephysProbe.id)
    .scalar_subquery(),
    "a difference": select(func.max(other.snr) - snr).scalar_subquery() > 0,
    "exists of an alias": exists().where(other.ecephys_channel_id == EcephysChannel.id),
    "not exists": ~exists().where(
        other.ecephys_channel_id == EcephysUnit.ecephys_channel_id, other.snr > snr
    ),
    "a comma": unit_id.in_(select(other.id).where(other.ecephys_channel_id == site.id)),
    "exists in a subquery": unit_id.in_(
        select(other.id).where(exists(select(site.id).where(site.id == other.ecephys_channel_id)))
    ),
    "a subquery of a subquery": EcephysUnit.ecephys_channel_id.in_(
        select(site.id).where(site.ecephys_probe_id.in_(select(probe.id)))
    ),
    "groups": EcephysUnit.ecephys_channel_id.in_(
        select(other.ecephys_channel_id)
        .group_by(other.ecephys_channel_id)
        .having(func.count(literal_column("*")) > 1)
    ),
    "a pair": tuple_(unit_id, EcephysUnit.local_index).in_(select(other.id, other.local_index)),
    "of_type": EcephysSession.probes.of_type(probe).any(probe.phase.is_not(None)),
    "with_parent": with_parent(EcephysChannel(id=1), EcephysChannel.units),
    "told to correlate": exists(select(literal(1)).where(is_deep).correlate(EcephysChannel)),
    "told to correlate nothing": unit_id.in_(
        select(unit_id).where(of_channel, is_deep).correlate(None)
    ),
    "a join": unit_id.in_(
        select(unit_id).join(EcephysUnit.channel).join(EcephysChannel.structure).where(in_visp)
    ),
    "a join on true": unit_id.in_(select(other.id).join(site, true())),
    "a text": unit_id.in_(select(other.id).where(text("1 = 1 OR 1 = 0"))),
    "a subquery of nothing": select(func.length("abc")).scalar_subquery() == 3,
    "a union": unit_id.in_(select(other.id).union(select(unit_id))),
    "has in has": EcephysSession.specimen.has(Specimen.donor.has(Donor.full_genotype != "x")),
}


@pytest.mark.parametrize("where", KEPT)
def test_what_is_tied_to_the_record_is_answered(synthetic: SyntheticLims, where: str) -> None:
    units, clause = UnitRepository(synthetic.database), KEPT[where]
    assert units.count(where=clause) == len(units.ids(where=clause))


def test_uncorrelated_ids_are_those_of_the_plain_condition(synthetic: SyntheticLims) -> None:
    units = UnitRepository(synthetic.database)
    expected = units.ids(where=snr > 3).tolist()
    assert 0 < len(expected) < units.count()
    for where in ("ids", "ids of an alias", "a subquery in FROM", "an alias of a subquery"):
        assert units.ids(where=KEPT[where]).tolist() == expected
    deep = units.ids(where=KEPT["told to correlate"]).tolist()
    assert deep == units.ids(where=is_deep).tolist()
    assert deep == units.ids(where=KEPT["told to correlate nothing"]).tolist()


def test_rows_of_values_and_lateral_are_tied(synthetic: SyntheticLims) -> None:
    if synthetic.database.engine.dialect.name == "postgresql":  # which alone knows them
        units = UnitRepository(synthetic.database)
        ids = units.ids()[:2].tolist()
        some = values(column("id", Integer), name="some").data([(one,) for one in ids])
        assert units.ids(where=unit_id.in_(select(some.c.id))).tolist() == ids
        its = select(site.id).where(site.id == other.ecephys_channel_id).lateral()
        assert units.count(where=unit_id.in_(select(other.id).join(its, true()))) == units.count()
