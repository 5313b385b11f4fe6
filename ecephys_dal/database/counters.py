"""What was asked of a database so far, in numbers."""

from __future__ import annotations

import os
from threading import Lock

__all__ = ["Counters"]


class Counters:
    """What the repositories of a `Database` have asked since it was made; threads may share it.

    Attributes
    ----------
    queries : int
        Questions, also those that failed; one that was tried again, or came in chunks, is one.
    rows : int
        Records, ids or counts that were given.
    seconds : float
        How long the questions took together, with all that was tried again; what a consumer of
        chunks did between them is left out.
    retries : int
        How often a question, or the rest of one, was tried again.
    """

    def __init__(self) -> None:
        self.queries = self.rows = self.retries = 0
        self.seconds = 0.0
        self.process = os.getpid()
        self._lock = Lock()

    def add(self, *, queries: int = 0, rows: int = 0, seconds: float = 0, retries: int = 0) -> None:
        """Count what was asked."""
        with self._lock:
            self.queries += queries
            self.rows += rows
            self.seconds += seconds
            self.retries += retries

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name, all of one moment."""
        with self._lock:
            return {
                "queries": self.queries,
                "rows": self.rows,
                "seconds": self.seconds,
                "retries": self.retries,
            }

    def __repr__(self) -> str:
        return f"Counters({', '.join(f'{name}={n:.6g}' for name, n in self.to_dict().items())})"
