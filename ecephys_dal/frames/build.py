"""Pieces of a SELECT become a frame, or a table of Arrow's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecephys_dal.frames.arrow import pa

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

    made = [
        [c.array(v, b, piece[0]) for c, v, b in zip(columns, piece, backends, strict=True)]
        # At once, while the rows are in the processor's cache, and a batch can be let go.
        for piece in filter(None, pieces)
    ] or [[c.array((), b) for c, b in zip(columns, backends, strict=True)]]
    parts_of_columns = [list(parts) for parts in zip(*made, strict=True)]
    del made  # which would keep what is let go below
    index, *values = _in_order(parts_of_columns)
    names = [column.name for column in columns]
    frame: pd.DataFrame = pd.DataFrame(
        dict(zip(names[1:], values, strict=True)), pd.Index(index, name=names[0]), copy=False
    )
    return frame


def _in_order(columns: list[Any]) -> list[Any]:
    """Join the parts of each column, in the order of the first one.

    What a column was made of is let go before the next one is joined. Those of pandas' own kinds
    come first, for they may still hold the batches that they came in.
    """
    ids = _concatenated(columns[0])
    order = None if (ids[1:] >= ids[:-1]).all() else np.argsort(ids, kind="stable")
    for at in sorted(range(len(columns)), key=lambda at: isinstance(columns[at][0], np.ndarray)):
        array = _concatenated(columns[at])
        columns[at] = array if order is None else array[order]
    return columns


def _concatenated(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return type(parts[0])._concat_same_type(parts)  # noqa: SLF001 - pandas documents it


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
            [column.arrow(values, piece[0]) for column, values in zip(columns, piece, strict=True)],
            names,
        )
        for piece in filter(None, pieces)
    ]
    empty = pa.schema([(column.name, column.arrow_type()) for column in columns]).empty_table()
    table = pa.concat_tables([empty, *made])
    ids = table.column(0).to_numpy()
    return table if (ids[1:] >= ids[:-1]).all() else table.take(np.argsort(ids, kind="stable"))
