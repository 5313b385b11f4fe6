"""The commands of the five tables: each a repository, its filter's options, and forms to write."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO, TypeVar

import click

from ecephys_dal.artifacts import ArtifactClient
from ecephys_dal.bars import is_watched, row_bar
from ecephys_dal.cli.answers import on_terminal
from ecephys_dal.cli.commands import COMMANDS, Command
from ecephys_dal.cli.exits import Exit
from ecephys_dal.cli.filtering import filter_options, spec_of
from ecephys_dal.cli.formats import FORMATS, without_formulas
from ecephys_dal.cli.frames import Rows
from ecephys_dal.cli.invocation import FilePath, Invocation, common_options
from ecephys_dal.cli.text_table import table_lines
from ecephys_dal.errors import ArtifactError, EcephysDalError
from ecephys_dal.snapshot.reach import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from ecephys_dal.filters import Filter
    from ecephys_dal.repositories import Repository

__all__ = ["TABLES", "channels", "metrics", "probes", "sessions", "units"]

C = TypeVar("C", bound=Callable[..., Any])
TABLES: dict[str, type[Repository[Any, Any]]] = dict(
    zip(("sessions", "probes", "channels", "units", "metrics"), PUBLIC, strict=True)
)
_TABLE = "table"
_FIRST = 1_000  # rows that tell how wide the columns of a table are


def _names(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
    names = [one.strip() for one in value.split(",")] if value is not None else None
    if names and ("" in names or len(set(names)) < len(names)):
        raise click.BadParameter(f"{value!r} is no list of names, each of them once")
    return names


_OPTIONS = (
    click.option(
        "--format",
        "form",
        type=click.Choice([_TABLE, *FORMATS]),
        help="Without it that of OUTPUT's suffix; else a table on a terminal, and csv elsewhere.",
    ),
    click.option(
        "--output",
        type=FilePath(dir_okay=False, allow_dash=True, path_type=Path),
        help="Write to this file, which is there as a whole or not at all; - is stdout.",
    ),
    click.option(
        "--columns",
        metavar="NAME,...",
        callback=_names,
        help="Only these columns, in this order.",
    ),
    click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N rows."),
    click.option(
        "--no-formulas",
        is_flag=True,
        help="In csv for a spreadsheet: an apostrophe before texts that it would compute.",
    ),
    click.option("--count", "only_count", is_flag=True, help="Only tell how many there are."),
)


class Wish(NamedTuple):
    """What is wanted of an answer, and how: the values of the options of every table."""

    form: str | None
    output: Path | None
    columns: list[str] | None
    limit: int | None
    no_formulas: bool
    only_count: bool

    @classmethod
    def taken_from(cls, values: dict[str, Any]) -> Self:
        """Return what the options say, which are taken away from among the others."""
        wish = cls(**{name: values.pop(name) for name in cls._fields})
        if wish.only_count:
            return wish._checked_for_count()
        if str(wish.output) == "-":
            wish = wish._replace(output=None)
        form = wish.form or _form_for(wish.output)
        if wish.no_formulas and form != "csv":
            raise click.UsageError(f"--no-formulas is for csv, not for {form}")
        _refuse_binary(form, wish.output)
        return wish._replace(form=form)

    def _checked_for_count(self) -> Self:
        given = {"format": self.form, "output": self.output, "columns": self.columns,
                 "limit": self.limit, "no-formulas": self.no_formulas or None}  # fmt: skip
        for name, value in given.items():
            if value is not None:
                raise click.UsageError(f"--count is a number, which takes no --{name}")
        return self


def _command(name: str) -> click.Command:
    """Return the command of a table."""
    repository = TABLES[name]

    @click.command(name, cls=Command, help=COMMANDS[name].summary)
    @filter_options(repository.filter_type, rules=repository.rule_names())
    @_wish_options
    @common_options
    @click.pass_obj
    def command(invocation: Invocation, /, **values: Any) -> int:
        wish = Wish.taken_from(values)
        spec = spec_of(repository.filter_type, values)
        with invocation.opened() as database:
            if wish.only_count:
                n_rows = _count(repository(database), spec)
            else:
                n_rows = _write_rows(repository(database), spec, wish, name, invocation)
        return Exit.DONE if n_rows else Exit.NOTHING

    return command


def _wish_options(command: C) -> C:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _count(repository: Repository[Any, Any], spec: Filter) -> int:
    found = repository.count(spec)
    click.echo(found)
    return found


def _write_rows(
    repository: Repository[Any, Any], spec: Filter, wish: Wish, noun: str, invocation: Invocation
) -> int:
    rows = Rows(repository, spec, wish.limit, wish.columns)
    written = _with_bar(_bytes(rows, wish, noun), rows, invocation, noun, wish.output)
    _write(written, wish.output)
    if not rows.n_rows:
        click.echo(f"no {noun} found", err=True)
    return rows.n_rows


def _form_for(output: Path | None) -> str:
    """Return the form that a file's name asks for, or that suits what stdout is."""
    if output is not None:
        suffix = output.suffix.removeprefix(".")
        if suffix not in FORMATS:
            raise click.UsageError(f"{output} does not say which --format; give one")
        return suffix
    return _TABLE if sys.stdout.isatty() else "csv"


