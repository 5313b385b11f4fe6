"""The program as a person runs it: its entry point in a process, also in a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SEARCHED = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
_OURS = re.compile("LIMS_|ECEPHYS_DAL_|PG|_?COLUMNS$|LINES$")
_BLOCK = 65536


def program() -> str:
    """Return where the entry point is; it is installed with the package."""
    found = shutil.which("ecephys-dal", path=_SEARCHED)
    assert found, "there is no ecephys-dal; install the package"
    return found


def environment(database: object = None, **more: str) -> dict[str, str]:
    """Return an environment that names this database, or none; warnings are errors in it."""
    kept = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
    named = {} if database is None else {"ECEPHYS_DAL_DATABASE": str(database)}
    return {**kept, "PATH": _SEARCHED, "PYTHONWARNINGS": "error", "TERM": "xterm", **named, **more}


def call(
    *arguments: object, database: object = None, stdin: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run it, as a script does."""
    return _run([program(), *map(str, arguments)], stdin, environment(database, **more))


def pipe(line: str, *, database: object = None) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell, which finds the program by its name and fails if any part does."""
    named = environment(database)
    named["PATH"] = f"{Path(program()).parent}{os.pathsep}{named['PATH']}"
    return _run(["bash", "-euo", "pipefail", "-c", line], "", named)


def _run(command: list[str], stdin: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        command, input=stdin, capture_output=True, text=True, check=False, env=env
    )


class Terminal:
    """A process in a pseudo-terminal, and what it has written there so far."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process, self._screen = process, screen
        self.text = ""

    def type(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def read_until(self, condition: Callable[[str], object], seconds: float = 60) -> str:
        """Read on until something holds of the text; everything if the process ends before."""
        until = time.monotonic() + seconds
        while not condition(self.text):
            assert time.monotonic() < until, self.text
            if select.select([self._screen], [], [], 0.1)[0]:
                try:
                    part = os.read(self._screen, _BLOCK)
                except OSError:  # how Linux tells that nobody has it open any more
                    break
                if not part:
                    break
                self.text += part.decode(errors="replace")
        return self.text

    def wait(self) -> int:
        """Read to the end, and return the exit code."""
        self.read_until(lambda _: False)
        return self.process.wait(30)


def after(text: str) -> list[str]:
    """Return the lines that are left of what a terminal was told."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return [line for line in lines if line]


# The child makes the terminal its own, so that Ctrl-C there is a signal to it.
_CONTROL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " os.execv(sys.argv[1], sys.argv[1:])"
)


@contextmanager
def terminal(
    *arguments: object,
    database: object = None,
    width: int = 80,
    stdout: int | None = None,
    command: str | None = None,
    **more: str,
) -> Iterator[Terminal]:
    """Run it, or another command, in a terminal; its stdout may go elsewhere."""
    screen, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", _CONTROL, command or program(), *map(str, arguments)],
        stdin=end,
        stdout=end if stdout is None else stdout,
        stderr=end,
        start_new_session=True,
        env=environment(database, **more),
    )
    os.close(end)
    try:
        yield Terminal(process, screen)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
        os.close(screen)
