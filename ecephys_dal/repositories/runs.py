"""Analysis runs: what computed the files and the metrics of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ecephys_dal.filters import AnalysisRunFilter
from ecephys_dal.models import EcephysAnalysisRun, EcephysAnalysisRunProbe
from ecephys_dal.repositories.base import Repository
from ecephys_dal.repositories.clauses import among

if TYPE_CHECKING:
    from ecephys_dal.repositories.clauses import Clauses

__all__ = ["AnalysisRunRepository"]


class AnalysisRunRepository(Repository[EcephysAnalysisRun, AnalysisRunFilter]):
    """The analysis runs; no rule hides one that is not in force."""

    model = EcephysAnalysisRun
    filter_type = AnalysisRunFilter
    statement = select(EcephysAnalysisRun)
    columns = (
        EcephysAnalysisRun.id,
        EcephysAnalysisRun.ecephys_session_id,
        EcephysAnalysisRun.job_strategy_class,
        EcephysAnalysisRun.current,
    )

    @staticmethod
    def criteria(spec: AnalysisRunFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from among(EcephysAnalysisRun.id, spec.run_ids)
        yield from among(EcephysAnalysisRun.ecephys_session_id, spec.session_ids)
        if spec.probe_ids is not None:
            parts = among(EcephysAnalysisRunProbe.ecephys_probe_id, spec.probe_ids)
            yield EcephysAnalysisRun.run_probes.any(*parts)
