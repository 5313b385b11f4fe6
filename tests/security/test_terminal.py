"""What is stored, or what a server says, steers no terminal and becomes no tag of a notebook."""

from __future__ import annotations

import io
import logging
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text

from ecephys_dal import (
    Artifact,
    ArtifactClient,
    ArtifactSettings,
    Database,
    EcephysDalError,
    EcephysProjectLimsApi,
    SessionFilter,
    bars,
)
from ecephys_dal.cli.program import run
from ecephys_dal.cli.text_table import table_lines
from ecephys_dal.display import printable
from ecephys_dal.doctor import examine
from tests.artifacts.conftest import ScriptedServer
from tests.cli.shell import terminal

ESC = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\r\x08\u202e\u2066\u200b\u2028\u061c"
STEERING = [
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\xad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e",
    *"\u2060\u2066\u2067\u2068\u2069\ufeff\U000e0001\U000e0041\ud800",
]
ALLOWED = {"\n", "\t"}
NAME = f"brain{ESC}x"


def steers(told: str, *, allowed: str = "\n\t") -> list[str]:
    """Return what of a text a terminal would obey."""
    return [repr(one) for one in told if one in STEERING and one not in allowed]


def test_one_function_takes_all_of_it_away_and_nothing_else() -> None:
    assert steers(printable("".join(STEERING))) == []
    kept = "aé日本🧠 «x»\u00a0\u3000\t\n¿"
    assert printable(kept) == kept
    assert len(printable("".join(STEERING))) == len(STEERING)


@pytest.fixture
def lims(filled: Any, tmp_path: Path) -> Iterator[Database]:
    """A LIMS in whose texts somebody wrote what steers a terminal."""
    url, _ = filled("sqlite")
    path = tmp_path / "lims.db"
    shutil.copy(url.removeprefix("sqlite:///"), path)
    with Database(f"sqlite:///{path}", owned=True) as owned, owned.connection() as connection:
        for statement in (
            "UPDATE ecephys_sessions SET stimulus_name = :name",
            "UPDATE ecephys_sessions SET workflow_state = :name WHERE id % 2 = 0",
            "UPDATE well_known_files SET filename = :name",
            "UPDATE genders SET name = :name",
        ):
            connection.execute(text(statement), {"name": NAME})
    with Database(f"sqlite:///{path}") as database:
        yield database


@pytest.mark.parametrize(
    "arguments",
    [
        ["sessions", "--format", "table"],
        ["why", "session", "{id}"],
        ["doctor"],
        ["explain", "sessions"],
        ["metrics", "--session-type", NAME],
        ["download", "session", "{id}", "--dry-run"],
        ["sessions", "--columns", NAME],
        ["snapshot", "info", "{snapshot}"],
        ["snapshot", "verify", "{snapshot}"],
        [NAME],
        ["sessions", f"--{NAME}"],
        ["sessions", "--published-at", NAME],
        ["sessions", "--debug", "--session-ids", f"@{NAME}"],
    ],
    ids=lambda one: " ".join(one[:2]).encode("ascii", "replace").decode(),
)
@pytest.mark.sample(3)
def test_no_text_of_a_command_steers_a_terminal(
    arguments: list[str], lims: Database, tmp_path: Path, capfd: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    path = lims.url.database
    (session_id, *_) = EcephysProjectLimsApi(lims).get_sessions().index
    snapshot = tmp_path / "part.db"
    if "{snapshot}" in arguments:
        assert run(["snapshot", "create", str(snapshot), "--session-id", str(session_id),
                    "--database", str(path), "--no-progress"]) == 0  # fmt: skip
    capfd.readouterr()
    given = [one.format(id=session_id, snapshot=snapshot) for one in arguments]
    run([*given, "--database", str(path)] if given[0] != "snapshot" else given)
    shown, told = capfd.readouterr()
    assert shown + told
    assert steers(shown + told) == []


@pytest.mark.parametrize(
    "form",
    ["csv", *(pytest.param(one, marks=pytest.mark.slow) for one in ("json", "jsonl", "table"))],
)
def test_rows_on_a_terminal_are_without_it_and_in_a_file_as_they_are(
    form: str, lims: Database, tmp_path: Path
) -> None:
    given = ("sessions", "--format", form, "--columns", "session_type")
    with terminal(*given, database=lims.url.database, width=200) as screen:
        assert screen.wait() == 0
    assert "brain" in screen.text
    assert steers(screen.text.replace("\r\n", "\n")) == []
    if form != "table":
        path = tmp_path / f"out.{form}"
        assert run([*given, "--database", str(lims.url.database), "--output", str(path)]) == 0
        stored = path.read_bytes().decode()
        assert "\u202e" in stored
        read = {
            "csv": lambda: pd.read_csv(path, lineterminator="\n"),
            "json": lambda: pd.read_json(path),
            "jsonl": lambda: pd.read_json(path, lines=True),
        }[form]()
        assert set(read["session_type"].dropna()) == {NAME}


@pytest.mark.slow
def test_a_device_that_is_a_terminal_is_one(lims: Database) -> None:
    given = ("sessions", "--format", "csv", "--output", "/dev/tty")
    with terminal(*given, database=lims.url.database, width=200) as screen:
        assert screen.wait() == 0
    assert "brain" in screen.text
    assert steers(screen.text.replace("\r\n", "\n")) == []


def test_what_python_prints_of_an_answer_steers_no_terminal(lims: Database) -> None:
    api = EcephysProjectLimsApi(lims)
    answers: list[Any] = [
        *(api.why(session_id=one) for one in api.get_sessions().index[:2]),
        api.why(natural_movie=1),
        api.explain(SessionFilter()),
        examine(lims, progress=False),
    ]
    for answer in answers:
        assert steers(str(answer)) == []


def test_a_reason_phrase_steers_neither_a_terminal_nor_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "ecephys_dal")

    def refuse(handler: Any) -> None:
        handler.wfile.write("HTTP/1.1 403 \x1b[31mno\x1b]0;x\x07\x9b\r\n".encode("latin-1"))
        handler.wfile.write(b"Content-Length: 0\r\n\r\n")

    with ScriptedServer().running() as server:
        server.script = [refuse] * 3
        with ArtifactClient(ArtifactSettings(host=server.host, attempts=1)) as client:
            wanted = Artifact("well_known_files/download/1?wkf_id=1", id=1, filename=NAME)
            with pytest.raises(EcephysDalError) as caught:
                client.download(wanted, tmp_path / f"x{ESC.replace('/', '')}")
    assert "403" in str(caught.value)
    assert steers(str(caught.value)) == []
    assert caplog.records
    assert steers(caplog.text) == []


