"""What a repository may declare: mistakes are refused before they give a wrong answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Double,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    Select,
    String,
    Uuid,
    and_,
    case,
    cast,
    func,
    null,
    select,
    type_coerce,
)
from sqlalchemy.orm import aliased

from ecephys_dal import ConfigurationError, InvalidFilterError, UnitFilter, UnitRepository
from ecephys_dal.filters import Filter, Ids
from ecephys_dal.filters.fields import FieldKind
from ecephys_dal.models import (
    Base,
    EcephysAnalysisRun,
    EcephysChannel,
    EcephysProbe,
    EcephysSession,
    EcephysUnit,
    Structure,
)
from ecephys_dal.repositories import Repository, nullable
from ecephys_dal.repositories.clauses import among
from ecephys_dal.rules import RUN_IS_CURRENT, SESSION_NOT_FAILED
from ecephys_dal.testing import SyntheticLims

M = TypeVar("M", bound=Base)


def declare(**attributes: Any) -> type[Repository[Any, Any]]:
    """Define a repository of units that differs from ours in some attributes."""
    declared = {
        "model": EcephysUnit,
        "filter_type": UnitFilter,
        "statement": select(EcephysUnit).join(EcephysUnit.channel),
        "columns": (EcephysUnit.id, EcephysUnit.snr),
        "criteria": staticmethod(UnitRepository.criteria),
        "__module__": __name__,
    }
    return type("Declared", (Repository,), {**declared, **attributes})


beside = aliased(EcephysUnit)
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "model": ({"model": "ecephys_units"}, "model is 'ecephys_units'"),
    "another model": ({"model": EcephysProbe}, "lists no EcephysProbe"),
    "filter": ({"filter_type": dict}, "filter_type is <class 'dict'>"),
    "statement": ({"statement": EcephysUnit}, "statement is"),
    "no criteria": ({"criteria": Repository.criteria}, "criteria is missing"),
    "no columns": ({"columns": ()}, r"columns is \(\)"),
    "two of a name": (
        {"columns": (EcephysUnit.id, EcephysUnit.snr, EcephysChannel.id.label("snr"))},
        "'snr' 2 times",
    ),
    "no name": ({"columns": (EcephysUnit.id, EcephysUnit.snr + 1)}, "no name"),
    "no column": ({"columns": (EcephysUnit.id, "snr")}, "'snr', which is no column"),
    "index": ({"columns": (EcephysUnit.quality,)}, "first column, 'quality', is the index"),
    "an index that may be NULL": (
        {
            "statement": select(EcephysUnit).join(EcephysUnit.channel),
            "columns": (EcephysChannel.manual_structure_id.label("structure"), EcephysUnit.id),
        },
        "'structure', is the index and may be NULL",
    ),
    "an index of an outer join": (
        {
            "statement": select(EcephysUnit).outerjoin(EcephysUnit.channel),
            "columns": (EcephysChannel.id.label("channel"), EcephysUnit.id),
        },
        "'channel', is the index and may be NULL",
    ),
    "an index that is computed": (
        {"columns": ((EcephysChannel.manual_structure_id + 0).label("structure"),)},
        "'structure', is the index and may be NULL",
    ),
    "no rules": ({"rules": None}, "rules is None"),
    "a lock": ({"statement": select(EcephysUnit).with_for_update()}, "FOR UPDATE"),
    "a prefix": ({"statement": select(EcephysUnit).prefix_with("DISTINCT")}, "a prefix"),
    "a column that is not joined": (
        {"columns": (EcephysUnit.id, Structure.acronym)},
        "column 'acronym' names structures",
    ),
    "a rule that is not joined": ({"rules": (RUN_IS_CURRENT,)}, "'run_is_current' names ecephys_a"),
    "no rule": ({"rules": (EcephysUnit.snr > 1,)}, "no Rule"),
    "a rule twice": ({"rules": (SESSION_NOT_FAILED, SESSION_NOT_FAILED)}, "'session_not_failed' 2"),
    "side by side": (
        {"statement": select(EcephysUnit).where(EcephysChannel.id == EcephysUnit.id)},
        "joins ecephys_channels to nothing",
    ),
    "order": ({"statement": select(EcephysUnit).order_by(EcephysUnit.id)}, "ORDER BY"),
    "limit": ({"statement": select(EcephysUnit).limit(3)}, "LIMIT"),
    "distinct": ({"statement": select(EcephysUnit).distinct()}, "DISTINCT"),
    "groups": ({"statement": select(EcephysUnit).group_by(EcephysUnit.id)}, "GROUP BY"),
    "to many": (
        {"statement": select(EcephysUnit).outerjoin(EcephysUnit.metric_bundles)},
        "join of ecephys_unit_metric_bundles may bring several rows",
    ),
    "an inequality": (
        {"statement": select(EcephysUnit).join(beside, beside.id >= EcephysUnit.id)},
        "join of an alias of ecephys_units may bring",
    ),
    "a key with itself": (
        {"statement": select(EcephysUnit).join(beside, beside.id == beside.id + 0)},
        "join of an alias of ecephys_units may bring",
    ),
    "a full join": (
        {"statement": select(EcephysUnit).join(EcephysUnit.channel, full=True)},
        "join of ecephys_channels may bring",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_refused_when_the_class_is_defined(mistake: str) -> None:
    attributes, message = WRONG[mistake]
    with pytest.raises(ConfigurationError, match=f"Declared: .*{message}"):
        declare(**attributes)


NO_KINDS = [Numeric(), Uuid(), Interval(), LargeBinary(), ARRAY(Integer), JSON()]


@pytest.mark.parametrize("kind", NO_KINDS, ids=repr)
def test_a_type_that_no_column_can_be_is_named_with_the_column(kind: Any) -> None:
    weight = type_coerce(EcephysUnit.quality, kind).label("weight")
    with pytest.raises(ConfigurationError, match=r"'weight' is of the type .*cast\(\.\.\., Double"):
        declare(columns=(EcephysUnit.id, weight))


def test_a_cast_column_may_be_null_if_its_column_may_be(by_each_route: SyntheticLims) -> None:
    columns = (
        EcephysUnit.id,
        cast(cast(EcephysUnit.snr, Numeric(12, 6)), Double).label("snr"),
        cast(EcephysUnit.id, String).label("name"),
    )
    frame = declare(columns=columns)(by_each_route.database).frame()
    assert frame["snr"].isna().any()
    assert frame["name"].tolist() == [str(unit_id) for unit_id in frame.index]


UNIQUE: dict[str, Select[Any]] = {
    "along relationships": UnitRepository.statement,
    "by the key": select(EcephysUnit).join(
        EcephysChannel,
        and_(
            EcephysUnit.ecephys_channel_id == EcephysChannel.id,
            EcephysChannel.valid_data.is_(True),
        ),
    ),
    "an alias": select(EcephysUnit).outerjoin(beside, beside.id == EcephysUnit.id + 1),
    "groups": select(EcephysUnit)
    .join(EcephysUnit.channel)
    .join(
        (
            groups := select(EcephysChannel.ecephys_probe_id, func.count().label("n"))
            .group_by(EcephysChannel.ecephys_probe_id)
            .subquery()
        ),
        groups.c.ecephys_probe_id == EcephysChannel.ecephys_probe_id,
    ),
}


@pytest.mark.parametrize("statement", UNIQUE)
def test_one_row_a_record_is_seen_in_the_joins(synthetic: SyntheticLims, statement: str) -> None:
    units = declare(statement=UNIQUE[statement])(synthetic.database)
    ids = units.ids().tolist()
    assert units.count() == len(set(ids)) > 0
    assert units.why(ids[0]).visible
    assert units.explain().funnel[-1].n_left == len(ids)


structure_id = EcephysChannel.manual_structure_id
NEVER_NULL: dict[str, dict[str, Any]] = {
    "demanded": {
        "statement": UnitRepository.statement.where(structure_id.is_not(None)),
        "columns": (structure_id.label("structure"), EcephysUnit.id),
    },
    "joined": {
        "statement": UnitRepository.statement.join(EcephysChannel.structure),
        "columns": (structure_id.label("structure"), EcephysUnit.id),
    },
    "replaced": {"columns": (func.coalesce(structure_id, -1).label("structure"), EcephysUnit.id)},
}


@pytest.mark.parametrize("index", NEVER_NULL)
def test_an_index_that_is_never_null_is_cut_into_all_records(
    synthetic: SyntheticLims, index: str
) -> None:
    attributes = {"statement": UnitRepository.statement, **NEVER_NULL[index]}
    units = declare(**attributes)(synthetic.database)
    assert sum(map(units.count, units.partitions(n=3))) == units.count() > 0


is_good = case((EcephysUnit.quality == "good", True), (EcephysUnit.quality == "noise", False))
rank = case((EcephysUnit.snr > 3, 1), (EcephysUnit.snr <= 3, 2), else_=null())


@pytest.mark.parametrize("backend", ["numpy", "numpy_nullable"])
def test_an_expression_is_declared_nullable(by_each_route: SyntheticLims, backend: Any) -> None:
    columns = (
        EcephysUnit.id,
        nullable(is_good).label("is_good"),
        nullable(type_coerce(rank, Integer).label("rank")),
        nullable(EcephysUnit.quality),
    )
    frame = declare(columns=columns)(by_each_route.database).frame(dtype_backend=backend)
    assert list(frame) == ["is_good", "rank", "quality"]
    assert frame["is_good"].dtype == "boolean"
    assert frame["rank"].dtype == ("float64" if backend == "numpy" else "Int64")
    assert frame["rank"].isna().any()
    assert set(frame["rank"].dropna()) == {1, 2}


@dataclass(frozen=True, kw_only=True, repr=False)
class OddFilter(Filter):
    unit_ids: Ids = None
    forgotten_ids: Ids = None


def odd(spec: OddFilter) -> Iterator[ColumnElement[bool]]:
    yield from among(EcephysUnit.id, spec.unit_ids)


def always(spec: UnitFilter) -> Iterator[ColumnElement[bool]]:
    yield EcephysUnit.quality == "good"
    yield from among(EcephysUnit.id, spec.unit_ids)


def of_none(_spec: UnitFilter) -> None:
    return None


def of_python(spec: UnitFilter) -> Iterator[Any]:
    if spec.unit_ids is not None:
        yield EcephysUnit.id is None


def of_a_slip(spec: Any) -> Iterator[ColumnElement[bool]]:
    yield from among(EcephysUnit.id, spec.unit_idz)


CRITERIA: dict[str, tuple[Any, str]] = {
    "the same for all": (
        staticmethod(always),
        r"criteria gives no condition for channel_ids=\(1,\)",
    ),
    "None": (staticmethod(of_none), "criteria returns None"),
    "a truth of Python's": (staticmethod(of_python), "criteria yields False .*no SQL expression"),
    "a slip": (staticmethod(of_a_slip), "criteria reads 'unit_idz', which UnitFilter has not"),
    "no static method": (UnitRepository.criteria, "criteria is no @staticmethod"),
}


@pytest.mark.parametrize("criteria", CRITERIA)
def test_criteria_are_tried_when_the_class_is_defined(criteria: str) -> None:
    function, message = CRITERIA[criteria]
    with pytest.raises(ConfigurationError, match=f"Declared: {message}"):
        declare(criteria=function)


@dataclass(frozen=True, kw_only=True, repr=False)
class IdFilter(Filter):
    unit_ids: Ids = None


def test_what_criteria_always_demand_is_demanded_once_of_every_question(
    synthetic: SyntheticLims,
) -> None:
    units = declare(filter_type=IdFilter, criteria=staticmethod(always))(synthetic.database)
    ids = units.ids().tolist()
    assert 0 < len(ids) == units.count(where=EcephysUnit.quality == "good")
    one = IdFilter(unit_ids=ids[:1])
    assert units.ids(one).tolist() == ids[:1]
    assert [step.name for step in units.explain(one).funnel[-2:]] == ["criteria", "unit_ids"]


def _kept(_field: str, value: Any) -> Any:
    return value


Flag = Annotated[bool | None, FieldKind(_kept, min, bool)]


@dataclass(frozen=True, kw_only=True, repr=False)
class FlagFilter(Filter):
    unit_ids: Ids = None
    run_ids: Ids = None
    flag: Flag = None


def of_flag(spec: FlagFilter) -> Iterator[ColumnElement[bool]]:
    yield from among(EcephysUnit.id, spec.unit_ids)
    yield from among(EcephysAnalysisRun.id, spec.run_ids)
    if spec.flag:
        yield EcephysUnit.quality == "good"


def test_a_field_without_a_condition_is_refused(synthetic: SyntheticLims) -> None:
    with pytest.raises(ConfigurationError, match=r"no condition for forgotten_ids=\(1,\)"):
        declare(filter_type=OddFilter, criteria=staticmethod(odd))
    units = declare(filter_type=FlagFilter, criteria=staticmethod(of_flag))(synthetic.database)
    assert units.count(FlagFilter(id_range=(None, 0), unit_ids=[])) == 0
    assert 0 < units.count(FlagFilter(flag=True)) < units.count()
    with pytest.raises(ConfigurationError, match="no condition for flag=False"):
        units.count(FlagFilter(flag=False, unit_ids=[3]))
    with pytest.raises(ConfigurationError, match="of run_ids, names ecephys_analysis_runs"):
        units.frame(FlagFilter(run_ids=[1]))


def test_a_base_of_repositories_declares_what_it_likes(synthetic: SyntheticLims) -> None:
    class OfLab(Repository[M, UnitFilter]):
        filter_type = UnitFilter
        rules = (SESSION_NOT_FAILED,)
        criteria = staticmethod(UnitRepository.criteria)

    class Units(OfLab[EcephysUnit]):
        model = EcephysUnit
        statement = UnitRepository.statement
        columns = (EcephysUnit.id,)

    assert Units(synthetic.database).count(where=EcephysSession.id > 0) > 0
    with pytest.raises(ConfigurationError, match="OfLab declares no statement"):
        OfLab(synthetic.database)
    with pytest.raises(InvalidFilterError):
        Units(synthetic.database).count(where=Structure.id > 0)


LATER = """
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column, relationship
from ecephys_dal import ConfigurationError, Database, UnitFilter, UnitRepository
from ecephys_dal.models import Base, EcephysUnit, Structure
from ecephys_dal.repositories import Repository

