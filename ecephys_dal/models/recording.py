"""The recordings: sessions, probes, channels and sorted units."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import false
from sqlalchemy.orm import Mapped, mapped_column

from ecephys_dal.models.base import Base, DayOrTimestamp, ForeignId, Record, reference, related
from ecephys_dal.models.files import Attachable

if TYPE_CHECKING:
    from ecephys_dal.models.analysis import (
        EcephysAnalysisRun,
        EcephysAnalysisRunProbe,
        EcephysUnitMetricBundle,
    )
    from ecephys_dal.models.anatomy import Structure
    from ecephys_dal.models.behavior import BehaviorSession, IsiExperiment
    from ecephys_dal.models.projects import Equipment, Project, User
    from ecephys_dal.models.subjects import Specimen

__all__ = ["EcephysChannel", "EcephysProbe", "EcephysSession", "EcephysUnit"]


class EcephysSession(Attachable, Base):
    """A recording.

    ``stimulus_name`` is what users know as the session type, ``date_of_acquisition`` is a time of
    upload, and ``published_at`` is NULL until the recording is released.
    """

    __tablename__ = "ecephys_sessions"

    name: Mapped[str]
    stimulus_name: Mapped[str | None]
    storage_directory: Mapped[str | None]
    workflow_state: Mapped[str | None]
    specimen_id: Mapped[int] = reference("specimens.id", nullable=False)
    isi_experiment_id: Mapped[int | None] = reference("isi_experiments.id")
    equipment_id: Mapped[int | None] = reference("equipment.id")
    operator_id: Mapped[int | None] = reference("users.id")
    qc_operator_id: Mapped[int | None] = reference("users.id")
    eye_tracking_id: Mapped[ForeignId | None]
    observatory_stimulus_config_id: Mapped[ForeignId | None]
    project_id: Mapped[int] = reference("projects.id", nullable=False)
    date_of_acquisition: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    temp_upload_directory: Mapped[str | None]
    published_at: Mapped[dt.datetime | None] = mapped_column(DayOrTimestamp, index=True)
    habituation: Mapped[bool] = mapped_column(server_default=false())
    foraging_id: Mapped[str | None]

    project: Mapped[Project] = related(back_populates="ecephys_sessions")
    specimen: Mapped[Specimen] = related(back_populates="ecephys_sessions")
    isi_experiment: Mapped[IsiExperiment | None] = related(back_populates="ecephys_sessions")
    equipment: Mapped[Equipment | None] = related(back_populates="ecephys_sessions")
    operator: Mapped[User | None] = related(
        back_populates="operated_sessions", foreign_keys=[operator_id]
    )
    qc_operator: Mapped[User | None] = related(
        back_populates="qc_sessions", foreign_keys=[qc_operator_id]
    )
    behavior_session: Mapped[BehaviorSession | None] = related(back_populates="ecephys_session")
    probes: Mapped[list[EcephysProbe]] = related(back_populates="session")
    analysis_runs: Mapped[list[EcephysAnalysisRun]] = related(back_populates="session")


class EcephysProbe(Attachable, Base):
    """One insertion of a Neuropixels probe; sampling rates are in Hz."""

    __tablename__ = "ecephys_probes"

    name: Mapped[str | None]
    storage_directory: Mapped[str | None]
    workflow_state: Mapped[str | None]
    ecephys_session_id: Mapped[int] = reference("ecephys_sessions.id", nullable=False)
    created_at: Mapped[dt.datetime | None]
    updated_at: Mapped[dt.datetime | None]
    probe_info: Mapped[Record | None]
    global_probe_sampling_rate: Mapped[float | None]
    global_probe_lfp_sampling_rate: Mapped[float | None]
    total_time_shift: Mapped[float | None]
    phase: Mapped[str | None]
    air_channel_index: Mapped[int | None]
    surface_channel_index: Mapped[int | None]
    use_lfp_data: Mapped[bool | None]
    temporal_subsampling_factor: Mapped[float | None]

    session: Mapped[EcephysSession] = related(back_populates="probes")
    channels: Mapped[list[EcephysChannel]] = related(back_populates="probe")
    analysis_run_probes: Mapped[list[EcephysAnalysisRunProbe]] = related(back_populates="probe")


class EcephysChannel(Base):
    """An electrode site of a probe.

    Positions on the probe and CCFv3 coordinates are in µm. A coordinate of -1000 was the mark of
    a channel that is not registered to the atlas in 2019 and 2020; later those are NULL.
    """

    __tablename__ = "ecephys_channels"

    ecephys_probe_id: Mapped[int] = reference("ecephys_probes.id", nullable=False)
    local_index: Mapped[int]
    probe_vertical_position: Mapped[float | None]
    probe_horizontal_position: Mapped[float | None]
    manual_structure_id: Mapped[int | None] = reference("structures.id")
    anterior_posterior_ccf_coordinate: Mapped[float | None]
    dorsal_ventral_ccf_coordinate: Mapped[float | None]
    left_right_ccf_coordinate: Mapped[float | None]
    valid_data: Mapped[bool | None]

    probe: Mapped[EcephysProbe] = related(back_populates="channels")
    structure: Mapped[Structure | None] = related(back_populates="channels")
    units: Mapped[list[EcephysUnit]] = related(back_populates="channel")


class EcephysUnit(Base):
    """A sorted cluster, a putative neuron, with its quality and waveform metrics."""

    __tablename__ = "ecephys_units"

    local_index: Mapped[int]
    cluster_ids: Mapped[int]
    ecephys_channel_id: Mapped[int] = reference("ecephys_channels.id", nullable=False)
    quality: Mapped[str]
    snr: Mapped[float | None]
    firing_rate: Mapped[float]
    isi_violations: Mapped[float]
    presence_ratio: Mapped[float]
    amplitude_cutoff: Mapped[float]
    isolation_distance: Mapped[float | None]
    l_ratio: Mapped[float | None]
    d_prime: Mapped[float | None]
    nn_hit_rate: Mapped[float | None]
    nn_miss_rate: Mapped[float | None]
    silhouette_score: Mapped[float | None]
    max_drift: Mapped[float | None]
    cumulative_drift: Mapped[float | None]
    epoch_name_quality_metrics: Mapped[str | None]
    epoch_name_waveform_metrics: Mapped[str | None]
    duration: Mapped[float | None]
    halfwidth: Mapped[float | None]
    PT_ratio: Mapped[float | None]
    repolarization_slope: Mapped[float | None]
    recovery_slope: Mapped[float | None]
    amplitude: Mapped[float | None]
    spread: Mapped[float | None]
    velocity_above: Mapped[float | None]
    velocity_below: Mapped[float | None]

    channel: Mapped[EcephysChannel] = related(back_populates="units")
    metric_bundles: Mapped[list[EcephysUnitMetricBundle]] = related(back_populates="unit")
