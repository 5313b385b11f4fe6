"""What is printed: lines for a person, and answers that are one thing, as text or as JSON."""

from __future__ import annotations

import json
import sys
from typing import IO, TYPE_CHECKING, Any, Protocol

import click

from ecephys_dal.display import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["echo", "form_option", "on_terminal", "show"]

form_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)


class _Answer(Protocol):
    def to_dict(self) -> dict[str, Any]: ...


def show(answer: _Answer, form: str) -> None:
    """Print an answer."""
    if form == "json":
        text = json.dumps(answer.to_dict(), ensure_ascii=False, indent=2)
        click.echo(printable(text) if sys.stdout.isatty() else text)
    else:
        echo(str(answer))


def echo(text: object, *, err: bool = False) -> None:
    """Print a text for a person, in which nothing steers a terminal."""
    click.echo(printable(str(text)), err=err)


def on_terminal(parts: Iterable[bytes], stream: IO[Any]) -> Iterator[bytes]:
    """Yield texts as they are, or, where a terminal shows them, without what steers it."""
    if not stream.isatty():
        yield from parts
        return
    for part in parts:
        yield printable(part.decode()).encode()
