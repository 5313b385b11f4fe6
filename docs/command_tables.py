"""The commands and their options, as the program declares them; each option stands there once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ecephys_dal.cli.commands import COMMANDS
from ecephys_dal.cli.program import program
from ecephys_dal.cli.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTEXT = click.Context(program, info_name="ecephys-dal")
COMMON = [one for one in program.params if isinstance(one, click.Option) and one.name != "version"]


def options() -> Iterator[str]:
    """Give the commands, the options of every command, and those of some with their names."""
    yield "| command | |"
    yield "|---|---|"
    for path, command in commands():
        arguments = (one for one in command.params if isinstance(one, click.Argument))
        usage = " ".join([path, *(one.make_metavar(CONTEXT) for one in arguments)])
        yield f"| {code(usage)} | {command.get_short_help_str(200)} |"
    yield from ("", "| option of every command | |", "|---|---|")
    yield from (f"| {name_of(one)} | {told(one)} |" for one in COMMON)
    yield from ("", "| option | of | |", "|---|---|---|")
    for (name, text), paths in owners().items():
        yield f"| {name} | {', '.join(together(paths))} | {text} |"
    yield ""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Give each command that can be run, with the words that call it."""
    for name in COMMANDS:
        command = program.get_command(CONTEXT, name)
        if command is None:
            raise LookupError(name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {one}", below) for one, below in command.commands.items())
        else:
            yield name, command


def owners() -> dict[tuple[str, str], list[str]]:
    """Return which commands have an option of a meaning; a filter's means one thing in them all."""
    fields = {name for one in TABLES.values() for name in one.filter_type.kinds()}
    meanings: dict[str, str] = {}
    found: dict[tuple[str, str], list[str]] = {}
    common = {one.name for one in COMMON}
    for path, command in commands():
        for one in command.params:
            if not isinstance(one, click.Option) or one.name in common:
                continue
            if one.name in fields and path.startswith("explain "):  # as its table has it
                continue
            name, text = name_of(one), told(one).partition(" They are ")[0]
            text = meanings.setdefault(name, text) if one.name in fields else text
            found.setdefault((name, text), []).append(path)
    return found


def together(paths: list[str]) -> list[str]:
    """Return the commands, those of a group as one if they are all of it."""
    known = [path for path, _ in commands()]
    groups = {"the tables": list(TABLES)}
    for name in COMMANDS:
        groups[f"`{name}`"] = [path for path in known if path.split()[0] == name]
    for name, members in groups.items():
        if len(members) > 1 and set(members) <= set(paths):
            paths = [name if path == members[0] else path for path in paths
                     if path not in members[1:]]  # fmt: skip
    return [path if path in groups else f"`{path}`" for path in paths]


def name_of(option: click.Option) -> str:
    takes = "" if option.is_flag else f" {option.make_metavar(CONTEXT)}"
    return code(", ".join([*option.opts, *option.secondary_opts]) + takes)


def told(option: click.Option) -> str:
    _, text = option.get_help_record(CONTEXT) or ("", "")
    return " ".join(text.split())


def code(text: str) -> str:
    """Return a text as code in a cell."""
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`"
