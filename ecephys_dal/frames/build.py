"""Pieces of a SELECT become a frame, or a table of Arrow's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecephys_dal.frames.arrow import is_arrow, pa
from ecephys_dal.frames.pieces import joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ecephys_dal.frames.columns import DtypeBackend, FrameColumn
    from ecephys_dal.frames.pieces import Piece

__all__ = ["build_arrow", "build_frame"]


def build_frame(
    columns: Sequence[FrameColumn], pieces: Iterable[Piece], backend: DtypeBackend = "numpy"
) -> pd.DataFrame:
    """Return columns as a frame whose index is the first one.

    Parameters
    ----------
    columns : sequence of FrameColumn, length n_columns + 1
        What the columns are; the first one, of ids, becomes the index.
    pieces : iterable of Piece
        What they hold, by one route.
    backend : {"numpy", "numpy_nullable", "pyarrow"}
        Which family of dtypes.

    Returns
    -------
    DataFrame, shape (n_records, n_columns)
    """
    backends: list[DtypeBackend] = ["numpy", *[backend] * (len(columns) - 1)]

    def arrays(piece: Piece) -> list[Any]:
        return [c.array(v, b) for c, v, b in zip(columns, piece, backends, strict=True)]

    batches, made = [], []
    for piece in filter(None, pieces):
        if is_arrow(piece[0]):
            batches.append(piece)  # to be joined before they are converted, which copies less
        else:
            made.append(arrays(piece))  # at once, while the rows are in the processor's cache
    if batches or not made:
        made.append(arrays(joined(batches, len(columns))))
    unordered = list(map(_concatenated, zip(*made, strict=True)))
    del batches, made  # so that an array can be let go when it is in order
    index, *values = _in_order(unordered)
    names = [column.name for column in columns]
    frame: pd.DataFrame = pd.DataFrame(
        dict(zip(names[1:], values, strict=True)), pd.Index(index, name=names[0]), copy=False
    )
    return frame


def _in_order(arrays: list[Any]) -> list[Any]:
    """Put the rows into the order of the first column; each array is let go when it is copied."""
    ids = arrays[0]
    if (ids[1:] >= ids[:-1]).all():
        return arrays
    order = np.argsort(ids, kind="stable")
    for at, array in enumerate(arrays):
        arrays[at] = array[order]
    return arrays


def _concatenated(arrays: Sequence[Any]) -> Any:
    if len(arrays) == 1:
        return arrays[0]
    if isinstance(arrays[0], np.ndarray):
        return np.concatenate(arrays)
    return type(arrays[0])._concat_same_type(arrays)  # noqa: SLF001 - pandas documents it


def build_arrow(columns: Sequence[FrameColumn], pieces: Iterable[Piece]) -> pa.Table:
    """Return columns as a table of Arrow's.

    Parameters
    ----------
    columns, pieces
        As for `build_frame`.

    Returns
    -------
    Table, shape (n_records, n_columns + 1)
    """
    names = [column.name for column in columns]
    made = [
        pa.table(
            [column.arrow(values) for column, values in zip(columns, piece, strict=True)], names
        )
        for piece in filter(None, pieces)
    ]
    empty = pa.schema([(column.name, column.arrow_type()) for column in columns]).empty_table()
    table = pa.concat_tables([empty, *made])
    ids = table.column(0).to_numpy()
    return table if (ids[1:] >= ids[:-1]).all() else table.take(np.argsort(ids, kind="stable"))
