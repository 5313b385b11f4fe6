"""The main job from end to end: a script, which `ecephys_dal.cli.demo` shows while it runs it."""

import tempfile
from pathlib import Path

import numpy as np
import pynwb
import tifffile

from ecephys_dal.testing import demo

# Stand-ins for LIMS and for its web application: a database in one file, and a server of files.
# To the 3 plain sessions it adds 18 small odd ones, such as real records hold.
folder = Path(tempfile.mkdtemp(prefix="ecephys_dal-"))
lims = demo(folder)

# At the Allen Institute this is all: api = EcephysProjectLimsApi.default()
api = lims.api

# The sessions that were released by a day, and the first one of a type.
sessions = api.get_sessions(published_at="2019-10-03")
print(sessions[["session_type", "genotype", "sex", "age_in_days", "has_nwb"]])
session_id = sessions.index[sessions["session_type"] == "brain_observatory_1.1"][0]

# Its probes.
probes = api.get_probes(session_ids=[session_id])
print(probes[["name", "phase", "sampling_rate", "lfp_sampling_rate", "has_lfp_data"]])

# Their channels, and how many are in which brain structure.
channels = api.get_channels(probe_ids=probes.index)
print(channels[["local_index", "probe_vertical_position", "ecephys_structure_acronym"]])
print(channels["ecephys_structure_acronym"].value_counts().head(5))

# The units of the session; those that are no noise.
units = api.get_units(session_ids=[session_id])
good = units[units["quality"] == "good"]
print(len(units), "units,", len(good), "of them good")
print(good[["firing_rate", "snr", "isi_violations", "presence_ratio", "PT_ratio"]])

# What their responses to the stimuli look like.
metrics = api.get_unit_analysis_metrics(unit_ids=good.index)
print(len(metrics.columns), "metrics of", len(metrics), "units, among them")
print(metrics[["g_osi_dg", "pref_ori_dg", "p_value_rf", "on_screen_rf", "image_selectivity_ns"]])

# The files of the session, and whether they can be had.
files = api.list_files(session_id=session_id)
print(files[["type", "size", "reachable"]])

# One of them (a small stand-in): spike times and stimuli. A transfer that breaks off is resumed.
(artifact,) = api.locate(session_id=session_id, type="EcephysNwb")
print(api.app_engine.download(artifact, folder / "session.nwb"))
with pynwb.NWBHDF5IO(folder / "session.nwb", "r") as file:
    nwb = file.read()
    print("session", nwb.identifier, "with", len(nwb.units), "units, the first of which fired at")
    print(nwb.units["spike_times"][0][:5].round(3), "s")

# The local field potential of a probe (a small stand-in).
api.app_engine.write_bytes(folder / "lfp.nwb", api.get_probe_lfp_data(probes.index[0]))
with pynwb.NWBHDF5IO(folder / "lfp.nwb", "r") as file:
    (lfp,) = file.read().acquisition.values()
    for series in lfp.electrical_series.values():
        samples, sites = series.data.shape
        print(series.name, f"{samples} samples of {sites} channels")

# A movie and a picture that were shown.
api.app_engine.write_bytes(folder / "movie.npy", api.get_natural_movie_template(1))
api.app_engine.write_bytes(folder / "scene.tiff", api.get_natural_scene_template(0))
print("movie", np.load(folder / "movie.npy").shape, "(frames, height, width)")
print("scene", tifffile.imread(folder / "scene.tiff").shape, "(height, width)")

lims.close()
