"""Make the rows of the awkward sessions awkward, and add the records that are so by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from ecephys_dal.models import (
    EcephysChannel,
    EcephysUnit,
    EcephysUnitMetricBundle,
    WellKnownFileType,
)
from ecephys_dal.testing.factories import BehaviorSessionFactory, WellKnownFileFactory

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from ecephys_dal.testing.writer import WrittenSession

__all__ = ["spoil"]

Ids = dict[str, int]
Columns = dict[str, Any]

_CCF = (
    "anterior_posterior_ccf_coordinate",
    "dorsal_ventral_ccf_coordinate",
    "left_right_ccf_coordinate",
)
# The keys, in the order of the channels; two units are on each.
_CHANNELS: dict[str, Columns] = {
    "channel_invalid": {"valid_data": False},
    "channel_null_valid_data": {"valid_data": None},
    "channel_without_structure": {"manual_structure_id": None},
    "channel_ccf_sentinel": dict.fromkeys(_CCF, -1000.0),
    "channel_ccf_null": dict.fromkeys(_CCF),
}
_UNITS: dict[str, Columns] = {
    "unit_on_invalid_channel": {},
    "unit_also_on_invalid_channel": {},
    "unit_on_null_valid_data_channel": {},
    "unit_also_on_null_valid_data_channel": {},
    "unit_noise": {"quality": "noise"},
    "unit_null_snr": {"snr": None},
    "unit_null_velocity_below": {"velocity_below": None},
    "unit_bare": {column.key: None for column in EcephysUnit.__table__.columns if column.nullable},
    "unit_null_bundle": {},
    "unit_without_bundle": {},
}


def spoil(db: Session, key: str | None, written: WrittenSession) -> dict[str, int]:
    """Make the session that has this key awkward below its own row.

    Parameters
    ----------
    db : Session
        Writes.
    key : str or None
        Of the session's plan; None and most others change nothing.
    written : WrittenSession
        The session.

    Returns
    -------
    dict of str to int
        The ids of what became awkward.
    """
    change = {
        "session_of_awkward_channels": _spoil_channels_and_units,
        "session_with_behavior": _add_behavior,
        "session_bare": _add_odd_files,
        "session_with_older_nwb": _note_older,
        "session_two_nwb_files": _note_second_files,
    }.get(key or "")
    return change(db, written) if change else {}


def _spoil_channels_and_units(db: Session, written: WrittenSession) -> Ids:
    channels = dict(zip(_CHANNELS, written.channel_ids, strict=False))
    units = dict(zip(_UNITS, written.unit_ids, strict=False))
    for key, channel_id in channels.items():
        changed = update(EcephysChannel).where(EcephysChannel.id == channel_id)
        db.execute(changed.values(_CHANNELS[key]))
    for key, unit_id in units.items():
        if _UNITS[key]:
            db.execute(update(EcephysUnit).where(EcephysUnit.id == unit_id).values(_UNITS[key]))
    bundles = EcephysUnitMetricBundle
    of_unit = bundles.ecephys_unit_id
    db.execute(update(bundles).where(of_unit == units["unit_null_bundle"]).values(data=None))
    db.execute(delete(bundles).where(of_unit == units["unit_without_bundle"]))
    return {**channels, **units}


def _add_behavior(db: Session, written: WrittenSession) -> Ids:
    during = BehaviorSessionFactory.build(
        ecephys_session=written.session, foraging_id=written.session.foraging_id
    )
    alone = BehaviorSessionFactory.build(
        ecephys_session=None, date_of_acquisition=None, foraging_id=None
    )
    db.add_all([during, alone])
    return {"behavior_session": during.id, "behavior_session_alone": alone.id}


def _add_odd_files(db: Session, written: WrittenSession) -> Ids:
    bare = WellKnownFileFactory.build(
        attachable=written.session,
        filename="untyped file",
        **dict.fromkeys(("type", "content_type", "size", "published_at", "created_at")),
    )
    foreign = WellKnownFileFactory.build(
        attachable_type="OphysSession", attachable_id=written.session.id, type=bare.type
    )
    pickles = db.scalars(select(WellKnownFileType).filter_by(name="StimulusPickle")).one()
    lost = WellKnownFileFactory.build(
        attachable=written.session, type=pickles, filename="lost.pkl", content_type=None
    )
    db.add_all([bare, foreign, lost])
    return {
        "file_without_type_and_size": bare.id,
        "file_of_unmodelled_owner": foreign.id,
        "file_without_bytes": lost.id,
    }


def _note_older(_: Session, written: WrittenSession) -> Ids:
    older, newer = written.nwb_files
    newer.size = None
    return {
        "file_older_nwb": older.id,
        "file_nwb_of_unknown_size": newer.id,
        "probe_with_older_lfp": written.probes[0].id,
        "unit_with_older_bundle": written.unit_ids[0],
    }


def _note_second_files(_: Session, written: WrittenSession) -> Ids:
    first, second = written.nwb_files
    return {
        "file_first_nwb_of_two": first.id,
        "file_second_nwb_of_two": second.id,
        "probe_two_lfp_files": written.probes[0].id,
    }
