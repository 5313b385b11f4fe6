"""Answers that are one thing and no table: for a person, or as JSON."""

from __future__ import annotations

import json
from typing import Any, Protocol

import click

__all__ = ["form_option", "show"]

form_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)


class _Answer(Protocol):
    def to_dict(self) -> dict[str, Any]: ...


def show(answer: _Answer, form: str) -> None:
    """Print an answer."""
    if form == "json":
        click.echo(json.dumps(answer.to_dict(), ensure_ascii=False, indent=2))
    else:
        click.echo(str(answer))
