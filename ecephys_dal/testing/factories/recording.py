# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: D106 - a nested Meta or Params belongs to its factory
"""Factories of the recordings, and of what surrounds them."""

from __future__ import annotations

import datetime as dt

from factory.declarations import LazyAttribute, LazyFunction, SelfAttribute, SubFactory

from ecephys_dal import models
from ecephys_dal.testing.factories.base import ACQUIRED_AT, CREATED_AT, PRODUCTION, LimsFactory
from ecephys_dal.testing.factories.projects import (
    EquipmentFactory,
    ProjectFactory,
    StructureFactory,
    UserFactory,
)
from ecephys_dal.testing.factories.subjects import SpecimenFactory

__all__ = [
    "BehaviorSessionFactory",
    "EcephysChannelFactory",
    "EcephysProbeFactory",
    "EcephysSessionFactory",
    "EcephysUnitFactory",
    "IsiExperimentFactory",
]


class IsiExperimentFactory(LimsFactory[models.IsiExperiment]):
    """An intrinsic signal imaging experiment that passed."""

    class Meta:
        model = models.IsiExperiment

    project = SubFactory(ProjectFactory)
    date_of_acquisition = dt.datetime.fromisoformat("2018-05-29T16:03:44")
    workflow_state = "passed"


class EcephysSessionFactory(LimsFactory[models.EcephysSession]):
    """A released session of brain_observatory_1.1."""

    class Meta:
        model = models.EcephysSession

    name = "20180627130420_704511589"
    stimulus_name = "brain_observatory_1.1"
    project = SubFactory(ProjectFactory)
    specimen = SubFactory(SpecimenFactory, project=SelfAttribute("..project"))
    isi_experiment = SubFactory(IsiExperimentFactory, project=SelfAttribute("..project"))
    equipment = SubFactory(EquipmentFactory)
    operator = SubFactory(UserFactory)
    qc_operator = None
    storage_directory = LazyAttribute(
        lambda session: f"{PRODUCTION}/specimen_{session.specimen.id}/ecephys_session_{session.id}/"
    )
    workflow_state = "uploaded"
    date_of_acquisition = ACQUIRED_AT
    created_at = CREATED_AT
    updated_at = ACQUIRED_AT
    published_at = dt.datetime.fromisoformat("2019-10-03")
    habituation = False


class BehaviorSessionFactory(LimsFactory[models.BehaviorSession]):
    """The behavior of a session, with its donor."""

    class Meta:
        model = models.BehaviorSession

    ecephys_session = SubFactory(EcephysSessionFactory)
    donor = LazyAttribute(
        lambda behavior: behavior.ecephys_session and behavior.ecephys_session.specimen.donor
    )
    equipment = LazyAttribute(
        lambda behavior: behavior.ecephys_session and behavior.ecephys_session.equipment
    )
    project = LazyAttribute(
        lambda behavior: behavior.ecephys_session and behavior.ecephys_session.project
    )
    foraging_id = "c7b11bbf-4f5f-4f6c-9a5c-0b9c1d1d8e0a"
    stimulus_name = "EPHYS_1_images_G_5uL_reward"
    storage_directory = LazyAttribute(
        lambda behavior: f"{PRODUCTION}/behavior_session_{behavior.id}/"
    )
    date_of_acquisition = ACQUIRED_AT
    created_at = CREATED_AT


class EcephysProbeFactory(LimsFactory[models.EcephysProbe]):
    """A passed probe of phase 3a, with LFP."""

    class Meta:
        model = models.EcephysProbe

    name = "probeA"
    session = SubFactory(EcephysSessionFactory)
    storage_directory = LazyAttribute(
        lambda probe: f"{probe.session.storage_directory}ecephys_probe_{probe.id}/"
    )
    workflow_state = "passed"
    created_at = CREATED_AT
    updated_at = ACQUIRED_AT
    probe_info = LazyFunction(dict)
    global_probe_sampling_rate = 29999.967512
    global_probe_lfp_sampling_rate = 2499.997293
    total_time_shift = -7.3
    phase = "3a"
    air_channel_index = 384
    surface_channel_index = 353
    use_lfp_data = True
    temporal_subsampling_factor = 2.0


class EcephysChannelFactory(LimsFactory[models.EcephysChannel]):
    """A valid channel in the primary visual area, registered to the atlas (µm)."""

    class Meta:
        model = models.EcephysChannel

    probe = SubFactory(EcephysProbeFactory)
    local_index = 0
    probe_vertical_position = 20.0
    probe_horizontal_position = 43.0
    structure = SubFactory(StructureFactory)
    anterior_posterior_ccf_coordinate = 8157.0
    dorsal_ventral_ccf_coordinate = 1098.0
    left_right_ccf_coordinate = 7754.0
    valid_data = True


class EcephysUnitFactory(LimsFactory[models.EcephysUnit]):
    """A good unit."""

    class Meta:
        model = models.EcephysUnit

    local_index = 0
    cluster_ids = 0
    channel = SubFactory(EcephysChannelFactory)
    quality = "good"
    snr = 2.209863
    firing_rate = 7.094434
    isi_violations = 0.032469
    presence_ratio = 0.99
    amplitude_cutoff = 0.031664
    isolation_distance = 54.361285
    l_ratio = 0.007841
    d_prime = 4.310245
    nn_hit_rate = 0.980952
    nn_miss_rate = 0.001687
    silhouette_score = 0.157821
    max_drift = 36.91
    cumulative_drift = 217.04
    epoch_name_quality_metrics = "complete_session"
    epoch_name_waveform_metrics = "complete_session"
    duration = 0.535678
    halfwidth = 0.20603
    PT_ratio = 0.446322
    repolarization_slope = 0.601223
    recovery_slope = -0.193164
    amplitude = 164.87814
    spread = 80.0
    velocity_above = 0.0
    velocity_below = -0.343384
