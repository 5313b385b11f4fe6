"""Rounds in which every contestant runs once, in an order that is drawn, each in a new process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.downloads import curl
from benchmarks.downloads.task import Task
from benchmarks.machine import Readings, wait_until_idle
from benchmarks.orders import orders

if TYPE_CHECKING:
    from benchmarks.downloads.races import Contestant, Race
    from benchmarks.downloads.server import Server

__all__ = ["Rounds"]

_ROOT = Path(__file__).parents[2]
_LONGEST = 1800  # seconds


class Rounds:
    """Runs races.

    Parameters
    ----------
    server : Server
        Serves.
    folder : Path or None
        Where the files go to; they are removed after each transfer. None if none is written.
    patience : float
        How long to wait, before each transfer, until others leave the processors alone, in seconds.
    """

    def __init__(self, server: Server, folder: Path | None, patience: float) -> None:
        self._server, self._folder, self._patience = server, folder, patience

    def run(self, race: Race, rounds: int) -> dict[str, list[Readings]]:
        """Return what each contestant took in each round."""
        taken: dict[str, list[Readings]] = {one.name: [] for one in race.contestants}
        for number, order in enumerate(orders(race.contestants, rounds)):
            for contestant in order:
                readings = self._measured(contestant, first=number == 0)
                taken[contestant.name].append(readings)
                done = f"{race.title}: round {number + 1} of {rounds}: {contestant.name}"
                print(f"{done}: {readings.seconds:.2f} s", file=sys.stderr)  # noqa: T201
        return taken

    def _measured(self, contestant: Contestant, *, first: bool) -> Readings:
        """Run a contestant, with nothing left for the disk to do of the one before."""
        os.sync()
        keep = self._folder is not None
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="benchmark-") as folder:
            task = self._task(contestant, folder)
            wait_until_idle(self._patience)
            if contestant.does:
                readings = _run(contestant.does, task)
            else:
                readings = curl.fetch(task, self._server, keep=keep)
            if keep:
                readings = replace(readings, synced=readings.seconds + _sync(Path(folder)))
                self._check(task, compare=first)
        return readings

    def _task(self, contestant: Contestant, folder: str) -> Task:
        return Task(
            host=self._server.host,
            server=self._server.process,
            numbers=list(contestant.numbers),
            size=self._server.content(contestant.numbers[0]).size,
            folder=folder,
            settings=contestant.settings,
        )

    def _check(self, task: Task, *, compare: bool) -> None:
        """Raise unless the files are there as a whole; to compare their bytes takes longer."""
        content = self._server.content(task.numbers[0])
        files = sorted(Path(task.folder).glob("[!.]*"))
        if [file.stat().st_size for file in files] != [content.size] * len(task.numbers):
            raise SystemExit(f"{task.numbers} did not arrive as a whole")
        for file in files if compare else ():
            if not content.is_in(file):
                raise SystemExit(f"{task.numbers} arrived wrong")


def _sync(folder: Path) -> float:
    """Wait until the disk has the files; return how long that took, in seconds."""
    began = time.perf_counter()
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return time.perf_counter() - began


def _run(does: str, task: Task) -> Readings:
    """Run a contestant in a new process."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.downloads.child",
        *does.split("."),
        json.dumps(asdict(task)),
    ]
    # Progress is shown as to a user, but nobody looks.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as shown:
        done = subprocess.run(  # noqa: S603 - our own command
            command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=shown, timeout=_LONGEST, check=False
        )
        shown.seek(0)
        if done.returncode:
            raise SystemExit(f"{does} failed:\n{shown.read()[-4000:]}")
    return Readings(**json.loads(done.stdout))
