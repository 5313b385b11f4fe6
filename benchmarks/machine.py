"""What the operating system says of time, memory, load and the machine; Linux only."""

from __future__ import annotations

import gc
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Readings",
    "Watch",
    "children_of",
    "describe",
    "file_system_of",
    "forget_peak",
    "name_of",
    "parent_of",
    "peak_memory",
    "precedence",
    "wait_until_idle",
]

MIB = 1024**2
_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
_GLANCE = 0.25  # seconds
_IDLE = 0.2  # of the processors' time that may be used by others


@dataclass(frozen=True, kw_only=True)
class Readings:
    """What one transfer took.

    Parameters
    ----------
    seconds : float
        From its beginning to its end.
    cpu : float
        Processor time of the process that fetched, in seconds.
    others : float
        The share of the processors' time that neither it nor the server used, 0 to 1. It holds
        the kernel's writing to disk too.
    memory : float
        The peak of resident memory above what it was before, in MiB; NaN if not looked at.
    synced : float
        The same, and what it took after that until the disk had the file.
    """

    seconds: float
    cpu: float
    others: float
    memory: float
    synced: float


class Watch:
    """Measures what happens while it is entered.

    Parameters
    ----------
    server : int or None
        The server's process; what those take that it starts counts too. None if there is none.
    """

    def __init__(self, server: int | None) -> None:
        self._server = server
        self.seconds = self.busy = 0.0

    def __enter__(self) -> Self:
        self._began = _busy_seconds(), _cpu_seconds_of_all(self._server)
        self._since = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._since
        busy, server = self._began
        self.busy = _busy_seconds() - busy - (_cpu_seconds_of_all(self._server) - server)

    def readings(self, cpu: float, memory: float) -> Readings:
        """Return what was measured, with what only the caller knows."""
        available = self.seconds * (os.cpu_count() or 1)
        return Readings(
            seconds=self.seconds,
            cpu=cpu,
            others=min(max(0.0, (self.busy - cpu) / available), 1.0),
            memory=memory,
            synced=self.seconds,
        )


def _busy_seconds() -> float:
    """Return how long the processors were busy, all together, since the machine began."""
    first, *_ = (_PROC / "stat").read_text().splitlines()
    user, nice, system, _, _, irq, softirq, steal, *_ = (int(part) for part in first.split()[1:])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def _cpu_seconds_of_all(parent: int | None) -> float:
    """Return what a process and its children have taken, those that have ended too."""
    if parent is None:
        return 0.0
    family = [parent, *children_of(parent)]
    return sum(sum(map(int, fields[11:15])) for fields in map(_stat, family) if fields) / _TICKS


def children_of(parent: int) -> list[int]:
    """Return the processes that a process started, and that run."""
    threads = (_PROC / str(parent) / "task").glob("*/children")
    return [int(child) for listed in threads for child in listed.read_text().split()]


def parent_of(process: int) -> int:
    """Return the process that started another."""
    return int(_stat(process)[1])


def name_of(process: int) -> str:
    """Return the name of a process; nothing if there is none."""
    name = _PROC / str(process) / "comm"
    return name.read_text().strip() if name.exists() else ""


def _stat(process: int) -> list[str]:
    """Return what the kernel says of a process behind its name; nothing if it has ended."""
    try:
        return (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return []


def wait_until_idle(patience: float) -> None:
    """Wait until others leave the processors alone, but no longer than this, in seconds."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        before = _busy_seconds()
        time.sleep(_GLANCE)
        if (_busy_seconds() - before) / (_GLANCE * (os.cpu_count() or 1)) < _IDLE:
            return


def forget_peak() -> float:
    """Let the peak of resident memory begin anew; return what is resident, in MiB."""
    gc.collect()
    (_PROC / "self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak_memory() -> float:
    """Return the peak of this process's resident memory, in MiB."""
    return _status("VmHWM")


def _status(name: str) -> float:
    for line in (_PROC / "self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / MIB
    raise LookupError(f"the kernel does not tell {name}")


def describe() -> str:
    """Say in a line what the machine is."""
    cpus = (_PROC / "cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in cpus if "model name" in line), "?")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3
    return (
        f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB of memory,"
        f" {platform.system()} {platform.release()}"
    )


def precedence() -> str:
    """Say by how much the scheduler prefers these processes to others, if it does."""
    group = _PROC / "self/autogroup"
    # The file is missing in some kernels, and empty for a process that is in no group.
    words = group.read_text().split() if group.exists() else []
    nice = min(int(words[-1]) if words else 0, os.nice(0))
    return f"; the scheduler preferred these processes to others (nice {nice})" if nice else ""


def file_system_of(folder: Path) -> str:
    """Return the type of the file system that a folder is on."""
    mounted = [line.split()[1:3] for line in (_PROC / "mounts").read_text().splitlines()]
    holding = [(Path(where), kind) for where, kind in mounted if folder.is_relative_to(where)]
    return max(holding, key=lambda one: len(one[0].parts))[1]
