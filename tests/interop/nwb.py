"""NWB files of a session and of its LFP, as AllenSDK's own writer makes them."""

from __future__ import annotations

import datetime as dt
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .recording import Recording

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pynwb
    from allensdk.brain_observatory.behavior.data_objects.stimuli.presentations import (
        Presentations,
    )
    from allensdk.brain_observatory.ecephys._channels import Channels
    from allensdk.brain_observatory.ecephys._lfp import LFP
    from allensdk.brain_observatory.ecephys._probe import Probe
    from allensdk.brain_observatory.ecephys._units import Units
    from allensdk.brain_observatory.ecephys.nwb_util import (
        add_ecephys_electrodes,
        add_probe_to_nwbfile,
        add_ragged_data_to_dynamic_table,
    )
    from allensdk.brain_observatory.ecephys.write_nwb.__main__ import (
        add_metadata_to_nwbfile,
        add_running_speed_to_nwbfile,
    )
    from allensdk.brain_observatory.nwb import add_stimulus_timestamps

__all__ = ["write_lfp", "write_session"]

_STARTED_AT = dt.datetime(2018, 7, 24, tzinfo=dt.timezone.utc)
_NOT_IN_FILES = ["epoch_name_quality_metrics", "epoch_name_waveform_metrics", "halfwidth"]


def write_session(recording: Recording, path: Path) -> None:
    """Write the file of a session: all but its LFP."""
    file = pynwb.NWBFile(
        session_description="Data and metadata for an Ecephys session",
        identifier=str(recording.session_id),
        session_id=str(recording.session_id),
        session_start_time=_STARTED_AT,
        institution="Allen Institute",
    )
    _Subject(recording).to_nwb(file)
    add_stimulus_timestamps(file, recording.presentations["start_time"].to_numpy())
    Presentations(recording.presentations, sort_columns=False).to_nwb(file)
    for probe_id in recording.probes.index:
        _add_probe(file, recording, probe_id)
    _add_units(file, recording)
    add_running_speed_to_nwbfile(file, recording.running)
    _write(file, path)


def write_lfp(recording: Recording, probe_id: int, path: Path) -> None:
    """Write the file of the LFP of a probe."""
    probe, lfp = recording.probes.loc[probe_id], recording.lfp[probe_id]
    writer = Probe(
        id=probe_id,
        name=probe.description,
        channels=Channels.from_json(_channels(recording, probe_id)),
        units=Units([]),
        sampling_rate=probe.sampling_rate,
        lfp=LFP(lfp.volts, lfp.times, lfp.channel_numbers, probe.lfp_sampling_rate),
    )
    file = writer.add_lfp_to_nwb(recording.session_id, _STARTED_AT, _Subject(recording))
    _write(file, path)


class _Subject:
    """What the writers add of the mouse to each file."""

    def __init__(self, recording: Recording) -> None:
        session = recording.session
        self.metadata = {
            "specimen_name": str(session.specimen_id),
            "age_in_days": session.age_in_days,
            "full_genotype": session.genotype,
            "strain": "C57BL/6J",
            "sex": session.sex,
            "stimulus_name": session.session_type,
            "species": "Mus musculus",
            "donor_id": int(session.specimen_id),
        }

    def to_nwb(self, nwbfile: Any) -> Any:
        return add_metadata_to_nwbfile(nwbfile, self.metadata)


def _add_probe(file: Any, recording: Recording, probe_id: int) -> None:
    probe = recording.probes.loc[probe_id]
    _, _, group = add_probe_to_nwbfile(
        file,
        probe_id=probe_id,
        name=probe.description,
        sampling_rate=probe.sampling_rate,
        lfp_sampling_rate=probe.lfp_sampling_rate,
        has_lfp_data=bool(probe.has_lfp_data),
    )
    add_ecephys_electrodes(file, _channels(recording, probe_id), group)


def _channels(recording: Recording, probe_id: int) -> list[dict[str, Any]]:
    """Return the channels of a probe as LIMS hands them to the writer."""
    channels = recording.channels[recording.channels["probe_id"] == probe_id]
    # So a file says that a channel is in no structure.
    acronyms = channels["ecephys_structure_acronym"].fillna("None")
    return (
        channels.assign(structure_acronym=acronyms, valid_data=True, filtering="500 Hz high-pass")
        .assign(impedance=np.nan)
        .reset_index()
        .to_dict("records")
    )


def _add_units(file: Any, recording: Recording) -> None:
    units = recording.units.drop(columns=_NOT_IN_FILES)
    numbers = pd.Series(range(len(units)), units.index)
    units = units.assign(local_index=numbers, cluster_id=numbers)
    file.units = pynwb.misc.Units.from_dataframe(units, name="units")
    for name, values in (
        ("spike_times", recording.spike_times),
        ("spike_amplitudes", recording.spike_amplitudes),
        ("waveform_mean", recording.mean_waveforms),
    ):
        add_ragged_data_to_dynamic_table(file.units, values, name, name)


def _write(file: Any, path: Path) -> None:
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file, cache_spec=True)