@pytest.mark.parametrize("message", [ESC, "a\x1b[2Jb", "\x9b"])
def test_no_message_of_an_error_steers_a_terminal(message: str) -> None:
    kinds = [EcephysDalError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        assert steers(str(kind(message))) == []


def test_a_message_of_a_database_steers_no_terminal(lims: Database) -> None:
    with pytest.raises(EcephysDalError) as caught, lims.connection() as connection:
        connection.execute(text('SELECT "\x1b[31mx\u202e" FROM no_such_table'))
    assert steers(f"{caught.value}{caught.value.__cause__}") == []


def test_a_table_stays_aligned() -> None:
    frame = pd.DataFrame({"name": [NAME, "b" * len(NAME)], "n": [1, 2]})
    lines = list(table_lines([frame], 80))
    assert steers("".join(lines), allowed="") == []
    assert len({len(line) for line in lines[2:4]}) == 1


@pytest.mark.parametrize("name", ["<script>x</script>", "<img src=x onerror=x>", "a<bar/>b", ESC])
def test_the_name_of_a_download_becomes_no_tag(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tqdm import auto

    shown: list[str] = []

    class Widget:
        """Takes the name for HTML, as the widget of a notebook does."""

        disable = False

        def __init__(self, desc: str, **_: object) -> None:
            shown.append(desc)

    monkeypatch.setattr(auto, "tqdm", Widget)
    bars.make_bar(True, total=10, desc=name)
    assert shown
    assert "<" not in shown[0]
    assert steers(shown[0], allowed="") == []


def test_the_name_of_a_download_steers_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with bars.make_bar(True, total=10, desc=NAME) as bar:
        bar.update(5)
    assert "brain" in stream.getvalue()
    assert steers(stream.getvalue(), allowed="\n\r") == []


def test_the_name_of_a_file_adds_no_line_to_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    hostile = Artifact("r", id=1, filename="a\nINFO all is well\tb")
    settings = ArtifactSettings(host="127.0.0.1:9", timeout=0.1)
    with ArtifactClient(settings) as client:
        [report] = client.download_many([hostile], tmp_path)
        (tmp_path / "1_a\nINFO all is well\tb").mkdir()
        [again] = client.download_many([hostile], tmp_path)
    lines = [str(report), str(again), *caplog.messages]
    assert len(lines) >= 4
    assert not [line for line in lines if "\n" in line or "\t" in line]
