"""The tables and templates that AllenSDK's cache gives upon its own class, and upon ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from .caches import Lims, cache_of
from .comparison import cells, differences
from .conftest import Report
from .departures import in_order_of_rows, swapped_back
from .sides import Sides

Caches = tuple[Any, Any]


@pytest.fixture(params=[False, True], ids=["synchronous", "asynchronous"])
def caches(request: pytest.FixtureRequest, lims: Lims, tmp_path: Path) -> Iterator[Caches]:
    """AllenSDK's cache upon its own class, and upon either form of ours."""
    with lims.ours(asynchronous=request.param) as ours:
        yield cache_of(lims.theirs(), tmp_path / "theirs"), cache_of(ours, tmp_path / "ours")


def test_cache_of_allensdk_needs_sessions_listed_once(sides: Sides, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="equal len keys"):
        cache_of(sides.theirs, tmp_path / "theirs").get_session_table()
    assert len(cache_of(sides.ours, tmp_path / "ours").get_session_table()) > 0


def _with_sorted_lists(frame: pd.DataFrame) -> pd.DataFrame:
    """Departure 5: the cache lists the structures of a session in the order of the rows."""
    return frame.applymap(lambda one: sorted(one, key=str) if isinstance(one, np.ndarray) else one)


@pytest.mark.parametrize(
    ("method", "session_column"),
    [
        ("get_session_table", None),
        ("get_probes", "ecephys_session_id"),
        ("get_channels", "ecephys_session_id"),
        ("get_units", "ecephys_session_id"),
    ],
)
def test_cache_gives_the_same_tables(
    method: str, session_column: str | None, caches: Caches, sides: Sides, report: Report
) -> None:
    report.asked += 1
    theirs, ours = (_with_sorted_lists(getattr(cache, method)()) for cache in caches)
    of_session = ours[session_column] if session_column else ours.index
    ours = ours[~of_session.isin(sides.unknown_donors)]  # departure 2
    assert len(theirs) > 0
    assert differences(theirs, ours) == []
    report.agreed += 1
    report.cells += cells(theirs)


@pytest.mark.parametrize("annotate", [False, True])
def test_cache_gives_the_same_metrics_of_a_session(
    annotate: bool, caches: Caches, sides: Sides, report: Report
) -> None:
    session_id = sides.lims.session_ids[0]
    theirs, ours = (
        cache.get_unit_analysis_metrics_for_session(session_id, annotate=annotate)
        for cache in caches
    )
    _compare_metrics(theirs, ours, report)


@pytest.mark.parametrize("annotate", [False, True])
@pytest.mark.parametrize("session_type", ["brain_observatory_1.1", "functional_connectivity"])
def test_cache_gives_the_same_metrics_of_a_type(
    session_type: str, annotate: bool, caches: Caches, sides: Sides, report: Report
) -> None:
    theirs, ours = (
        cache.get_unit_analysis_metrics_by_session_type(session_type, annotate=annotate)
        for cache in caches
    )
    if annotate:
        ours = ours[~ours["ecephys_session_id"].isin(sides.unknown_donors)]  # departure 2
    _compare_metrics(theirs, ours, report)


def _compare_metrics(theirs: pd.DataFrame, ours: pd.DataFrame, report: Report) -> None:
    report.asked += 1
    assert len(theirs) > 0
    assert differences(swapped_back(in_order_of_rows(theirs, ours)), ours) == []
    report.agreed += 1
    report.cells += cells(theirs)


@pytest.mark.parametrize(
    ("method", "number"), [("get_natural_movie_template", 1), ("get_natural_scene_template", 5)]
)
def test_cache_gives_the_same_templates(
    method: str, number: int, lims: Lims, report: Report, caches: Caches
) -> None:
    report.asked += 1
    theirs, ours = (getattr(cache, method)(number) for cache in caches)
    assert theirs.size > 0
    np.testing.assert_array_equal(theirs, ours)
    report.agreed += 1
    report.bytes += theirs.nbytes
