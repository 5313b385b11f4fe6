"""Measure downloads against curl and AllenSDK: ``python -m benchmarks.downloads``."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.downloads import curl
from benchmarks.downloads.races import RACES
from benchmarks.downloads.report import Outcome, report
from benchmarks.downloads.rounds import Rounds
from benchmarks.downloads.server import nginx_version, serving
from benchmarks.machine import file_system_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.downloads.races import Race
    from benchmarks.downloads.server import Server

_UNITS = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_MEMORY = Path("/dev/shm")  # noqa: S108 - what is wanted is that file system


def main() -> None:
    """Run all races, and print the report; a target that is missed is no failure."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # lest the server goes on
    curl.version()  # or say that it is missing, before anything is measured
    with ExitStack() as stack:
        served = stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-served-"))
        server = stack.enter_context(serving(Path(served), arguments.size))
        outcomes = [
            outcome
            for race in RACES
            if arguments.only in race.title
            for outcome in _run(race, server, arguments)
        ]
    text = report(outcomes, arguments.rounds, nginx_version())
    print(text)  # noqa: T201
    for missed in (line for outcome in outcomes for line in outcome.missed()):
        print(missed, file=sys.stderr)  # noqa: T201
    if arguments.report:
        arguments.report.write_text(text, encoding="utf-8")


def _run(race: Race, server: Server, arguments: argparse.Namespace) -> Iterator[Outcome]:
    """Run a race at each of its places."""
    size = sum(server.content(number).size for number in race.contestants[0].numbers)
    for place, folder in _places(race, arguments.folder):
        taken = Rounds(server, folder, arguments.patience).run(race, arguments.rounds)
        yield Outcome(race, place, taken, size, counts=folder == arguments.folder)


def _places(race: Race, folder: Path) -> Iterator[tuple[str, Path | None]]:
    """Yield where the files of a race go to."""
    if "nowhere" in race.places:
        yield "", None
        return
    if "disk" in race.places or not _MEMORY.is_dir():
        yield f"to disk ({file_system_of(folder)})", folder
    if "memory" in race.places and _MEMORY.is_dir():
        yield f"to memory ({file_system_of(_MEMORY)})", _MEMORY


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.downloads", description=__doc__)
    parser.add_argument("--size", type=_size, default=1024**3, help="of the file, such as 1GiB")
    parser.add_argument("--rounds", type=int, default=7, help="how often each contestant runs")
    parser.add_argument(
        "--folder",
        type=lambda given: Path(given).resolve(),
        default=Path(tempfile.gettempdir()).resolve(),
        help="where to; on the disk that is to be measured",
    )
    parser.add_argument("--report", type=Path, help="write the report to this file too")
    parser.add_argument("--only", default="", help="races with this in their title")
    parser.add_argument(
        "--patience", type=float, default=10, help="seconds to wait until others are idle"
    )
    arguments = parser.parse_args()
    if not any(arguments.only in race.title for race in RACES):
        parser.error(f"no race has {arguments.only!r} in its title")
    return arguments


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+)([KMG]iB|)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 1GiB or 64MiB")
    return int(match[1]) * _UNITS[match[2]]


if __name__ == "__main__":
    main()
