"""Columns of a SELECT become a frame, or a table of Arrow's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from ecephys_dal.frames.arrow import pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecephys_dal.frames.columns import DtypeBackend, FrameColumn
    from ecephys_dal.frames.pieces import Values

__all__ = ["build_arrow", "build_frame"]


def build_frame(
    columns: Sequence[FrameColumn],
    values: Sequence[Values],
    backend: DtypeBackend = "numpy",
) -> pd.DataFrame:
    """Return columns as a frame whose index is the first one.

    Parameters
    ----------
    columns : sequence of FrameColumn, length n_columns + 1
        What the columns are; the first one, of ids, becomes the index.
    values : sequence of sequence or Arrow array, each of length n_records
        What they hold.
    backend : {"numpy", "numpy_nullable", "pyarrow"}
        Which family of dtypes.

    Returns
    -------
    DataFrame, shape (n_records, n_columns)
    """
    (key, *others), (ids, *cells) = columns, values
    frame: pd.DataFrame = pd.DataFrame(
        {
            column.name: column.array(column_values, backend)
            for column, column_values in zip(others, cells, strict=True)
        },
        index=pd.Index(key.array(ids), name=key.name),
        copy=False,
    )
    return frame


def build_arrow(columns: Sequence[FrameColumn], values: Sequence[Values]) -> pa.Table:
    """Return columns as a table of Arrow's.

    Parameters
    ----------
    columns, values
        As for `build_frame`.

    Returns
    -------
    Table, shape (n_records, n_columns + 1)
    """
    arrays = map(lambda column, cells: column.arrow(cells), columns, values)
    return pa.table(list(arrays), names=[column.name for column in columns])
