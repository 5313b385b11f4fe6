"""The report of the races, in Markdown."""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.machine import describe, precedence
from benchmarks.markdown import table, verdict
from benchmarks.tables.peers import missing
from ecephys_dal import ChannelRepository, UnitMetricRepository

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.tables.material import Material
    from benchmarks.tables.races import Run, Target
    from benchmarks.tables.rounds import Outcome

__all__ = ["report", "targets"]

_OURS = (
    "ecephys_dal",
    "pandas",
    "numpy",
    "sqlalchemy",
    "psycopg2-binary",
    "pyarrow",
    "adbc-driver-postgresql",
    "duckdb",
    "polars",
    "connectorx",
)
_THEIRS = ("allensdk", "pandas", "numpy", "psycopg2-binary")
_ASK_VERSIONS = """
import importlib.metadata as metadata, json, platform, sys
found = {"Python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""
_EXPLANATION = """\
Before anything is timed, the answers of `ecephys_dal` and AllenSDK are compared by a hash of each
column's values, but for the documented departures: the order of rows, dtypes, and `p_value_rf` and
`on_screen_rf` put right. Metric bundles that are NULL, which AllenSDK can't read, were deleted from
these databases.

Then in each round everybody asks once, in an order that is drawn, and reversed in the round after.
Each asks in a process of its own that stays, so that what is pooled is warm; AllenSDK and
connectorx connect anew for each question, which is their way. What must be compared by memory or by
imports runs in a new process each time. Memory is the peak of what is resident above what is
resident after the imports, those that the bulk route would make later among them. Before each
run, others are given time to leave the processors alone; what they used all the same stands in the
last column: neither the one who asks nor the database.

The floor is the same query as a binary `COPY` whose bytes are thrown away as they arrive. Times are
medians over the rounds, and what is compared is the median of the quotients within rounds.
"""
_COLUMNS = (
    "",
    "seconds",
    "lowest to highest",
    "to the first",
    "µs a row",
    "CPU s",
    "memory MiB",
    "others' CPU",
)


def report(
    outcomes: Sequence[Outcome], material: Material, rounds: int, allensdk: str, plot: str
) -> str:
    """Return the whole report.

    Parameters
    ----------
    outcomes : sequence of Outcome
        The races.
    material : Material
        What was asked about.
    rounds : int
        How many.
    allensdk : str
        The interpreter of AllenSDK's environment.
    plot : str
        Where the plot is, beside the report; empty if there is none.
    """
    return "\n".join(
        [
            "# Tables",
            "",
            f"`make bench` wrote this. Rounds: {rounds}. The database is on the same machine.",
            "",
            *_described(material, allensdk),
            "",
            *targets(outcomes),
            *([f"![Time against rows]({plot})", ""] if plot else []),
            "## How",
            "",
            _EXPLANATION,
            *(line for outcome in outcomes for line in _lines(outcome)),
        ]
    )


def _described(material: Material, allensdk: str) -> Iterator[str]:
    base, bundles = material.base, material.bundles
    sizes = ", ".join(f"{len(lims.unit_ids):,}" for lims in material.sizes)
    absent = f"; not installed: {', '.join(missing())}" if missing() else ""
    yield f"- Machine: {describe()}{precedence()}"
    yield f"- Database: PostgreSQL {base.version}"
    yield f"- Versions: {_versions(sys.executable, _OURS)}{absent}"
    yield f"- AllenSDK's environment: {_versions(allensdk, _THEIRS)}"
    yield (
        f"- Data: a synthetic LIMS of the release's shape: {len(base.unit_ids):,} visible units,"
        f" {base.count(ChannelRepository):,} visible channels,"
        f" {base.count(UnitMetricRepository):,} current metric bundles;"
        f" another with {bundles.count(UnitMetricRepository):,} bundles of 30 keys;"
        f" and of {sizes} units"
    )


def _versions(python: str, packages: Iterable[str]) -> str:
    asked = [python, "-c", _ASK_VERSIONS, *packages]
    told = subprocess.run(asked, check=True, capture_output=True, text=True)  # noqa: S603
    return ", ".join(f"{name} {version}" for name, version in json.loads(told.stdout).items())


def targets(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Yield the table of targets, and whether each was met."""
    rows = (
        (
            target.what,
            target.against,
            _worded(target, target.most),
            _worded(target, outcome.quotient(target)),
            verdict(met=outcome.quotient(target) <= target.most),
        )
        for outcome in outcomes
        for target in outcome.race.targets
    )
    yield from table("Targets", ("work", "against", "target", "found", ""), rows)


def _worded(target: Target, quotient: float) -> str:
    kind = target.of.replace("seconds", "time")
    if target.most >= 1:
        return f"{quotient:.3g}x its {kind}"
    return f"{1 / quotient:.3g}x {'faster' if target.of == 'seconds' else 'less memory'}"


def _lines(outcome: Outcome) -> Iterator[str]:
    """Yield the table of a race."""
    cells = [list(_cells(outcome, run)) for run in outcome.race.runs]
    shown = [any(column) for column in zip(*cells, strict=True)]
    header, *rows = (
        [cell for cell, wanted in zip(line, shown, strict=True) if wanted]
        for line in (_COLUMNS, *cells)
    )
    yield from table(outcome.race.title, header, rows)


def _cells(outcome: Outcome, run: Run) -> Iterator[str]:
    taken: list[Any] = outcome.taken[run.name]
    seconds = [readings.seconds for readings in taken]
    first = [readings.seconds for readings in outcome.taken[outcome.race.runs[0].name]]
    yield run.name
    yield f"{median(seconds):.3g}"
    yield f"{min(seconds):.3g} to {max(seconds):.3g}"
    quotient = median(one / other for one, other in zip(seconds, first, strict=True))
    yield "" if run.rows else f"{quotient:.2f}"
    yield f"{median(seconds) / run.rows * 1e6:.2f}" if run.rows else ""
    yield f"{median(readings.cpu for readings in taken):.3g}"
    yield f"{median(readings.memory for readings in taken):.0f}" if run.fresh else ""
    yield f"{median(readings.others for readings in taken):.0%}"
