"""Metric bundles, one JSON object a unit, become a frame of one column a metric."""

from __future__ import annotations

import json
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import pandas as pd

from ecephys_dal.errors import SchemaMismatchError
from ecephys_dal.frames.columns import FrameColumn
from ecephys_dal.frames.metric_keys import METRIC_KEYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecephys_dal.frames.columns import DtypeBackend

__all__ = ["build_metric_frame"]

_EXACT_FLOAT = 2**53


def build_metric_frame(
    rows: Sequence[Sequence[Any]], key: str, backend: DtypeBackend = "numpy"
) -> pd.DataFrame:
    """Return metric bundles as a frame.

    Parameters
    ----------
    rows : sequence of tuple (int, dict or str or None), length n_records
        The unit's id and its bundle: an object, its JSON text, or None for one without metrics.
    key : str
        The name of the index.
    backend : {"numpy", "numpy_nullable", "pyarrow"}
        Which family of dtypes.

    Returns
    -------
    DataFrame, shape (n_records, n_metrics)
        One column for each key of the bundles, in the order of their first appearance; without a
        record, the documented ones. Numbers are float64, booleans are `boolean`, both nullable;
        what is neither is kept as it came.
    """
    bundles = [_bundle(unit_id, data) for unit_id, data in rows]
    keys = bundles if rows else METRIC_KEYS.values()
    names = tuple(dict.fromkeys(chain.from_iterable(keys)))
    # One pass over the bundles, at the speed of C; without rows, a column of nothing a name.
    cells = (tuple(map(bundle.get, names)) for bundle in bundles)
    table = zip(*cells, strict=True) if rows else repeat(())
    columns = {
        name: FrameColumn(name, _kind(name, values)).array(values, backend)
        for name, values in zip(names, table, strict=False)
    }
    ids = FrameColumn(key, int, nullable=False).array([unit_id for unit_id, _ in rows])
    frame: pd.DataFrame = pd.DataFrame(columns, index=pd.Index(ids, name=key), copy=False)
    return frame


def _kind(name: str, values: Sequence[Any]) -> type:
    """Tell what kind of column the values of a metric make, and nothing of a value is lost in."""
    types = set(map(type, values)) - {type(None)}
    if not types:
        return bool if "_multi_" in name or name == "on_screen_rf" else float
    if types == {bool}:
        return bool
    if types == {str}:
        return str
    if types == {float}:
        return float
    numbers = types <= {int, float} and all(
        abs(value) <= _EXACT_FLOAT for value in values if type(value) is int
    )
    return float if numbers else object


def _bundle(unit_id: int, data: Any) -> dict[str, Any]:
    """Return a bundle as a dict whose receptive-field metrics stand under their own names."""
    try:
        bundle = json.loads(data) if isinstance(data, str) else data
    except ValueError:
        bundle = data
    if bundle is None:
        return {}
    if not isinstance(bundle, dict):
        raise SchemaMismatchError(
            f"the metric bundle of unit {unit_id} is no JSON object but {data!r:.80};"
            " leave the unit out by unit_ids"
        )
    return _unswapped(bundle) if "p_value_rf" in bundle else bundle


def _unswapped(bundle: dict[str, Any]) -> dict[str, Any]:
    """Undo LIMS's exchange of a receptive field's p-value and of its being on screen."""
    p_value, on_screen = bundle["p_value_rf"], bundle.get("on_screen_rf")
    on_screen_is_number = isinstance(on_screen, (int, float)) and not isinstance(on_screen, bool)
    if isinstance(p_value, bool) or (on_screen_is_number and p_value is None):
        return {**bundle, "p_value_rf": on_screen, "on_screen_rf": p_value}
    return bundle
