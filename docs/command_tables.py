"""The commands and their options, as the program declares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ecephys_dal.cli.commands import COMMANDS
from ecephys_dal.cli.program import program

if TYPE_CHECKING:
    from collections.abc import Iterator


def options() -> Iterator[str]:
    """Give a table of each command's own options; those that every command has come once."""
    context = click.Context(program, info_name="ecephys-dal")
    common = {one.name for one in program.params}
    yield "| every command | |"
    yield "|---|---|"
    yield from (
        row(one)
        for one in program.params
        if isinstance(one, click.Option) and one.name != "version"
    )
    yield ""
    for name in COMMANDS:
        command = program.get_command(context, name)
        if command is None:
            raise LookupError(name)
        yield f"### `{name}`"
        yield ""
        yield from of(command, f"ecephys-dal {name}", common)


def of(command: click.Command, path: str, common: set[str | None]) -> Iterator[str]:
    """Give the table of a command, or those of its commands."""
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from of(one, f"{path} {name}", common)
        return
    named = " ".join(one.make_metavar(click.Context(command)) for one in command.params
                     if isinstance(one, click.Argument))  # fmt: skip
    yield f"| `{f'{path} {named}'.strip()}` | {command.get_short_help_str(200)} |"
    yield "|---|---|"
    yield from (
        row(one)
        for one in command.params
        if isinstance(one, click.Option) and one.name not in common
    )
    yield ""


def row(option: click.Option) -> str:
    """Give the row of an option."""
    context = click.Context(program)
    names = ", ".join([*option.opts, *option.secondary_opts])
    takes = "" if option.is_flag else f" {option.make_metavar(context)}"
    _, told = option.get_help_record(context) or ("", "")
    escaped = f"{names}{takes}".replace("|", "\\|")
    return f"| `{escaped}` | {told} |"
