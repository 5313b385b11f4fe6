"""Time against rows, as a picture."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.tables.questions import ALLENSDK, FLOOR, OURS

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.tables.rounds import Outcome

__all__ = ["draw"]

_LOOK = {ALLENSDK: ("tab:orange", "o"), OURS: ("tab:blue", "s"), FLOOR: ("tab:gray", "^")}


def draw(growth: Outcome, path: Path) -> None:
    """Draw how long the same question takes with ever more rows.

    Parameters
    ----------
    growth : Outcome
        Of the race of that.
    path : Path
        Of the picture, an SVG file; the same one for the same times.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="units", ylabel="seconds")
    for name, (color, marker) in _LOOK.items():
        runs = [run for run in growth.race.runs if run.name.startswith(f"{name}, ")]
        times = [median(one.seconds for one in growth.taken[run.name]) for run in runs]
        rows = [run.rows for run in runs]
        axes.plot(rows, times, color=color, marker=marker, label=name.replace("`", ""))
    axes.set_title("get_units(): time against rows")
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend(frameon=False)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tables"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
