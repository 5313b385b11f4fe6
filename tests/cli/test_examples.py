"""The help of every command has an example, and each of them runs on a demo as it is printed."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator

import click
import pytest

from ecephys_dal.cli.commands import COMMANDS, EXAMPLES
from ecephys_dal.cli.program import program, run
from ecephys_dal.testing import demo

CONTEXT = click.Context(program, info_name="ecephys-dal")


def commands() -> Iterator[str]:
    """Give the words that call each command that can be run."""
    for name in COMMANDS:
        command = program.get_command(CONTEXT, name)
        below = command.commands if isinstance(command, click.Group) else None
        yield from [name] if below is None else (f"{name} {one}" for one in below)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a demo, whose files are served."""
    folder = tmp_path_factory.mktemp("examples")
    with demo(folder / "demo", progress=False) as lims:
        yield lims


@pytest.fixture
def helped(made, monkeypatch, capfd):
    """Return the example in the help of a command, in the folder of the demo."""
    for name in ("LIMS_DBNAME", "LIMS_USER", "LIMS_HOST", "LIMS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ECEPHYS_DAL_DATABASE", str(made.url))
    monkeypatch.setenv("ECEPHYS_DAL_APP", made.server.url)
    monkeypatch.chdir(made.folder.parent)

    def example_of(path: str) -> list[str]:
        assert run([*path.split(), "--help"]) == 0
        (line,) = re.findall(
            r"^Example:\n  ecephys-dal (.+)$", capfd.readouterr().out, re.MULTILINE
        )
        return shlex.split(line)

    return example_of


def test_every_command_has_one():
    assert list(EXAMPLES) == list(commands())


def test_all_of_them_run_in_the_order_of_the_commands(helped, made, capfd):
    for path in commands():
        if path == "snapshot diff":  # which needs a second one
            shutil.copy(made.folder.parent / "part.db", made.folder.parent / "newer.db")
        example = helped(path)
        assert example[: len(path.split())] == path.split()
        code = run(example)
        assert code == 0, (example, capfd.readouterr().err)
