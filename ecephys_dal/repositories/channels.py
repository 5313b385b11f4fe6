"""Channels: the electrode sites of a probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ecephys_dal.filters import ChannelFilter
from ecephys_dal.models import EcephysChannel, EcephysProbe, EcephysSession, Structure
from ecephys_dal.repositories.base import Repository
from ecephys_dal.repositories.clauses import among, published_by
from ecephys_dal.rules import (
    CHANNEL_VALID_DATA,
    PROBE_NOT_FAILED,
    SESSION_NOT_FAILED,
    SESSION_NOT_HABITUATION,
)

if TYPE_CHECKING:
    from ecephys_dal.repositories.clauses import Clauses

__all__ = ["ChannelRepository"]


class ChannelRepository(Repository[EcephysChannel, ChannelFilter]):
    """The channels, with their places on the probe and in the brain, in µm."""

    model = EcephysChannel
    filter_type = ChannelFilter
    is_large = True
    statement = (
        select(EcephysChannel)
        .join(EcephysChannel.probe)
        .join(EcephysProbe.session)
        .outerjoin(EcephysChannel.structure)
    )
    rules = (SESSION_NOT_HABITUATION, SESSION_NOT_FAILED, PROBE_NOT_FAILED, CHANNEL_VALID_DATA)
    columns = (
        EcephysChannel.id,
        EcephysChannel.ecephys_probe_id,
        EcephysChannel.local_index,
        EcephysChannel.probe_vertical_position,
        EcephysChannel.probe_horizontal_position,
        EcephysChannel.manual_structure_id.label("ecephys_structure_id"),
        Structure.acronym.label("ecephys_structure_acronym"),
        EcephysChannel.anterior_posterior_ccf_coordinate,
        EcephysChannel.dorsal_ventral_ccf_coordinate,
        EcephysChannel.left_right_ccf_coordinate,
    )

    @staticmethod
    def criteria(spec: ChannelFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from among(EcephysChannel.id, spec.channel_ids)
        yield from among(EcephysProbe.id, spec.probe_ids)
        yield from among(EcephysSession.id, spec.session_ids)
        yield from published_by(EcephysSession.published_at, spec.published_at)
