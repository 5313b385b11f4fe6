"""The files that a synthetic LIMS writes are those that its records speak of."""

from io import BytesIO

import h5py
import numpy as np
import pytest
import requests
import tifffile
from pynwb import NWBHDF5IO
from sqlalchemy import select

from ecephys_dal import models
from ecephys_dal.database import Database
from ecephys_dal.testing import ArtifactServer, create_synthetic_lims

FILE, TYPE = models.WellKnownFile, models.WellKnownFileType


@pytest.fixture(scope="module")
def lims(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    url = f"sqlite:///{folder / 'lims.db'}"
    lims = create_synthetic_lims(
        url,
        sessions=2,
        probes=(2, 2),
        channels_per_probe=8,
        units_per_session=10,
        artifacts=folder / "files",
        progress=False,
    )
    with Database(url) as database, database.session() as db:
        lims.db = db
        yield lims


def download(lims, file):
    with ArtifactServer(lims.artifacts) as server:
        route = f"/well_known_files/download/{file.id}?wkf_id={file.id}"
        answer = requests.get(server.url + route, timeout=5)
    assert answer.status_code == 200
    return answer.content


def files_of(lims, name):
    return lims.db.scalars(select(FILE).join(FILE.type).where(TYPE.name == name)).all()


def identifier(content):
    with h5py.File(BytesIO(content)) as file, NWBHDF5IO(file=file, mode="r") as io:
        return int(io.read().identifier)


def test_a_session_file_is_of_its_session(lims):
    run = models.EcephysAnalysisRun
    file = lims.db.scalars(
        select(FILE)
        .join(run, run.id == FILE.attachable_id)
        .join(FILE.type)
        .where(TYPE.name == "EcephysNwb", run.ecephys_session_id == lims.session_ids[1])
    ).one()
    content = download(lims, file)
    assert identifier(content) == lims.session_ids[1]
    assert file.size == len(content)


def test_an_lfp_file_is_of_its_probe(lims):
    run_probe = models.EcephysAnalysisRunProbe
    file = lims.db.scalars(
        select(FILE)
        .join(run_probe, run_probe.id == FILE.attachable_id)
        .join(FILE.type)
        .where(TYPE.name == "EcephysLfpNwb", run_probe.ecephys_probe_id == lims.probe_ids[3])
    ).one()
    content = download(lims, file)
    assert identifier(content) == lims.probe_ids[3]
    assert file.size == len(content)


@pytest.mark.parametrize(
    ("name", "read", "shape"),
    [
        ("natural_movie_3", np.load, (30, 38, 76)),
        ("natural_scene_117", tifffile.imread, (92, 117)),
    ],
)
def test_a_template_can_be_read(lims, name, read, shape):
    stimulus = lims.db.scalars(select(models.Stimulus).filter_by(name=name)).one()
    file = lims.db.get_one(FILE, stimulus.well_known_file_id)
    content = download(lims, file)
    assert read(BytesIO(content)).shape == shape
    assert file.size == len(content)


def test_every_file_is_there_once_and_its_size_is_right_if_known(lims):
    without = {"file_without_type_and_size", "file_of_unmodelled_owner", "file_without_bytes"}
    files = {file.id: file for file in lims.db.scalars(select(FILE))}
    served = {int(folder.name) for folder in lims.artifacts.glob("[0-9]*")}
    assert set(files) - served == {lims.awkward[key] for key in without}
    assert len(served) > 300
    for file_id in served:
        (path,) = (lims.artifacts / str(file_id)).iterdir()
        assert path.name == files[file_id].filename
        assert files[file_id].size in (None, path.stat().st_size)


def test_a_file_without_bytes_is_recorded_like_any_other(lims):
    lost = lims.db.get_one(FILE, lims.awkward["file_without_bytes"])
    assert lost in files_of(lims, "StimulusPickle")
    assert lost.size > 0
    with ArtifactServer(lims.artifacts) as server:
        route = f"/well_known_files/download/{lost.id}?wkf_id={lost.id}"
        assert requests.get(server.url + route, timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("EcephysStimulusTable", b"Start,End,stimulus_name,"),
        ("EcephysOptotaggingTable", b"start_time,stop_time,condition,"),
        ("EcephysSortedSpikeTimes", b"\x93NUMPY"),
        ("EcephysAlignedEventTimestamps", b"\x93NUMPY"),
        ("EcephysRigSync", b"\x89HDF\r\n\x1a\n"),
        ("EyeTracking Ellipses", b"\x89HDF\r\n\x1a\n"),
        ("StimulusPickle", b"\x80\x04"),
        ("EcephysNwb", b"\x89HDF\r\n\x1a\n"),
    ],
)
def test_a_file_is_of_the_format_of_its_type(lims, name, start):
    assert download(lims, files_of(lims, name)[0]).startswith(start)


def test_exactly_two_sizes_of_typed_files_are_unknown(lims):
    unsized = select(FILE.id).where(FILE.size.is_(None), FILE.type.has())
    unknown = set(lims.db.scalars(unsized))
    movie = lims.db.get_one(models.Stimulus, lims.awkward["stimulus_of_unknown_size"])
    assert unknown == {lims.awkward["file_nwb_of_unknown_size"], movie.well_known_file_id}


def test_both_files_of_the_session_with_two_can_be_downloaded(lims):
    for key in ("file_first_nwb_of_two", "file_second_nwb_of_two"):
        content = download(lims, lims.db.get_one(FILE, lims.awkward[key]))
        assert identifier(content) == lims.awkward["session_two_nwb_files"]
