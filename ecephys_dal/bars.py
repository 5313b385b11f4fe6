"""Bars on stderr that show how far something long is."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event, Thread, current_thread, main_thread
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    P = TypeVar("P", bound=Sequence[Any])

__all__ = ["PATIENCE", "Bar", "ReadingBar", "make_bar", "reading_bar", "without_reading_bars"]

PATIENCE = 1.0  # seconds; who waits no longer needs no bar
_OFTEN = 0.2  # seconds between two looks at it
_are_off = ContextVar("ecephys_dal_reading_bars_are_off", default=False)


class Bar(Protocol):
    """What is needed of a bar of tqdm."""

    total: float | None
    n: float

    def update(self, n: float | None = 1) -> bool | None:
        """Go on by so much."""


def make_bar(**options: Any) -> Any:
    """Return a bar of tqdm's: a widget in a notebook that has ipywidgets, else a line of text."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")  # the line of text does
        from tqdm.auto import tqdm  # noqa: PLC0415 - most questions need none

    return tqdm(**options)


class ReadingBar(Thread):
    """How many rows of a table have come, shown while that takes longer than a second.

    A thread shows it, also while everybody waits for the database, and nothing of it stays.

    Parameters
    ----------
    what : str
        The table's name.
    """

    def __init__(self, what: str) -> None:
        super().__init__(name="ecephys_dal bar", daemon=True)
        self._what, self._rows, self._has_ended = what, 0, Event()

    def run(self) -> None:
        """Wait, then show the bar until the reading has ended."""
        if self._has_ended.wait(PATIENCE):
            return
        what = f"Reading {self._what}"
        with make_bar(desc=what, unit=" rows", unit_scale=True, leave=False) as bar:
            bar.start_t -= PATIENCE  # when the reading began
            while not self._has_ended.wait(_OFTEN):
                bar.n = self._rows
                bar.refresh()

    def counted(self, pieces: Iterator[P]) -> Iterator[P]:
        """Yield pieces of a table, and count their rows."""
        for piece in pieces:
            self._rows += len(piece[0]) if piece else 0
            yield piece

    def close(self) -> None:
        """Take the bar away."""
        self._has_ended.set()
        self.join()


@contextmanager
def reading_bar(what: str, wanted: bool | None) -> Iterator[ReadingBar | None]:
    """Show a bar as long as a table is read, or none.

    Parameters
    ----------
    what : str
        The table's name.
    wanted : bool, optional
        With None as somebody watches: in the main thread, if stderr is a terminal's or a
        notebook's.

    Yields
    ------
    ReadingBar or None
        None if there is none.
    """
    if _are_off.get() or not (_is_watched() if wanted is None else wanted):
        yield None
        return
    bar = ReadingBar(what)
    bar.start()
    try:
        yield bar
    finally:
        bar.close()


@contextmanager
def without_reading_bars() -> Iterator[None]:
    """Show none, because there is a bar of all of it, or none is wanted at all."""
    before = _are_off.set(True)
    try:
        yield
    finally:
        _are_off.reset(before)


def _is_watched() -> bool:
    if current_thread() is not main_thread():
        return False
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return is_terminal or _is_notebook()


def _is_notebook() -> bool:
    """Tell whether this is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
