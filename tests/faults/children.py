"""Fetching in processes of their own, which can be killed, interrupted, and kept from things."""

from __future__ import annotations

import fcntl
import io
import multiprocessing
import os
import resource
import signal
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .scenarios import ROUTE, Scenario
from .table import SCENARIOS

__all__ = ["Child", "Hindrance", "start"]

# Its children have imported everything when they begin.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.faults.warm"])
OURS = ("file", "file, async", "stream", "stream, async")


@dataclass(frozen=True, kw_only=True)
class Hindrance:
    """What a process meets that others don't."""

    umask: int | None = None
    no_locks: bool = False  # flock does nothing, as on some file systems of clusters
    most_bytes: int | None = None  # of a file
    dies_at: str = ""  # the function of os that it does not survive
    reader_fails: bool = False  # after the file is there

    def take_effect(self) -> None:
        """Hinder this process."""
        if self.umask is not None:
            os.umask(self.umask)
        if self.no_locks:
            fcntl.flock = fcntl.lockf = lambda *_: None  # type: ignore[assignment]
        if self.most_bytes is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.most_bytes, self.most_bytes))
        if self.dies_at:
            setattr(os, self.dies_at, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))


class Child:
    """A process that fetches.

    Attributes
    ----------
    process : Process
        The process.
    """

    def __init__(self, *arguments: Any) -> None:
        receiving, sending = CONTEXT.Pipe(duplex=False)
        self._arguments, self._results = arguments, receiving
        self.process = CONTEXT.Process(target=_live, args=(*arguments, sending), daemon=True)
        self.process.start()
        sending.close()

    def another(self) -> Child:
        """Begin to fetch the same in one more process."""
        return Child(*self._arguments)

    def kill(self) -> None:
        """Kill it, as ``kill -9`` does."""
        self.process.kill()
        self.process.join()

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        assert self.process.pid is not None
        with suppress(ProcessLookupError):  # it has ended
            os.kill(self.process.pid, signal.SIGINT)

    def outcome(self, within: float = 60) -> dict[str, Any] | None:
        """Return what came of it, or None if it hangs, and is killed, or was killed."""
        arrived = self._results.poll(within)
        outcome: dict[str, Any] | None = None
        with suppress(EOFError):
            outcome = self._results.recv() if arrived else None
        self.process.join(5 if arrived else 0)
        if self.process.is_alive():
            self.kill()
            outcome = None  # it must also end
        self._results.close()
        self.process.close()
        return outcome


def start(
    way: str,
    host: str,
    path: Path,
    scenario: Scenario = SCENARIOS[0],
    hindrance: Hindrance = Hindrance(),
    **settings: Any,
) -> Child:
    """Begin to fetch in another process.

    Parameters
    ----------
    way : str
        ``AllenSDK``, ``AllenSDK, async``, or a form of ours.
    host, path : str, Path
        From where, and to where; the bytes of a stream too.
    scenario : Scenario
        What is asked for.
    hindrance : Hindrance
        What that process meets.
    **settings : object
        Of ours.
    """
    return Child(way, host, path, SCENARIOS.index(scenario), hindrance, settings)


def _live(
    way: str,
    host: str,
    path: Path,
    place: int,
    hindrance: Hindrance,
    settings: dict[str, Any],
    results: Connection,
) -> None:
    sys.stderr = io.StringIO()  # progress bars, and what is said at the end
    hindrance.take_effect()
    began = time.monotonic()
    calls = _noted_calls()
    try:
        outcome = _fetched(way, host, path, SCENARIOS[place], settings)
        if hindrance.reader_fails:
            _read_badly(way, host, path, settings)
    except BaseException as error:
        outcome = {"error": type(error).__name__, "message": str(error)}
    results.send({"seconds": time.monotonic() - began, "calls": calls, **outcome})


def _fetched(
    way: str, host: str, path: Path, scenario: Scenario, settings: dict[str, Any]
) -> dict[str, Any]:
    if way in OURS:
        return _ours(way, host, path, scenario, settings)
    from . import theirs

    warnings.simplefilter("ignore")
    for _ in range(scenario.times):
        (theirs.fetch_async if "async" in way else theirs.fetch)(host, ROUTE, path)
    return {"error": None}


def _ours(
    way: str, host: str, path: Path, scenario: Scenario, settings: dict[str, Any]
) -> dict[str, Any]:
    from .forms import fetch

    fetched = fetch(way, scenario, host, path, **settings)
    if "stream" in way:
        path.write_bytes(fetched.delivered)
    if fetched.error is not None:
        raise fetched.error
    return {"error": None, "report": fetched.report}


def _read_badly(way: str, host: str, path: Path, settings: dict[str, Any]) -> None:
    """Let a reader fail, and then do what is done to read again."""
    if way in OURS:
        with suppress(RuntimeError):
            raise RuntimeError("out of memory")
        _ours(way, host, path, SCENARIOS[0], settings)
        return
    from . import theirs

    theirs.read_badly(host, ROUTE, path)


def _noted_calls() -> list[tuple[str, str, int]]:
    """Note what is made to last and what is renamed from now on: how, what, and how long it is."""
    calls: list[tuple[str, str, int]] = []
    fsync = os.fsync

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        name = Path(f"/proc/self/fd/{descriptor}").readlink()
        calls.append(("fsync", str(name), os.fstat(descriptor).st_size))

    def noted(how: str) -> None:
        function = getattr(os, how)

        def call(source: Any, target: Any, **more: Any) -> None:
            size = Path(source).stat().st_size
            function(source, target, **more)
            calls.append((how, f"{os.fspath(source)} -> {os.fspath(target)}", size))

        setattr(os, how, call)

    os.fsync = noted_fsync
    for how in ("replace", "rename", "link"):
        noted(how)
    return calls
