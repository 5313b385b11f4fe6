"""What a snapshot or an export is to reach: a filter of any of the five tables, by options."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ecephys_dal.cli.filtering import filter_options, spec_of
from ecephys_dal.cli.tables import TABLES
from ecephys_dal.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecephys_dal.filters import Filter

__all__ = ["reach_of", "reach_options"]

C = TypeVar("C", bound=Callable[..., Any])
_TYPES = {name: repository.filter_type for name, repository in TABLES.items()}


def reach_options(command: C) -> C:
    """Give a command the table that the filter is of, and the fields of the filters of them all."""
    command = filter_options(*_TYPES.values(), rules=[rule.name for rule in RULES])(command)
    return click.option(
        "--of",
        "table",
        type=click.Choice(list(_TYPES)),
        default="sessions",
        show_default=True,
        help="The records that the options choose; what is below them and above them comes along.",
    )(command)


def reach_of(table: str, values: Mapping[str, Any]) -> Filter:
    """Return the filter that the options mean, all of which must be its own."""
    for name, value in values.items():
        if value in (None, ()) or name in _fields_of(table):
            continue
        others = " or ".join(f"--of {one}" for one in _TYPES if name in _fields_of(one))
        raise click.UsageError(
            f"--{name.replace('_', '-')} chooses no {table}; it goes with {others}"
        )
    spec: Filter = spec_of(_TYPES[table], values)
    return spec


def _fields_of(table: str) -> set[str]:
    return {*_TYPES[table].kinds(), *_TYPES[table].also}
