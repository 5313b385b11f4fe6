"""Downloads, from a real server: what is fetched, what is there already, and what is missing."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pytest
import tifffile

from ecephys_dal import Database, EcephysProjectLimsApi
from ecephys_dal.artifacts import ArtifactClient, ArtifactSettings
from tests.cli.shell import call
from tests.conftest import BACKENDS


@pytest.fixture(params=BACKENDS)
def url(request, with_files) -> str:
    return with_files(request.param)


def first_probe_with_lfp(url: str) -> int:
    with EcephysProjectLimsApi(url, ArtifactClient(ArtifactSettings())) as api:
        probes = api.get_probes(published_at="2019-10-03")
    return int(probes.index[probes["has_lfp_data"]][0])


@pytest.mark.sample(1)
def test_each_kind_of_file_is_fetched(url, web, folder_of_files, asked, tmp_path):
    lims = folder_of_files[2]
    wanted = {
        "session": lims.session_ids[0],
        "lfp": first_probe_with_lfp(url),
        "movie": 1,
        "scene": 0,
    }
    for kind, number in wanted.items():
        code, shown, told = asked(
            "download", kind, number, "--database", url, "--app", web.url, "--output-dir", tmp_path
        )
        assert (code, told) == (0, "")
        assert "from the web application" in shown
        assert "verified by" in shown
    (movie,), (scene,) = tmp_path.glob("*.npy"), tmp_path.glob("*.tiff")
    assert np.load(movie).ndim == 3
    assert tifffile.imread(scene).ndim == 2
    nwbs = sorted(tmp_path.glob("*.nwb"))
    assert len(nwbs) == 2
    for nwb in nwbs:
        with h5py.File(nwb) as opened:
            assert "nwb_version" in opened.attrs


def test_what_is_there_is_not_fetched_again_unless_it_is_wanted(
    url, web, folder_of_files, asked, tmp_path
):
    session_id = folder_of_files[2].session_ids[0]
    command = ("download", "session", session_id, "--database", url, "--app", web.url,
               "--output-dir", tmp_path)  # fmt: skip
    assert asked(*command)[0] == 0
    n_requests = len(web.requests)
    code, shown, _ = asked(*command)
    assert (code, "there already" in shown) == (0, True)
    assert len(web.requests) == n_requests
    assert "from the web application" in asked(*command, "--refresh")[1]


def test_one_that_is_missing_does_not_keep_the_others_back(
    url, web, folder_of_files, asked, tmp_path
):
    session_id = folder_of_files[2].session_ids[0]
    (tmp_path / "ids.txt").write_text(f"id\n5\n{session_id}\n{session_id}\n")
    code, shown, told = asked(
        "download", "session", f"@{tmp_path / 'ids.txt'}", "--database", url, "--app", web.url,
        "--output-dir", tmp_path / "files", "--parallel", 2,
    )  # fmt: skip
    assert code == 1
    assert "ecephys-dal why session 5" in told
    assert told.count("\n") == shown.count("\n") == 1
    assert len(list((tmp_path / "files").glob("*.nwb"))) == 1


def test_a_file_that_the_server_lacks_is_told_and_gives_1(url, asked, tmp_path, folder_of_files):
    from ecephys_dal.testing import ArtifactServer

    (tmp_path / "empty").mkdir()
    with ArtifactServer(tmp_path / "empty") as server:
        code, shown, told = asked(
            "download", "session", folder_of_files[2].session_ids[0], "--database", url,
            "--app", server.url, "--output-dir", tmp_path / "files",
        )  # fmt: skip
    assert (code, shown) == (1, "")
    assert "failed" in told
    assert "404" in told
    assert "Traceback" not in told


def test_a_dry_run_tells_the_sizes_and_fetches_nothing(url, web, folder_of_files, asked, tmp_path):
    _, files, lims = folder_of_files
    code, shown, _ = asked(
        "download", "session", lims.session_ids[0], "--dry-run", "--database", url,
        "--app", web.url, "--output-dir", tmp_path,
    )  # fmt: skip
    assert code == 0
    file_id = re.search(rf"{lims.session_ids[0]} +(\d+)", shown)[1]
    (file,) = (files / file_id).iterdir()
    assert f"{file.stat().st_size / 1000:.1f} kB" in shown
    assert shown.splitlines()[-1].startswith("1 file")
    assert (web.requests, list(tmp_path.iterdir())) == ([], [])


def test_a_file_on_a_mounted_file_system_is_taken_from_there(url, folder_of_files, asked, tmp_path):
    _, files, lims = folder_of_files
    with Database(url) as database, EcephysProjectLimsApi(database, ArtifactClient()) as api:
        (artifact,) = api.locate(session_id=lims.session_ids[0], type="EcephysNwb")
    mounted = tmp_path / "mnt" / artifact.storage_directory.lstrip("/")
    mounted.mkdir(parents=True)
    (mounted / artifact.filename).write_bytes(
        next((files / str(artifact.id)).iterdir()).read_bytes()
    )
    code, shown, _ = asked(
        "download", "session", lims.session_ids[0], "--database", url, "--app", "127.0.0.1:9",
        "--mounts", f"/={tmp_path / 'mnt'}", "--output-dir", tmp_path / "files",
    )  # fmt: skip
    assert (code, "copied from the file system" in shown) == (0, True)


def test_a_script_gets_lines_of_reports_and_no_bar(with_files, web, folder_of_files, tmp_path):
    session_id = folder_of_files[2].session_ids[0]
    done = call(
        "download", "session", "-", "--output-dir", tmp_path, "--app", web.url,
        database=with_files("sqlite"), stdin=f"{session_id}\n",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


def test_a_script_is_told_of_a_failure_once(with_files, folder_of_files, tmp_path):
    from ecephys_dal.testing import ArtifactServer

    (tmp_path / "empty").mkdir()
    with ArtifactServer(tmp_path / "empty") as server:
        done = call(
            "download", "session", folder_of_files[2].session_ids[0], "--output-dir", tmp_path,
            "--app", server.url, database=with_files("sqlite"),
        )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_no_ids_are_nothing_that_was_found(url, asked, tmp_path):
    (tmp_path / "ids").touch()
    assert asked("download", "session", f"@{tmp_path / 'ids'}", "--database", url) == (1, "", "")
