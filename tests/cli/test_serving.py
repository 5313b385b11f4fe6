"""The demo: a LIMS that a second shell can ask, until it is interrupted."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.shell import call, environment, program, terminal


def told(shown: str) -> dict[str, str]:
    """Return the environment that a demo says to set."""
    return dict(re.findall(r"export (\w+)=(\S+)", shown))


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


@pytest.mark.slow
def test_its_folder_stays_if_one_is_named_and_a_second_demo_does_not_spoil_it(tmp_path):
    command = [program(), "demo", "--sessions", "1", "--folder", str(tmp_path / "demo")]
    ignoring = [
        "bash",
        "-c",
        'trap "" INT; exec "$@"',
        "bash",
        *command,
    ]  # as a job in the background
    with subprocess.Popen(  # noqa: S603 - our own program
        ignoring, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as demo:
        assert any("api = " in line for line in demo.stdout)
        demo.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            demo.wait(0.3)
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(30) == 0
        assert demo.stderr.read() == ""
    counted = call("sessions", "--count", database=tmp_path / "demo" / "lims.db")
    assert int(counted.stdout) > 1
    again = call(*command[1:])
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "holds a demo already" in again.stderr
    assert (
        call("sessions", "--count", database=tmp_path / "demo" / "lims.db").stdout == counted.stdout
    )
