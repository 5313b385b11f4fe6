"""Intrinsic signal imaging experiments: the maps of visual areas that guide the probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ecephys_dal.filters import IsiExperimentFilter
from ecephys_dal.models import EcephysSession, IsiExperiment
from ecephys_dal.repositories.base import Repository
from ecephys_dal.repositories.clauses import among

if TYPE_CHECKING:
    from ecephys_dal.repositories.clauses import Clauses

__all__ = ["IsiExperimentRepository"]


class IsiExperimentRepository(Repository[IsiExperiment, IsiExperimentFilter]):
    """The intrinsic signal imaging experiments."""

    model = IsiExperiment
    filter_type = IsiExperimentFilter
    statement = select(IsiExperiment)
    columns = (
        IsiExperiment.id,
        IsiExperiment.project_id,
        IsiExperiment.date_of_acquisition,
        IsiExperiment.workflow_state,
    )

    @staticmethod
    def criteria(spec: IsiExperimentFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from among(IsiExperiment.id, spec.isi_experiment_ids)
        if spec.session_ids is not None:
            yield IsiExperiment.ecephys_sessions.any(*among(EcephysSession.id, spec.session_ids))
