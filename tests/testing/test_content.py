import ast
import os
import pickle
import subprocess
import sys
from io import BytesIO

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from pynwb import NWBHDF5IO

from ecephys_dal.testing import content, session_content


def read_nwb(content, look):
    with h5py.File(BytesIO(content)) as file, NWBHDF5IO(file=file, mode="r") as io:
        return look(io.read())


@pytest.mark.parametrize("session_id", [715093703, 1200000000])
def test_a_session_file_holds_units_electrodes_and_presentations(session_id):
    def look(nwb):
        assert nwb.identifier == str(session_id)
        assert len(nwb.electrodes) == 8
        assert [len(times) for times in nwb.units["spike_times"]] == [20] * 5
        trials = nwb.intervals["drifting_gratings_presentations"].to_dataframe()
        assert (trials.stop_time - trials.start_time).tolist() == [2.0] * 10

    read_nwb(content.session_nwb(session_id), look)


@pytest.mark.parametrize("probe_id", [729445648, 1200000000])
def test_an_lfp_file_holds_the_series_of_its_probe(probe_id):
    def look(nwb):
        assert nwb.identifier == str(probe_id)
        series = nwb.acquisition[f"probe_{probe_id}_lfp"][f"probe_{probe_id}_lfp_data"]
        assert series.data.shape == (500, 8)
        assert series.timestamps.shape == (500,)
        assert len(series.electrodes) == 8

    read_nwb(content.probe_lfp_nwb(probe_id), look)


def test_a_movie_is_an_array_of_frames():
    movie = np.load(BytesIO(content.natural_movie(1)))
    assert (movie.dtype, movie.shape) == (np.uint8, (30, 38, 76))
    assert content.natural_movie(1) != content.natural_movie(2)


def test_a_scene_is_an_image():
    scene = tifffile.imread(BytesIO(content.natural_scene(0)))
    assert (scene.dtype, scene.shape) == (np.uint8, (92, 117))
    assert content.natural_scene(0) != content.natural_scene(117)


def test_tables_have_a_row_a_trial():
    stimuli = pd.read_csv(BytesIO(session_content.stimulus_table()))
    assert (stimuli["End"] - stimuli["Start"]).tolist() == [2.0] * 10
    assert set(stimuli["stimulus_name"]) == {"drifting_gratings"}
    pulses = pd.read_csv(BytesIO(session_content.optotagging_table()))
    assert np.allclose(pulses["stop_time"] - pulses["start_time"], pulses["duration"])
    assert len(pulses) == 10


def test_spikes_are_on_two_clocks():
    samples = np.load(BytesIO(session_content.spike_times()))
    seconds = np.load(BytesIO(session_content.event_timestamps()))
    assert (samples.dtype, seconds.dtype) == (np.uint64, np.float64)
    assert samples.shape == seconds.shape == (1000,)
    assert np.allclose(np.diff(samples) / 30_000, np.diff(seconds))


def test_hdf5_files_can_be_read():
    with h5py.File(BytesIO(session_content.sync_recording())) as file:
        meta = ast.literal_eval(file["meta"][()].decode())
        assert meta["line_labels"][0] == "vsync_stim"
        counter, bits = file["data"][()].T
        assert set(np.diff(counter.astype(np.int64))) == {833}
        assert set(bits) == {0, 1, 2, 3}
    with h5py.File(BytesIO(session_content.eye_ellipses())) as file:
        shapes = {name: fitted.shape for name, fitted in file.items()}
    assert shapes == dict.fromkeys(("cr", "eye", "pupil"), (60, 5))


def test_the_pickle_is_of_plain_values():
    assert pickle.loads(session_content.stimulus_pickle())["fps"] == 60.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "write",
    [
        "content.session_nwb(7)",
        "content.probe_lfp_nwb(7)",
        "content.natural_movie(7)",
        "content.natural_scene(7)",
        "b''.join(getattr(session_content, name)() for name in session_content.__all__)",
    ],
)
def test_another_process_writes_the_same_bytes(write):
    # Two of them, because this one may have read NWB extensions, which go into every file.
    code = "import sys; from ecephys_dal.testing import content, session_content;"
    code += f"sys.stdout.buffer.write({write})"
    one, other = (
        subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    )
    assert one == other
    assert len(one) < 250_000
