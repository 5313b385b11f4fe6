"""Ask questions in a process that stays: a line of JSON for each, and one for what it took.

``python -m benchmarks.tables.worker MODULE [PACKAGE ...]``: the contestants of a module, where the
packages seem not to be installed.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from benchmarks.machine import Watch, forget_peak, peak_memory


def main() -> None:
    """Answer until nobody asks any more."""
    _, module, *absent = sys.argv
    absences: Any = dict.fromkeys(absent)  # a module that is None can't be imported
    sys.modules.update(absences)
    contestants = importlib.import_module(f"benchmarks.tables.{module}")
    answers, sys.stdout = sys.stdout, sys.stderr  # where contestants may print
    for line in sys.stdin:
        answer = _answered(contestants, **json.loads(line))
        print(json.dumps(answer), file=answers, flush=True)


def _answered(
    contestants: Any,
    *,
    does: str,
    arguments: dict[str, Any],
    repeat: int,
    server: int | None,
    compare: bool,
) -> dict[str, Any]:
    """Do what is wanted, and return what it took or, to be compared, what came out."""
    ask = getattr(contestants, does)
    if compare:
        # Only now, lest that be imported already whose import is measured.
        canonical = importlib.import_module("benchmarks.tables.canonical")
        comparable = getattr(contestants, "comparable", lambda frame: frame)
        digest: dict[str, Any] = canonical.digest(map(comparable, _pieces(ask(**arguments))))
        return digest
    resident, cpu = forget_peak(), time.process_time()
    with Watch(server) as watch:
        for _ in range(repeat):
            for _piece in _pieces(ask(**arguments)):  # held until the clock stands still
                pass
    readings = watch.readings(time.process_time() - cpu, peak_memory() - resident)
    once = {"seconds": readings.seconds / repeat, "cpu": readings.cpu / repeat}
    return asdict(replace(readings, **once))


def _pieces(answer: Any) -> Iterator[Any]:
    return answer if isinstance(answer, Iterator) else iter([answer])


if __name__ == "__main__":
    main()
