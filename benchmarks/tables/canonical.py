"""A table's content in short, free of how this or that pandas holds it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["digest"]


def digest(frames: Iterable[pd.DataFrame]) -> dict[str, Any]:
    """Return what two processes compare instead of sending each other a table.

    Parameters
    ----------
    frames : iterable of DataFrame
        The table, in one or several pieces; in any order of rows and columns, with any dtypes.

    Returns
    -------
    dict
        The number of rows, and a hash of each column's values, those of the index among them.
    """
    frame = pd.concat(frames)
    named = {str(frame.index.name): frame.index.to_series()} | dict(frame.items())
    values = {name: _values(column) for name, column in named.items()}
    sortable = [column for column in values.values() if column.dtype.kind != "O"]
    order = np.lexsort(sortable[::-1])  # by the index first, which comes last here
    return {
        "rows": len(frame),
        "columns": {name: _hash(column[order]) for name, column in values.items()},
    }


def _values(column: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """Return numbers as float64, booleans as int8 with -1 for NULL, and all else as it is."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf":
        return column.to_numpy(dtype=np.float64) + 0.0  # there is but one zero
    cells, null = column.to_numpy(dtype=object), column.isna().to_numpy()
    types = set(map(type, cells[~null]))
    if types <= {bool, np.bool_} and types:
        return np.where(null, -1, cells).astype(np.int8)
    if all(issubclass(type_, (int, float, np.number)) and type_ is not bool for type_ in types):
        return np.where(null, np.nan, cells).astype(np.float64) + 0.0
    return np.array([None if no else cell for no, cell in zip(null, cells, strict=True)], object)


def _hash(values: np.ndarray[Any, Any]) -> str:
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.nan, values)  # there is but one NaN
    kind = values.dtype.kind
    content = values.tobytes() if kind != "O" else json.dumps(values.tolist()).encode()
    return f"{kind} {hashlib.sha256(content).hexdigest()}"
