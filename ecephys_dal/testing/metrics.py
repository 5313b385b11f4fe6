"""Plausible values of the metrics of units' responses to stimuli."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ecephys_dal.frames import METRIC_KEYS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["metric_bundles"]

_CHOICES: dict[str, tuple[float, ...]] = {
    "pref_tf": (1.0, 2.0, 4.0, 8.0, 15.0),
    "pref_sf": (0.02, 0.04, 0.08, 0.16, 0.32),
    "pref_ori": (0.0, 45.0, 90.0, 135.0),
    "pref_dir": (0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0),
    "pref_phase": (0.0, 0.25, 0.5, 0.75),
    "pref_speed": (0.001, 0.005, 0.01),
    "azimuth": tuple(range(10, 100, 10)),
    "elevation": tuple(range(-30, 60, 10)),
}
_SCALES = {"firing_rate": 6.0, "area": 900.0, "width": 20.0, "height": 20.0, "fano": 1.8}
_UNKNOWN = 0.02  # of the values are NULL


def metric_bundles(
    rng: np.random.Generator, session_type: str | None, count: int
) -> list[dict[str, Any]]:
    """Draw the metrics of units.

    ``p_value_rf`` holds booleans and ``on_screen_rf`` floats: stored in each other's place, as in
    LIMS. Some values are None, but no boolean and no preferred image is.

    Parameters
    ----------
    rng : Generator
        Draws the values.
    session_type : str or None
        The ``stimulus_name`` of the session; an unknown one has the keys of
        ``brain_observatory_1.1``.
    count : int
        How many units.

    Returns
    -------
    list of dict
        For each unit, the values by key: bool, int, float or None.
    """
    keys = METRIC_KEYS.get(session_type or "", METRIC_KEYS["brain_observatory_1.1"])
    columns = [_values(rng, key, count).tolist() for key in keys]
    return [dict(zip(keys, values, strict=True)) for values in zip(*columns, strict=True)]


def _values(rng: np.random.Generator, key: str, count: int) -> NDArray[Any]:
    name = key.rpartition("_")[0]
    if "_multi_" in key or key == "p_value_rf":
        return rng.random(count) < 0.2
    if key == "pref_image_ns":
        return rng.integers(0, 118, count)
    if name in _CHOICES:
        drawn = rng.choice(np.array(_CHOICES[name], dtype=float), count)
    else:
        drawn = rng.exponential(_SCALES[name], count) if name in _SCALES else rng.random(count)
    values: NDArray[Any] = drawn.round(6).astype(object)
    values[rng.random(count) < _UNKNOWN] = None
    return values
