"""Units: the sorted clusters, and the metrics of their responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ecephys_dal.filters import UnitFilter, UnitMetricFilter
from ecephys_dal.frames import metric_columns
from ecephys_dal.models import (
    EcephysChannel,
    EcephysProbe,
    EcephysSession,
    EcephysUnit,
    EcephysUnitMetricBundle,
)
from ecephys_dal.repositories.base import Repository
from ecephys_dal.repositories.clauses import among, named, published_by
from ecephys_dal.rules import (
    CHANNEL_VALID_DATA,
    PROBE_NOT_FAILED,
    RUN_IS_CURRENT,
    SESSION_NOT_FAILED,
    SESSION_NOT_HABITUATION,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ecephys_dal.frames import FrameColumn, Piece
    from ecephys_dal.repositories.clauses import Clauses

__all__ = ["UnitMetricRepository", "UnitRepository"]


class UnitRepository(Repository[EcephysUnit, UnitFilter]):
    """The units, with their quality and waveform metrics."""

    model = EcephysUnit
    filter_type = UnitFilter
    is_large = True
    statement = (
        select(EcephysUnit)
        .join(EcephysUnit.channel)
        .join(EcephysChannel.probe)
        .join(EcephysProbe.session)
    )
    rules = (SESSION_NOT_HABITUATION, SESSION_NOT_FAILED, PROBE_NOT_FAILED, CHANNEL_VALID_DATA)
    columns = (
        EcephysUnit.id,
        EcephysUnit.ecephys_channel_id,
        EcephysUnit.quality,
        EcephysUnit.snr,
        EcephysUnit.firing_rate,
        EcephysUnit.isi_violations,
        EcephysUnit.presence_ratio,
        EcephysUnit.amplitude_cutoff,
        EcephysUnit.isolation_distance,
        EcephysUnit.l_ratio,
        EcephysUnit.d_prime,
        EcephysUnit.nn_hit_rate,
        EcephysUnit.nn_miss_rate,
        EcephysUnit.silhouette_score,
        EcephysUnit.max_drift,
        EcephysUnit.cumulative_drift,
        EcephysUnit.epoch_name_quality_metrics,
        EcephysUnit.epoch_name_waveform_metrics,
        EcephysUnit.duration,
        EcephysUnit.halfwidth,
        EcephysUnit.PT_ratio,
        EcephysUnit.repolarization_slope,
        EcephysUnit.recovery_slope,
        EcephysUnit.amplitude,
        EcephysUnit.spread,
        EcephysUnit.velocity_above,
        EcephysUnit.velocity_below,
    )

    @staticmethod
    def criteria(spec: UnitFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from among(EcephysUnit.id, spec.unit_ids)
        yield from among(EcephysChannel.id, spec.channel_ids)
        yield from among(EcephysProbe.id, spec.probe_ids)
        yield from among(EcephysSession.id, spec.session_ids)
        yield from published_by(EcephysSession.published_at, spec.published_at)


class UnitMetricRepository(Repository[EcephysUnitMetricBundle, UnitMetricFilter]):
    """The metric bundles of units, one a row, indexed by the unit.

    The columns of a frame are the keys of its bundles, because only the bundles know them.
    """

    model = EcephysUnitMetricBundle
    filter_type = UnitMetricFilter
    is_large = True
    noun = "metric bundle"
    has_fixed_columns = False
    statement = (
        select(EcephysUnitMetricBundle)
        .join(EcephysUnitMetricBundle.run)
        .join(EcephysUnitMetricBundle.unit)
        .join(EcephysUnit.channel)
        .join(EcephysChannel.probe)
        .join(EcephysProbe.session)
    )
    rules = (RUN_IS_CURRENT,)
    # The bundles of one run have the same keys, which helps to decode them.
    columns = (
        EcephysUnitMetricBundle.ecephys_unit_id,
        EcephysUnitMetricBundle.data,
        EcephysUnitMetricBundle.ecephys_analysis_run_id,
    )

    @staticmethod
    def criteria(spec: UnitMetricFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from among(EcephysUnit.id, spec.unit_ids)
        yield from among(EcephysSession.id, spec.ecephys_session_ids)
        yield from named(EcephysSession.stimulus_name, spec.session_types)

    def _columns_of(self, pieces: Iterable[Piece]) -> tuple[list[FrameColumn], list[Piece]]:
        return metric_columns(pieces, self.columns[0].key, self.columns[1])
