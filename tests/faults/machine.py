"""Rows 31 to 37: what goes wrong on the machine that fetches, and what is seen of it there."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from .children import Child, Hindrance, start
from .contents import FIRST
from .replies import Script, Step, honest, stalled, whole
from .server import FaultServer

__all__ = [
    "HALF",
    "HALFWAY",
    "MACHINE",
    "kill_halfway",
    "locked_folder",
    "paced",
    "racing",
    "small_disk",
]

HALF = len(FIRST) // 2
PROMPT = 15  # seconds; what is not prompt takes a minute


def paced(step: Step, pace: float) -> Step:
    """Answer so, but slowly enough to be met in the middle."""
    return lambda request: replace(step(request), pace=pace)


# The first one waits for more than half of the file; later ones get what they ask for.
HALFWAY: Script = (stalled(honest(), HALF), honest())


def reached(server: FaultServer, sent: int, within: float = 30) -> bool:
    """Wait until the server has sent so many bytes."""
    until = time.monotonic() + within
    while server.sent < sent and time.monotonic() < until:
        time.sleep(0.005)
    return server.sent >= sent


def halfway(folder: Path, within: float = 30) -> bool:
    """Wait until half of the file is there, under whatever name."""
    until, patience = time.monotonic() + within, 2.0
    while time.monotonic() < until and patience > 0:
        sizes = []
        for entry in folder.iterdir():
            with suppress(FileNotFoundError):
                sizes.append(entry.stat().st_size)
        most = max(sizes, default=0)
        if most >= HALF:
            return True
        if most > HALF - 100_000:  # the rest may stay in a buffer
            patience -= 0.005
        time.sleep(0.005)
    return patience <= 0


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[bool]:
    """Mount a file system in memory there, and tell whether that worked."""
    folder.mkdir()
    worked = os.geteuid() == 0 and _runs(["mount", "-t", "tmpfs", "-o", options, "x", str(folder)])
    try:
        yield worked
    finally:
        if worked:
            assert _runs(["umount", str(folder)])


@contextmanager
def small_disk(folder: Path) -> Iterator[tuple[Path, Hindrance]]:
    """Give a folder with room for a megabyte: a small file system, or else a limit on files."""
    small = folder / "small"
    with mounted(small, "size=1m") as worked:
        yield small, Hindrance(most_bytes=None if worked else 1_000_000)


@contextmanager
def locked_folder(folder: Path) -> Iterator[Path]:
    """Give a folder that nobody may write to."""
    locked = folder / "locked"
    with mounted(locked, "ro,size=1m") as worked:
        if not worked:
            locked.chmod(0o500)
        try:
            yield locked
        finally:
            if not worked:
                locked.chmod(0o700)


def _runs(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


def disk_full(way: str, folder: Path) -> dict[str, Any]:
    """Fetch to where there is no room, without being told the size before."""
    with FaultServer((whole(framing="chunked"),)) as server, small_disk(folder) as (small, limit):
        outcome = start(way, server.host, small / "a.nwb", hindrance=limit).outcome()
        names = {entry.name for entry in small.iterdir()}
    error = outcome and outcome["error"]
    return {
        "survived": bool(error) and "a.nwb" not in names,
        "error": error,
        "requests": len(server.requests),
        "names": names,
    }


def killed(way: str, folder: Path) -> dict[str, Any]:
    """Kill it in mid-file, and fetch again."""
    path = folder / "a.nwb"
    with FaultServer(HALFWAY) as server:
        met = kill_halfway(way, server, path)
        hidden = not path.exists()
        outcome = start(way, server.host, path).outcome()
    good = path.exists() and path.read_bytes() == FIRST.data
    return {
        "survived": met and hidden and good and outcome is not None,
        "outcome": outcome,
        "requests": server.requests,
    }


def kill_halfway(way: str, server: FaultServer, path: Path) -> bool:
    """Kill a download when half of the file is there, and tell whether it got so far."""
    child = start(way, server.host, path, read_timeout=60.0)
    met = halfway(path.parent)
    child.kill()
    child.outcome()
    return met


def racing(
    way: str, folder: Path, script: Script, *, no_locks: bool = False, seed: int = 1
) -> dict[str, Any]:
    """Let six processes fetch one file, and kill eight of them by chance, each replaced."""
    path, hindrance = folder / "a.nwb", Hindrance(no_locks=no_locks)
    with FaultServer(script) as server:
        children = [start(way, server.host, path, hindrance=hindrance) for _ in range(6)]
        bad = _decimated(children, path, random.Random(seed))  # noqa: S311
        while any(child.process.is_alive() for child in children):
            bad += _wrongly_seen(path, 0.02)
        outcomes = [child.outcome() for child in children]
    errors = [outcome["error"] if outcome else "none" for outcome in outcomes]
    bad += _wrongly_seen(path, 0)
    return {
        "survived": bad == 0 and path.exists() and errors == [None] * 6,
        "seen wrongly": bad,
        "errors": errors,
        "requests": len(server.requests),
        "names": {entry.name for entry in folder.iterdir()},
    }


def _decimated(children: list[Child], path: Path, chance: random.Random) -> int:
    """Kill and replace, and return how often something wrong was seen meanwhile."""
    bad = 0
    for _ in range(8):
        bad += _wrongly_seen(path, chance.uniform(0.02, 0.1))
        victim = children.pop(chance.randrange(len(children)))
        victim.kill()
        victim.outcome()
        children.append(victim.another())
    return bad


def _wrongly_seen(path: Path, seconds: float) -> int:
    """Read what is under the final name again and again, and count what is not the whole file."""
    until, wrong = time.monotonic() + seconds, 0
    while True:
        with suppress(FileNotFoundError):
            wrong += path.read_bytes() != FIRST.data
        if time.monotonic() >= until:
            return wrong
        time.sleep(0.002)


def race(way: str, folder: Path) -> dict[str, Any]:
    """Let six processes fetch one file."""
    return racing(way, folder, (paced(honest(), 0.003),))


def power_lost(way: str, folder: Path) -> dict[str, Any]:
    """Note what is made to last, and when the file gets its name."""
    path = folder / "a.nwb"
    with FaultServer((honest(),)) as server:
        outcome = start(way, server.host, path).outcome()
    calls = outcome["calls"] if outcome else []
    return {"survived": _lasts(calls, path), "calls": calls}


def _lasts(calls: list[tuple[str, str, int]], path: Path) -> bool:
    """Tell whether all bytes are on the disk before the name is, and the name too at the end."""
    name, folder_synced = str(path), False
    for how, what, size in reversed(calls):
        if what.endswith(f" -> {name}"):
            name = what.split(" -> ")[0]
        elif name == str(path):
            folder_synced |= (how, what) == ("fsync", str(path.parent))
        elif (how, what) == ("fsync", name):
            return folder_synced and size == len(FIRST)
    return False


def interrupted(way: str, folder: Path) -> dict[str, Any]:
    """Press Ctrl-C in mid-file while the server says no more."""
    path = folder / "a.nwb"
    with FaultServer(HALFWAY) as server:
        child = start(way, server.host, path, read_timeout=60.0)
        # What a stream has given is not written down before its end.
        met = reached(server, HALF) if "stream" in way else halfway(folder)
        time.sleep(0.1)  # until it waits for more
        child.interrupt()
        outcome = child.outcome(PROMPT)
        quiet = server.is_quiet()
    names = {entry.name for entry in folder.iterdir()}
    ended = outcome is not None and outcome["error"] == "KeyboardInterrupt"
    return {
        "survived": met and ended and quiet and "a.nwb" not in names,
        "outcome": outcome,
        "requests": len(server.requests),
        "names": names,
    }


def misread(way: str, folder: Path) -> dict[str, Any]:
    """Let a reader fail on a good file."""
    path = folder / "a.nwb"
    with FaultServer((honest(),)) as server:
        outcome = start(way, server.host, path, hindrance=Hindrance(reader_fails=True)).outcome()
    kept = path.exists() and path.read_bytes() == FIRST.data
    return {
        "survived": outcome is not None and kept and len(server.requests) == 1,
        "outcome": outcome,
        "requests": len(server.requests),
    }


def mode(way: str, folder: Path) -> dict[str, Any]:
    """Fetch under a umask."""
    path = folder / "a.nwb"
    with FaultServer((honest(),)) as server:
        start(way, server.host, path, hindrance=Hindrance(umask=0o027)).outcome()
    found = path.stat().st_mode & 0o777 if path.exists() else 0
    return {"survived": found == 0o640, "mode": found}


MACHINE: dict[int, Callable[[str, Path], dict[str, Any]]] = {
    31: disk_full,
    32: killed,
    33: race,
    34: power_lost,
    35: interrupted,
    36: misread,
    37: mode,
}
