"""Rows of a SELECT become a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecephys_dal.frames.columns import DtypeBackend, FrameColumn

__all__ = ["build_frame"]


def build_frame(
    rows: Sequence[Sequence[Any]],
    columns: Sequence[FrameColumn],
    backend: DtypeBackend = "numpy",
) -> pd.DataFrame:
    """Return rows as a frame whose index is the first column.

    Parameters
    ----------
    rows : sequence of tuple, length n_records
        The rows, in order.
    columns : sequence of FrameColumn, length n_columns + 1
        The columns of each row; the first one, of ids, becomes the index.
    backend : {"numpy", "numpy_nullable", "pyarrow"}
        Which family of dtypes.

    Returns
    -------
    DataFrame, shape (n_records, n_columns)
    """
    key, *others = columns
    ids, *values = zip(*rows, strict=True) if rows else [()] * len(columns)
    frame: pd.DataFrame = pd.DataFrame(
        {
            column.name: column.array(column_values, backend)
            for column, column_values in zip(others, values, strict=True)
        },
        index=pd.Index(key.array(ids), name=key.name),
        copy=False,
    )
    return frame
