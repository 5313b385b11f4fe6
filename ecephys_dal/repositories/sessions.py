"""Sessions: the recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, literal, select

from ecephys_dal.filters import SessionFilter
from ecephys_dal.models import Age, Donor, EcephysAnalysisRun, EcephysSession, Gender, Specimen
from ecephys_dal.repositories.base import Repository
from ecephys_dal.repositories.clauses import among, published_by
from ecephys_dal.repositories.files import SessionNwbRepository
from ecephys_dal.rules import SESSION_NOT_FAILED, SESSION_NOT_HABITUATION

if TYPE_CHECKING:
    from ecephys_dal.repositories.clauses import Clauses

__all__ = ["SessionRepository"]

_HAS_NWB = (
    SessionNwbRepository.visible()
    .with_only_columns(literal(1), maintain_column_froms=True)  # no more of the file is needed
    .where(EcephysAnalysisRun.ecephys_session_id == EcephysSession.id)
    .exists()
)


class SessionRepository(Repository[EcephysSession, SessionFilter]):
    """The sessions, with what is known of the animal and whether there is an NWB file."""

    model = EcephysSession
    filter_type = SessionFilter
    statement = (
        select(EcephysSession)
        .join(EcephysSession.specimen)
        .join(Specimen.donor)
        .outerjoin(Donor.gender)
        .outerjoin(Donor.age)
    )
    rules = (SESSION_NOT_HABITUATION, SESSION_NOT_FAILED)
    columns = (
        EcephysSession.id,
        EcephysSession.specimen_id,
        EcephysSession.stimulus_name.label("session_type"),
        EcephysSession.isi_experiment_id,
        EcephysSession.date_of_acquisition,
        EcephysSession.published_at,
        func.coalesce(Donor.full_genotype, "wt").label("genotype"),
        Gender.name.label("sex"),
        Age.days.label("age_in_days"),
        _HAS_NWB.label("has_nwb"),
    )

    @staticmethod
    def criteria(spec: SessionFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from among(EcephysSession.id, spec.session_ids)
        yield from published_by(EcephysSession.published_at, spec.published_at)
