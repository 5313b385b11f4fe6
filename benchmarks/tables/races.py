"""Ways to an answer that are compared, and what must come out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Race", "Run", "Target"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A way to an answer.

    Parameters
    ----------
    name : str
        In the report.
    by : str
        Who asks: ours, bare (ours without the ``arrow`` extra), theirs, floor, peers or imports.
    does : str
        The function of its module.
    arguments : dict
        Of that function.
    repeat : int
        How often it is done, if once is too short to be measured.
    fresh : bool
        In a new process, because memory or imports are measured.
    answer : str
        Runs of a race with the same one, if any, must have the same answer.
    rows : int
        How many rows that has, where runs have not as many.
    """

    name: str
    by: str
    does: str
    arguments: dict[str, Any]
    repeat: int = 1
    fresh: bool = False
    answer: str = ""
    rows: int = 0


@dataclass(frozen=True, kw_only=True)
class Target:
    """How a run must compare with another of its race.

    Parameters
    ----------
    what : str
        Is to be done, in the report.
    run, against : str
        Their names.
    most : float
        The part of the other's that it may take.
    of : str
        What of: ``"seconds"``, ``"memory"`` or, if they have not as many rows, ``"seconds a row"``.
    """

    what: str
    run: str
    against: str
    most: float
    of: str = "seconds"


@dataclass(frozen=True, kw_only=True)
class Race:
    """Runs that are compared.

    Parameters
    ----------
    title : str
        In the report.
    runs : sequence of Run
        In the order of the report.
    targets : sequence of Target
        What must come out.
    """

    title: str
    runs: Sequence[Run]
    targets: Sequence[Target] = field(default_factory=tuple)
