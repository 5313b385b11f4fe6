"""``db``: the schema of a database of one's own; LIMS' is somebody else's."""

from __future__ import annotations

import sys

import click

from ecephys_dal.cli.answers import echo
from ecephys_dal.cli.commands import COMMANDS, Group
from ecephys_dal.cli.exits import Exit
from ecephys_dal.cli.invocation import Invocation, common_options
from ecephys_dal.migrations import refuse_somebody_elses_lims, revisions, upgrade

__all__ = ["db"]


@click.group(cls=Group, help=COMMANDS["db"].summary)
def db() -> None:
    """Hold the commands of the schema."""


@db.command("upgrade")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@common_options
@click.pass_obj
def upgrade_command(invocation: Invocation, *, yes: bool) -> int:
    """Make the tables of LIMS in an empty database, or bring those that were made so up to date.

    A database whose tables were made otherwise, such as LIMS itself, is refused.
    """
    with invocation.opened(owned=True) as database:
        with database.connection() as connection:
            refuse_somebody_elses_lims(connection)
            recorded, newest = revisions(connection)
        if recorded == newest:
            echo(f"{database!r} is at {newest}, the newest revision")
            return Exit.DONE
        asked = f"Bring {database!r} from {recorded or 'nothing'} to {newest}?"
        if not yes and not sys.stdin.isatty():
            raise click.UsageError(f"{asked} Nobody can be asked; --yes says so")
        if not yes and not click.confirm(asked, err=True):
            echo("nothing was changed", err=True)
            return Exit.NOTHING
        with database.connection() as connection:
            upgrade(connection)
        echo(f"{database!r} is at {newest} now")
    return Exit.DONE


@db.command("current")
@common_options
@click.pass_obj
def current(invocation: Invocation) -> int:
    """Tell the revision of a schema, and the newest one."""
    with invocation.opened() as database, database.connection() as connection:
        recorded, newest = revisions(connection)
    echo(f"{recorded or 'none'} (the newest is {newest})")
    if recorded is None:
        echo("no revision is recorded: these migrations did not make it", err=True)
    return Exit.DONE if recorded == newest else Exit.NOTHING
