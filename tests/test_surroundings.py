"""Where the library runs: optimised, out of a zip file, as a module, in a job deaf to Ctrl-C."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ecephys_dal
from ecephys_dal.testing import create_synthetic_lims
from tests.cli.shell import environment

PACKAGE = Path(ecephys_dal.__file__).parent
ROOT = PACKAGE.parent

# Every module, every command's help, and a use of each layer.
USES = """
import importlib, pkgutil, sys, warnings
import click
import ecephys_dal
from ecephys_dal import errors
print(ecephys_dal.__file__)
assert_ = lambda true: true or sys.exit("not so")
for module in pkgutil.walk_packages(ecephys_dal.__path__, "ecephys_dal."):
    if module.name != "ecephys_dal.cli.tour":
        importlib.import_module(module.name)
for name in ecephys_dal.__all__:
    getattr(ecephys_dal, name)

from ecephys_dal.cli.program import program, run
from ecephys_dal.repositories import REPOSITORIES
from ecephys_dal.testing import create_synthetic_lims

def paths(command, *before):
    yield before
    for name in getattr(command, "commands", None) or (
        command.list_commands(None) if isinstance(command, click.Group) else ()
    ):
        yield from paths(command.get_command(None, name), *before, name)

for path in paths(program):
    code = run([*path, "--help"])
    assert_(code == 0)

url = "sqlite:///lims.db"
create_synthetic_lims(url, sessions=1, channels_per_probe=4, units_per_session=8)
for table in ("sessions", "probes", "channels", "units", "metrics"):
    assert_(run([table, "--database", url]) == 0)
assert_(run(["explain", "units", "--database", url]) == 0)
assert_(run(["snapshot", "create", "part.db", "--database", url]) == 0)
with ecephys_dal.EcephysProjectLimsApi.from_snapshot("part.db") as api:
    print(len(api.get_units()), "units", len(api._repr_html_()) > 0)
    shown = [repository(api.postgres_engine)._repr_html_() for repository in REPOSITORIES.values()]
print("done")
"""


@pytest.fixture(scope="module")
def zipped(tmp_path_factory) -> Path:
    """The package as an installation has it, but in a zip file and without what types need."""
    path = tmp_path_factory.mktemp("zipped") / "packages.zip"
    with zipfile.ZipFile(path, "w") as file:
        for folder, name in ((PACKAGE, "ecephys_dal"), (ROOT / "alembic", "ecephys_dal/_alembic")):
            for source in folder.rglob("*"):
                if source.suffix in (".py", ".mako") and "__pycache__" not in source.parts:
                    file.write(source, f"{name}/{source.relative_to(folder)}")
    return path


def ran(*arguments: str, folder: Path, **named: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own lines
        [sys.executable, *arguments],
        cwd=folder,
        env={**environment(), "PYTHONWARNINGS": "default", **named},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("optimised", [pytest.param("", marks=pytest.mark.slow), "2"])
@pytest.mark.timeout(600)  # what Python has not compiled so yet takes its time
@pytest.mark.slow
def test_everything_works_out_of_a_zip_file_and_without_docstrings(zipped, optimised, tmp_path):
    done = ran(
        "-c", USES, folder=tmp_path, PYTHONPATH=str(zipped), PYTHONOPTIMIZE=optimised,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, *_, units, last = done.stdout.splitlines()
    assert first.startswith(str(zipped))
    assert (units.split()[1:], last) == (["units", "True"], "done")
    assert int(units.split()[0]) > 0


@pytest.mark.slow
def test_a_zip_file_without_migrations_says_so(zipped, tmp_path):
    bare = tmp_path / "bare.zip"
    with zipfile.ZipFile(zipped) as file, zipfile.ZipFile(bare, "w") as copy:
        for name in file.namelist():
            if "_alembic" not in name:
                copy.writestr(name, file.read(name))
    script = """
from ecephys_dal import ConfigurationError, Database, migrations
try:
    with Database("sqlite:///own.db", owned=True) as own, own.connection() as connection:
        migrations.upgrade(connection)
except ConfigurationError as error:
    print(error)
"""
    done = ran("-c", script, folder=tmp_path, PYTHONPATH=str(bare))
    assert f"there is no {bare}" in done.stdout, done.stderr
    assert "wheel" in done.stdout


@pytest.mark.parametrize(
    "name", ["ecephys_dal", "ecephys_dal.repositories", "ecephys_dal.snapshot"]
)
def test_what_is_imported_late_is_what_type_checkers_are_told(name):
    package = importlib.import_module(name)
    folder = Path(package.__file__).parent
    told = {
        (node.module, one.name)
        for node in ast.parse((folder / "__init__.pyi").read_text()).body
        if isinstance(node, ast.ImportFrom)
        for one in node.names
    }
    (attached,) = (
        node.value
        for node in ast.parse((folder / "__init__.py").read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
    )
    given = {one.arg: ast.literal_eval(one.value) for one in attached.keywords}
    attached_names = {
        (module, one) for module, ones in given["submod_attrs"].items() for one in ones
    }
    assert told == attached_names | {(None, one) for one in given.get("submodules", ())}


def test_the_package_is_the_command_line_too(tmp_path):
    database = tmp_path / "lims.db"
    create_synthetic_lims(
        f"sqlite:///{database}", sessions=1, channels_per_probe=4, units_per_session=8
    )
    counted = ran(
        "-m", "ecephys_dal", "probes", "--count", "--database", "lims.db", folder=tmp_path
    )
    assert (counted.returncode, counted.stderr) == (0, "")
    assert int(counted.stdout) > 0
    wrong = ran("-m", "ecephys_dal", "sesions", folder=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("ecephys-dal: there is no command sesions")


INTERRUPTED = """
import os, signal, subprocess, sys
assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
from tests.signals import hear_interruptions
hear_interruptions()
child = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9); print('deaf')"
told = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("heard", told.returncode == -signal.SIGINT)
"""


def test_tests_hear_ctrl_c_in_a_job_that_ignores_it():
    done = subprocess.run(  # noqa: S603 - our own lines
        ["bash", "-c", 'trap "" INT; exec "$@"', "bash", sys.executable, "-c", INTERRUPTED],  # noqa: S607
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("heard True\n", 0), done.stderr
