"""What was recorded in a session of the LIMS: what its files hold, and what must be read again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .sides import Sides

__all__ = ["CHANNEL_COLUMNS", "GRATINGS", "UNIT_COLUMNS", "Facts", "Lfp", "Recording", "recorded"]

Facts = dict[str, Any]  # frames and arrays, by what they are
Arrays = dict[int, np.ndarray]  # by unit

SAMPLES, LENGTH = 20, 20.0  # of a waveform; of the recording, in seconds
BINS = np.array([0.0, 0.5, 1.0])  # seconds after the begin of a presentation
GRATINGS = ["start_time", "stop_time", "stimulus_block", "orientation", "temporal_frequency"]
RENAMED = {  # as the cache and the files name what LIMS names otherwise
    "ecephys_channel_id": "peak_channel_id",
    "duration": "waveform_duration",
}
UNIT_COLUMNS = [
    *("peak_channel_id", "snr", "firing_rate", "isi_violations", "presence_ratio"),
    *("amplitude_cutoff", "d_prime", "max_drift", "silhouette_score", "waveform_duration"),
]
CHANNEL_COLUMNS = [
    *("probe_id", "probe_channel_number", "probe_vertical_position", "ecephys_structure_id"),
    *("ecephys_structure_acronym", "dorsal_ventral_ccf_coordinate"),
]


class Lfp(NamedTuple):
    """The LFP of some channels of a probe."""

    volts: np.ndarray  # samples x channels
    times: np.ndarray  # s
    channel_ids: np.ndarray
    channel_numbers: np.ndarray


@dataclass(frozen=True)
class Recording:
    """A session: what AllenSDK's tables say of it, and what was measured.

    Its units are those of the tables, so that AllenSDK's cache finds them in both.
    """

    session_id: int
    session: Any
    probes: pd.DataFrame
    channels: pd.DataFrame
    units: pd.DataFrame
    presentations: pd.DataFrame
    running: pd.DataFrame
    spike_times: Arrays
    spike_amplitudes: Arrays
    mean_waveforms: Arrays
    lfp: dict[int, Lfp]
    served: dict[str, int] = field(default_factory=dict)  # the files, as the cache names them

    def facts(self) -> Facts:
        """Return what AllenSDK's session must give of it."""
        gratings = self.presentations[self.presentations["stimulus_name"] == "drifting_gratings"]
        return {
            "identity": np.array([self.session_id, self.session.session_type, self.session.sex]),
            "units": self.valid_units[UNIT_COLUMNS].rename_axis("unit_id"),
            "channels": self.channels[CHANNEL_COLUMNS],
            "probes": self.probes,
            "gratings": gratings[GRATINGS].rename_axis("stimulus_presentation_id"),
            "stimuli": self.presentations["stimulus_name"].to_numpy(),
            "running speed": self.running[["start_time", "end_time", "velocity"]],
            "spike counts": self._counts(gratings["start_time"]),
            **dict(self._measured()),
        }

    @property
    def valid_units(self) -> pd.DataFrame:
        """The units that AllenSDK shows without being asked for more."""
        units, inside = self.units, self.channels["ecephys_structure_acronym"].notna()
        return units[
            (units["quality"] == "good")
            & (units["amplitude_cutoff"] <= 0.1)
            & (units["presence_ratio"] >= 0.95)
            & (units["isi_violations"] <= 0.5)
            & units["peak_channel_id"].isin(self.channels.index[inside])
        ]

    def _counts(self, starts: pd.Series) -> np.ndarray:
        units = sorted(self.valid_units.index)
        return np.array(
            [
                [np.histogram(self.spike_times[unit], BINS + start)[0] for unit in units]
                for start in starts
            ]
        )

    def _measured(self) -> Iterator[tuple[str, np.ndarray]]:
        for unit_id in self.valid_units.index:
            yield f"spike times of {unit_id}", self.spike_times[unit_id]
            yield f"spike amplitudes of {unit_id}", self.spike_amplitudes[unit_id]
            yield f"mean waveforms of {unit_id}", self.mean_waveforms[unit_id]
        for probe_id, lfp in self.lfp.items():
            yield f"LFP of {probe_id}", lfp.volts
            yield f"LFP times of {probe_id}", lfp.times
            yield f"LFP channels of {probe_id}", lfp.channel_ids


def recorded(sides: Sides, session_id: int) -> Recording:
    """Return a recording for a session of the LIMS, the same at every call."""
    rng = np.random.default_rng(session_id)
    tables = _tables(sides, session_id)
    units, channels = tables["units"], tables["channels"]
    times = {unit: np.sort(rng.uniform(0, LENGTH, rng.integers(20, 60))) for unit in units.index}
    by_probe = channels.groupby("probe_id")
    return Recording(
        session_id=session_id,
        **tables,
        presentations=_presentations(),
        running=_running(rng),
        spike_times=times,
        spike_amplitudes={unit: rng.uniform(1e-5, 1e-4, len(times[unit])) for unit in times},
        mean_waveforms={unit: rng.normal(0, 50, (len(channels) // 3, SAMPLES)) for unit in times},
        lfp={probe_id: _lfp(rng, on_probe) for probe_id, on_probe in by_probe},
    )


def _tables(sides: Sides, session_id: int) -> dict[str, Any]:
    """Return AllenSDK's own tables of a session, named as in its files."""
    of_session = {"session_ids": [session_id]}
    probes = sides.theirs.get_probes(**of_session)
    channels = sides.theirs.get_channels(**of_session)
    rate = probes["lfp_sampling_rate"] / probes["lfp_temporal_subsampling_factor"]
    return {
        "session": sides.theirs.get_sessions(**of_session).loc[session_id],
        "probes": probes.assign(lfp_sampling_rate=rate)[
            ["name", "sampling_rate", "lfp_sampling_rate", "has_lfp_data"]
        ].rename(columns={"name": "description"}),
        "channels": channels.rename(
            columns={"ecephys_probe_id": "probe_id", "local_index": "probe_channel_number"}
        ),
        "units": sides.theirs.get_units(**of_session).rename(columns=RENAMED),
    }


def _presentations() -> pd.DataFrame:
    spontaneous = [(0.0, 2.0, "spontaneous", None, None, None)]
    gratings = [
        (2.0 * trial, 2.0 * trial + 1, "drifting_gratings", 4.0, 45.0 * trial, 2.0 + trial)
        for trial in range(1, 6)
    ]
    columns = ["start_time", "stop_time", "stimulus_name", *GRATINGS[2:]]
    frame = pd.DataFrame([*spontaneous, *gratings], columns=columns)
    return frame.assign(stimulus_index=frame["stimulus_block"])


def _running(rng: np.random.Generator) -> pd.DataFrame:
    start = np.arange(0, LENGTH, 0.1)
    return pd.DataFrame(
        {
            "start_time": start,
            "end_time": start + 0.1,
            "velocity": rng.normal(5, 3, len(start)),  # cm/s
            "net_rotation": rng.normal(0, 0.1, len(start)),  # radians
        }
    )


def _lfp(rng: np.random.Generator, on_probe: pd.DataFrame) -> Lfp:
    some = on_probe.iloc[::4]  # the LFP is kept for every fourth channel
    times = np.arange(0, LENGTH, 0.01)
    return Lfp(
        volts=rng.normal(0, 1e-4, (len(times), len(some))).astype(np.float32),
        times=times,
        channel_ids=some.index.to_numpy(),
        channel_numbers=some["probe_channel_number"].to_numpy(),
    )
