"""A table for a person: aligned, as wide as the terminal, and counted at its end."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import pandas as pd

from ecephys_dal.cli.formats import flat_value
from ecephys_dal.display import on_one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pandas import DataFrame

__all__ = ["cell_of", "table_lines"]

_WIDEST = 40  # of a cell, beyond which it is cut
_GAP = "  "
_MISSING = "-"


def cell_of(value: Any) -> str:
    """Return a value as a cell of a table: on one line, and with nothing that steers a terminal."""
    value = flat_value(value)
    if value is None or pd.isna(value):
        return _MISSING
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, pd.Timestamp):
        return str(value.date() if value == value.normalize() else value.floor("s"))
    return on_one_line(str(value))


def table_lines(frames: Iterable[DataFrame], width: int | None) -> Iterator[str]:
    """Yield the lines of a table, without the end of each.

    Parameters
    ----------
    frames : iterable of DataFrame
        The rows. The first frame tells how wide columns are; what is longer later is cut.
    width : int, optional
        Of the terminal: whole columns that don't fit are left out, and the last line says so.

    Yields
    ------
    str
    """
    frames = iter(frames)
    first = next(frames)
    columns = [_column(first, at) for at in range(first.shape[1])]
    widths = [min(_WIDEST, max(map(len, one))) for one in columns]
    shown = _how_many_fit(widths, width)
    right = [pd.api.types.is_numeric_dtype(kind) for kind in first.dtypes]
    for frame in chain([first], frames):
        cells = [_column(frame, at) for at in range(shown)]
        lines = zip(*cells, strict=True)
        heads = next(lines)
        if frame is first:
            yield _line(heads, widths, right)
            yield _GAP.join("-" * one for one in widths[:shown])
        for line in lines:
            yield _line(line, widths, right)
    left_out = list(map(str, first.columns[shown:]))
    if left_out:
        yield f"({len(left_out)} more columns: {_few(left_out)}; --columns chooses)"


def _column(frame: DataFrame, at: int) -> list[str]:
    return [cell_of(str(frame.columns[at])), *map(cell_of, frame.iloc[:, at])]


def _how_many_fit(widths: Sequence[int], width: int | None) -> int:
    taken = 0
    for n_before, one in enumerate(widths):
        taken += one + len(_GAP) * (n_before > 0)
        if width is not None and taken > width:
            return max(n_before, 1)
    return len(widths)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    columns = zip(cells, widths, right, strict=False)
    line = (
        _cut(cell, one).rjust(one) if to_right else _cut(cell, one).ljust(one)
        for cell, one, to_right in columns
    )
    return _GAP.join(line).rstrip()


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 1]}…"


def _few(names: Sequence[str]) -> str:
    return ", ".join([*names[:3], "..."] if len(names) > 4 else names)
