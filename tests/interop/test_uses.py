"""What AllenSDK builds upon its class works upon ours: its cache, and its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecephys_dal import EcephysProjectLimsApi

from . import oracle
from .comparison import cells, differences
from .conftest import Report
from .departures import listed_once, swapped_back
from .sides import Sides


def _cache(api: Any, folder: Path) -> Any:
    return oracle.EcephysProjectCache(
        fetch_api=api,
        stream_writer=api.app_engine.write_bytes,
        manifest=str(folder / "manifest.json"),
    )


@pytest.fixture
def caches(sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """AllenSDK's cache upon its own class, and upon ours."""
    # Departure 2: the cache fails where a session is listed twice.
    get_sessions, twice = sides.theirs.get_sessions, sides.lims.awkward["session_two_nwb_files"]
    monkeypatch.setattr(sides.theirs, "get_sessions", lambda: listed_once(get_sessions(), twice))
    return [_cache(sides.theirs, tmp_path / "theirs"), _cache(sides.ours, tmp_path / "ours")]


def test_cache_of_allensdk_needs_sessions_listed_once(sides: Sides, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="equal len keys"):
        _cache(sides.theirs, tmp_path / "theirs").get_session_table()
    assert len(_cache(sides.ours, tmp_path / "ours").get_session_table()) > 0


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
    method: str, session_column: str | None, caches: list[Any], sides: Sides, report: Report
) -> None:
    report.asked += 1
    theirs, ours = (_with_sorted_lists(getattr(cache, method)()) for cache in caches)
    of_session = ours[session_column] if session_column else ours.index
    ours = ours[~of_session.isin(sides.unknown_donors)]  # departure 2
    assert len(theirs) > 0
    assert differences(theirs, ours) == []
    report.agreed += 1
    report.cells += cells(theirs)


def test_cache_gives_the_same_metrics(caches: list[Any], sides: Sides, report: Report) -> None:
    report.asked += 1
    theirs, ours = (
        cache.get_unit_analysis_metrics_for_session(sides.lims.session_ids[0], annotate=False)
        for cache in caches
    )
    assert len(theirs) > 0
    assert differences(swapped_back(theirs), ours) == []
    report.agreed += 1
    report.cells += cells(theirs)


def test_cache_gives_the_same_templates(caches: list[Any]) -> None:
    for method, number in (("get_natural_movie_template", 1), ("get_natural_scene_template", 5)):
        theirs, ours = (getattr(cache, method)(number) for cache in caches)
        assert theirs.size > 0
        np.testing.assert_array_equal(theirs, ours)


def test_credentials_come_from_the_same_variables(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in oracle.credentials_of(sides.url)._asdict().items():
        monkeypatch.setenv(f"LIMS_{name.upper()}", str(value))
    with oracle.environment_read_again():
        theirs = oracle.EcephysProjectLimsApi.default().get_probes()
    with EcephysProjectLimsApi.default() as ours:
        assert differences(theirs, ours.get_probes()) == []
