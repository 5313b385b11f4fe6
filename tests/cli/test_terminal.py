"""In a real terminal: the table, the bars, the prompts, and Ctrl-C."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time

import pytest
from sqlalchemy import create_engine, text

from ecephys_dal import Database
from ecephys_dal.cli.text_table import table_lines
from tests.artifacts.conftest import ETAG, NWB, ScriptedServer, ranged
from tests.cli.shell import after, call, environment, program, terminal
from tests.logins import PASSWORD


def shown(*arguments: object, **how) -> tuple[int, list[str]]:
    with terminal(*arguments, **how) as screen:
        code = screen.wait()
        return code, screen.text.replace("\r\n", "\n").splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_a_table_is_aligned_and_as_wide_as_the_terminal_at_most(backend, width, filled):
    url, lims = filled(backend)
    code, lines = shown("sessions", database=url, width=width)
    assert code == 0
    heads, rule, *rows = lines[: 2 + len(lims.visible_session_ids)]
    assert all(len(line) <= width for line in (heads, rule, *rows))
    assert [int(row.split()[0]) for row in rows] == lims.visible_session_ids
    starts = [match.start() for match in re.finditer("-+", rule)]
    assert all(row[start - 1] == " " for row in rows for start in starts[1:] if start < len(row))
    assert lines[-1] == f"{len(lims.visible_session_ids)} sessions"
    hidden = [line for line in lines if "more columns" in line]
    assert len(hidden) == (width < 200)


def test_a_table_is_not_cut_where_there_is_no_terminal(filled, asked):
    url, _ = filled("sqlite")
    _, text_, _ = asked("sessions", "--database", url, "--format", "table")
    assert "has_nwb" in text_.splitlines()[0]
    assert "more columns" not in text_


def test_what_is_stored_can_not_steer_a_terminal():
    import pandas as pd

    frame = pd.DataFrame({"name": ["\x1b[2J\nx", "y" * 100, None], "n": [1.5, float("nan"), 2.0]})
    lines = list(table_lines([frame], 80))
    assert lines[2].startswith("?[2J?x ")
    assert lines[3].startswith("y" * 39 + "… ")
    assert lines[4].split() == ["-", "2"]


# The program, whose bars come at once, and whose answers take their time.
SLOW = """
import sys, time
from ecephys_dal import bars
from ecephys_dal.cli import frames, main
bars.PATIENCE, bars._OFTEN = 0, 0.01
read = frames.Rows.frames
def slowly(*given, **named):
    for frame in read(*given, **named):
        time.sleep(0.3)
        yield frame
