"""Digests that are computed while a file's bytes go by."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Digests"]


class Digests:
    """Digests of the bytes of a file from its beginning, each as far as it has got.

    A digest that is wanted in mid-file lags behind until it is given what it missed.
    """

    def __init__(self, algorithms: Iterable[str] = ()) -> None:
        self._running = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        self._positions = dict.fromkeys(self._running, 0)

    def want(self, algorithm: str) -> None:
        """Compute this digest too, from the beginning on."""
        if algorithm not in self._running:
            self._running[algorithm] = hashlib.new(algorithm, usedforsecurity=False)
            self._positions[algorithm] = 0

    def restart(self) -> None:
        """Begin again, for the bytes that were seen do not count any more."""
        algorithms = list(self._running)
        self._running.clear()
        for algorithm in algorithms:
            self.want(algorithm)

    @property
    def position(self) -> int | None:
        """Where the one that lags most is; None if there is none."""
        return min(self._positions.values(), default=None)

    def update(self, offset: int, piece: bytes | memoryview) -> None:
        """Take the bytes that stand at this offset, by those digests that have got there."""
        for algorithm, running in self._running.items():
            if self._positions[algorithm] == offset:
                running.update(piece)
                self._positions[algorithm] += len(piece)

    def at(self, offset: int, algorithm: str) -> bytes | None:
        """Return the digest of the bytes before this offset, if it is known."""
        if self._positions.get(algorithm) != offset:
            return None
        return self._running[algorithm].digest()
