"""Who survives what: every row against AllenSDK's two engines and our four forms, in one table.

Run it as ``python -m tests.faults.survivors [--markdown FILE]`` where AllenSDK is installed.
Survived is a fetch that ends with the good file, or with an error and nothing wrong under the
final name; a stream, one that gives the good bytes or raises. Each fetch has a process and a
few seconds; what hangs has not survived.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.signals import hear_interruptions

from .children import start
from .machine import MACHINE
from .scenarios import FAULTS, Scenario
from .server import FaultServer
from .table import HARMLESS, SCENARIOS

THEIRS = ("AllenSDK", "AllenSDK, async")
OURS = ("file", "file, async", "stream", "stream, async")
WAYS = (*THEIRS, *OURS)
PATIENCE = 6  # seconds for a fetch
AT_ONCE = 6
WITHOUT_A_STREAM = frozenset({31, 32, 33, 34, 36, 37})  # they are about what stands on a disk
MARKS = re.compile(r"(<!-- survivors -->\n).*?(<!-- /survivors -->)", re.DOTALL)


@dataclass(frozen=True)
class Cell:
    """One fetch: which row, how it is called, by whom, and whether it was survived."""

    row: int
    name: str
    way: str
    survived: bool


def main() -> int:
    """Print the table; return 1 if a form of ours did not survive a row."""
    hear_interruptions()
    arguments = _arguments()
    began = time.monotonic()
    os.environ["PYTHONWARNINGS"] = "ignore"  # of what children leave that were killed
    for way in arguments.ways:
        if not _scenario(HARMLESS, way).survived:
            _say(f"{way} does not even fetch a file without a fault; is it installed?")
            return 2
    cells = _measured(arguments.rows, arguments.ways)
    table = _table(cells, arguments.ways)
    _say(table)
    lost = [cell for cell in cells if cell.way in OURS and not cell.survived]
    for cell in lost:
        _say(f"NOT SURVIVED: {cell.row}, {cell.name}: {cell.way}")
    _say(f"{len(cells)} fetches in {time.monotonic() - began:.0f} s")
    if arguments.markdown:
        page = arguments.markdown.read_text()
        arguments.markdown.write_text(MARKS.sub(rf"\1{table}\n\2", page))
    return 1 if lost else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="a page to put it into")
    parser.add_argument("--rows", type=int, nargs="*", default=list(FAULTS), help="only these")
    parser.add_argument("--ways", nargs="*", default=WAYS, help="only these columns")
    arguments = parser.parse_args()
    if arguments.markdown:
        if (arguments.rows, arguments.ways) != (list(FAULTS), WAYS):
            parser.error("a part of the table does not go into a page")
        if not MARKS.search(arguments.markdown.read_text()):
            parser.error(f"{arguments.markdown} lacks the marks <!-- survivors -->")
    return arguments


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _measured(rows: list[int], ways: list[str]) -> list[Cell]:
    tasks: list[Callable[[], Cell]] = [
        partial(_scenario, scenario, way)
        for scenario in SCENARIOS
        for way in ways
        if scenario.row in rows and _is_known(scenario, way)
    ]
    tasks += [
        partial(_machine, row, way)
        for row in MACHINE
        for way in ways
        if row in rows and not ("stream" in way and row in WITHOUT_A_STREAM)
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda task: task(), tasks))


def _is_known(scenario: Scenario, way: str) -> bool:
    if way in THEIRS:
        return scenario.comparable
    return (scenario.stream if "stream" in way else scenario.file) is not None


def _scenario(scenario: Scenario, way: str) -> Cell:
    must = scenario.stream if "stream" in way else scenario.file
    assert must is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / scenario.wanted.filename
        with FaultServer(scenario.elsewhere, name="localhost") as other:
            other.elsewhere = other.host
            with FaultServer(scenario.script, elsewhere=other.host) as server:
                child = start(way, server.host, path, scenario)
                outcome = child.outcome(PATIENCE)
        found = path.read_bytes() if path.exists() else None
    if outcome is None:
        survived = False
    elif outcome["error"] is None:
        survived = found in [version.data for version in must.versions] if must.gives else False
    elif "stream" in way:
        known = (*scenario.partial, *(must.versions if must.gives else ()))
        survived = any(version.data.startswith(found or b"") for version in known)
    else:
        survived = found is None
    return Cell(scenario.row, scenario.name, way, survived)


def _machine(row: int, way: str) -> Cell:
    with tempfile.TemporaryDirectory() as folder:
        return Cell(row, FAULTS[row], way, MACHINE[row](way, Path(folder))["survived"])


def _table(cells: list[Cell], ways: list[str]) -> str:
    rows = sorted({cell.row for cell in cells})
    lines = [
        ["#", "fault", *ways],
        ["-:", "-", *["-"] * len(ways)],
        *[[str(row), FAULTS[row], *[_mark(cells, row, way) for way in ways]] for row in rows],
        ["", "**rows, in every variant**", *[_rows(cells, rows, way) for way in ways]],
        ["", "**variants**", *[_variants(cells, way) for way in ways]],
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _counts(cells: list[Cell], row: int, way: str) -> tuple[int, int]:
    found = [cell.survived for cell in cells if (cell.row, cell.way) == (row, way)]
    return sum(found), len(found)


def _mark(cells: list[Cell], row: int, way: str) -> str:
    survived, tried = _counts(cells, row, way)
    if not tried:
        return "n/a"
    return "yes" if survived == tried else f"{survived} of {tried}" if survived else "no"


def _rows(cells: list[Cell], rows: list[int], way: str) -> str:
    counts = [counted for row in rows if (counted := _counts(cells, row, way))[1]]
    return f"**{sum(survived == tried for survived, tried in counts)} of {len(counts)}**"


def _variants(cells: list[Cell], way: str) -> str:
    found = [cell.survived for cell in cells if cell.way == way]
    return f"**{sum(found)} of {len(found)}**"


if __name__ == "__main__":
    sys.exit(main())
