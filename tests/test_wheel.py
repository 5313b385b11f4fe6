"""What is built installs in an empty environment, and is all that a user needs, first and last."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ecephys_dal import __version__
from tests.cli.shell import environment
from tests.project import declared

ROOT = Path(__file__).parents[1]
TABLES = ("sessions", "probes", "channels", "units", "metrics")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # the packages that it needs may have to be fetched
]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """What the sdist holds, unpacked, in a folder beside it."""
    folder = tmp_path_factory.mktemp("sdist")
    run([sys.executable, "-m", "build", "--sdist", "--outdir", str(folder), str(ROOT)], folder)
    shutil.unpack_archive(folder / f"ecephys_dal-{__version__}.tar.gz", folder)
    return folder / f"ecephys_dal-{__version__}"


@pytest.fixture(scope="module")
def bin_folder(source, tmp_path_factory) -> Path:
    """The programs of an environment where the workflow's lines built and installed the wheel.

    They work on what the sdist holds, so that lacks nothing either.
    """
    folder = tmp_path_factory.mktemp("installed")
    run([sys.executable, "-m", "venv", str(folder)], folder)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    quiet = {"PIP_QUIET": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PATH": path}
    wheel = f"dist/ecephys_dal-{__version__}-py3-none-any.whl"
    for line in [
        *declared.run_lines(declared.jobs()["wheel"]),
        f"python -m pip install '{wheel}[arrow,testing]'",
    ]:
        code, shown = run(["bash", "-e", "-c", line], source, **quiet)
        assert code == 0, (line, shown)
    return folder / "bin"


def run(command: list[str], folder: Path, **named: str) -> tuple[int, str]:
    """Run something outside of the repository; its code may be 1, as of an answer without rows."""
    done = subprocess.run(  # noqa: S603 - our own lines
        command, cwd=folder, env=outside(**named), capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, done.stdout


def outside(**named: str) -> dict[str, str]:
    """Return an environment that knows nothing of the repository."""
    mine = ("PYTHONPATH", "PYTHONWARNINGS")
    return {name: value for name, value in environment(**named).items() if name not in mine}


@contextmanager
def demo(bin_folder: Path, folder: Path) -> Iterator[dict[str, str]]:
    """Serve the demo, and return the environment that it says to set."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [str(bin_folder / "ecephys-dal"), "demo", "--sessions", "1", "--folder", "demo"],
        stdout=subprocess.PIPE, text=True, cwd=folder, env=outside(),
    ) as process:  # fmt: skip
        shown = ""
        for line in process.stdout:
            shown += line
            if "api = " in line:
                break
        yield dict(re.findall(r"export (\w+)=(\S+)", shown))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_the_sdist_holds_what_the_repository_does(source):
    tracked = declared.run(["git", "ls-files"])
    if tracked.returncode:  # these are the tests of an sdist
        return
    left_out = (".ci/", ".gitignore")
    wanted = [name for name in tracked.stdout.splitlines() if not name.startswith(left_out)]
    assert [name for name in wanted if not (source / name).exists()] == []


def questions(session: str) -> list[list[str]]:
    """Return one of each kind; the others are asked of a snapshot where nothing is installed."""
    return [
        *([table, "--format", "csv"] for table in TABLES),
        ["units", "--session-id", session, "--count"],
        ["why", "session", session],
        ["download", "session", session, "--dry-run"],
    ]


def test_the_wheel_alone_serves_the_demo_and_answers_the_same_offline(bin_folder, tmp_path):
    program = str(bin_folder / "ecephys-dal")

    def ask(*arguments: str, **named: str) -> tuple[int, str]:
        return run([program, *arguments], tmp_path, **named)

    with demo(bin_folder, tmp_path) as lims:
        session = ask("sessions", "--limit", "1", "--columns", "id", **lims)[1].split()[-1]
        live = [ask(*question, **lims) for question in questions(session)]
        for others in (["explain", "units"], ["doctor"], ["db", "current"],
                       ["export", "tables"], ["snapshot", "create", "all.db"],
                       ["snapshot", "fetch", "all.db", "--kind", "nwb", "--kind", "lfp"],
                       ["download", "movie", "1", "--output-dir", "files"],
                       ["download", "session", session, "--output-dir", "live"]):  # fmt: skip
            code, shown = ask(*others, **lims)
            assert (code, bool(shown)) == (0, True), others
    (tmp_path / "demo").rename(tmp_path / "gone")
    for question, answer in zip(questions(session), live, strict=True):
        assert ask(*question, "--database", "all.db") == answer, question
    for others in (["snapshot", "info", "all.db"], ["snapshot", "verify", "all.db"],
                   ["snapshot", "diff", "all.db", "all.db"], ["doctor", "--database", "all.db"],
                   ["download", "session", session, "--database", "all.db", "--output-dir", "off"],
                   ["db", "upgrade", "--yes", "--database", "own.db"]):  # fmt: skip
        assert ask(*others)[0] == 0, others
    (fetched,), (copied,) = (tmp_path / "live").glob("*.nwb"), (tmp_path / "off").glob("*.nwb")
    assert fetched.read_bytes() == copied.read_bytes()
