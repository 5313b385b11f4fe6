"""Pictures of the tables: each function takes tables and returns its Axes; the ``plot`` extra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecephys_dal.errors import ConfigurationError, InvalidFilterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Values = np.ndarray[Any, Any]

__all__ = ["probe_map", "project_overview", "session_overview"]

_GREY = "0.75"  # of what has no structure
# Paul Tol's "muted" colours, which also the colour-blind tell apart; neighbours unlike each other.
_COLORS = ("#332288", "#CC6677", "#117733", "#88CCEE", "#882255", "#DDCC77", "#44AA99", "#AA4499")
_MARKERS = "os^Dv"  # for where the colours begin again
_MOST_NAMES = 50  # that can stand above each other
_STRUCTURE = "ecephys_structure_acronym"


def probe_map(
    channels: pd.DataFrame,
    units: pd.DataFrame | None = None,
    *,
    probe_id: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a probe: its channels by structure, and the units along it by firing rate.

    Parameters
    ----------
    channels : DataFrame
        As ``get_channels`` gives it.
    units : DataFrame, optional
        As ``get_units`` gives it; those of other channels are left out.
    probe_id : int, optional
        Which probe, if the channels are of several.
    ax : Axes, optional
        Where to draw; on a new figure without it.

    Returns
    -------
    Axes
        Of the channels, in µm; grey ones have no structure. With units a second one, of firing
        rates in spikes/s, stands right of it with the same depth: the last of ``ax.figure.axes``.
        What has no position or no rate is counted at the bottom.

    Raises
    ------
    InvalidFilterError
        If the channels are of several probes and none is named, or a column is missing.
    ConfigurationError
        If matplotlib is not installed.
    """
    channels = _of_one_probe(channels, probe_id)
    ax = _axes(ax, (3, 7) if units is None else (5, 7))
    across = _numbers(channels, "probe_horizontal_position")
    along = _numbers(channels, "probe_vertical_position")
    structures = _texts(channels, _STRUCTURE)
    # From the surface down; what has no position comes last.
    middles = pd.Series(along).groupby(structures).median()
    middles = middles.sort_values(ascending=False, kind="stable")
    colors = {**{name: _color(at) for at, name in enumerate(middles.index)}, None: _GREY}
    ax.scatter(across, along, s=8, marker="s", color=[colors[name] for name in structures])
    _name_structures(ax, middles.dropna())
    ax.set(xlim=(-65, 75), xticks=(0, 60), xlabel="across (µm)", ylabel="along the probe (µm)")
    ax.set_title(_counted(len(channels), "channel"))
    _count_missing(ax, across + along, "a position")
    if units is not None:
        _draw_units(ax, channels, units, colors)
    return ax


def session_overview(
    units: pd.DataFrame, channels: pd.DataFrame, probes: pd.DataFrame, *, ax: Axes | None = None
) -> Axes:
    """Draw how many units there are in each structure, on each probe.

    Parameters
    ----------
    units, channels, probes : DataFrame
        Of a session, as ``get_units``, ``get_channels`` and ``get_probes`` give them. Units of
        other channels or probes are left out.
    ax : Axes, optional
        Where to draw; on a new figure without it.

    Returns
    -------
    Axes
        A row for each structure, that with the most units first, and a column for each probe.

    Raises
    ------
    InvalidFilterError
        If a column is missing.
    ConfigurationError
        If matplotlib is not installed.
    """
    sites = {
        "probe": _numbers(channels, "ecephys_probe_id"),
        "structure": _texts(channels, _STRUCTURE, "(none)"),
    }
    site_ids, _ = _sites(units, channels)
    of_units = pd.DataFrame(sites, index=channels.index).loc[site_ids]
    counts = pd.crosstab(of_units["structure"], of_units["probe"])
    counts = counts.reindex(columns=probes.index, fill_value=0)
    totals = counts.sum(axis=1).sort_values(ascending=False, kind="stable")
    counts = counts.loc[totals[totals > 0].index]
    ax = _axes(ax, (max(4.0, 1.5 + 0.7 * len(probes)), 1.2 + 0.28 * len(counts)))
    numbers = counts.to_numpy(dtype=int)
    _draw_counts(ax, numbers)
    ax.set_xticks(range(len(probes)), _texts(probes, "name", "(none)"))
    ax.set_yticks(range(len(counts)), list(counts.index))
    ax.set(title=f"{_counted(numbers.sum(), 'unit')} by structure and probe")
    return ax


