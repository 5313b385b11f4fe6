"""``snapshot`` and ``export``: a part of LIMS in a file, or as tables for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecephys_dal import snapshot as snapshots
from ecephys_dal.artifacts import ArtifactClient
from ecephys_dal.cli.answers import echo, form_option, show
from ecephys_dal.cli.commands import COMMANDS, Command, Group
from ecephys_dal.cli.exits import GOES_ON, Exit
from ecephys_dal.cli.invocation import FilePath, Invocation, common_options
from ecephys_dal.cli.reach import reach_of, reach_options
from ecephys_dal.cli.tables import TABLES
from ecephys_dal.cli.web import LIMS_APP, app_options, parallel_option, settings_of, tell, told_once
from ecephys_dal.snapshot.exporting import FORMATS
from ecephys_dal.snapshot.files import KINDS

__all__ = ["export", "snapshot"]

_FILE = FilePath(dir_okay=False, path_type=Path)


@click.group(cls=Group, help=COMMANDS["snapshot"].summary)
def snapshot() -> None:
    """Hold the commands of snapshots."""


@snapshot.command("create")
@click.argument("file", type=_FILE)
@reach_options
@click.option("--hidden", is_flag=True, help="Take along what the visibility rules hide.")
@form_option
@common_options
@click.pass_obj
def create(
    invocation: Invocation, /, *, file: Path, table: str, hidden: bool, form: str, **values: Any
) -> int:
    """Copy what a filter reaches into FILE. What was interrupted goes on where it ended."""
    spec = reach_of(table, values)
    invocation.goes_on = GOES_ON
    with invocation.opened() as database:
        made = snapshots.create(database, file, spec, hidden=hidden, progress=invocation.progress)
    show(made, form)
    return _done_if(made.rows.get(TABLES[table].model.__tablename__), table)


@snapshot.command("fetch")
@click.argument("file", type=_FILE)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(KINDS),
    multiple=True,
    default=KINDS,
    show_default=True,
    help="Which files; may be repeated.",
)
@parallel_option
@app_options(default=LIMS_APP)
@common_options
@click.pass_obj
def fetch(
    invocation: Invocation,
    *,
    file: Path,
    kinds: tuple[str, ...],
    parallel: int,
    app: str,
    mounts: str | None,
) -> int:
    """Fetch the files of the snapshot FILE into FILE.artifacts; those that are there stay."""
    invocation.goes_on = GOES_ON
    settings = settings_of(
        app, mounts, of_snapshot=True, max_parallel=parallel, progress=invocation.progress
    )
    with ArtifactClient(settings) as client, told_once():
        reports = snapshots.fetch(file, client, kinds=kinds)
    n_missing = tell(reports)
    return Exit.DONE if reports and not n_missing else Exit.NOTHING


@snapshot.command("info")
@click.argument("file", type=_FILE)
@form_option
@common_options
def info(*, file: Path, form: str) -> None:
    """Tell what FILE holds, of which source, filter and time."""
    show(snapshots.info(file), form)


@snapshot.command("verify")
@click.argument("file", type=_FILE)
@click.option("--files/--no-files", default=True, help="Read the files beside it, too.")
@form_option
@common_options
@click.pass_obj
def verify(invocation: Invocation, *, file: Path, files: bool, form: str) -> int:
    """Tell whether FILE is still what was made: every byte, and every row."""
    found = snapshots.verify(file, artifacts=files, progress=invocation.progress)
    show(found, form)
    return Exit.DONE if found.ok else Exit.NOTHING


@snapshot.command("diff")
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@form_option
@common_options
def diff(*, old: Path, new: Path, form: str) -> int:
    """Tell which sessions, probes and units NEW has more, less, or otherwise than OLD."""
    found = snapshots.diff(old, new)
    show(found, form)
    return Exit.NOTHING if found else Exit.DONE


@click.command(cls=Command, help=COMMANDS["export"].summary)
@click.argument("folder", type=FilePath(file_okay=False, path_type=Path))
@reach_options
@click.option("--format", "form", type=click.Choice(FORMATS), default=FORMATS[0], show_default=True)
@common_options
@click.pass_obj
def export(invocation: Invocation, /, *, folder: Path, table: str, form: str, **values: Any) -> int:
    """Write the tables."""
    spec = reach_of(table, values)
    with invocation.opened() as database:
        written = snapshots.export(
            database, folder, spec, format=form, progress=invocation.progress
        )
        n_found = TABLES[table](database).count(spec)
    for path in written.values():
        echo(path)
    return _done_if(n_found, table)


def _done_if(found: object, noun: str) -> Exit:
    if found:
        return Exit.DONE
    echo(f"no {noun} found", err=True)
    return Exit.NOTHING
