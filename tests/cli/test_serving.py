"""The demo: a LIMS that a second shell can ask, until it is interrupted."""

from __future__ import annotations

import ast
import re
import shlex
import signal
import socket
import subprocess
import textwrap
from pathlib import Path
from unittest.mock import MagicMock, Mock

import pytest
from click.testing import CliRunner

from ecephys_dal import Database, SessionRepository, testing
from ecephys_dal.cli import serving
from tests.cli.shell import call, environment, program, terminal


def told(shown: str) -> dict[str, str]:
    """Return the environment that a demo says to set."""
    return dict(re.findall(r"export (\w+)=(\S+)", shown))


@pytest.mark.slow
def test_a_second_shell_can_do_everything_that_the_demo_says(tmp_path):
    with terminal("demo", "--sessions", "1", width=200) as demo:
        shown = demo.read_until(lambda text: "api = " in text and text.endswith("\r\n"))
        named = told(shown)
        folder = Path(named["ECEPHYS_DAL_DATABASE"].removeprefix("sqlite:///")).parent
        commands = re.findall(r"^  ecephys-dal (.*)\r$", shown, re.MULTILINE)
        assert [line.split()[0] for line in commands] == ["sessions", "download", "snapshot"]
        for line in commands:
            here = line.replace(" files", f" {tmp_path}/files").replace(
                " part", f" {tmp_path}/part"
            )
            done = call(*here.split(), **named)
            assert (done.returncode, done.stderr) == (0, "")
        assert len(list((tmp_path / "files").glob("*.nwb"))) == 1
        assert call("doctor", **named).returncode == 0
        demo.type("\x03")
        assert demo.wait() == 0
    assert "Traceback" not in demo.text
    assert not folder.exists()
    host, _, port = named["ECEPHYS_DAL_APP"].removeprefix("http://").partition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)


def demo_in(folder: Path, *more: str, **options: object) -> subprocess.Popen[str]:
    command = [program(), "demo", "--sessions", "1", "--folder", str(folder), *more]
    return subprocess.Popen(  # noqa: S603 - our own program
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        **options,
    )


def shown_until_it_serves(demo: subprocess.Popen[str]) -> str:
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if "api = " in line:
            break
    return "".join(lines)


def end(demo: subprocess.Popen[str], number: signal.Signals) -> None:
    demo.send_signal(number)
    assert demo.wait(30) == 0
    assert demo.stderr.read() == ""


@pytest.mark.slow
def test_a_folder_is_served_again_at_the_same_address(tmp_path):
    folder = tmp_path / "demo"
    with demo_in(folder) as demo:
        first = told(shown_until_it_serves(demo))
        end(demo, signal.SIGTERM)
    with Database(f"sqlite:///{folder}/lims.db") as database:
        counted = SessionRepository(database).count()
    assert counted > 1
    with demo_in(folder) as demo:
        assert told(shown_until_it_serves(demo)) == first
        end(demo, signal.SIGTERM)
    with Database(f"sqlite:///{folder}/lims.db") as database:
        assert SessionRepository(database).count() == counted
    other = call("demo", "--folder", folder, "--sessions", "2")
    assert (other.returncode, other.stderr.count("\n")) == (2, 1)
    assert "sessions is 1 there and 2 here" in other.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_in_the_background_can_be_ended(tmp_path, number):
    def ignore() -> None:  # as a shell does with what stands before an ampersand
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    with demo_in(tmp_path / "demo", preexec_fn=ignore) as demo:
        shown_until_it_serves(demo)
        end(demo, number)


@pytest.mark.slow
def test_it_can_be_built_without_being_served(tmp_path):
    built = call("demo", "--sessions", "1", "--folder", tmp_path / "demo", "--no-serve")
    assert (built.returncode, built.stderr) == (0, "")
    named = told(built.stdout)
    assert named.keys() == {"ECEPHYS_DAL_DATABASE"}
    assert call("sessions", "--count", **named).returncode == 0
    assert call("demo", "--no-serve").returncode == 2


def test_what_is_shown_can_be_pasted_whatever_the_folder_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"url": "sqlite:////a b's/lims.db", "app": "http://127.0.0.1:1"}
    lims = MagicMock(url=names["url"], server=Mock(url=names["app"], host="127.0.0.1:1"))
    lims.__enter__.return_value = lims
    monkeypatch.setattr(testing, "demo", Mock(return_value=lims))
    monkeypatch.setattr(serving, "Event", Mock(side_effect=KeyboardInterrupt))
    monkeypatch.setattr(serving, "signal", Mock())
    shown = CliRunner().invoke(serving.demo, obj=Mock(progress=False)).output
    exported = [shlex.split(line) for line in shown.splitlines() if "export" in line]
    assert [word.partition("=")[2] for _, word in exported] == list(names.values())
    code = shown.partition("In Python:\n")[2]
    assert repr(names["url"]) in code
    ast.parse(textwrap.dedent(code))


def test_a_folder_without_a_name_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(serving.demo, ["--folder", ""], obj=Mock(progress=False))
    assert done.exit_code == 2
    assert "names no folder" in done.output
    assert list(tmp_path.iterdir()) == []
