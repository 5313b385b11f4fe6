"""A demo is one call, can be begun again, and leaves nothing open."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from urllib.request import urlopen

import pytest
from sqlalchemy import URL, make_url

from ecephys_dal import Database, SessionRepository
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.testing import ArtifactServer, demo

SMALL = {"sessions": 1, "progress": False}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder that holds a demo."""
    folder = tmp_path_factory.mktemp("made") / "demo"
    demo(folder, **SMALL).close()
    return folder


def test_tables_and_files_come_without_further_ado(made):
    with demo(made, **SMALL) as lims:
        assert set(lims.ids.session_ids) < set(lims.api.get_sessions().index)
        assert b"".join(lims.api.get_session_data(lims.ids.session_ids[0])).startswith(b"\x89HDF")
        assert lims.api.list_files(session_id=lims.ids.session_ids[0])["reachable"].all()
        assert SessionRepository(lims.url).count() == len(lims.api.get_sessions())
        assert lims.server.url in repr(lims)


def test_a_second_run_uses_what_is_there_on_the_same_port(made):
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    with demo(made, **SMALL) as lims:
        port, ids = lims.server.port, lims.ids
    with demo(made, **SMALL) as lims:
        assert (lims.server.port, lims.ids) == (port, ids)
        with demo(made, **SMALL) as beside:  # and another one while it is taken
            assert beside.server.port != port
    with demo(made, **SMALL) as lims:
        assert lims.server.port == port
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before


@pytest.mark.parametrize("noted", ["junk", "0", "-1", "70000", "\xff"])
def test_a_noted_port_that_is_none_is_replaced(made, noted):
    (made / "port").write_text(noted, encoding="latin-1")
    with demo(made, **SMALL) as lims:
        assert (made / "port").read_text() == f"{lims.server.port}\n"


def test_a_noted_port_that_others_have_is_replaced(made, tmp_path):
    with ArtifactServer(tmp_path) as other:
        (made / "port").write_text(f"{other.port}\n")
        with demo(made, **SMALL) as lims:
            assert (made / "port").read_text() == f"{lims.server.port}\n"


# Older versions of SQLAlchemy can't write a question mark into a URL, and demo() says so.
WRITES_ANY_NAME = make_url(URL.create("sqlite", database="?").render_as_string()).database == "?"
NAMES = ["a#b%20c", "my demo", "a@b:c", *(["que?ry"] if WRITES_ANY_NAME else [])]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_may_have_any_name(made, tmp_path, name):
    folder = tmp_path / name
    shutil.copytree(made, folder)
    database = (folder / "lims.db").read_bytes()
    with demo(folder, **SMALL) as lims:
        assert make_url(lims.url).database == str(folder / "lims.db")
        assert set(lims.ids.session_ids) < set(lims.api.get_sessions().index)
    assert (folder / "lims.db").read_bytes() == database
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_can_be_no_folder_is_named(tmp_path):
    file = tmp_path / "a.db"
    file.touch()
    with pytest.raises(ConfigurationError, match="a.db can't be the folder of a demo"):
        demo(file, **SMALL)
    with pytest.raises(ConfigurationError, match="/inside can't be the folder of a demo"):
        demo(file / "inside", **SMALL)
    with pytest.raises(ConfigurationError, match="names no folder"):
        demo("", **SMALL)


def test_a_demo_that_is_closed_says_so(made):
    lims = demo(made, **SMALL)
    lims.close()
    with pytest.raises(ConfigurationError, match=r"is closed; call demo\(\) again"), lims:
        pass


@pytest.mark.slow  # it waits for a lock, as long as SQLite does
def test_another_demo_that_is_being_made_there_is_named(tmp_path):
    with closing(sqlite3.connect(tmp_path / "lims.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ConfigurationError, match="if another demo is being made in"):
            demo(tmp_path, **SMALL)
    with demo(tmp_path, **SMALL) as lims:
        assert len(lims.ids.session_ids) == 1


def test_another_number_of_sessions_is_refused_by_name(made):
    with pytest.raises(ConfigurationError, match="sessions is 1 there and 2 here"):
        demo(made, sessions=2, progress=False)


def test_two_at_once_do_not_meet(made, tmp_path):
    with demo(made, **SMALL) as one, demo(tmp_path / "other", **SMALL) as other:
        assert one.server.port != other.server.port
        assert one.url != other.url


def test_without_a_folder_nothing_stays():
    threads = threading.active_count()
    with demo(**SMALL) as lims:
        folder = lims.folder
        assert folder.is_dir()
        b"".join(lims.api.get_session_data(lims.ids.session_ids[0]))
    lims.close()
    assert not folder.exists()
    assert threading.active_count() == threads


def test_the_tables_may_be_in_a_database_of_ones_own(fresh_url, tmp_path):
    url = fresh_url("postgresql")
    with demo(tmp_path, url=url, **SMALL) as lims, Database(url) as database:
        assert len(lims.api.get_sessions()) == SessionRepository(database).count()
        assert not (tmp_path / "lims.db").exists()


@pytest.mark.slow
def test_a_script_that_closes_nothing_ends_and_leaves_no_folder(tmp_path):
    script = (
        "from ecephys_dal.testing import demo; lims = demo(sessions=1, progress=False);"
        "b''.join(lims.api.get_session_data(lims.ids.session_ids[0])); print(lims.folder)"
    )
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_server_of_a_demo_that_is_closed_is_gone(made):
    with demo(made, **SMALL) as lims:
        url = lims.server.url
    with pytest.raises(OSError, match="refused"):
        urlopen(url, timeout=5)  # noqa: S310 - our own
