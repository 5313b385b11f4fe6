"""The visibility rules: which records of LIMS nobody is meant to analyse.

A record that a NULL leaves undecided is hidden, as SQL's three-valued logic has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Text, cast, not_

from ecephys_dal.display import html_table
from ecephys_dal.errors import InvalidFilterError, suggestion
from ecephys_dal.models import EcephysAnalysisRun, EcephysChannel, EcephysProbe, EcephysSession

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement

__all__ = [
    "CHANNEL_VALID_DATA",
    "PROBE_NOT_FAILED",
    "RULES",
    "RUN_IS_CURRENT",
    "SESSION_NOT_FAILED",
    "SESSION_NOT_HABITUATION",
    "Rule",
    "Rules",
]


@dataclass(frozen=True)
class Rule:
    """A condition that a repository puts on every question.

    Parameters
    ----------
    name : str
        What it is called.
    sentence : str
        What it means, for a person.
    clause : ColumnElement of bool
        What it means in SQL.
    if_null : str
        What is to be said of a record that a NULL leaves undecided.
    """

    name: str
    sentence: str
    clause: ColumnElement[bool] | ColumnElement[bool | None]
    if_null: str

    def _repr_html_(self) -> str:
        return Rules((self,))._repr_html_()


class Rules(tuple[Rule, ...]):
    """Several rules, which a notebook shows as a table."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        heads = ("rule", "what it demands", "of a NULL it is said", "SQL")
        return html_table(
            heads, [(one.name, one.sentence, one.if_null, str(one.clause)) for one in self]
        )


SESSION_NOT_HABITUATION = Rule(
    "session_not_habituation",
    "The session is a recording, not one that only got the mouse used to the rig.",
    not_(EcephysSession.habituation),
    "so it is not known to be no habituation session",
)
SESSION_NOT_FAILED = Rule(
    "session_not_failed",
    "The session's workflow_state is known, and is not 'failed'.",
    cast(EcephysSession.workflow_state, Text) != "failed",
    "so it is not known to differ from 'failed'",
)
PROBE_NOT_FAILED = Rule(
    "probe_not_failed",
    "The probe's workflow_state is known, and is not 'failed'.",
    cast(EcephysProbe.workflow_state, Text) != "failed",
    "so it is not known to differ from 'failed'",
)
CHANNEL_VALID_DATA = Rule(
    "channel_valid_data",
    "The channel is marked as holding valid data.",
    EcephysChannel.valid_data.expression,
    "so the channel is not known to hold valid data",
)
RUN_IS_CURRENT = Rule(
    "run_is_current",
    "The analysis run is the one in force for its session and strategy.",
    EcephysAnalysisRun.current.expression,
    "so the run is not known to be in force",
)

RULES = Rules(
    (
        SESSION_NOT_HABITUATION,
        SESSION_NOT_FAILED,
        PROBE_NOT_FAILED,
        CHANNEL_VALID_DATA,
        RUN_IS_CURRENT,
    )
)


def check_rule_names(names: Iterable[str], of: object, known: Iterable[str]) -> None:
    """Raise an `InvalidFilterError` if a name is none of these rules; it says which are."""
    known = list(known)
    for name in names:
        if name not in known:
            advice = suggestion(name, known) if known else "it has none"
            raise InvalidFilterError(f"without_rules: {name!r} is no rule of {of}; {advice}")
