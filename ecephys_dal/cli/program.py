"""The program: its common options, its errors, and its exit code."""

from __future__ import annotations

import sys
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import override

from ecephys_dal import __version__
from ecephys_dal.bars import without_reading_bars
from ecephys_dal.cli.answers import echo
from ecephys_dal.cli.commands import Program
from ecephys_dal.cli.exits import EXIT_CODES, NAME, Exit, exit_of, line_of
from ecephys_dal.cli.invocation import Invocation, common_options
from ecephys_dal.cli.streams import silence
from ecephys_dal.display import without_passwords

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["run"]

_SETTINGS = {"help_option_names": ["-h", "--help"]}


class _Program(Program):
    @override
    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        with _unread_is_no_error():
            return super().make_context(info_name, args, parent, **extra)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        with _unread_is_no_error(), without_reading_bars():  # commands show bars of their own
            return super().invoke(ctx)


@contextmanager
def _unread_is_no_error() -> Iterator[None]:
    """End well when whoever reads the output has had enough, as head has."""
    try:
        yield
    except BrokenPipeError:
        silence(sys.stdout)
        raise click.exceptions.Exit(Exit.DONE) from None


@click.command(cls=_Program, epilog=EXIT_CODES, context_settings=_SETTINGS)
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
        with suppress(OSError):  # nor does anybody read this, perhaps
            _tell(error, invocation)
        return exit_of(error)
    return int(code or Exit.DONE)


def _tell(error: BaseException, invocation: Invocation) -> None:
    told = line_of(error)
    if exit_of(error) is Exit.INTERRUPTED:
        told += invocation.goes_on
    if invocation.debug:
        told = f"{traceback.format_exc()}{told}"
    echo(without_passwords(told), err=True)
