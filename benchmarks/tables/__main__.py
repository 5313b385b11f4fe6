"""Measure tables against AllenSDK and others: ``python -m benchmarks.tables``."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from benchmarks.tables.material import Material
from benchmarks.tables.plot import draw
from benchmarks.tables.questions import GROWTH, races
from benchmarks.tables.report import report, targets
from benchmarks.tables.rounds import Outcome, Rounds
from benchmarks.tables.workers import Workers

_ALLENSDK = Path(__file__).parents[2] / ".venv-allensdk/bin/python"
_BASE, _SIZES = 130_000, (10_000, 30_000, 130_000, 300_000, 1_000_000)
_QUICK_BASE, _QUICK_SIZES = 2_000, (2_000, 5_000)


def main() -> None:
    """Run all races, and print the report; a target that is missed is no failure."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # lest the others go on
    material = Material.of(arguments.base, arguments.sizes)
    with Workers(arguments.allensdk) as workers:
        rounds = Rounds(workers, material.base.server, arguments.patience)
        outcomes = [
            rounds.run(race, arguments.rounds)
            for race in races(material)
            if arguments.only in race.title
        ]
    _publish(outcomes, material, arguments)


def _publish(outcomes: list[Outcome], material: Material, arguments: argparse.Namespace) -> None:
    """Print the report, and write it and the plot where they are wanted."""
    path: Path | None = arguments.report
    plot = path.with_suffix(".svg") if path else None
    growth = next((one for one in outcomes if one.race.title == GROWTH), None)
    if plot is not None and growth is not None:
        draw(growth, plot)
    shown = plot.name if plot is not None and growth is not None else ""
    text = report(outcomes, material, arguments.rounds, arguments.allensdk, shown)
    print(text)  # noqa: T201
    print("\n".join(targets(outcomes)), file=sys.stderr)  # noqa: T201
    if path is not None:
        path.write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often each runs; 5 unless told")
    parser.add_argument("--base", type=int, help="units for most questions")
    parser.add_argument("--sizes", type=int, nargs="+", help="units for the plot")
    parser.add_argument("--report", type=Path, help="write the report and its plot there too")
    parser.add_argument("--only", default="", help="races with this in their title")
    parser.add_argument("--quick", action="store_true", help="only show that all runs; no report")
    parser.add_argument(
        "--patience", type=float, help="seconds to wait until others are idle; 10 unless told"
    )
    parser.add_argument(
        "--allensdk", default=str(_ALLENSDK), help="the interpreter of AllenSDK's environment"
    )
    arguments = parser.parse_args()
    if not Path(arguments.allensdk).exists():
        parser.error(f"{arguments.allensdk} is missing; `make interop` makes it")
    if arguments.quick:
        arguments.report = None  # times of so little are not worth to be kept
    quick = {"rounds": 1, "base": _QUICK_BASE, "sizes": _QUICK_SIZES, "patience": 0.0}
    usual = {"rounds": 5, "base": _BASE, "sizes": _SIZES, "patience": 10.0}
    for name, value in (quick if arguments.quick else usual).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    return arguments


if __name__ == "__main__":
    main()
