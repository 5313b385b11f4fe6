"""AllenSDK's cache upon any of the two classes, and what is read through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ecephys_dal import EcephysProjectLimsApi

from . import oracle
from .comparison import differences
from .departures import listed_once
from .recording import BINS, CHANNEL_COLUMNS, GRATINGS, UNIT_COLUMNS, Facts, Recording

__all__ = ["Lims", "cache_of", "facts_of", "files_in", "opened", "served", "unlike"]

Writer = Callable[[str, Any], None]
_PATIENCE = {"backoff": 0.01, "max_backoff": 0.02, "read_timeout": 1.0, "progress": False}


class Lims(NamedTuple):
    """A LIMS to make either class for, be it in another process."""

    url: str
    host: str
    twice: int  # the session with two NWB files

    def at(self, server: Any) -> Lims:
        """Return the same LIMS with its files at another server."""
        return self._replace(host=server.host)

    def theirs(self, *, asynchronous: bool = False) -> Any:
        """Return AllenSDK's class, but for departure 2: a session listed twice stops the cache."""
        api = oracle.EcephysProjectLimsApi.default(
            oracle.credentials_of(self.url), {"host": self.host}, asynchronous
        )
        get_sessions = api.get_sessions
        api.get_sessions = lambda: listed_once(get_sessions(), self.twice)
        return api

    def ours(self, *, asynchronous: bool = False) -> EcephysProjectLimsApi:
        """Return our class, which waits no longer than a test has to."""
        wanted = {"host": self.host, **_PATIENCE}
        return EcephysProjectLimsApi.default(oracle.credentials_of(self.url), wanted, asynchronous)


def cache_of(api: Any, folder: Path, *, writer: Writer | None = None, tries: int = 2) -> Any:
    """Return AllenSDK's cache upon this class, by its own writer if no other is given."""
    return oracle.EcephysProjectCache(
        fetch_api=api,
        fetch_tries=tries,
        stream_writer=writer or api.app_engine.write_bytes,
        manifest=str(folder / "manifest.json"),
    )


def opened(cache: Any, recording: Recording) -> bool:
    """Fetch one file of each kind; tell whether they open, and the LFP is the one recorded."""
    session, probe_id = cache.get_session_data(recording.session_id), min(recording.lfp)
    lfp = session.get_lfp(probe_id, mask_invalid_intervals=False)
    movie, scene = cache.get_natural_movie_template(1), cache.get_natural_scene_template(5)
    assert isinstance(session, oracle.EcephysSession)
    return np.array_equal(lfp, recording.lfp[probe_id].volts) and movie.ndim == scene.ndim + 1


def files_in(folder: Path) -> dict[str, bytes]:
    """Return the files that a cache has fetched from the server, be they whole or not."""
    names = ("session_*/*.nwb", "natural_movie_templates/*.h5", "natural_scene_templates/*.tiff")
    return {path.name: path.read_bytes() for name in names for path in folder.glob(name)}


def served(artifacts: Path, recording: Recording) -> dict[str, bytes]:
    """Return what `files_in` must have after `opened`."""
    folders = {name: artifacts / str(file_id) for name, file_id in recording.served.items()}
    return {name: next(folder.iterdir()).read_bytes() for name, folder in folders.items()}


def facts_of(cache: Any, session_id: int) -> Facts:
    """Fetch and read a session and the LFP of all its probes through the cache."""
    session = cache.get_session_data(session_id)
    session.api._nwbfile = session.api.nwbfile  # else each table takes a second to be read
    gratings = session.get_stimulus_table(["drifting_gratings"])
    kept = sorted(session.units.index)
    counts = session.presentationwise_spike_counts(BINS, gratings.index, kept)
    facts: Facts = {
        "identity": np.array([session.ecephys_session_id, session.session_type, session.sex]),
        "units": session.units[UNIT_COLUMNS],
        "channels": session.channels[CHANNEL_COLUMNS],
        "probes": session.probes.drop(columns="location"),
        "gratings": gratings[GRATINGS],
        "stimuli": session.stimulus_presentations["stimulus_name"].to_numpy(),
        "running speed": session.running_speed,
        "spike counts": counts.transpose(..., "time_relative_to_stimulus_onset").to_numpy(),
    }
    return facts | dict(_measured(session))


def _measured(session: Any) -> Iterator[tuple[str, np.ndarray]]:
    for unit_id, times in session.spike_times.items():
        yield f"spike times of {unit_id}", times
        yield f"spike amplitudes of {unit_id}", session.spike_amplitudes[unit_id]
        yield f"mean waveforms of {unit_id}", session.mean_waveforms[unit_id].to_numpy()
    for probe_id in session.probes.index:
        lfp = session.get_lfp(probe_id)
        yield f"LFP of {probe_id}", lfp.to_numpy()
        yield f"LFP times of {probe_id}", lfp["time"].to_numpy()
        yield f"LFP channels of {probe_id}", lfp["channel"].to_numpy()


def unlike(expected: Facts, found: Facts) -> dict[str, Any]:
    """Return what differs, by what it is, with how; nothing if all is as it was recorded."""
    if expected.keys() != found.keys():
        return {"only in one": sorted(expected.keys() ^ found.keys())}
    compared = {name: _differences(expected[name], found[name]) for name in expected}
    return {name: differs for name, differs in compared.items() if differs}


def _differences(expected: Any, found: Any) -> Any:
    if isinstance(expected, pd.DataFrame):
        return differences(expected, found)
    return [] if np.array_equal(expected, found) else [expected, found]