def _refuse_binary(form: str, output: Path | None) -> None:
    if form in FORMATS and FORMATS[form].is_binary and output is None and sys.stdout.isatty():
        raise click.UsageError(f"{form} is nothing for a terminal; give --output")


def _bytes(rows: Rows, wish: Wish, noun: str) -> Iterator[bytes]:
    if wish.form in FORMATS:
        chosen = FORMATS[wish.form]
        frames = rows.frames(chosen.dtype_backend)
        return chosen.write(without_formulas(frames) if wish.no_formulas else frames)
    return (f"{line}\n".encode() for line in _table(rows, noun, wish.limit))


def _table(rows: Rows, noun: str, limit: int | None) -> Iterator[str]:
    width = get_terminal_size().columns if sys.stdout.isatty() else None
    yield from table_lines(rows.frames("numpy_nullable", size=_FIRST), width)
    if limit is not None and rows.n_rows == limit:
        yield f"the first {rows.n_rows:,} of {rows.total():,} {noun}"
    else:
        yield f"{rows.n_rows:,} {noun}"


def _with_bar(
    parts: Iterator[bytes], rows: Rows, invocation: Invocation, noun: str, output: Path | None
) -> Iterator[bytes]:
    """Show how many rows came so far; nothing is shown any more where the rows are to be."""
    if invocation.progress is False or not is_watched():
        yield from parts
        return
    with row_bar(noun) as bar:
        for part in parts:
            bar.rows = rows.n_rows
            if output is None and _may_be_seen(sys.stdout):
                bar.close()
            yield part


def _may_be_seen(stream: TextIO) -> bool:
    """Return True if what is written may come onto the screen, as by way of a pipe it may."""
    mode = os.fstat(stream.fileno()).st_mode
    return stream.isatty() or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _write(parts: Iterator[bytes], output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.writelines(on_terminal(parts, sys.stdout))
        sys.stdout.buffer.flush()
    elif output.exists() and not output.is_file():
        with output.open("wb") as device:  # or a pipe: no file may take its place
            device.writelines(on_terminal(parts, device))
    else:
        _write_file(parts, output)


def _write_file(parts: Iterator[bytes], output: Path) -> None:
    try:
        ArtifactClient.write_bytes(output.resolve(), parts)
    except ArtifactError as error:
        reason = getattr(error.__cause__, "strerror", None) or error
        raise EcephysDalError(
            f"{output} can't be written: {reason}; choose another place"
        ) from error


sessions, probes, channels, units, metrics = map(_command, TABLES)
