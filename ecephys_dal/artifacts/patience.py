"""How long a transfer is tried: attempts without progress, waits, a floor of speed, a deadline."""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING

from ecephys_dal.artifacts.refusals import Transient, permanent

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecephys_dal.artifacts.settings import ArtifactSettings

__all__ = ["Patience"]


class Patience:
    """The budget of one transfer.

    Parameters
    ----------
    settings : ArtifactSettings
        The limits.
    url : str
        For messages.
    clock : callable
        Gives seconds.
    reached : int
        The offset at which it begins.

    Attributes
    ----------
    attempts : int
        Requests that were made.
    fruitless : int
        How many of the last ones failed without progress; only these count.
    """

    def __init__(
        self,
        settings: ArtifactSettings,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        reached: int = 0,
    ) -> None:
        self.settings, self.url = settings, url
        self.attempts = self.fruitless = 0
        self._clock, self._started = clock, clock()
        self._reached = reached
        self._window_seconds, self._window_bytes = 0.0, 0

    def begin(self) -> None:
        """Count a request."""
        self.attempts += 1
        self._window_seconds, self._window_bytes = 0.0, 0

    def read(self, n_bytes: int, seconds: float, offset: int) -> None:
        """Note how long it took to read; the consumer's own time does not count."""
        self._window_seconds += seconds
        self._window_bytes += n_bytes
        if self.overdue():
            raise permanent(self.url, f"took longer than timeout={self.settings.timeout} s", offset)
        if self._window_seconds < self.settings.read_timeout:
            return
        speed = self._window_bytes / self._window_seconds
        if speed < self.settings.min_bytes_per_second:
            raise Transient(
                f"{self.url} sent {speed:.0f} bytes/s, fewer than"
                f" min_bytes_per_second={self.settings.min_bytes_per_second}",
                url=self.url,
                received=offset,
                too_slow=True,
            )
        self._window_seconds, self._window_bytes = 0.0, 0

    def fail(self, error: Transient, offset: int) -> None:
        """Count a failure; it is forgiven if it brought what a second at the floor brings."""
        gain = offset - self._reached
        if not error.too_slow and gain >= max(1, self.settings.min_bytes_per_second):
            self.fruitless = 0
            self._reached = offset
        else:
            self.fruitless += 1

    @property
    def exhausted(self) -> bool:
        """As many attempts in a row as are allowed have brought nothing."""
        return self.fruitless >= self.settings.attempts

    def left(self) -> float:
        """Return the seconds until the deadline."""
        timeout = self.settings.timeout
        return math.inf if timeout is None else self._started + timeout - self._clock()

    def overdue(self, wait: float = 0) -> bool:
        """Tell whether the deadline will have passed after this wait, in seconds."""
        return wait > self.left()

    def wait(self, error: BaseException | None) -> float:
        """Return the seconds to wait after a failure: as the server asks, or drawn by chance."""
        asked = getattr(error, "retry_after", None)
        if asked is not None:
            return float(min(asked, self.settings.max_retry_after))
        doublings = max(self.fruitless - 1, 0)
        longest = min(self.settings.max_backoff, self.settings.backoff * 2.0 ** min(doublings, 60))
        return random.uniform(0, longest)  # noqa: S311 - to spread clients, not to hide
