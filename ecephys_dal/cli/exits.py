"""What the exit codes mean, and which error gives which."""

from __future__ import annotations

from enum import IntEnum

import click

from ecephys_dal.errors import (
    BeyondSnapshotError,
    ConfigurationError,
    DatabaseUnavailableError,
    EcephysDalError,
    InvalidFilterError,
)

NAME = "ecephys-dal"
GOES_ON = "; the same command goes on from where it was"

__all__ = ["EXIT_CODES", "GOES_ON", "NAME", "Exit", "exit_of", "line_of"]


class Exit(IntEnum):
    """What a command returns to the shell."""

    DONE = 0
    NOTHING = 1
    WRONG_USE = 2
    UNREACHABLE = 3
    INTERRUPTED = 130


EXIT_CODES = """\b
Exit codes:
  0    done, and something was found
  1    nothing was found, or problems were found
  2    wrong use: an option, a value, a setting, a question that a snapshot can't answer
  3    the database can't be reached, or broke off
  130  interrupted
"""


_WRONG_USE = (click.ClickException, ConfigurationError, InvalidFilterError, BeyondSnapshotError)


def exit_of(error: BaseException) -> Exit:
    """Return the exit code that an error means."""
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return Exit.INTERRUPTED
    if isinstance(error, DatabaseUnavailableError):
        return Exit.UNREACHABLE
    if isinstance(error, _WRONG_USE):
        return Exit.WRONG_USE
    return Exit.NOTHING


def line_of(error: BaseException) -> str:
    """Return an error as one line for a person."""
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return f"{NAME}: interrupted"
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        advice = f" ({context.command_path} --help tells more)" if context else ""
        return f"{NAME}: {_in_one_line(error.format_message())}{advice}"
    if isinstance(error, (EcephysDalError, OSError)):
        return f"{NAME}: {_in_one_line(str(error))}"
    kind = type(error).__name__
    return f"{NAME}: unexpected {kind}: {_in_one_line(str(error))} (--debug shows where)"


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
