"""Snapshots by commands: made, looked at, compared, and asked as LIMS is."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ecephys_dal import ProbeFilter, snapshot
from tests.cli.shell import call, environment, program
from tests.conftest import BACKENDS


@pytest.fixture(params=BACKENDS)
def url(request, with_files) -> str:
    return with_files(request.param)


@pytest.fixture
def made(url, asked, tmp_path) -> Path:
    """A snapshot of everything."""
    path = tmp_path / "all.db"
    code, shown, told = asked("snapshot", "create", path, "--database", url)
    assert (code, told) == (0, "")
    assert shown.startswith(f"{path}: ")
    return path


def questions(session_id: int) -> list[tuple[object, ...]]:
    tables = ("sessions", "probes", "channels", "units", "metrics")
    return [
        *((table, "--format", form) for table in tables for form in ("csv", "jsonl", "table")),
        *((table, "--count") for table in tables),
        *((table, "--session-id", session_id) for table in tables[:4]),
        *((table, "--published-at", "2019-10-03") for table in tables[:4]),
        ("metrics", "--session-type", "brain_observatory_1.1"),
        ("sessions", "--without-rule", "session_not_failed", "--session-id", session_id),
        ("why", "session", session_id),
        ("why", "session", 5),
        ("why", "movie", 1),
        ("download", "session", session_id, "--dry-run"),
        ("db", "current"),
    ]


@pytest.mark.sample(1)
def test_every_question_is_answered_as_lims_answers_it(url, made, asked, folder_of_files):
    for question in questions(folder_of_files[2].session_ids[0]):
        live = asked(*question, "--database", url)
        offline = asked(*question, "--database", made)
        if "--without-rule" in question:
            assert offline[0] == 2, question
            assert "session_not_failed" in offline[2]
        else:
            assert offline == live, question


def test_other_commands_take_a_snapshot_too(made, asked):
    assert asked("explain", "units", "--database", made)[0] == 0
    code, shown, _ = asked("doctor", "--database", made, "--format", "json")
    assert code == 0, shown


def test_a_question_beyond_it_is_refused(url, asked, folder_of_files, tmp_path):
    first, second = folder_of_files[2].visible_session_ids[:2]
    path = tmp_path / "one.db"
    assert asked("snapshot", "create", path, "--session-id", first, "--database", url)[0] == 0
    assert asked("units", "--session-id", first, "--count", "--database", path)[0] == 0
    code, shown, told = asked("units", "--session-id", second, "--database", path)
    assert (code, shown) == (2, "")
    assert str(second) in told


def test_its_url_is_as_good_as_its_path(url, asked, folder_of_files, tmp_path):
    first, second = folder_of_files[2].visible_session_ids[:2]
    path = tmp_path / "one #1.db"
    assert asked("snapshot", "create", path, "--session-id", first, "--database", url)[0] == 0
    for named in (path, f"sqlite:///{path}"):
        assert asked("units", "--session-id", first, "--count", "--database", named)[0] == 0
        assert asked("units", "--session-id", second, "--database", named)[0] == 2
        assert asked("why", "session", second, "--database", named)[0] == 2


def test_the_filter_is_of_the_table_that_is_named(url, asked, folder_of_files, tmp_path):
    path, probe = tmp_path / "probe.db", folder_of_files[2].probe_ids[0]
    code, shown, _ = asked(
        "snapshot", "create", path, "--of", "probes", "--probe-id", probe, "--database", url,
        "--format", "json",
    )  # fmt: skip
    assert code == 0
    (noted,) = json.loads(shown)["filters"]
    assert noted == {"type": "ProbeFilter", "fields": ProbeFilter(probe_ids=[probe]).to_dict()}
    assert asked("probes", "--database", path, "--columns", "id")[1] == f"id\n{probe}\n"


def test_hidden_rows_come_along_if_they_are_asked_for(url, asked, tmp_path):
    question = ("sessions", "--without-rule", "session_not_failed", "--count", "--database")
    path = tmp_path / "hidden.db"
    assert asked("snapshot", "create", path, "--hidden", "--database", url)[0] == 0
    assert asked(*question, path) == asked(*question, url)


def test_a_filter_that_reaches_nothing_gives_1_and_a_file_that_is_there_2(url, asked, tmp_path):
    arguments = ("snapshot", "create", tmp_path / "none.db", "--session-id", 5, "--database", url)
    code, _, told = asked(*arguments)
    assert (code, told) == (1, "no sessions found\n")
    code, _, told = asked(*arguments)
    assert code == 2
    assert "is there already" in told


def test_info_and_verify(made, asked):
    assert asked("snapshot", "info", made)[1] == f"{snapshot.info(made)}\n"
    assert json.loads(asked("snapshot", "info", made, "--format", "json")[1])["rows"]
    assert asked("snapshot", "verify", made)[0] == 0
    content = bytearray(made.read_bytes())
    content[-100] ^= 1
    made.write_bytes(content)
    code, shown, told = asked("snapshot", "verify", made)
    assert (code, told) == (1, "")
    assert "bytes of it were changed" in shown


def test_what_is_no_snapshot_is_refused(asked, tmp_path):
    assert asked("snapshot", "info", tmp_path / "none.db")[0] == 3
    (tmp_path / "text.db").write_text("no database at all")
    assert asked("snapshot", "info", tmp_path / "text.db")[0] == 2
    assert "text.db" in asked("sessions", "--database", tmp_path / "text.db")[2]


def test_diff_gives_1_if_there_is_a_difference(url, made, asked, folder_of_files, tmp_path):
    first = folder_of_files[2].visible_session_ids[0]
    part = tmp_path / "part.db"
    assert asked("snapshot", "create", part, "--session-id", first, "--database", made)[0] == 0
    assert asked("snapshot", "diff", made, made)[0] == 0
    code, shown, _ = asked("snapshot", "diff", made, part, "--format", "json")
    assert code == 1
    removed = json.loads(shown)["sessions"]["removed"]
    assert removed == folder_of_files[2].visible_session_ids[1:]


def test_its_schema_is_never_changed(made, asked):
    before = made.read_bytes()
    code, _, told = asked("db", "upgrade", "--yes", "--database", made)
    assert code == 2
    assert "is a snapshot" in told
    assert made.read_bytes() == before


def test_a_plain_sqlite_file_is_no_snapshot(asked, folder_of_files, tmp_path):
    url = folder_of_files[0]
    shutil.copy(url.removeprefix("sqlite:///"), tmp_path / "lims.db")
    question = ("sessions", "--without-rule", "session_not_failed", "--count", "--database")
    assert asked(*question, tmp_path / "lims.db") == asked(*question, url)


def test_files_are_fetched_beside_it_and_taken_from_there(
    url, web, asked, folder_of_files, tmp_path, monkeypatch
):
    session, path = folder_of_files[2].session_ids[0], tmp_path / "one.db"
    monkeypatch.setenv("ECEPHYS_DAL_APP", web.url)
    assert asked("snapshot", "create", path, "--session-id", session, "--database", url)[0] == 0
    wanted = ("download", "session", session, "--output-dir", tmp_path / "files")
    code, _, told = asked(*wanted, "--database", path)
    assert code == 1
    assert "was not fetched" in told
    assert web.requests == []
    code, shown, _ = asked("snapshot", "fetch", path, "--kind", "nwb")
    assert (code, shown.count("\n")) == (0, 1)
    n_requests = len(web.requests)
    code, shown, _ = asked(*wanted, "--database", path)
    assert (code, "copied from the file system" in shown) == (0, True)
    assert len(web.requests) == n_requests
    (copy,), (kept,) = (tmp_path / "files").glob("*.nwb"), tmp_path.glob("one.db.artifacts/*.nwb")
    assert copy.read_bytes() == kept.read_bytes()
    code, shown, _ = asked(*wanted, "--database", path, "--app", web.url, "--refresh")
    assert (code, "from the web application" in shown) == (0, True)


@pytest.mark.slow
def test_what_was_interrupted_goes_on(url, asked, tmp_path):
    path = tmp_path / "all.db"
    process = subprocess.Popen(  # noqa: S603 - our own program
        [program(), "snapshot", "create", str(path)], env=environment(url),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    part = path.with_name("all.db.part")
    while process.poll() is None and not part.exists():
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not path.exists()
    done = call("snapshot", "create", path, database=url)
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot.verify(path).ok
    assert asked("units", "--database", path) == asked("units", "--database", url)


@pytest.fixture
def read_with_arrow() -> dict[str, Callable[..., pd.DataFrame]]:
    pytest.importorskip("pyarrow")
    return {"parquet": pd.read_parquet, "csv": pd.read_csv}


def test_export_writes_tables(url, asked, folder_of_files, tmp_path, read_with_arrow):
    session = folder_of_files[2].visible_session_ids[0]
    for form, read in read_with_arrow.items():
        code, shown, _ = asked(
            "export", tmp_path, "--session-id", session, "--format", form, "--database", url
        )
        assert code == 0
        paths = [Path(line) for line in shown.splitlines()]
        assert [one.name for one in paths] == [
            f"{name}.{form}"
            for name in ("sessions", "probes", "channels", "units", "unit_analysis_metrics")
        ]
        assert read(paths[0])["id"].tolist() == [session]


def test_an_export_of_nothing_gives_1(asked, folder_of_files, tmp_path, read_with_arrow):
    code, shown, told = asked(
        "export", tmp_path, "--session-id", 5, "--database", folder_of_files[0]
    )
    assert (code, told, shown.count("\n")) == (1, "no sessions found\n", 5)
