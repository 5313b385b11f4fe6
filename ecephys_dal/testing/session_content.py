"""The bytes of a session's other artifacts: small real files, the same at every call."""

from __future__ import annotations

import csv
import pickle
from functools import lru_cache
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "event_timestamps",
    "eye_ellipses",
    "optotagging_table",
    "spike_times",
    "stimulus_pickle",
    "stimulus_table",
    "sync_recording",
]

_TRIALS, _SPIKES, _SAMPLING_RATE = 10, 1000, 30_000


@lru_cache
def stimulus_table() -> bytes:
    """Return a stimulus table in the CSV format: a row a trial of drifting gratings, times in s."""
    header = ("Start", "End", "stimulus_name", "stimulus_block", "orientation")
    trials = ((3.0 * n, 3.0 * n + 2, "drifting_gratings", 1, 45.0 * n) for n in range(_TRIALS))
    return _csv(header, trials)


@lru_cache
def optotagging_table() -> bytes:
    """Return an optotagging table in the CSV format: a row a pulse of light, times in s."""
    header = ("start_time", "stop_time", "condition", "level", "stimulus_name", "duration")
    rows = ((900.0 + 2 * n, 900.01 + 2 * n, "pulse", 1.0, "pulse", 0.01) for n in range(_TRIALS))
    return _csv(header, rows)


@lru_cache
def spike_times() -> bytes:
    """Return spike times in the NPY format: 1000 samples of the probe's clock, uint64."""
    return _npy(np.arange(_SPIKES, dtype=np.uint64) * 700)


@lru_cache
def event_timestamps() -> bytes:
    """Return the same spikes on the session's clock in the NPY format: float64, in s."""
    return _npy(np.arange(_SPIKES) * 700 / _SAMPLING_RATE + 12.5)


@lru_cache
def sync_recording() -> bytes:
    """Return a recording of the rig's clock in the HDF5 format.

    Returns
    -------
    bytes
        With ``data``, a counter and the bits of the lines, and ``meta``, text that names these.
    """
    frames = np.arange(240, dtype=np.uint32)
    daq = {"counter_output_freq": 100_000.0, "counter_bits": 32, "event_bits": 32}
    meta = {"ni_daq": daq, "line_labels": ["vsync_stim", "barcode_ephys", *[""] * 30]}
    data = np.column_stack([1_000 + frames * 833, frames % 2 + (frames // 30 % 2) * 2])
    return _hdf5({"data": data, "meta": str(meta)})


@lru_cache
def eye_ellipses() -> bytes:
    """Return the ellipses fitted to a video of the eye in the HDF5 format.

    Returns
    -------
    bytes
        With ``cr``, ``eye`` and ``pupil``, each of 60 frames by center x and y, width, height
        (pixels) and angle (rad).
    """
    phase = np.linspace(0, 2 * np.pi, 60)[:, None]
    widths = {"cr": 5.0, "eye": 120.0, "pupil": 40.0}
    return _hdf5({name: width + np.sin(phase + np.arange(5)) for name, width in widths.items()})


@lru_cache
def stimulus_pickle() -> bytes:
    """Return what the stimulus program wrote, as a pickle of a dict of plain values."""
    written = {"fps": 60.0, "pre_blank_sec": 2, "stimuli": ["drifting_gratings"], "vsynccount": 240}
    return pickle.dumps(written, protocol=4)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    written = BytesIO()
    np.save(written, array)
    return written.getvalue()


def _hdf5(contents: Mapping[str, Any]) -> bytes:
    from h5py import File  # noqa: PLC0415 - slow to import, and optional

    written = BytesIO()
    with File(written, "w") as file:
        for name, content in contents.items():
            file[name] = content
    return written.getvalue()
