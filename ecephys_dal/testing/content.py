"""The bytes of artifacts: small real NWB, NPY and TIFF files, the same at every call."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np

if TYPE_CHECKING:
    from pynwb import NWBFile

__all__ = ["natural_movie", "natural_scene", "probe_lfp_nwb", "session_nwb"]

_STARTED_AT = dt.datetime(2018, 6, 27, 20, 4, 20, tzinfo=dt.timezone.utc)
_CREATED_AT = dt.datetime(2019, 10, 3, tzinfo=dt.timezone.utc)
_CHANNELS, _UNITS, _TRIALS, _LFP_SAMPLES = 8, 5, 10, 500
_LFP_RATE = 1249.998647  # Hz, after subsampling by 2
_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def session_nwb(session_id: int) -> bytes:
    """Return an NWB file of a session, about 230 kB.

    Parameters
    ----------
    session_id : int
        Becomes the identifier of the file.

    Returns
    -------
    bytes
        With 8 ``electrodes``, 5 ``units`` with spike times (s) and the interval table
        ``drifting_gratings_presentations``.
    """
    return _labelled(_session_template, session_id)


def probe_lfp_nwb(probe_id: int) -> bytes:
    """Return an NWB file of the LFP of a probe, about 230 kB.

    Parameters
    ----------
    probe_id : int
        Becomes the identifier of the file.

    Returns
    -------
    bytes
        With the ``LFP`` ``probe_<id>_lfp``, whose ``ElectricalSeries`` ``probe_<id>_lfp_data``
        holds 500 samples of 8 channels (V).
    """
    return _labelled(_lfp_template, probe_id)


def natural_movie(number: int) -> bytes:
    """Return a natural movie template in the NPY format, 87 kB.

    Parameters
    ----------
    number : int
        As in ``natural_movie_<number>``; movies differ.

    Returns
    -------
    bytes
        An array of uint8, shape (30, 38, 76): frames, height, width.
    """
    frame, row, column = np.ogrid[:30, :38, :76]
    written = BytesIO()
    np.save(written, ((frame * 5 + row * number + column * 3) % 256).astype(np.uint8))
    return written.getvalue()


def natural_scene(number: int) -> bytes:
    """Return a natural scene template in the TIFF format, 11 kB.

    Parameters
    ----------
    number : int
        As in ``natural_scene_<number>``; scenes differ.

    Returns
    -------
    bytes
        An image of uint8, shape (92, 117): height, width.
    """
    from tifffile import imwrite  # noqa: PLC0415 - slow to import, and optional

    row, column = np.ogrid[:92, :117]
    scene = ((row * 2 + column + number) % 256).astype(np.uint8)
    written = BytesIO()
    imwrite(written, scene, software=False, metadata=None)
    return written.getvalue()


def _labelled(template: Any, record_id: int) -> bytes:
    """Write the id into the template: pynwb takes a hundred times as long to write a file anew."""
    identifier = str(record_id)
    # A short row of tildes could be a part of some number.
    placeholder = "~" * len(identifier) if len(identifier) >= 8 else identifier
    content: bytes = template(placeholder)
    return content.replace(placeholder.encode(), identifier.encode())


@lru_cache
def _session_template(identifier: str) -> bytes:
    file = _empty_file(identifier, "A session of the synthetic LIMS")
    _add_electrodes(file)
    file.add_unit_column("quality", "good or noise")
    for unit in range(_UNITS):
        file.add_unit(id=unit, quality="good", spike_times=0.1 * np.arange(1, 21) + 0.01 * unit)
    _add_presentations(file)
    return _written(file)


@lru_cache
def _lfp_template(identifier: str) -> bytes:
    from pynwb.ecephys import LFP, ElectricalSeries  # noqa: PLC0415 - slow to import, and optional

    file = _empty_file(identifier, "The LFP of a probe of the synthetic LIMS")
    _add_electrodes(file)
    phase = np.linspace(0, 20 * np.pi, _LFP_SAMPLES)[:, None] + np.arange(_CHANNELS)
    series = ElectricalSeries(
        name=f"probe_{identifier}_lfp_data",
        data=(1e-4 * np.sin(phase)).astype(np.float32),
        electrodes=file.create_electrode_table_region(list(range(_CHANNELS)), "all channels"),
        timestamps=np.arange(_LFP_SAMPLES) / _LFP_RATE,
    )
    lfp = LFP(name=f"probe_{identifier}_lfp")
    file.add_acquisition(lfp)  # before the series, which refers to the file's electrodes
    lfp.add_electrical_series(series)
    return _written(file)


def _empty_file(identifier: str, description: str) -> NWBFile:
    from pynwb import NWBFile  # noqa: PLC0415 - slow to import, and optional

    return NWBFile(
        session_description=description,
        identifier=identifier,
        session_start_time=_STARTED_AT,
        file_create_date=_CREATED_AT,
        institution="Allen Institute for Brain Science",
    )


def _add_electrodes(file: NWBFile) -> None:
    group = file.create_electrode_group(
        "probeA", "A Neuropixels probe", "VISp", file.create_device("probeA")
    )
    for channel in range(_CHANNELS):
        file.add_electrode(
            id=channel,
            x=8157.0,
            y=1098.0 + 20 * channel,
            z=7754.0,
            imp=float("nan"),
            location="VISp",
            filtering="AP band: 500 Hz high-pass",
            group=group,
        )


def _add_presentations(file: NWBFile) -> None:
    from pynwb.epoch import TimeIntervals  # noqa: PLC0415 - slow to import, and optional

    table = TimeIntervals(name="drifting_gratings_presentations", description="One row a trial")
    table.add_column("orientation", "degrees")
    for trial in range(_TRIALS):
        table.add_row(start_time=3.0 * trial, stop_time=3.0 * trial + 2, orientation=45.0 * trial)
    file.add_time_intervals(table)


def _written(file: NWBFile) -> bytes:
    from pynwb import NWBHDF5IO  # noqa: PLC0415 - slow to import, and optional

    with TemporaryDirectory() as folder:
        path = Path(folder, "written.nwb")
        with NWBHDF5IO(str(path), mode="w") as io:
            io.write(file)
        return _without_chance(path.read_bytes())


def _without_chance(content: bytes) -> bytes:
    """Replace the random ids of the objects of an NWB file by ids that count up."""
    found = dict.fromkeys(_UUID.findall(content))
    for count, object_id in enumerate(found):
        content = content.replace(object_id, str(uuid5(NAMESPACE_OID, str(count))).encode())
    return content
