"""Run one contestant in a process of its own, and print what it took."""

from __future__ import annotations

import importlib
import json
import sys
import time
from dataclasses import asdict

from benchmarks.downloads.task import Task
from benchmarks.machine import Watch, forget_peak, peak_memory


def main() -> None:
    """Import the contestant, then measure it."""
    module, function, task = sys.argv[1], sys.argv[2], Task(**json.loads(sys.argv[3]))
    contestant = getattr(importlib.import_module(f"benchmarks.downloads.{module}"), function)
    resident = forget_peak()
    cpu = time.process_time()
    with Watch(task.server) as watch:
        contestant(task)
    cpu = time.process_time() - cpu
    print(json.dumps(asdict(watch.readings(cpu, peak_memory() - resident))))  # noqa: T201


if __name__ == "__main__":
    main()
