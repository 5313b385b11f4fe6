"""The contestant that the others are compared with: curl."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import Readings, Watch

if TYPE_CHECKING:
    from benchmarks.downloads.server import Server
    from benchmarks.downloads.task import Task

__all__ = ["fetch", "version"]

_QUIETLY = ("curl", "--silent", "--show-error", "--fail")


def fetch(task: Task, server: Server, *, keep: bool) -> Readings:
    """Fetch the files of a task, in parallel if they are many.

    Its start is not counted, for neither is that of Python.
    """
    paths = task.paths if keep else [Path(os.devnull)] * len(task.numbers)
    command = list(_QUIETLY)
    if len(paths) > 1:
        command += ["--parallel", "--parallel-max", str(len(paths))]
    for number, path in zip(task.numbers, paths, strict=True):
        command += ["--output", str(path), server.url(number)]
    start = _start()
    with Watch(server.process) as watch:
        cpu = _run(command)
    watch.seconds -= start
    return watch.readings(cpu, math.nan)


def _start() -> float:
    """Return how long it takes to start and to end, in seconds."""
    began = time.perf_counter()
    _run([*_QUIETLY, "--version"])
    return time.perf_counter() - began


def _run(command: list[str]) -> float:
    """Return the processor time that a command took, in seconds."""
    before = os.times()
    # The meter of parallel transfers can't be turned off.
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command
    after = os.times()
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def version() -> str:
    """Return curl's version."""
    if shutil.which("curl") is None:
        raise SystemExit("curl is missing; as root: apt-get install curl")
    told = subprocess.run(["curl", "--version"], check=True, capture_output=True, text=True)  # noqa: S607
    return " ".join(told.stdout.split()[:2])