frames.Rows.frames = slowly
sys.exit(main())
"""


def slowly(*arguments: object, **how):
    return terminal("-c", SLOW, *arguments, command=sys.executable, **how)


@pytest.mark.slow
def test_a_bar_is_on_a_terminal_only_and_can_be_switched_off(filled, tmp_path):
    url, _ = filled("sqlite")
    path = tmp_path / "units.csv"
    with slowly("units", "--output", path, database=url) as screen:
        assert screen.wait() == 0
    assert "Reading units" in screen.text
    assert after(screen.text) == []
    for switched_off in (
        ("units", "--output", path, "--no-progress"),
        ("--no-progress", "units", "--output", path),
    ):
        with slowly(*switched_off, database=url) as screen:
            assert (screen.wait(), screen.text) == (0, "")
    command = [sys.executable, "-c", SLOW, "units", "--output", str(path)]
    done = subprocess.run(  # noqa: S603 - our own program
        command, env=environment(url), capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.slow
def test_a_bar_does_not_get_into_what_is_kept(filled, tmp_path):
    url, lims = filled("sqlite")
    with (tmp_path / "ids").open("wb") as file:
        given = ("sessions", "--columns", "id")
        with slowly(*given, database=url, stdout=file.fileno()) as screen:
            assert screen.wait() == 0
        assert "Reading sessions" in screen.text
    ids = (tmp_path / "ids").read_text().split()
    assert ids == ["id", *map(str, lims.visible_session_ids)]


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["", "| cat", "| python -m json.tool --json-lines"])
def test_a_bar_is_gone_before_what_is_piped_comes_to_the_same_terminal(reader, filled):
    url, lims = filled("sqlite")
    line = f'"$@" {reader}'
    given = ("-c", line, "bash", sys.executable, "-c", SLOW, "sessions", "--columns", "id",
             "--format", "jsonl")  # fmt: skip
    # A shell speaks of a locale that the machine lacks.
    with terminal(*given, command=shutil.which("bash"), database=url, LC_ALL="C") as screen:
        assert screen.wait() == 0
    bar, _, rows = screen.text.rpartition("\r                ")
    assert "Reading sessions" in bar
    assert "Reading" not in rows
    assert [int(one) for one in re.findall(r'"id": ([0-9]+)', rows)] == lims.visible_session_ids
    assert all(re.search(r'[{}"]', one) for one in after(screen.text))


def test_a_short_answer_that_is_piped_shows_no_bar(filled):
    url, _ = filled("sqlite")
    given = ("-c", '"$@" --format json | cat', "bash", program(), "sessions")
    with terminal(*given, command=shutil.which("bash"), database=url, LC_ALL="C") as screen:
        assert screen.wait() == 0
    assert json.loads(screen.text)


def test_parquet_is_nothing_for_a_terminal(filled):
    code, lines = shown("units", "--format", "parquet", database=filled("sqlite")[0], width=200)
    assert code == 2
    assert "give --output" in lines[0]


@pytest.mark.slow
def test_ctrl_c_ends_a_question_that_waits_for_the_database(filled):
    url, _ = filled("postgresql")
    engine = create_engine(url)
    try:
        with engine.connect() as holder:
            holder.execute(text("LOCK TABLE ecephys_sessions IN ACCESS EXCLUSIVE MODE"))
            named = {"database": url, "ECEPHYS_DAL_LOCK_TIMEOUT": "50"}
            with terminal("sessions", **named) as screen:
                with engine.connect() as watcher:
                    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
                    until = time.monotonic() + 30
                    while not watcher.execute(waits).scalar_one() and time.monotonic() < until:
                        watcher.rollback()
                        time.sleep(0.05)
                pressed = time.monotonic()
                screen.type("\x03")
                assert screen.wait() == 130
                assert time.monotonic() - pressed < 10
        assert "interrupted" in screen.text
        assert "Traceback" not in screen.text
    finally:
        engine.dispose()


@pytest.mark.slow
def test_ctrl_c_ends_a_download_that_goes_on_later(folder_of_files, tmp_path):
    url, _, lims = folder_of_files
    database, folder = tmp_path / "lims.db", tmp_path / "files"
    shutil.copy(url.removeprefix("sqlite:///"), database)
    with Database(f"sqlite:///{database}", owned=True) as owner, owner.connection() as connection:
        connection.execute(text("UPDATE well_known_files SET size = :size"), {"size": len(NWB)})

    def most_of_it(handler) -> None:
        handler.send_response(200)
        handler.send_header("ETag", ETAG)
        handler.send_header("Content-Length", str(len(NWB)))
        handler.end_headers()
        handler.wfile.write(NWB[:400_000])
        handler.rfile.read(1)  # until the client is gone
        handler.close_connection = True

    with ScriptedServer().running() as server:
        server.script = [most_of_it, ranged()]
        command = ("download", "session", lims.session_ids[0], "--output-dir", folder,
                   "--app", f"http://{server.host}")  # fmt: skip
        with terminal(*command, database=database, width=120) as screen:
            screen.read_until(
                lambda told: (
                    "nwb: " in told and any(one.stat().st_size for one in folder.glob("*.part"))
                )
            )
            screen.type("\x03")
            assert screen.wait() == 130
        assert "interrupted; the same command goes on from where it was" in screen.text
        assert "Traceback" not in screen.text
        assert not list(folder.glob("*.nwb"))
        again = call(*command, database=database)
    assert (again.returncode, again.stderr) == (0, "")
    assert re.search(r"resumed from byte [1-9]", again.stdout)
    (file,) = folder.glob("*.nwb")
    assert file.read_bytes() == NWB


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["n", "y"])
def test_before_a_schema_is_made_it_is_asked_on_a_terminal(answer, tmp_path):
    path = tmp_path / "own.db"
    with terminal("db", "upgrade", database=path, width=200) as screen:
        screen.read_until(lambda told: "[y/N]" in told)
        screen.type(f"{answer}\n")
        code = screen.wait()
    there = call("db", "current", database=path)
    assert (code, there.returncode) == ((0, 0) if answer == "y" else (1, 1))
    assert ("nothing was changed" in screen.text) == (answer == "n")


def test_a_password_is_asked_for_and_not_shown(login):
    url = login.url.render_as_string(hide_password=False)
    with terminal("sessions", "--count", "--ask-password", database=url) as screen:
        screen.read_until(lambda told: "Password" in told)
        screen.type(f"{PASSWORD}\n")
        assert screen.wait() == 0
    assert screen.text.split()[-1] == str(len(login.lims.visible_session_ids))
    assert PASSWORD not in screen.text
