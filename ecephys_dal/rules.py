"""The visibility rules: which records of LIMS nobody is meant to analyse.

A record that a NULL leaves undecided is hidden, as SQL's three-valued logic has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import not_

from ecephys_dal.models import EcephysAnalysisRun, EcephysChannel, EcephysProbe, EcephysSession

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

__all__ = [
    "CHANNEL_VALID_DATA",
    "PROBE_NOT_FAILED",
    "RUN_IS_CURRENT",
    "SESSION_NOT_FAILED",
    "SESSION_NOT_HABITUATION",
    "Rule",
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
    """

    name: str
    sentence: str
    clause: ColumnElement[bool] | ColumnElement[bool | None]


SESSION_NOT_HABITUATION = Rule(
    "session_not_habituation",
    "The session is a recording, not one that only got the mouse used to the rig.",
    not_(EcephysSession.habituation),
)
SESSION_NOT_FAILED = Rule(
    "session_not_failed",
    "The session's workflow_state is known, and is not 'failed'.",
    EcephysSession.workflow_state != "failed",
)
PROBE_NOT_FAILED = Rule(
    "probe_not_failed",
    "The probe's workflow_state is known, and is not 'failed'.",
    EcephysProbe.workflow_state != "failed",
)
CHANNEL_VALID_DATA = Rule(
    "channel_valid_data",
    "The channel is marked as holding valid data.",
    EcephysChannel.valid_data.expression,
)
RUN_IS_CURRENT = Rule(
    "run_is_current",
    "The analysis run is the one in force for its session and strategy.",
    EcephysAnalysisRun.current.expression,
)
