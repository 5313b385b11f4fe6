"""Whether two frames hold the same table, cell by cell, whatever their order and dtypes."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["cells", "differences"]

_SHOWN = 5
Row = tuple[Any, ...]


def cells(frame: pd.DataFrame) -> int:
    """Count the cells of a frame, those of its index among them."""
    return len(frame) * (len(frame.columns) + 1)


def differences(theirs: pd.DataFrame, ours: pd.DataFrame) -> list[str]:
    """Say how two frames differ; nothing if they hold the same rows under the same names."""
    names, our_names = _names(theirs), _names(ours)
    if names != our_names:
        return [f"AllenSDK's index and columns are {names}, ours {our_names}"]
    their_rows, our_rows = Counter(_rows(theirs)), Counter(_rows(ours))
    missing = sorted((their_rows - our_rows).elements(), key=repr)
    added = sorted((our_rows - their_rows).elements(), key=repr)
    if len(missing) == len(added):
        pairs = zip(missing, added, strict=True)
        found = [line for pair in pairs for line in _changed_cells(names, *pair)]
    else:
        found = [f"only AllenSDK has {row}" for row in missing]
        found += [f"only we have {row}" for row in added]
    return found if len(found) <= _SHOWN else [*found[:_SHOWN], f"and {len(found) - _SHOWN} more"]


def _names(frame: pd.DataFrame) -> list[Any]:
    return [frame.index.name, *frame.columns]


def _rows(frame: pd.DataFrame) -> list[Row]:
    columns = [frame.index.tolist(), *(frame[name].tolist() for name in frame.columns)]
    return list(zip(*(map(_cell, column) for column in columns), strict=True))


def _json(value: Any) -> tuple[str, str]:
    return "JSON", json.dumps(value, sort_keys=True, default=np.ndarray.tolist)


# What a cell means, free of how pandas happens to hold it.
_MEANINGS: tuple[tuple[tuple[type, ...], Callable[[Any], Any]], ...] = (
    ((bool, np.bool_), lambda value: ("bool", bool(value))),  # a Python bool equals a number
    ((int, np.integer), int),  # equals a float of the same value
    ((float, np.floating, Decimal), float),
    ((str,), str),
    ((dt.date, np.datetime64), pd.Timestamp),
)


def _cell(value: Any) -> Any:
    if isinstance(value, (dict, list, np.ndarray)):
        return _json(value)
    if pd.isna(value):
        return None
    for types, meaning in _MEANINGS:
        if isinstance(value, types):
            return meaning(value)
    raise TypeError(f"can't compare {value!r}, a {type(value).__name__}")


def _changed_cells(names: list[Any], theirs: Row, ours: Row) -> list[str]:
    return [
        f"{names[0]} {theirs[0]}: {name} is {their_cell!r} in AllenSDK's, {our_cell!r} in ours"
        for name, their_cell, our_cell in zip(names, theirs, ours, strict=True)
        if their_cell != our_cell
    ]
