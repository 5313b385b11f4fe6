"""Probes: the insertions of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ecephys_dal.filters import ProbeFilter
from ecephys_dal.models import EcephysProbe, EcephysSession
from ecephys_dal.repositories.base import Repository
from ecephys_dal.repositories.clauses import among, published_by
from ecephys_dal.rules import PROBE_NOT_FAILED, SESSION_NOT_FAILED, SESSION_NOT_HABITUATION

if TYPE_CHECKING:
    from ecephys_dal.repositories.clauses import Clauses

__all__ = ["ProbeRepository"]


class ProbeRepository(Repository[EcephysProbe, ProbeFilter]):
    """The probes, with their sampling rates in Hz."""

    model = EcephysProbe
    filter_type = ProbeFilter
    statement = select(EcephysProbe).join(EcephysProbe.session)
    rules = (SESSION_NOT_HABITUATION, SESSION_NOT_FAILED, PROBE_NOT_FAILED)
    columns = (
        EcephysProbe.id,
        EcephysProbe.ecephys_session_id,
        EcephysProbe.name,
        EcephysProbe.global_probe_sampling_rate.label("sampling_rate"),
        EcephysProbe.global_probe_lfp_sampling_rate.label("lfp_sampling_rate"),
        EcephysProbe.phase,
        EcephysProbe.air_channel_index,
        EcephysProbe.surface_channel_index,
        EcephysProbe.use_lfp_data.label("has_lfp_data"),
        EcephysProbe.temporal_subsampling_factor.label("lfp_temporal_subsampling_factor"),
    )

    @staticmethod
    def criteria(spec: ProbeFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from among(EcephysProbe.id, spec.probe_ids)
        yield from among(EcephysSession.id, spec.session_ids)
        yield from published_by(EcephysSession.published_at, spec.published_at)
