"""Pictures of real tables: what stands in them, and what they can't be made of."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
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


@pytest.mark.sample(1)
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


def is_within_its_figure(text: plt.Text) -> bool:
    figure = text.figure
    figure.canvas.draw()
    box = text.get_window_extent()
    return bool(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1)


def with_values(table, column, values):
    """The table with other values, of the column's own dtype."""
    return table.assign(**{column: pd.Series(values, table.index).astype(table[column].dtype)})


def whole_probe(tables, structures):
    """A probe of 384 channels, from the tip up."""
    channels, _ = of_first_probe(tables)
    channels = channels.iloc[np.resize(np.arange(len(channels)), len(structures))]
    channels = channels.set_axis(range(len(structures)))
    channels = with_values(channels, "probe_vertical_position", 10 * np.arange(len(structures)))
    return with_values(channels, STRUCTURE, structures)


def colors_of(ax: plt.Axes, structures) -> dict[str, tuple[float, ...]]:
    (points,) = ax.collections
    return dict(zip(structures.fillna("none"), map(tuple, points.get_facecolors()), strict=True))


def test_channels_without_a_position_are_counted_and_change_no_name_and_no_colour(tables):
    channels = whole_probe(tables, ["a"] * 100 + ["b"] * 200 + ["c"] * 84)
    units = tables[3].iloc[:8].assign(ecephys_channel_id=range(0, 384, 48))
    whole = plot.probe_map(channels)
    gaps = channels["probe_vertical_position"].astype(float).where(channels.index % 5 > 0)
    aside = channels["probe_horizontal_position"].astype(float).where(channels.index % 5 != 1)
    part = with_values(channels, "probe_vertical_position", gaps)
    part = with_values(part, "probe_horizontal_position", aside)
    silent = units["firing_rate"].astype(float).where(units["ecephys_channel_id"] > 48)
    part = plot.probe_map(part, with_values(units, "firing_rate", silent))
    assert colors_of(part, channels[STRUCTURE]) == colors_of(whole, channels[STRUCTURE])
    notes = {text.get_text() for text in part.texts} - {text.get_text() for text in whole.texts}
    assert notes == {"154 without a position"}
    right = part.figure.axes[-1]
    assert [text.get_text() for text in right.texts] == ["3 without a rate or position"]
    assert right.get_xlim()[1] > silent.max()


def test_where_nothing_has_a_position_there_is_no_scale_of_positions(tables):
    channels, units = of_first_probe(tables)
    nowhere = with_values(channels, "probe_vertical_position", np.full(len(channels), np.nan))
    ax = plot.probe_map(nowhere, units)
    assert not len(ax.get_yticks())
    assert [text.get_text() for text in ax.texts] == [f"{len(channels)} without a position"]


@pytest.mark.parametrize(("number", "kept"), [(34, (0, 34)), (100, (0, 12)), (100, (88, 100))])
def test_the_names_of_many_structures_stand_above_each_other_beside_the_channels(
    tables, number, kept
):
    """Of structures all along the probe, and of thin ones at its tip or its upper end."""
    structures = (np.linspace(0, number, 384, endpoint=False).astype(int)).clip(*kept)
    names = [f"S{one}" for one in structures]
    ax = plot.probe_map(whole_probe(tables, names))
    ax.figure.canvas.draw()
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert len(boxes) == len(set(names))
    # A line of text is higher than its letters.
    assert all(low.y1 - 5 < high.y0 for low, high in itertools.pairwise(boxes))
    assert ax.bbox.y0 - 5 < boxes[0].y0
    assert boxes[-1].y1 - 5 < ax.bbox.y1
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert sorted(heights, key=heights.__getitem__) == list(dict.fromkeys(names))


def test_colours_begin_at_the_surface(tables):
    deep = whole_probe(tables, ["a"] * 100 + ["b"] * 200 + ["c"] * 84)
    shallow = whole_probe(tables, ["b"] * 84 + ["a"] * 200 + ["c"] * 100)
    one, other = (colors_of(plot.probe_map(table), table[STRUCTURE]) for table in (deep, shallow))
    assert one["c"] == other["c"]
    assert (one["a"], one["b"]) == (other["b"], other["a"])


def test_one_unit_stands_inside_its_axes(tables):
    channels, units = of_first_probe(tables)
    right = plot.probe_map(channels, units.iloc[:1]).figure.axes[-1]
    (unit,) = right.transData.transform(drawn(right))
    left, end = right.bbox.intervalx
    assert 0 < (unit[0] - left) / (end - left) < 0.95
    assert right.get_title() == "1 unit"


def test_a_session_names_only_the_structures_of_its_probes(tables):
    _, probes, channels, units = tables
    ax = plot.session_overview(units, channels, probes.iloc[:1])
    assert ax.images[0].get_array().all()


def test_the_title_of_an_empty_session_is_within_its_figure(tables):
    _, probes, channels, units = (table.iloc[:0] for table in tables)
    assert is_within_its_figure(plot.session_overview(units, channels, probes).title)


def test_many_long_genotypes_are_told_apart_within_the_figure(tables):
    sessions = tables[0]
    names = [f"Genotype{n}-IRES-Cre/wt;Ai32(RCL-ChR2(H134R)_EYFP)/wt" for n in range(14)]
    ax = plot.project_overview(with_values(sessions.iloc[:14], "genotype", names))
    assert is_within_its_figure(max(ax.get_legend().get_texts(), key=lambda one: len(str(one))))
    looks = {
        (tuple(one.get_facecolors()[0]), one.get_paths()[0].vertices.tobytes())
        for one in ax.collections
    }
    assert len(looks) == 14


def test_sessions_of_one_date_stand_in_the_days_around_it(tables):
    sessions = tables[0]
    dated = sessions[sessions["date_of_acquisition"].notna().to_numpy(dtype=bool)]
    ax = plot.project_overview(dated.iloc[:1])
    first, last = ax.get_xlim()
    assert last - first == 30
    assert ax.get_title() == "1 session"


def test_where_no_session_has_a_date_there_is_no_scale_of_dates(tables):
    sessions = tables[0]
    dates = sessions["date_of_acquisition"]
    ax = plot.project_overview(sessions[dates.isna().to_numpy(dtype=bool)])
    assert not len(ax.get_xticks())


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
