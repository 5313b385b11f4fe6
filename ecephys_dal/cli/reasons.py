"""``why`` and ``explain``: what the library answers about its own answers."""

from __future__ import annotations

from typing import Any

import click

from ecephys_dal.cli.answers import form_option, show
from ecephys_dal.cli.commands import COMMANDS, Command, Group
from ecephys_dal.cli.exits import Exit
from ecephys_dal.cli.filtering import filter_options, spec_of
from ecephys_dal.cli.invocation import Invocation, common_options
from ecephys_dal.cli.tables import TABLES
from ecephys_dal.facade import EcephysProjectLimsApi
from ecephys_dal.filters import SessionFilter
from ecephys_dal.repositories import Why
from ecephys_dal.rules import RULES

__all__ = ["explain", "why"]

# What can be asked about, and how the facade calls it.
SUBJECTS = {
    "session": "session_id",
    "probe": "probe_id",
    "channel": "channel_id",
    "unit": "unit_id",
    "movie": "natural_movie",
    "scene": "natural_scene",
}


@click.command(cls=Command, help=COMMANDS["why"].summary)
@click.argument("subject", type=click.Choice(list(SUBJECTS)))
@click.argument("number", type=int, metavar="ID")
@filter_options(
    SessionFilter,
    rules=[rule.name for rule in RULES],
    only=("published_at", "without_rules"),
)
@form_option
@common_options
@click.pass_obj
def why(invocation: Invocation, /, *, subject: str, number: int, form: str, **values: Any) -> int:
    """Tell why a record is visible or hidden, or why there is a file or none."""
    spec = spec_of(SessionFilter, values)
    with invocation.opened() as database:
        api = EcephysProjectLimsApi(database, without_rules=spec.without_rules)
        answer = api.why(**{SUBJECTS[subject]: number}, published_at=spec.published_at)
    show(answer, form)
    is_there = answer.visible if isinstance(answer, Why) else len(answer.found) == 1
    return Exit.DONE if is_there else Exit.NOTHING


@click.group(cls=Group, help=COMMANDS["explain"].summary)
def explain() -> None:
    """Hold the commands of the tables."""


def _command(name: str) -> click.Command:
    repository = TABLES[name]

    @click.command(name, cls=Command, help=COMMANDS[name].summary)
    @filter_options(repository.filter_type, rules=repository.rule_names())
    @click.option("--counts/--no-counts", default=True, help="Count what each demand leaves.")
    @click.option("--analyze", is_flag=True, help="Run the question, for the plan with its times.")
    @form_option
    @common_options
    @click.pass_obj
    def command(
        invocation: Invocation, /, *, counts: bool, analyze: bool, form: str, **values: Any
    ) -> None:
        spec = spec_of(repository.filter_type, values)
        with invocation.opened() as database:
            show(repository(database).explain(spec, counts=counts, analyze=analyze), form)

    return command


for _name in TABLES:
    explain.add_command(_command(_name))
