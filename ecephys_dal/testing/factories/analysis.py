# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: D106 - a nested Meta or Params belongs to its factory
"""Factories of what was computed from the recordings."""

from __future__ import annotations

from factory.declarations import LazyFunction, SelfAttribute, SubFactory

from ecephys_dal import models
from ecephys_dal.testing.factories.base import LimsFactory
from ecephys_dal.testing.factories.recording import (
    EcephysProbeFactory,
    EcephysSessionFactory,
    EcephysUnitFactory,
)

__all__ = [
    "EcephysAnalysisRunFactory",
    "EcephysAnalysisRunProbeFactory",
    "EcephysUnitMetricBundleFactory",
]


class EcephysAnalysisRunFactory(LimsFactory[models.EcephysAnalysisRun]):
    """The run in force that wrote a session's NWB file."""

    class Meta:
        model = models.EcephysAnalysisRun

    session = SubFactory(EcephysSessionFactory)
    current = True
    job_strategy_class = "EcephysWriteNwbStrategy"


class EcephysAnalysisRunProbeFactory(LimsFactory[models.EcephysAnalysisRunProbe]):
    """A probe's part in a run of its session."""

    class Meta:
        model = models.EcephysAnalysisRunProbe

    probe = SubFactory(EcephysProbeFactory)
    run = SubFactory(EcephysAnalysisRunFactory, session=SelfAttribute("..probe.session"))


class EcephysUnitMetricBundleFactory(LimsFactory[models.EcephysUnitMetricBundle]):
    """A unit's metrics, of a run of its session; ``data`` holds a few of the keys."""

    class Meta:
        model = models.EcephysUnitMetricBundle

    unit = SubFactory(EcephysUnitFactory)
    run = SubFactory(
        EcephysAnalysisRunFactory,
        session=SelfAttribute("..unit.channel.probe.session"),
        job_strategy_class="EcephysUnitMetricsStrategy",
    )
    data = LazyFunction(
        lambda: {
            "firing_rate_dg": 7.25,
            "pref_ori_multi_dg": False,
            "pref_image_ns": 4929,
            # Stored in each other's place, as in LIMS.
            "p_value_rf": True,
            "on_screen_rf": 0.016,
        }
    )
