"""The report of the races, in Markdown."""

from __future__ import annotations

import math
import platform
from importlib.metadata import version
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.downloads import curl
from benchmarks.downloads.races import MEMORY_TARGET
from benchmarks.machine import describe, precedence
from benchmarks.markdown import table, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.downloads.races import Contestant, Race
    from benchmarks.machine import Readings

__all__ = ["Outcome", "report"]

MIB = 1024**2
_PACKAGES = ("ecephys_dal", "requests", "urllib3", "allensdk", "aiohttp")
_EXPLANATION = """\
A ratio is the time of the first contestant of a table by the time of this one, in the same round:
above 1 is faster. Shown is the median over the rounds, with the lowest and the highest. In each
round every contestant runs once, in an order that is drawn, and reversed in the round after. Each
runs in a new process, of which the transfer alone is measured, from the client's making to its
closing; of curl's time that of starting `curl --version` is taken off. Before each, the disk is
done with the one before, and others are given time to leave the processors alone; what they used
all the same stands in the last column (the kernel's own writing to disk is in it too). What arrived
is compared with what was sent.

Our `download` waits until the disk has the file (`fsync`), shows a bar, and handles faults, as it
does for every user; AllenSDK shows its bar too. curl does none of that. "With sync" is the ratio of
the times until the disk has the file, for each contestant: what is left to write after its end is
waited for. Memory is the peak of what is resident above what is resident after the imports.
"""
_COLUMNS = (
    "",
    "ratio",
    "lowest to highest",
    "with sync",
    "target",
    "",
    "MiB/s",
    "CPU s",
    "memory MiB",
    "others' CPU",
)


class Outcome:
    """A race that was run at a place.

    Parameters
    ----------
    race : Race
        Which.
    place : str
        Where, for the title.
    taken : dict of str to list of Readings
        What each contestant took in each round.
    size : int
        How many bytes were fetched.
    counts : bool
        The targets are for this place.
    """

    def __init__(
        self, race: Race, place: str, taken: dict[str, list[Readings]], size: int, *, counts: bool
    ) -> None:
        self.race, self.place, self.size, self.counts = race, place, size, counts
        self.taken = taken
        self.first = taken[race.contestants[0].name]

    @property
    def name(self) -> str:
        """What was run, and where."""
        return ", ".join(part for part in (self.race.title, self.place) if part)

    def lines(self) -> Iterator[str]:
        """Yield a table."""
        yield from table(self.name, _COLUMNS, map(self._cells, self.race.contestants))

    def missed(self) -> Iterator[str]:
        """Yield which targets were missed."""
        for contestant in self.race.contestants:
            ratio, memory = self.ratio(contestant), self.memory(contestant)
            where = f"{self.name}: {contestant.name}"
            if self.counts and contestant.target is not None and ratio < contestant.target:
                yield f"target missed: {where}: {ratio:.2f}x, not {contestant.target}x"
            if contestant.lean and memory > MEMORY_TARGET:
                yield f"target missed: {where}: {memory:.1f} MiB, not {MEMORY_TARGET:.0f} MiB"

    def ratio(self, contestant: Contestant) -> float:
        """Return how fast it is, compared with the first."""
        return median(self._ratios(contestant))

    def memory(self, contestant: Contestant) -> float:
        """Return its peak, in MiB."""
        return max(one.memory for one in self.taken[contestant.name])

    def _ratios(self, contestant: Contestant) -> list[float]:
        pairs = zip(self.first, self.taken[contestant.name], strict=True)
        return [first.seconds / one.seconds for first, one in pairs]

    def _cells(self, contestant: Contestant) -> Iterable[str]:
        taken, ratios = self.taken[contestant.name], self._ratios(contestant)
        memory, target = self.memory(contestant), contestant.target if self.counts else None
        synced = median(
            first.synced / one.synced for first, one in zip(self.first, taken, strict=True)
        )
        return (
            contestant.name,
            f"{median(ratios):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
            f"{synced:.2f}",
            "" if target is None else f"{target}",
            "" if target is None else verdict(met=median(ratios) >= target),
            f"{self.size / MIB / median(one.seconds for one in taken):.0f}",
            f"{median(one.cpu for one in taken):.2f}",
            "" if math.isnan(memory) else f"{memory:.1f}",
            f"{median(one.others for one in taken):.0%}",
        )


def report(outcomes: list[Outcome], rounds: int, nginx: str) -> str:
    """Return the whole report."""
    size = outcomes[0].size / MIB
    packages = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    lines = [
        "# Downloads",
        "",
        f"{size:.0f} MiB from a local {nginx} that sends by `sendfile`; {rounds} rounds.",
        "",
        f"- Machine: {describe()}{precedence()}",
        f"- Versions: Python {platform.python_version()}, {packages}, {curl.version()}",
        "",
        _EXPLANATION,
        *_summary(outcomes),
    ]
    for outcome in outcomes:
        lines += outcome.lines()
    return "\n".join(lines)


def _summary(outcomes: list[Outcome]) -> Iterator[str]:
    """Yield each target, and whether it was met."""
    yield from table("Targets", ("", "target", "found", ""), _targets(outcomes))


def _targets(outcomes: list[Outcome]) -> Iterator[Iterable[str]]:
    for outcome in outcomes:
        for one in outcome.race.contestants if outcome.counts else ():
            if one.target is not None:
                ratio = outcome.ratio(one)
                met = verdict(met=ratio >= one.target)
                yield f"{one.name}, {outcome.place}", f"{one.target}x curl", f"{ratio:.2f}x", met
    peaks = [
        (outcome.memory(one), f"{one.name}, {outcome.name}")
        for outcome in outcomes
        for one in outcome.race.contestants
        if one.lean
    ]
    if peaks:
        most, who = max(peaks)
        name, limit = f"memory, the most of ours: {who}", f"{MEMORY_TARGET:.0f} MiB"
        yield name, limit, f"{most:.1f} MiB", verdict(met=most <= MEMORY_TARGET)
