"""What a further condition may name: the tables that the statement joins, on every output."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
from sqlalchemy import and_, exists, func, or_, select, text, true
from sqlalchemy.orm import aliased

from ecephys_dal import InvalidFilterError, ProbeRepository, SessionRepository, UnitRepository
from ecephys_dal.models import (
    Donor,
    EcephysChannel,
    EcephysProbe,
    EcephysSession,
    EcephysUnit,
    Genotype,
    Specimen,
    Structure,
)
from ecephys_dal.repositories import Repository
from ecephys_dal.testing import SyntheticLims

UNJOINED = [EcephysUnit.quality == "good", Structure.acronym == "VISp"]
OF_STRUCTURE = EcephysUnit.channel.has(EcephysChannel.structure.has(Structure.acronym == "VISp"))

OUTPUTS: dict[str, Callable[[UnitRepository, Any], object]] = {
    "frame": lambda units, where: units.frame(where=where),
    "arrow": lambda units, where: units.arrow(where=where),
    "chunks": lambda units, where: next(units.chunks(where=where)),
    "count": lambda units, where: units.count(where=where),
    "exists": lambda units, where: units.exists(where=where),
    "ids": lambda units, where: units.ids(where=where),
    "entities": lambda units, where: units.entities(where=where),
    "get": lambda units, where: units.get(int(units.ids()[0]), where=where),
    "one": lambda units, where: units.one(where=where),
    "partitions": lambda units, where: units.partitions(where=where),
    "why": lambda units, where: units.why(int(units.ids()[0]), where=where),
    "why_each": lambda units, where: units.why_each(units.ids()[:2], where=where),
    "why_where": lambda units, where: units.why_where(where),
    "explain": lambda units, where: units.explain(where=where),
    "select": lambda units, where: units.select(where=where),
    "dask_frame": lambda units, where: units.dask_frame(where=where),
    "from_attrs": lambda units, where: units.from_attrs(_attrs(units, where), where=where),
}


def _attrs(units: UnitRepository, where: Any) -> dict[str, str]:
    return units._origin(None, where, "numpy")


NEEDS = {"dask_frame": ("distributed", "pyarrow"), "arrow": ("pyarrow",)}


@pytest.mark.parametrize(
    "output", [one for one in OUTPUTS if all(map(find_spec, NEEDS.get(one, ())))]
)
def test_no_output_takes_a_table_that_is_not_joined(synthetic: SyntheticLims, output: str) -> None:
    with pytest.raises(InvalidFilterError, match=r"names structures.*UnitRepository") as refused:
        OUTPUTS[output](UnitRepository(synthetic.database), UNJOINED)
    shown = "EcephysUnit.channel.has(EcephysChannel.structure.has(Structure.acronym == ...))"
    assert shown in str(refused.value)
    assert "select().join(" in str(refused.value)


derived = select(Structure).subquery()
REFUSED: dict[str, tuple[type[Repository[Any, Any]], Any]] = {
    "in an OR": (UnitRepository, or_(EcephysUnit.snr > 1, Structure.acronym == "VISp")),
    "in a function": (UnitRepository, func.coalesce(Structure.acronym, "x") == "VISp"),
    "an alias": (UnitRepository, aliased(EcephysUnit).snr > 1),
    "a subquery in FROM": (UnitRepository, derived.c.acronym == "VISp"),
    "a CTE": (UnitRepository, select(Structure).cte().c.id == EcephysChannel.manual_structure_id),
    "inside has": (UnitRepository, EcephysChannel.structure.has(Donor.full_genotype == "x")),
    "before any": (
        SessionRepository,
        EcephysProbe.channels.any(EcephysChannel.valid_data.is_(True)),
    ),
    "before any, over a pair table": (UnitRepository, Donor.genotypes.any(Genotype.name == "x")),
    "correlated": (
        ProbeRepository,
        select(EcephysChannel.id)
        .where(EcephysChannel.id == EcephysUnit.ecephys_channel_id)
        .correlate(EcephysUnit)
        .exists(),
    ),
    "of EXISTS, so that it is one answer for all": (
        ProbeRepository,
        exists().where(Structure.id == EcephysChannel.manual_structure_id),
    ),
}


@pytest.mark.parametrize("where", REFUSED)
def test_a_table_is_found_wherever_a_condition_names_it(
    synthetic: SyntheticLims, where: str
) -> None:
    repository, clause = REFUSED[where]
    with pytest.raises(InvalidFilterError, match=r"names .*, which \w+Repository does not join"):
        repository(synthetic.database).count(where=clause)


of_channel = select(Structure.acronym).where(Structure.id == EcephysChannel.manual_structure_id)
averaged = select(func.avg(EcephysUnit.snr)).scalar_subquery()
of_sst = Donor.genotypes.any(Genotype.name.startswith("Sst"))
KEPT: dict[str, Any] = {
    "of a joined table": EcephysSession.stimulus_name.is_not(None),
    "nested has": OF_STRUCTURE,
    "has of a joined table": EcephysChannel.structure.has(Structure.acronym == "VISp"),
    "has to a pair table": EcephysSession.specimen.has(Specimen.donor.has(of_sst)),
    "any": EcephysSession.probes.any(
        EcephysProbe.channels.any(EcephysChannel.valid_data.is_(True))
    ),
    "exists": exists(of_channel),
    "exists, correlated": of_channel.correlate(EcephysChannel).exists(),
    "in": EcephysUnit.id.in_(select(EcephysUnit.id).where(EcephysUnit.snr > 1)),
    "in a join": EcephysChannel.id.in_(
        select(EcephysChannel.id).join(EcephysChannel.structure).where(Structure.acronym == "VISp")
    ),
    "in a union": EcephysUnit.id.in_(
        select(EcephysUnit.id).union(select(EcephysUnit.ecephys_channel_id))
    ),
    "a scalar subquery": EcephysUnit.snr > averaged,
    "a correlated scalar subquery": of_channel.scalar_subquery() == "VISp",
    "its own table, unmapped": EcephysUnit.__table__.c.snr > 1,
    "text": text("ecephys_units.snr > 1"),
    "nothing": and_(true()),
}


@pytest.mark.parametrize("where", KEPT)
def test_a_subquery_may_name_any_table(synthetic: SyntheticLims, where: str) -> None:
    units, clause = UnitRepository(synthetic.database), KEPT[where]
    ids = units.ids(where=clause).tolist()
    assert units.count(where=clause) == len(ids) == len(set(ids))
    assert units.frame(where=clause).index.tolist() == ids


def test_what_the_message_says_gives_the_answer(synthetic: SyntheticLims) -> None:
    units = UnitRepository(synthetic.database)
    joined = units.select(where=UNJOINED[:1]).join(EcephysChannel.structure).where(UNJOINED[1])
    with synthetic.database.session() as db:
        expected = [unit.id for unit in db.scalars(joined)]
    assert expected
    assert units.ids(where=[UNJOINED[0], OF_STRUCTURE]).tolist() == expected


def test_the_path_leads_to_what_a_record_belongs_to(synthetic: SyntheticLims) -> None:
    with pytest.raises(InvalidFilterError, match=r"Specimen\.donor\.has\(Donor\.full_genotype =="):
        UnitRepository(synthetic.database).count(where=Donor.full_genotype == "wt")


def test_an_alias_that_the_statement_joins_is_joined(synthetic: SyntheticLims) -> None:
    structure = aliased(Structure)

    class InStructure(Repository[Any, Any]):
        model = UnitRepository.model
        filter_type = UnitRepository.filter_type
        statement = UnitRepository.statement.outerjoin(
            structure, structure.id == EcephysChannel.manual_structure_id
        )
        columns = (EcephysUnit.id, structure.acronym.label("acronym"))
        criteria = staticmethod(UnitRepository.criteria)

    units = InStructure(synthetic.database)
    assert set(units.frame(where=structure.acronym == "VISp")["acronym"]) == {"VISp"}
    with pytest.raises(InvalidFilterError, match="names structures"):
        units.count(where=Structure.acronym == "VISp")
