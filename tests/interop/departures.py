"""What must be allowed for in the general comparison, because we depart from AllenSDK on purpose.

Each function allows for one departure, and for no row or cell more than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

__all__ = [
    "DEPARTURES",
    "as_bundle_ids",
    "in_order_of_rows",
    "listed_once",
    "swapped_back",
    "without_unknown_donors",
]

DEPARTURES = {
    1: "unit_ids are ids of units, not of metric bundles",
    2: "a session is listed once, and kept if its donor has no age or gender",
    3: "where nothing matches, the frame is empty and has all columns",
    4: "values are bound, and refused if they can't be what they should be",
    5: "rows come in id order, dtypes are declared, arguments stay as they were",
    6: "p_value_rf and on_screen_rf are put right, NULL and text bundles are read",
    7: "HTTP errors raise, and nothing wrong or truncated gets its final name",
    8: "the password does not appear",
}


def as_bundle_ids(unit_ids: Sequence[int], bundles: Mapping[int, Sequence[int]]) -> list[int]:
    """Departure 1: the ids that AllenSDK wants, to be asked for the metrics of these units."""
    ids = [bundle for unit in dict.fromkeys(unit_ids) for bundle in bundles.get(int(unit), ())]
    return ids or [-1]  # AllenSDK can't be asked for nothing


def listed_once(theirs: pd.DataFrame, twice: int) -> pd.DataFrame:
    """Departure 2: AllenSDK's sessions without the second row of the session with two files."""
    return theirs[~((theirs.index == twice) & theirs.index.duplicated())]


def without_unknown_donors(ours: pd.DataFrame, unknown: Sequence[int]) -> pd.DataFrame:
    """Departure 2: our sessions without those whose donor has no age or no gender."""
    return ours[~ours.index.isin(list(unknown))]


def in_order_of_rows(theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Departure 5: AllenSDK's metrics in our order of columns, if its rows are in another order.

    A bundle that comes first decides on the order of the columns.
    """
    same = sorted(theirs.columns) == sorted(ours.columns)
    return theirs if theirs.index.is_monotonic_increasing or not same else theirs[ours.columns]


def swapped_back(theirs: pd.DataFrame) -> pd.DataFrame:
    """Departure 6: AllenSDK's metrics with both values in place, where they are exchanged."""
    if not {"p_value_rf", "on_screen_rf"} <= set(theirs.columns):
        return theirs
    pairs = zip(theirs["p_value_rf"], theirs["on_screen_rf"], strict=True)
    put_right: list[tuple[Any, Any]] = [
        (on_screen, p_value) if isinstance(p_value, bool) else (p_value, on_screen)
        for p_value, on_screen in pairs
    ]
    p_values, on_screens = zip(*put_right, strict=True)
    return theirs.assign(p_value_rf=list(p_values), on_screen_rf=list(on_screens))
