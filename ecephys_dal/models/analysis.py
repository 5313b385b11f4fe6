"""What was computed from the recordings: analysis runs and the metrics they gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.orm import Mapped

from ecephys_dal.models.base import Base, Record, reference, related
from ecephys_dal.models.files import Attachable

if TYPE_CHECKING:
    from ecephys_dal.models.recording import EcephysProbe, EcephysSession, EcephysUnit

__all__ = ["EcephysAnalysisRun", "EcephysAnalysisRunProbe", "EcephysUnitMetricBundle"]


class EcephysAnalysisRun(Attachable, Base):
    """One run of one strategy on a session.

    ``current`` marks the run in force, one for each session and strategy: a session has several.
    """

    __tablename__ = "ecephys_analysis_runs"

    ecephys_session_id: Mapped[int] = reference("ecephys_sessions.id", nullable=False)
    current: Mapped[bool | None]
    job_strategy_class: Mapped[str | None]

    session: Mapped[EcephysSession] = related(back_populates="analysis_runs")
    run_probes: Mapped[list[EcephysAnalysisRunProbe]] = related(back_populates="run")
    metric_bundles: Mapped[list[EcephysUnitMetricBundle]] = related(back_populates="run")


class EcephysAnalysisRunProbe(Attachable, Base):
    """A probe's part in an analysis run; whether it is in force, only the run knows."""

    __tablename__ = "ecephys_analysis_run_probes"

    ecephys_analysis_run_id: Mapped[int] = reference("ecephys_analysis_runs.id", nullable=False)
    ecephys_probe_id: Mapped[int] = reference("ecephys_probes.id", nullable=False)

    run: Mapped[EcephysAnalysisRun] = related(back_populates="run_probes")
    probe: Mapped[EcephysProbe] = related(back_populates="analysis_run_probes")


class EcephysUnitMetricBundle(Base):
    """A unit's responses to the stimuli of its session: one JSON object of named metrics."""

    __tablename__ = "ecephys_unit_metric_bundles"

    ecephys_unit_id: Mapped[int] = reference("ecephys_units.id", nullable=False)
    ecephys_analysis_run_id: Mapped[int] = reference("ecephys_analysis_runs.id", nullable=False)
    data: Mapped[Record | None]

    unit: Mapped[EcephysUnit] = related(back_populates="metric_bundles")
    run: Mapped[EcephysAnalysisRun] = related(back_populates="metric_bundles")
