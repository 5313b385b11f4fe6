"""Whoever answers differently is not measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.tables.races import Race, Run, Target
from benchmarks.tables.rounds import Rounds
from benchmarks.tables.workers import Workers
from ecephys_dal import UnitRepository
from ecephys_dal.testing import create_synthetic_lims

pytestmark = pytest.mark.slow  # they start the processes of a benchmark


@pytest.fixture(scope="module")
def lims(fresh_url):
    url = fresh_url("sqlite")
    filled = create_synthetic_lims(
        url, sessions=2, probes=(1, 1), channels_per_probe=8, units_per_session=6, progress=False
    )
    return url, filled.session_ids


@pytest.fixture(scope="module")
def url(lims):
    return lims[0]


@pytest.fixture(scope="module")
def workers():
    with Workers(allensdk="") as workers:
        yield workers


@pytest.fixture
def rounds(workers):
    return Rounds(workers, server=None, patience=0)


@pytest.fixture
def frame(url):
    asked = {"url": url, "method": "get_units"}
    return Run(name="frame", by="ours", does="ask", arguments=asked, answer="units", rows=2)


@pytest.fixture
def chunks(url):
    asked = {"url": url, "size": 2}
    return Run(name="chunks", by="bare", does="chunks", arguments=asked, answer="units", rows=4)


def test_all_run_in_every_round(rounds, frame, chunks):
    outcome = rounds.run(Race(title="units", runs=[frame, chunks]), 3)
    assert [len(taken) for taken in outcome.taken.values()] == [3, 3]
    assert all(one.seconds > 0 for taken in outcome.taken.values() for one in taken)
    target = Target(what="", run="frame", against="frame", most=1)
    assert outcome.quotient(target) == 1
    by_row = replace(target, against="chunks", of="seconds a row")
    by_time = replace(by_row, of="seconds")
    assert outcome.quotient(by_row) == pytest.approx(2 * outcome.quotient(by_time))


def test_other_rows_are_another_answer(rounds, url, frame, chunks):
    last = int(UnitRepository(url).ids()[-1])
    fewer = replace(chunks, arguments=chunks.arguments | {"before": last})
    with pytest.raises(SystemExit, match=r"frame and chunks answer differently: \d+ and \d+ rows"):
        rounds.run(Race(title="units", runs=[frame, fewer]), 1)


def test_other_values_are_another_answer(rounds, lims, frame):
    some, others = (
        replace(frame, name=name, arguments=frame.arguments | {"session_ids": [session_id]})
        for name, session_id in zip(("some", "others"), lims[1], strict=True)
    )
    with pytest.raises(SystemExit, match="some and others answer differently: in PT_ratio, .*snr"):
        rounds.run(Race(title="units", runs=[some, others]), 1)


def test_an_error_of_a_worker_is_shown(workers, frame):
    lost = replace(frame, fresh=True, arguments=frame.arguments | {"url": "sqlite:////nowhere/db"})
    with pytest.raises(SystemExit, match=r"(?s)frame failed:.*no SQLite database /nowhere/db"):
        workers.ask(lost)
