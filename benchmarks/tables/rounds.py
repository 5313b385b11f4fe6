"""Rounds of a race: first all answers are compared, then every run is measured once a round."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.machine import Readings, wait_until_idle
from benchmarks.orders import orders

if TYPE_CHECKING:
    from benchmarks.tables.races import Race, Run, Target
    from benchmarks.tables.workers import Workers

__all__ = ["Outcome", "Rounds"]


@dataclass(frozen=True)
class Outcome:
    """A race that was run.

    Parameters
    ----------
    race : Race
        Which.
    taken : dict of str to list of Readings
        What each run took in each round.
    """

    race: Race
    taken: dict[str, list[Readings]]

    def quotient(self, target: Target) -> float:
        """Return which part of the other's a run took: the median over the rounds."""
        pairs = zip(
            self._values(target.run, target), self._values(target.against, target), strict=True
        )
        return median(one / (other or math.nan) for one, other in pairs)

    def _values(self, name: str, target: Target) -> list[float]:
        if target.of == "memory":
            return [readings.memory for readings in self.taken[name]]
        (run,) = (run for run in self.race.runs if run.name == name)
        rows = run.rows if target.of == "seconds a row" else 1
        return [readings.seconds / rows for readings in self.taken[name]]


class Rounds:
    """Runs races.

    Parameters
    ----------
    workers : Workers
        Ask.
    server : int or None
        The process of the database.
    patience : float
        How long to wait, before each run, until others leave the processors alone, in seconds.
    """

    def __init__(self, workers: Workers, server: int | None, patience: float) -> None:
        self._workers, self._server, self._patience = workers, server, patience

    def run(self, race: Race, rounds: int) -> Outcome:
        """Return what each run took in each round."""
        self._compare(race)
        taken: dict[str, list[Readings]] = {run.name: [] for run in race.runs}
        for number, order in enumerate(orders(race.runs, rounds)):
            for run in order:
                wait_until_idle(self._patience)
                readings = Readings(**self._workers.ask(run, server=self._server))
                taken[run.name].append(readings)
                done = f"{race.title}: round {number + 1} of {rounds}: {run.name}"
                print(f"{done}: {readings.seconds:.3f} s", file=sys.stderr)  # noqa: T201
        return Outcome(race, taken)

    def _compare(self, race: Race) -> None:
        """Raise unless the answers agree; all runs have been warm once after that."""
        answers: dict[str, tuple[Run, dict[str, Any]]] = {}
        for run in (run for run in race.runs if not run.fresh):
            found = self._workers.ask(run, compare=bool(run.answer))
            first, expected = answers.setdefault(run.answer, (run, found))
            if run.answer and found != expected:
                raise SystemExit(
                    f"{race.title}: {first.name} and {run.name} answer differently:"
                    f" {_difference(expected, found)}"
                )


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    if one["rows"] != other["rows"]:
        return f"{one['rows']} and {other['rows']} rows"
    columns = dict(one["columns"].items() ^ other["columns"].items())
    return f"in {', '.join(sorted(columns))}"
