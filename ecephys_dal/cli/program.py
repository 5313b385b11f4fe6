"""The program: its common options, its errors, and its exit code."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Any

import click

from ecephys_dal import __version__
from ecephys_dal.cli.commands import Program
from ecephys_dal.cli.exits import EXIT_CODES, NAME, Exit, exit_of, line_of
from ecephys_dal.cli.invocation import Invocation, common_options
from ecephys_dal.cli.pipes import silence

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["run"]


class _Program(Program):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read it has had enough, as head has
            silence(sys.stdout)
            return Exit.DONE
        return code


@click.command(cls=_Program, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name=NAME)
@common_options
def program() -> None:
    """Read the Allen Institute's Neuropixels records in LIMS: tables and files.

    The database is that of --database, else of ECEPHYS_DAL_DATABASE, else the one that
    LIMS_DBNAME, LIMS_USER, LIMS_HOST, LIMS_PORT and LIMS_PASSWORD open.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of this process without it.

    Returns
    -------
    int
        The exit code.
    """
    invocation = Invocation.from_env()
    try:
        code = program.main(arguments, prog_name=NAME, standalone_mode=False, obj=invocation)
    except (Exception, KeyboardInterrupt) as error:
        if invocation.debug:
            click.echo(invocation.without_secrets(traceback.format_exc()), err=True, nl=False)
        click.echo(invocation.without_secrets(line_of(error)), err=True)
        return exit_of(error)
    return int(code or Exit.DONE)
