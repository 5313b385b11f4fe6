"""The files: each one that LIMS has, and each one that it lacks, fetched by both."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from ecephys_dal import NotExactlyOneError

from .asynchronous import Calls, fetch_asynchronously
from .conftest import Report
from .files import FILES, NOT_ONE, fetched_by_both
from .sides import Sides


@pytest.mark.parametrize("getter", FILES)
def test_same_bytes(getter: str, sides: Sides, report: Report, tmp_path: Path) -> None:
    some, none = 0, 0
    for number, theirs, ours in fetched_by_both(getter, sides, tmp_path):
        report.asked += 1
        assert theirs == ours, f"{getter}({number})"
        report.agreed += 1
        if isinstance(ours, bytes):
            some += 1
            report.bytes += len(ours)
        else:
            none += 1
            assert ours == NOT_ONE
    assert min(some, none) >= 2


def test_not_exactly_one_file_is_an_error_of_ours(sides: Sides) -> None:
    for name in ("session_without_nwb", "session_only_older_nwb", "session_two_nwb_files"):
        session_id = sides.lims.awkward[name]
        with pytest.raises(ValueError, match="expected exactly 1"):
            sides.theirs.get_session_data(session_id)
        with pytest.raises(NotExactlyOneError, match=str(session_id)):
            sides.ours.get_session_data(session_id)


def test_both_ask_the_web_application_for_the_same(sides: Sides) -> None:
    for getter in FILES:
        number = sides.lims.probe_ids[0] if getter == "get_probe_lfp_data" else 1
        if getter == "get_session_data":
            number = sides.lims.session_ids[0]
        asked = []
        for api in (sides.theirs, sides.ours):
            b"".join(getattr(api, getter)(number))
            asked.append(sides.requests[-1])
        assert asked[0] == asked[1]


def test_same_bytes_asynchronously(sides: Sides, report: Report, tmp_path: Path) -> None:
    calls: Calls = [("get_session_data", session_id) for session_id in sides.lims.session_ids]
    calls += [("get_probe_lfp_data", probe_id) for probe_id in sides.lims.probe_ids[:3]]
    calls += [("get_natural_movie_template", 2), ("get_natural_scene_template", 58)]
    # AllenSDK's writer patches asyncio for good, so it gets a process of its own.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        waiting = processes.submit(
            fetch_asynchronously, sides.url, sides.host, calls, str(tmp_path)
        )
        fetched = waiting.result()
    for (getter, number), ways in zip(calls, fetched, strict=True):
        report.asked += 1
        expected = b"".join(getattr(sides.theirs, getter)(number))
        assert {way for way, got in ways.items() if got != expected} == set()
        report.agreed += 1
        report.bytes += len(expected)
