"""Pictures of real tables: what stands in them, and what they can't be made of."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from ecephys_dal import (  # noqa: E402
    ChannelRepository,
    Database,
    InvalidFilterError,
    ProbeRepository,
    SessionRepository,
    UnitRepository,
    plot,
)

STRUCTURE = "ecephys_structure_acronym"
FAMILIES = ("numpy", "numpy_nullable", "pyarrow")


@pytest.fixture(scope="module", params=FAMILIES)
def tables(request, filled):
    """The tables of all sessions, with the dtypes of each family in turn."""
    if request.param == "pyarrow":
        pytest.importorskip("pyarrow")
    url, _ = filled("sqlite")
    with Database(url) as database:
        asked = (SessionRepository, ProbeRepository, ChannelRepository, UnitRepository)
        yield [one(database).frame(dtype_backend=request.param) for one in asked]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def drawn(ax: plt.Axes) -> np.ndarray:
    """Draw the whole figure, and return where points stand on an Axes."""
    ax.figure.canvas.draw()
    return np.concatenate([one.get_offsets().filled(np.nan) for one in ax.collections])


def of_first_probe(tables):
    _, probes, channels, units = tables
    probe_id = probes.index[0]
    ours = channels[(channels["ecephys_probe_id"] == probe_id).to_numpy(dtype=bool)]
    return ours, units[units["ecephys_channel_id"].isin(ours.index).to_numpy(dtype=bool)]


def test_a_probe_shows_each_channel_where_it_is_and_names_each_structure(tables):
    channels, _ = of_first_probe(tables)
    ax = plot.probe_map(channels)
    across, along = drawn(ax).T
    assert across.tolist() == channels["probe_horizontal_position"].astype(float).tolist()
    assert along.tolist() == channels["probe_vertical_position"].astype(float).tolist()
    assert {text.get_text() for text in ax.texts} == set(channels[STRUCTURE].dropna())
    assert "µm" in ax.get_ylabel()
    assert len(ax.figure.axes) == 1


def test_channels_of_a_structure_are_of_one_colour_and_those_of_none_grey(tables):
    channels, _ = of_first_probe(tables)
    ax = plot.probe_map(channels)
    (points,) = ax.collections
    colors = list(map(tuple, points.get_facecolors()))
    by_structure: dict[object, set[object]] = {}
    for name, color in zip(channels[STRUCTURE].fillna("none"), colors, strict=True):
        by_structure.setdefault(name, set()).add(color)
    assert all(len(found) == 1 for found in by_structure.values())
    assert len(set.union(*by_structure.values())) == len(by_structure)
    (none,) = by_structure["none"]
    assert none[0] == none[1] == none[2]


def test_units_stand_at_the_depth_of_their_channel_with_their_firing_rate(tables):
    channels, units = of_first_probe(tables)
    ax = plot.probe_map(tables[2], tables[3], probe_id=channels["ecephys_probe_id"].iloc[0])
    right = ax.figure.axes[-1]
    rates, along = drawn(right).T
    assert rates.tolist() == units["firing_rate"].astype(float).tolist()
    depth = channels["probe_vertical_position"].astype(float)
    assert along.tolist() == depth.loc[units["ecephys_channel_id"]].tolist()
    assert right.get_ylim() == ax.get_ylim()
    assert "spikes/s" in right.get_xlabel()


def test_a_probe_is_drawn_where_the_caller_wants_it(tables):
    channels, units = of_first_probe(tables)
    figure, (left, _) = plt.subplots(1, 2)
    assert plot.probe_map(channels, units, ax=left) is left
    assert len(figure.axes) == 3


def test_channels_of_several_probes_need_a_name(tables):
    with pytest.raises(InvalidFilterError, match=r"of \d+ probes; name one, as probe_id=\d+"):
        plot.probe_map(tables[2])


def test_a_session_counts_each_unit_once_under_its_structure_and_probe(tables):
    sessions, probes, channels, units = tables
    ours = probes[(probes["ecephys_session_id"] == sessions.index[0]).to_numpy(dtype=bool)]
    probe_of = dict(zip(channels.index, channels["ecephys_probe_id"], strict=True))
    units = units[[probe_of[one] in ours.index for one in units["ecephys_channel_id"]]]
    ax = plot.session_overview(tables[3], channels, ours)
    ax.figure.canvas.draw()
    counts = ax.images[0].get_array()
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert [label.get_text() for label in ax.get_xticklabels()] == list(ours["name"])
    assert counts.sum() == len(units)
    assert f"{len(units)} units" in ax.get_title()
    structure_of = dict(zip(channels.index, channels[STRUCTURE].fillna("(none)"), strict=True))
    wanted = Counter(structure_of[one] for one in units["ecephys_channel_id"])
    assert dict(zip(names, counts.sum(axis=1), strict=True)) == wanted
    assert list(counts.sum(axis=1)) == sorted(counts.sum(axis=1), reverse=True)
    assert {text.get_text() for text in ax.texts} == {str(one) for one in counts.ravel() if one}


def test_a_project_shows_each_session_that_has_a_date_and_counts_the_others(tables):
    sessions = tables[0]
    ax = plot.project_overview(sessions)
    dated = sessions["date_of_acquisition"].notna().sum()
    assert 0 < dated < len(sessions)
    assert len(drawn(ax)) == dated
    assert f"{len(sessions)} sessions, {len(sessions) - dated} of them" in ax.get_title()
    types = sessions["session_type"].fillna("(none)").value_counts()
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert rows == [f"{name} ({count})" for name, count in types.items()]
    genotypes = sessions["genotype"].value_counts()
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == [f"{name} ({count})" for name, count in genotypes.items()]


def test_a_session_stands_in_the_row_of_its_type(tables):
    sessions = tables[0]
    ax = plot.project_overview(sessions)
    rows = np.rint(drawn(ax)[:, 1]).astype(int)
    dated = sessions[sessions["date_of_acquisition"].notna().to_numpy(dtype=bool)]
    types = sessions["session_type"].fillna("(none)").value_counts().index
    counted = dated["session_type"].fillna("(none)").value_counts()
    assert [int((rows == row).sum()) for row in range(len(types))] == [
        counted.get(name, 0) for name in types
    ]


def test_units_of_other_channels_are_left_out(tables):
    _, probes, _channels, units = tables
    ours, of_probe = of_first_probe(tables)
    ax = plot.session_overview(units, ours, probes)
    assert f"{len(of_probe)} units" in ax.get_title()
    assert len(of_probe) < len(units)


def test_empty_tables_give_empty_pictures(tables):
    sessions, probes, channels, units = (table.iloc[:0] for table in tables)
    for ax in (
        plot.probe_map(channels, units),
        plot.session_overview(units, channels, probes),
        plot.project_overview(sessions),
    ):
        ax.figure.canvas.draw()
        assert ax.get_title().startswith("0 ")


def test_pictures_change_no_table(tables):
    before = [table.copy() for table in tables]
    plot.session_overview(tables[3], tables[2], tables[1])
    plot.project_overview(tables[0])
    assert all(one.equals(other) for one, other in zip(before, tables, strict=True))


def test_a_table_that_is_no_such_table_is_refused_by_its_missing_column(tables):
    sessions, probes, channels, _units = tables
    with pytest.raises(InvalidFilterError, match="no column 'ecephys_probe_id', but name"):
        plot.probe_map(probes[["name"]])
    with pytest.raises(InvalidFilterError, match="'ecephys_channel_id'"):
        plot.session_overview(channels, channels, probes)
    with pytest.raises(InvalidFilterError, match="'genotype'"):
        plot.project_overview(sessions.drop(columns="genotype"))


def test_without_matplotlib_it_is_said_what_to_install():
    script = """
import sys
sys.modules["matplotlib"] = None
import pandas as pd
from ecephys_dal import ConfigurationError, plot
sessions = pd.DataFrame({"session_type": ["a"], "genotype": ["wt"],
                         "date_of_acquisition": pd.to_datetime(["2019-01-01"])})
try:
    plot.project_overview(sessions)
except ConfigurationError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)  # noqa: S603, PLW1510
    assert "install ecephys_dal[plot]" in ran.stdout, ran.stderr


def test_matplotlib_is_not_imported_before_something_is_drawn():
    script = "import sys; from ecephys_dal import plot; print('matplotlib' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)  # noqa: S603, PLW1510
    assert ran.stdout.strip() == "False", ran.stderr
