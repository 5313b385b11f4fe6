"""Rows of the large tables, drawn in bulk: channels, units and metric bundles.

What is not drawn is as the factories declare it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import inspect

from ecephys_dal.testing.factories import (
    EcephysChannelFactory,
    EcephysUnitFactory,
    EcephysUnitMetricBundleFactory,
)
from ecephys_dal.testing.metrics import metric_bundles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from ecephys_dal.models import EcephysProbe, Structure
    from ecephys_dal.testing.factories.base import LimsFactory

    Draw = Callable[[np.random.Generator, int], NDArray[Any]]

__all__ = ["STRUCTURES", "bundle_rows", "channel_rows", "unit_rows"]

Rows = list[dict[str, Any]]

STRUCTURES = {
    "VISam": "Anteromedial visual area",
    "VISpm": "posteromedial visual area",
    "VISp": "Primary visual area",
    "VISl": "Lateral visual area",
    "VISal": "Anterolateral visual area",
    "VISrl": "Rostrolateral visual area",
    "CA1": "Field CA1",
    "CA3": "Field CA3",
    "DG": "Dentate gyrus",
    "LP": "Lateral posterior nucleus of the thalamus",
    "LGd": "Dorsal part of the lateral geniculate complex",
    "APN": "Anterior pretectal nucleus",
    "MB": "Midbrain",
    "grey": "Basic cell groups and regions",
}
"""Acronym and name of the structures that channels lie in."""

_CORTEX = ("VISam", "VISpm", "VISp", "VISl", "VISal", "VISrl")  # of probeA to probeF
_BELOW = ("CA1", "CA3", "DG", "LP", "LGd", "APN", "MB")
_BELOW_FROM = (900, 1300, 1500, 2000, 2500, 3000, 3300)  # µm below the surface
_SITES = 384
_REFERENCE = 191  # the channel that a 3a probe needs as its reference
_UNKNOWN_SNR, _UNKNOWN_VELOCITY, _NOISE, _UNKNOWN_BUNDLE = 0.01, 0.05, 0.27, 0.003


def _times(scale: float) -> Draw:
    return lambda rng, count: rng.exponential(scale, count)


def _around(mean: float, deviation: float) -> Draw:
    return lambda rng, count: rng.normal(mean, deviation, count)


def _share(power: float) -> Draw:
    return lambda rng, count: rng.random(count) ** power


_UNIT_COLUMNS: dict[str, Draw] = {
    "snr": _times(2.5),
    "firing_rate": _times(7.0),
    "isi_violations": _times(0.3),
    "presence_ratio": _share(0.05),
    "amplitude_cutoff": lambda rng, count: rng.random(count) ** 3 / 2,
    "isolation_distance": _times(60.0),
    "l_ratio": _times(0.02),
    "d_prime": _around(4.5, 1.5),
    "nn_hit_rate": _share(0.2),
    "nn_miss_rate": _times(0.01),
    "silhouette_score": _around(0.12, 0.06),
    "max_drift": _times(35.0),
    "cumulative_drift": _times(200.0),
    "duration": lambda rng, count: rng.choice(np.array([0.2, 0.35, 0.55, 0.7]), count),
    "halfwidth": _share(1.0),
    "PT_ratio": _times(0.5),
    "repolarization_slope": _times(0.6),
    "recovery_slope": _around(-0.2, 0.1),
    "amplitude": _times(150.0),
    "spread": lambda rng, count: 10.0 * rng.integers(1, 16, count),
    "velocity_above": _around(0.0, 0.7),
    "velocity_below": _around(0.0, 0.7),
}


def channel_rows(
    rng: np.random.Generator, ids: range, probe: EcephysProbe, structures: Mapping[str, Structure]
) -> Rows:
    """Lay the channels of a probe along its shank, from the tip up.

    Parameters
    ----------
    rng : Generator
        Draws the point of entry.
    ids : range
        The ids of the channels.
    probe : EcephysProbe
        Its name says which visual area it goes through.
    structures : mapping of str to Structure
        By acronym.

    Returns
    -------
    list of dict
        Rows of ``ecephys_channels``. Above the surface of the brain, structure and coordinates
        are None.
    """
    site = np.arange(len(ids))
    surface = (probe.surface_channel_index or _SITES) * len(ids) // _SITES
    depth = (surface - site) * 10.0
    outside = depth <= 0
    entry = rng.integers((7000, 500, 7000), (9500, 1200, 9500))
    ccf = np.rint(entry[:, None] + np.outer((0.15, 0.9, -0.25), depth))
    return _rows(
        _template(EcephysChannelFactory, "probe", "structure"),
        id=ids,
        ecephys_probe_id=[probe.id] * len(ids),
        local_index=site.tolist(),
        probe_vertical_position=(20.0 * (site // 2 + 1)).tolist(),
        probe_horizontal_position=np.array([43.0, 11.0, 59.0, 27.0])[site % 4].tolist(),
        manual_structure_id=_structure_ids(probe, depth, structures),
        anterior_posterior_ccf_coordinate=_nullable(ccf[0], outside),
        dorsal_ventral_ccf_coordinate=_nullable(ccf[1], outside),
        left_right_ccf_coordinate=_nullable(ccf[2], outside),
        valid_data=(site != _REFERENCE).tolist(),
    )


def unit_rows(rng: np.random.Generator, ids: range, channel_ids: Sequence[int]) -> Rows:
    """Draw units on channels; if there are as many units as channels, each channel has one.

    Parameters
    ----------
    rng : Generator
        Draws the values.
    ids : range
        The ids of the units.
    channel_ids : sequence of int
        The channels that they may be on.

    Returns
    -------
    list of dict
        Rows of ``ecephys_units``: about a quarter of them noise, some without ``snr`` or
        ``velocity_below``.
    """
    count, channels = len(ids), len(channel_ids)
    index = np.arange(count)
    sites = np.sort(index % channels if count >= channels else rng.integers(0, channels, count))
    drawn = {name: draw(rng, count).round(6) for name, draw in _UNIT_COLUMNS.items()}
    columns = {name: values.tolist() for name, values in drawn.items()}
    columns["snr"] = _nullable(drawn["snr"], rng.random(count) < _UNKNOWN_SNR)
    columns["velocity_below"] = _nullable(
        drawn["velocity_below"], rng.random(count) < _UNKNOWN_VELOCITY
    )
    return _rows(
        _template(EcephysUnitFactory, "channel"),
        id=ids,
        ecephys_channel_id=[channel_ids[site] for site in sites.tolist()],
        local_index=index.tolist(),
        cluster_ids=(index + index // 10).tolist(),  # sorting merges some clusters
        quality=np.where(rng.random(count) < _NOISE, "noise", "good").tolist(),
        **columns,
    )


def bundle_rows(
    rng: np.random.Generator,
    ids: range,
    unit_ids: Sequence[int],
    run_id: int,
    session_type: str | None,
) -> Rows:
    """Draw the metric bundles of units, one for each; a few hold NULL.

    Parameters
    ----------
    rng : Generator
        Draws the values.
    ids : range
        The ids of the bundles.
    unit_ids : sequence of int
        The units that they are of.
    run_id : int
        The analysis run that computed them.
    session_type : str or None
        Decides on the keys.

    Returns
    -------
    list of dict
        Rows of ``ecephys_unit_metric_bundles``.
    """
    unknown = rng.random(len(ids)) < _UNKNOWN_BUNDLE
    bundles = metric_bundles(rng, session_type, len(ids))
    return _rows(
        _template(EcephysUnitMetricBundleFactory, "unit", "run"),
        id=ids,
        ecephys_unit_id=unit_ids,
        ecephys_analysis_run_id=[run_id] * len(ids),
        data=[None if null else bundle for null, bundle in zip(unknown, bundles, strict=True)],
    )


def _structure_ids(
    probe: EcephysProbe, depth: NDArray[Any], structures: Mapping[str, Structure]
) -> list[int | None]:
    cortex = _CORTEX[(ord((probe.name or "A")[-1]) - ord("A")) % len(_CORTEX)]
    ids = [structures[acronym].id for acronym in (cortex, *_BELOW)]
    layers = np.searchsorted(_BELOW_FROM, depth, side="right").tolist()
    return [ids[layer] if down > 0 else None for layer, down in zip(layers, depth, strict=True)]


def _nullable(values: NDArray[Any], null: NDArray[np.bool_]) -> list[Any]:
    nullable = values.astype(object)
    nullable[null] = None
    return list(nullable)


def _template(factory: type[LimsFactory[Any]], *parents: str) -> dict[str, Any]:
    record = factory.build(id=None, **dict.fromkeys(parents))
    return {column.key: getattr(record, column.key) for column in inspect(type(record)).columns}


def _rows(template: dict[str, Any], **columns: Sequence[Any]) -> Rows:
    names = list(columns)
    return [
        {**template, **dict(zip(names, values, strict=True))}
        for values in zip(*columns.values(), strict=True)
    ]
