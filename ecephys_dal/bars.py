"""Bars on stderr that show how far something long is."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Event, Thread, Timer, current_thread, main_thread
from typing import TYPE_CHECKING, Any, Protocol, TextIO, TypeVar

from ecephys_dal.display import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from typing_extensions import Self

    P = TypeVar("P", bound=Sequence[Any])

__all__ = [
    "PATIENCE",
    "Bar",
    "ReadingBar",
    "is_watched",
    "make_bar",
    "reading_bar",
    "row_bar",
    "without_reading_bars",
]

PATIENCE = 1.0  # seconds; who waits no longer needs no bar
_NO_TAGS = str.maketrans("<>\n", "???")
_OFTEN = 0.2  # seconds between two looks at it
_are_off = ContextVar("ecephys_dal_reading_bars_are_off", default=False)


class Bar(Protocol):
    """What is needed of a bar of tqdm."""

    total: float | None
    n: float

    def update(self, n: float | None = 1) -> bool | None:
        """Go on by so much."""


class _NoBar:
    """Shows nothing; a disabled bar of tqdm would start tqdm's thread, and lacks attributes."""

    def __init__(self, iterable: Iterable[Any], total: float | None) -> None:
        self.iterable, self.total = iterable, total
        self.n = self.start_t = 0.0

    def update(self, n: float | None = 1) -> None:
        """Show nothing."""

    def refresh(self) -> None:
        """Show nothing."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self.iterable)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _Screen:
    """Stderr, of which a bar may find that it was closed, or that nobody reads it any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write a text if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Pass on what was written if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def make_bar(wanted: bool | None, **options: Any) -> Any:
    """Return a bar of tqdm's: a widget in a notebook that has ipywidgets, else a line of text.

    Parameters
    ----------
    wanted : bool, optional
        With None a bar is shown after a second, if stderr is a terminal's or a notebook's; with
        True at once, and wherever stderr leads. The variable TQDM_DISABLE switches all off.
    **options
        Of tqdm.

    Returns
    -------
    tqdm, or what has the same methods and shows nothing
    """
    if desc := options.get("desc"):  # which a notebook takes for HTML
        options["desc"] = printable(desc).translate(_NO_TAGS)
    none = _NoBar(options.get("iterable", ()), options.get("total"))
    if sys.stderr is None or not (is_watched() if wanted is None else wanted):
        return none
    options["delay"] = PATIENCE if wanted is None else 0
    options |= {"gui": False, "lock_args": None, "write_bytes": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as for IProgress: the line of text does
            from tqdm.auto import tqdm  # noqa: PLC0415 - most questions need none

            bar = tqdm(**options, file=_Screen(sys.stderr), dynamic_ncols=True)
            str(bar)  # by TQDM_BAR_FORMAT and TQDM_ASCII
    except Exception:  # one of tqdm's variables, as TQDM_MININTERVAL, is none that it can use
        return none
    if bar.disable:
        return none
    if wanted is None:
        _show_in_time(bar)
    return bar


def _show_in_time(bar: Any) -> None:
    """Show a bar when its delay is over, also if it stands still: tqdm waits for its next step."""

    def show() -> None:
        bar.last_print_t = bar.start_t + bar.delay  # or tqdm would not take it away
        bar.refresh()

    def close() -> None:
        timer.cancel()
        close_bar()

    timer = Timer(bar.delay, show)
    timer.daemon = True
    close_bar, bar.close = bar.close, close
    timer.start()


def is_watched() -> bool:
    """Return True if stderr is a terminal's or a notebook's."""
    with suppress(AttributeError, OSError, ValueError):  # it is None, or was closed
        if sys.stderr.isatty():
            return True
    return _is_notebook()


class ReadingBar(Thread):
    """How many rows of a table have come, shown while that takes longer than a second.

    A thread shows it, also while everybody waits for the database, and nothing of it stays.

    Parameters
    ----------
    what : str
        The table's name.

    Attributes
    ----------
    rows : int
        How many have come.
    """

    def __init__(self, what: str) -> None:
        super().__init__(name="ecephys_dal bar", daemon=True)
        self._what, self.rows, self._has_ended = what, 0, Event()

    def run(self) -> None:
        """Wait, then show the bar until the reading has ended."""
        if self._has_ended.wait(PATIENCE):
            return
        what = f"Reading {self._what}"
        with make_bar(True, desc=what, unit=" rows", unit_scale=True, leave=False) as bar:
            bar.start_t -= PATIENCE  # when the reading began
            while not self._has_ended.wait(_OFTEN):
                bar.n = self.rows
                bar.refresh()

    def counted(self, pieces: Iterator[P]) -> Iterator[P]:
        """Yield pieces of a table, and count their rows."""
        for piece in pieces:
            self.rows += len(piece[0]) if piece else 0
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
    if wanted is None:
        wanted = current_thread() is main_thread() and is_watched()
    if _are_off.get() or not wanted:
        yield None
    else:
        with row_bar(what) as bar:
            yield bar


@contextmanager
def row_bar(what: str) -> Iterator[ReadingBar]:
    """Show how many rows of a table have come, if the block takes longer than a second."""
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


def _is_notebook() -> bool:
    """Tell whether this is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
