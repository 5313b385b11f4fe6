"""The commands, by name: known without a single import, so that help and completion are quick."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, NamedTuple

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from ecephys_dal.cli.exits import Exit
from ecephys_dal.errors import nearest_name

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["COMMANDS", "EXAMPLES", "Command", "Group", "Program"]


class Place(NamedTuple):
    """Where a command is, and what it does in a line."""

    where: str
    summary: str


COMMANDS = {
    "sessions": Place("tables:sessions", "The sessions."),
    "probes": Place("tables:probes", "The probes of sessions."),
    "channels": Place("tables:channels", "The channels of probes."),
    "units": Place("tables:units", "The units, with their quality and waveform metrics."),
    "metrics": Place("tables:metrics", "The metrics of units' responses to stimuli."),
    "download": Place("downloads:download", "Fetch files of sessions, probes and stimuli."),
    "why": Place("reasons:why", "Tell why a record or a file is there, or is not."),
    "explain": Place("reasons:explain", "Tell how the database answers a question."),
    "doctor": Place("doctor:doctor", "Look whether this LIMS is as the library expects."),
    "snapshot": Place("snapshots:snapshot", "Take a part of LIMS with you, in one file."),
    "export": Place("snapshots:export", "Write the five tables as Parquet or CSV files."),
    "demo": Place("serving:demo", "Build a synthetic LIMS, and serve it until interrupted."),
    "db": Place("schema:db", "Make or look at the schema of a database of your own."),
}

# An example of each command that can be run, for its help; the ids are those of a demo.
EXAMPLES = {
    "sessions": "--published-at 2019-10-03 --columns id,session_type,genotype",
    "probes": "--session-id 600000021 --format table",
    "channels": "--probe-ids 600000024,600000025 --output channels.csv",
    "units": "--session-id 600000021 --count",
    "metrics": "--session-type brain_observatory_1.1 --output metrics.jsonl",
    "download session": "600000021 --output-dir files",
    "download lfp": "600000024 600000025 --output-dir files",
    "download movie": "1 --output-dir files",
    "download scene": "0 --output-dir files",
    "why": "session 600000021",
    "explain sessions": "--published-at 2019-10-03",
    "explain probes": "--session-id 600000021",
    "explain channels": "--probe-id 600000024",
    "explain units": "--session-id 600000021 --no-counts",
    "explain metrics": "--ecephys-session-id 600000021",
    "doctor": "--time-limit 30",
    "snapshot create": "part.db --session-id 600000021",
    "snapshot fetch": "part.db --kind nwb",
    "snapshot info": "part.db",
    "snapshot verify": "part.db",
    "snapshot diff": "part.db newer.db",
    "export": "tables --session-id 600000021 --format csv",
    "demo": "--folder demo --no-serve",
    "db upgrade": "--database own.db --yes",
    "db current": "--database own.db",
}


class Command(click.Command):
    """A command that knows which option was meant, and whose help has an example."""

    @override
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        program, _, path = ctx.command_path.partition(" ")
        if path in EXAMPLES:
            with formatter.section("Example"):
                formatter.write(f"  {program} {path} {EXAMPLES[path]}\n")
        super().format_epilog(ctx, formatter)

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            named = (name for one in self.get_params(ctx) for name in one.opts)
            known = [name for name in named if name.startswith("-")]
            raise _unknown("option", error.option_name, known, ctx) from None


class Group(Command, click.Group):
    """A command of commands that knows which one, or which option, was meant."""

    command_class = Command

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(Exit.WRONG_USE)
        return super().parse_args(ctx, args)

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise _unknown("command", args[0], known, ctx)
        return super().resolve_command(ctx, args)


def _unknown(what: str, name: str, known: Iterable[str], ctx: click.Context) -> click.UsageError:
    nearest = nearest_name(name, known)
    advice = "" if nearest is None else f"; did you mean {nearest}?"
    return click.UsageError(f"there is no {what} {name}{advice}", ctx)


class Program(Group):
    """The program, whose commands are imported when they are run."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = resolve_name(f"{__package__}.{COMMANDS[cmd_name].where}")
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.summary) for name, place in COMMANDS.items()])

    @override
    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        items = [CompletionItem(name, help=COMMANDS[name].summary) for name in names]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]