def project_overview(sessions: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the sessions by type, date and genotype.

    Parameters
    ----------
    sessions : DataFrame
        As ``get_sessions`` gives it.
    ax : Axes, optional
        Where to draw; on a new figure without it.

    Returns
    -------
    Axes
        A row for each type, in which each session stands at its date of acquisition, coloured by
        genotype. Sessions without a date are counted in the title.

    Raises
    ------
    InvalidFilterError
        If a column is missing.
    ConfigurationError
        If matplotlib is not installed.
    """
    types = pd.Series(_texts(sessions, "session_type", "(none)"))
    genotypes = pd.Series(_texts(sessions, "genotype", "(none)"))
    days = pd.Series(pd.to_datetime(list(_column(sessions, "date_of_acquisition"))))
    per_type, per_genotype = types.value_counts(), genotypes.value_counts()
    letters = sum(max(map(len, names.index), default=0) for names in (per_type, per_genotype))
    height = 1.9 + 0.6 * len(per_type) + 0.25 * len(per_genotype)
    ax = _axes(ax, (max(8, 2.4 + 0.075 * letters), height))
    for lane, (genotype, count) in enumerate(per_genotype.items()):
        here = (genotypes == genotype) & days.notna()
        # A lane for each genotype, so that sessions of one day do not hide each other.
        offset = 0.6 * ((lane + 0.5) / len(per_genotype) - 0.5)
        rows = per_type.index.get_indexer(pd.Index(types[here])) + offset
        marker = _MARKERS[lane // len(_COLORS) % len(_MARKERS)]
        drawn = ax.scatter(days[here].to_numpy(), rows, s=22, color=_color(lane), marker=marker)
        drawn.set(label=f"{genotype} ({count})", alpha=0.8)
    names = [f"{name} ({count})" for name, count in per_type.items()]
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5 if names else 0.5, -0.5)
    _finish_overview(ax, days)
    return ax


def _finish_overview(ax: Axes, days: pd.Series[Any]) -> None:
    n_without_date = int(days.isna().sum())
    without = f", {n_without_date} of them without a date" if n_without_date else ""
    title = _counted(len(days), "session") + without
    ax.set(title=title, xlabel="date of acquisition")
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    if days.isna().all():
        ax.set_xticks(())
    elif days.min() == days.max():
        ax.set_xlim(days.min() - pd.Timedelta(days=15), days.min() + pd.Timedelta(days=15))
    if ax.get_legend_handles_labels()[0]:
        legend = ax.legend(loc="upper left", bbox_to_anchor=(0, 0), borderaxespad=5, frameon=False)
        legend.set_title("genotype")
        legend.set_alignment("left")
    for label in ax.get_xticklabels():
        label.set(rotation=20, ha="right")


def _draw_counts(ax: Axes, counts: Values) -> None:
    """Draw a table of counts, coloured."""
    if not counts.size:
        return
    ax.imshow(counts, cmap="Blues", aspect="auto", vmin=0)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if count > 0.6 * counts.max() else "black"
            ax.text(column, row, str(count), ha="center", va="center", color=color, size="small")
    ax.tick_params(length=0)


def _draw_units(
    ax: Axes, channels: pd.DataFrame, units: pd.DataFrame, colors: dict[str | None, Any]
) -> None:
    """Draw the units of these channels on an Axes of their own, right of the channels."""
    from mpl_toolkits.axes_grid1 import make_axes_locatable  # noqa: PLC0415

    site_ids, is_here = _sites(units, channels)
    of_unit = channels.loc[site_ids]
    rates = _numbers(units, "firing_rate")[is_here]
    right = make_axes_locatable(ax).append_axes("right", size="140%", pad=0.1, sharey=ax)
    along = _numbers(of_unit, "probe_vertical_position")
    by_structure = [colors[name] for name in _texts(of_unit, _STRUCTURE)]
    right.scatter(rates, along, s=10, color=by_structure, alpha=0.8, linewidths=0)
    right.set_xscale("symlog", linthresh=0.1)
    right.xaxis.set_major_formatter("{x:g}")
    right.set(xlabel="firing rate (spikes/s)", title=_counted(len(rates), "unit"))
    right.set_xlim(0, 2 * np.nanmax([*rates, 1]))
    _count_missing(right, rates + along, "a rate or position")
    right.tick_params(labelleft=False)


def _of_one_probe(channels: pd.DataFrame, probe_id: int | None) -> pd.DataFrame:
    probe_ids = _ids(channels, "ecephys_probe_id")
    several = np.unique(probe_ids)
    if probe_id is None and len(several) > 1:
        raise InvalidFilterError(
            f"the channels are of {len(several)} probes; name one, as probe_id={several[0]}"
        )
    return channels if probe_id is None else channels.loc[probe_ids == probe_id]


def _name_structures(ax: Axes, middles: pd.Series[Any]) -> None:
    """Write the names left of the channels, no two over each other, the highest first."""
    low, high = ax.get_ylim()
    gap = (high - low) / max(_MOST_NAMES, len(middles))
    steps = gap * np.arange(len(middles))
    # As far down as the names above need, but not below the Axes.
    heights = np.minimum.accumulate(middles.to_numpy() + steps) - steps
    heights = np.maximum(heights, low + gap / 2 + steps[::-1])
    for name, height in zip(middles.index, heights, strict=True):
        ax.text(-5, height, name, ha="right", va="center", size="small")


def _color(number: int) -> str:
    return _COLORS[number % len(_COLORS)]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _count_missing(ax: Axes, places: Values, lacking: str) -> None:
    """Say how many are not drawn, as they have no place; without any, draw no scale along."""
    missing = np.isnan(places)
    if missing.any():
        note = f"{missing.sum()} without {lacking}"
        ax.text(0.5, 0, note, transform=ax.transAxes, ha="center", va="bottom", size="small")
    if missing.all():
        ax.set_yticks(())


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError("pictures need matplotlib: install ecephys_dal[plot]") from error
    _, made = plt.subplots(figsize=size, layout="constrained")
    return made


def _column(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name not in frame:
        raise InvalidFilterError(
            f"the table has no column {name!r}, but {', '.join(map(str, frame.columns))}; give"
            " one as the get_ methods return it"
        )
    return frame[name]


def _sites(units: pd.DataFrame, channels: pd.DataFrame) -> tuple[Values, Values]:
    """Return the channels of the units that are of these channels, and which units that are."""
    site_ids = _ids(units, "ecephys_channel_id")
    is_here = np.isin(site_ids, channels.index)
    return site_ids[is_here], is_here


def _ids(frame: pd.DataFrame, name: str) -> Values:
    return np.asarray(_column(frame, name).to_numpy(dtype="int64"))


def _numbers(frame: pd.DataFrame, name: str) -> Values:
    # One by one: the to_numpy of pandas 1.5 stumbles over NULLs of Arrow's.
    return np.array([np.nan if pd.isna(one) else one for one in _column(frame, name)], float)


def _texts(frame: pd.DataFrame, name: str, missing: str | None = None) -> Values:
    return np.array([missing if pd.isna(text) else text for text in _column(frame, name)], object)
