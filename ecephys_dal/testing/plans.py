"""What the synthetic LIMS holds: the plan of each well-behaved session, and of each awkward one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ProbePlan", "SessionPlan", "awkward_plans", "well_behaved_plans"]

Columns = dict[str, Any]

_BROWSED, _CONNECTED = "brain_observatory_1.1", "functional_connectivity"
_SST, _PVALB, _VIP = (
    f"{line}-IRES-Cre/wt;Ai32(RCL-ChR2(H134R)_EYFP)/wt" for line in ("Sst", "Pvalb", "Vip")
)
_WILD = "wt/wt"
_GENOTYPES = (_WILD, _SST, _WILD, _PVALB, _WILD, _VIP, _WILD, _SST, None)
_FIRST_DAY = dt.datetime.fromisoformat("2018-06-27T13:04:20")
_UPLOADED_AFTER = dt.timedelta(days=26, hours=11, minutes=49, microseconds=922676)
_SHAPE = 58  # sessions of the release: 32 of brain_observatory_1.1, the last 3 with phase PXI


@dataclass(frozen=True, kw_only=True)
class ProbePlan:
    """A probe to write.

    Attributes
    ----------
    name : str
        ``probeA`` and so on.
    columns : dict
        What differs from the probe of the factory.
    key : str or None
        The key of an awkward probe.
    visible : bool
        The rules of the probe table keep it, if its session is kept.
    """

    name: str
    columns: Columns = field(default_factory=dict)
    key: str | None = None
    visible: bool = True


@dataclass(frozen=True, kw_only=True)
class SessionPlan:
    """A session to write.

    Attributes
    ----------
    columns : dict
        What differs from the session of the factory.
    genotype, sex, age : str, str, float; each may be None
        Of the donor; the age is in days.
    probes : tuple of ProbePlan
        Its probes.
    channels, units : int
        Channels of each probe, and units of the session.
    nwb_runs : tuple of bool
        For each analysis run that has an NWB file, whether it is current.
    key : str or None
        The key of an awkward session.
    visible : bool
        The rules of the session table keep it.
    """

    columns: Columns
    genotype: str | None = _SST
    sex: str | None = "M"
    age: float | None = 118.0
    probes: tuple[ProbePlan, ...]
    channels: int
    units: int
    nwb_runs: tuple[bool, ...] = (True,)
    key: str | None = None
    visible: bool = True


def well_behaved_plans(
    sessions: int, probes: tuple[int, int], channels: int, units: int
) -> Iterator[SessionPlan]:
    """Plan sessions in the proportions of the release.

    Parameters
    ----------
    sessions : int
        How many.
    probes : (int, int)
        Fewest and most probes of a session; most sessions have the most.
    channels, units : int
        Channels of each probe, and units of each session.

    Yields
    ------
    SessionPlan
    """
    for number in range(sessions):
        browsed = (number + 1) * 32 // _SHAPE > number * 32 // _SHAPE
        phase = "PXI" if number % _SHAPE >= 55 else "3a"
        yield SessionPlan(
            columns={"stimulus_name": _BROWSED if browsed else _CONNECTED, **_times(number)},
            genotype=_GENOTYPES[number % len(_GENOTYPES)],
            sex="F" if number % 9 in (3, 7) else "M",
            age=91.0 + number * 37 % 52,
            probes=tuple(
                ProbePlan(name=name, columns={"phase": phase})
                for name in _probe_names(number, probes)
            ),
            channels=channels,
            units=units,
        )


def _times(number: int) -> Columns:
    start = _FIRST_DAY + dt.timedelta(days=3 * number)
    return {
        "name": f"{start:%Y%m%d%H%M%S}_{704511589 + 4_000 * number}",
        "date_of_acquisition": start + _UPLOADED_AFTER,
        "created_at": start,
        "updated_at": start + 2 * _UPLOADED_AFTER,
    }


def _probe_names(number: int, probes: tuple[int, int]) -> list[str]:
    # As in the release, where 44 sessions have 6 probes, 12 have 5 and 2 have 4.
    fewest, most = probes
    missing = 2 if number % 29 == 28 else 1 if number % 5 == 1 else 0
    dropped = {(number + step) % most for step in range(min(missing, most - fewest))}
    return [f"probe{ascii_uppercase[index]}" for index in range(most) if index not in dropped]


def awkward_plans() -> Iterator[SessionPlan]:
    """Plan one session for each thing that real sessions do and tidy ones do not.

    Each has small probes, of 8 channels, and 16 units, so that there is a unit on every channel.

    Yields
    ------
    SessionPlan
    """
    for number, (key, columns, other) in enumerate(_awkward()):
        probes = other.pop("probes", (ProbePlan(name="probeA"), ProbePlan(name="probeB")))
        yield SessionPlan(
            key=key,
            columns={**_times(-1 - number), **columns},
            probes=probes,
            channels=8,
            units=16 if probes else 0,
            **other,
        )


def _awkward() -> Iterator[tuple[str, Columns, dict[str, Any]]]:
    """Key, columns of the session, and what else differs in its plan."""
    yield from _awkward_states()
    yield from _awkward_files_and_donors()
    yield "session_published_earlier", {"published_at": _day("2019-06-12")}, {}
    yield "session_published_later", {"published_at": _day("2020-06-11")}, {}
    yield "session_bare", dict.fromkeys(_NULLABLE), {"genotype": None}
    yield "session_without_probes", {}, {"probes": ()}
    yield "session_of_awkward_probes", {}, {"probes": _AWKWARD_PROBES}
    yield "session_of_awkward_channels", {}, {"probes": (ProbePlan(name="probeA"),)}


def _awkward_states() -> Iterator[tuple[str, Columns, dict[str, Any]]]:
    hidden = {"visible": False}
    yield "session_null_workflow_state", {"workflow_state": None}, {**hidden}
    yield (
        "session_habituation",
        {"habituation": True, "name": "HAB_20181113103921_706875901", "published_at": None},
        {**hidden},
    )
    yield "session_failed", {"workflow_state": "failed", "published_at": None}, {**hidden}
    yield "session_unpublished", {"published_at": None}, {}
    yield (
        "session_with_behavior",
        {
            "stimulus_name": "EPHYS_1_images_G_5uL_reward",
            "foraging_id": "c7b11bbf-4f5f-4f6c-9a5c-0b9c1d1d8e0a",
            "published_at": None,
        },
        {},
    )


def _awkward_files_and_donors() -> Iterator[tuple[str, Columns, dict[str, Any]]]:
    yield "session_without_nwb", {}, {"nwb_runs": ()}
    yield "session_only_older_nwb", {}, {"nwb_runs": (False,)}
    yield "session_with_older_nwb", {}, {"nwb_runs": (False, True)}
    yield "session_two_nwb_files", {}, {"nwb_runs": (True, True)}
    yield "session_wild_type", {}, {"genotype": None}
    yield "session_donor_without_age", {}, {"age": None}
    yield "session_donor_without_gender", {}, {"sex": None}


def _day(day: str) -> dt.datetime:
    return dt.datetime.fromisoformat(day)


# workflow_state is nullable too, but NULL would hide the session.
_NULLABLE = (
    "stimulus_name",
    "storage_directory",
    "isi_experiment",
    "equipment",
    "operator",
    "date_of_acquisition",
    "published_at",
)

_AWKWARD_PROBES = (
    ProbePlan(
        key="probe_null_workflow_state",
        name="probeA",
        columns={"workflow_state": None},
        visible=False,
    ),
    ProbePlan(
        key="probe_failed", name="probeB", columns={"workflow_state": "failed"}, visible=False
    ),
    ProbePlan(key="probe_created", name="probeC", columns={"workflow_state": "created"}),
    ProbePlan(
        key="probe_zero_sampling_rates",
        name="probeD",
        columns={
            "global_probe_sampling_rate": 0.0,
            "global_probe_lfp_sampling_rate": 0.0,
            "temporal_subsampling_factor": None,
        },
    ),
    ProbePlan(key="probe_without_lfp", name="probeE", columns={"use_lfp_data": False}),
    ProbePlan(
        key="probe_bare",
        name="probeF",
        columns=dict.fromkeys(
            (
                "storage_directory",
                "created_at",
                "updated_at",
                "probe_info",
                "global_probe_sampling_rate",
                "global_probe_lfp_sampling_rate",
                "total_time_shift",
                "phase",
                "air_channel_index",
                "surface_channel_index",
                "use_lfp_data",
                "temporal_subsampling_factor",
            )
        ),
    ),
)
