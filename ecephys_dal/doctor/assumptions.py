"""What rules and methods take for granted of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Select, func, inspect, not_, or_, select
from sqlalchemy.sql import visitors

from ecephys_dal.doctor.rows import Assumption
from ecephys_dal.doctor.uses import name_of
from ecephys_dal.models import (
    LIMS_MODELS,
    Age,
    Donor,
    EcephysAnalysisRun,
    EcephysAnalysisRunProbe,
    EcephysChannel,
    EcephysProbe,
    EcephysSession,
    Gender,
    Specimen,
    Stimulus,
    StimulusNamespace,
)
from ecephys_dal.repositories import (
    ProbeLfpRepository,
    ProbeRepository,
    SessionNwbRepository,
    SessionRepository,
    TemplateRepository,
)
from ecephys_dal.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecephys_dal.doctor.checks import Check
    from ecephys_dal.repositories import Repository
    from ecephys_dal.rules import Rule

__all__ = ["RULE_COLUMNS", "assumptions"]

_SENTINEL = -1000.0
_CCF = (
    EcephysChannel.anterior_posterior_ccf_coordinate,
    EcephysChannel.dorsal_ventral_ccf_coordinate,
    EcephysChannel.left_right_ccf_coordinate,
)
_RATES = (EcephysProbe.global_probe_sampling_rate, EcephysProbe.global_probe_lfp_sampling_rate)


def _visible(repository: type[Repository[Any, Any]], *columns: Any) -> Select[Any]:
    """Return columns of the records that a repository shows; the rows stay the same."""
    return repository.visible().with_only_columns(*columns, maintain_column_froms=True)


def _columns_of(rule: Rule) -> list[Column[Any]]:
    return [one for one in visitors.iterate(rule.clause) if isinstance(one, Column)]


def _undecided(rule: Rule) -> Assumption:
    columns = _columns_of(rule)
    table = columns[0].table
    null = or_(*(column.is_(None) for column in columns))
    return Assumption(
        "rule_undecided", tuple(columns), _noun(table), select(table.c.id).where(null)
    )


def _noun(table: Any) -> str:
    return str(table.name).removeprefix("ecephys_").replace("_", " ")


def _without_parent() -> Iterator[Assumption]:
    """Yield, for each record that must have a parent by the models, that it has one."""
    for model in LIMS_MODELS:
        for relation in inspect(model).relationships:
            local = next(iter(relation.local_columns))
            if relation.uselist or relation.viewonly or local.nullable or local.primary_key:
                continue
            parent = getattr(model, relation.key)
            orphans = select(model.id).where(not_(parent.has()))
            yield Assumption("parent_missing", (local,), _noun(model.__table__), orphans)


def _one_file_each(
    repository: type[Repository[Any, Any]], owner_id: Any, owners: Select[Any], *codes: str
) -> Iterator[Assumption]:
    """Yield that each of the owners has a file, and none has several."""
    (owner,) = owners.selected_columns
    files = _visible(repository, owner_id)
    none = owners.where(not_(files.where(owner_id == owner).exists()))
    several = files.group_by(owner_id).having(func.count() > 1)
    for code, otherwise in zip(codes, (none, several), strict=True):
        yield Assumption(code, (owner_id,), _noun(owner.table), otherwise, repository)


def _of_files() -> Iterator[Assumption]:
    sessions = _visible(SessionRepository, EcephysSession.id)
    session_id = EcephysAnalysisRun.ecephys_session_id
    yield from _one_file_each(
        SessionNwbRepository, session_id, sessions, "nwb_missing", "nwb_twice"
    )
    probes = _visible(ProbeRepository, EcephysProbe.id).where(EcephysProbe.use_lfp_data.is_(True))
    probe_id = EcephysAnalysisRunProbe.ecephys_probe_id
    yield from _one_file_each(ProbeLfpRepository, probe_id, probes, "lfp_missing", "lfp_twice")
    again = (
        _visible(TemplateRepository, func.min(Stimulus.id))
        .group_by(StimulusNamespace.name, Stimulus.name)
        .having(func.count() > 1)
    )
    yield Assumption("template_twice", (Stimulus.name,), "stimuli", again)
    without_file = select(Stimulus.id).where(not_(Stimulus.well_known_file.has()))
    yield Assumption(
        "template_without_file", (Stimulus.well_known_file_id,), "stimuli", without_file
    )


def _of_records() -> Iterator[Assumption]:
    run = EcephysAnalysisRun
    again = (
        select(run.ecephys_session_id)
        .where(run.current.is_(True))
        .group_by(run.ecephys_session_id, run.job_strategy_class)
        .having(func.count() > 1)
    )
    yield Assumption("run_current_twice", (run.current,), "sessions", again)
    without_donor = (
        select(EcephysSession.id)
        .join(EcephysSession.specimen)
        .outerjoin(Specimen.donor)
        .where(Donor.id.is_(None))
    )
    yield Assumption("donor_missing", (Specimen.donor_id,), "sessions", without_donor)
    donors = _visible(SessionRepository, Donor.id).distinct()
    yield Assumption(
        "age_missing", (Donor.age_id, Age.days), "donors", donors.where(Age.days.is_(None))
    )
    without_gender = donors.where(Gender.name.is_(None))
    yield Assumption("gender_missing", (Donor.gender_id, Gender.name), "donors", without_gender)
    sentinel = or_(*(coordinate == _SENTINEL for coordinate in _CCF))
    unregistered = select(EcephysChannel.id).where(sentinel)
    yield Assumption("coordinate_sentinel", _CCF, "channels", unregistered)
    zero = or_(*(rate == 0 for rate in _RATES))
    probes = _visible(ProbeRepository, EcephysProbe.id)
    yield Assumption("sampling_rate_zero", _RATES, "probes", probes.where(zero))


RULE_COLUMNS = frozenset(name_of(one) for rule in RULES for one in _columns_of(rule))


def assumptions() -> tuple[Check, ...]:
    """Return the checks of all that is taken for granted; the mappers are configured."""
    taken = (*map(_undecided, RULES), *_without_parent(), *_of_records(), *_of_files())
    return tuple(assumption.check() for assumption in taken)