class Note(Base):
    __tablename__ = "notes"
    unit_id: Mapped[int] = mapped_column(ForeignKey("ecephys_units.id"))
    unit: Mapped["EcephysUnit"] = relationship()
    {more}

class Notes(Repository):
    model, filter_type = Note, UnitFilter
    statement = select(Note).join(Note.unit)
    columns = Note.id, {column}
    criteria = staticmethod(UnitRepository.criteria)

assert not any(mapper.configured for mapper in Base.registry.mappers if mapper.class_ is Note)
for repository in {asked}:
    for time in range(2):
        try:
            repository(Database("sqlite://")).frame()
        except ConfigurationError as error:
            print(error)
"""


def run(**parts: str) -> list[str]:
    code = LATER.format(**parts)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.splitlines()


def test_a_class_is_defined_before_its_models_and_checked_at_the_first_query() -> None:
    lines = run(more="", column="Structure.acronym", asked="[Notes]")
    assert lines == ["Notes: column 'acronym' names structures, which statement does not join"] * 2


def test_a_broken_relationship_of_another_class_is_named() -> None:
    broken = 'nothing: Mapped["Nothing"] = relationship("Nothing")'
    lines = run(more=broken, column="Note.unit_id", asked="[UnitRepository, Notes]")
    assert len(lines) == 4
    for line in lines:
        assert "Note can't be mapped" in line
        assert "Nothing" in line
