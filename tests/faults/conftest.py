"""What no fetch may leave behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest


def _sockets() -> set[str]:
    """Return the open sockets where the system lists them, as Linux does."""
    found, listed = set(), Path("/proc/self/fd")
    for descriptor in listed.iterdir() if listed.exists() else ():
        with suppress(OSError):
            found.add(str(descriptor.readlink()))
    return {name for name in found if name.startswith("socket:")}


def _left(threads: set[threading.Thread], sockets: set[str]) -> list[str]:
    new = [thread.name for thread in set(threading.enumerate()) - threads]
    return [*new, *(_sockets() - sockets)]


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fail if a socket or a thread is left of what was done meanwhile."""
    threads, sockets = set(threading.enumerate()), _sockets()
    yield
    until = time.monotonic() + 5
    while (left := _left(threads, sockets)) and time.monotonic() < until:
        time.sleep(0.02)  # what ends may take its time, but not the collector's help
    assert left == []
