"""Only attempts without progress are counted, and no wait or transfer is longer than allowed."""

from __future__ import annotations

import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecephys_dal import ArtifactClient, ArtifactSettings, ArtifactTransferError
from ecephys_dal.artifacts.partial import Partial
from ecephys_dal.artifacts.patience import Patience
from ecephys_dal.artifacts.refusals import Transient
from ecephys_dal.artifacts.version import Version
from tests.artifacts.conftest import ETAG, NWB, ROUTE, ScriptedServer, answer, ranged

URL = "http://lims2/files/7"


class Clock:
    """Goes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def patience(clock: Clock | None = None, **settings: Any) -> Patience:
    settings = {"attempts": 3, "read_timeout": 10, "min_bytes_per_second": 100} | settings
    return Patience(ArtifactSettings(**settings), URL, clock or Clock())


def failed(**of: Any) -> Transient:
    return Transient(URL, **of)


def test_attempts_without_progress_use_the_budget_up() -> None:
    budget = patience()
    for _ in range(3):
        assert not budget.exhausted
        budget.begin()
        budget.fail(failed(), 0)
    assert budget.exhausted
    assert (budget.attempts, budget.fruitless) == (3, 3)


def test_progress_gives_the_whole_budget_back() -> None:
    budget = patience()
    for offset in (0, 0, 1000, 1000, 1000, 5000, 5000, 5000):
        budget.begin()
        budget.fail(failed(), offset)
        assert not budget.exhausted
    budget.fail(failed(), 5000)
    assert budget.exhausted
    assert budget.attempts == 8


@given(st.lists(st.integers(0, 300), max_size=20), st.sampled_from([0, 1, 100]))
def test_a_small_gain_is_none_until_small_gains_add_up(gains: list[int], floor: int) -> None:
    budget = patience(min_bytes_per_second=floor, attempts=1000)
    offset = reached = fruitless = 0
    for gain in gains:
        offset += gain
        if offset - reached >= max(1, floor):
            reached, fruitless = offset, 0
        else:
            fruitless += 1
        budget.fail(failed(), offset)
        assert budget.fruitless == fruitless


def test_what_was_fetched_before_and_had_to_be_given_up_is_no_progress() -> None:
    budget = patience()
    budget.fail(failed(), 5000)
    for offset in (0, 3000, 5000):  # begun anew, and no further than before
        assert not budget.exhausted
        budget.fail(failed(), offset)
    assert budget.exhausted


def test_slow_bytes_are_no_progress() -> None:
    budget = patience()
    for offset in (1000, 2000, 3000):
        budget.fail(failed(too_slow=True), offset)
    assert budget.exhausted


def test_the_floor_of_speed_holds_on_average_over_a_window() -> None:
    budget = patience()
    budget.read(1, 9.9, 1)  # it may stand still for a while
    budget.read(1010, 0.2, 1011)  # 100 bytes/s in 10.1 s
    with pytest.raises(Transient, match=r"sent 0 bytes/s.*min_bytes_per_second=100") as caught:
        budget.read(1, 10, 1002)
    assert caught.value.too_slow
    assert caught.value.received == 1002


@pytest.mark.parametrize(("n_bytes", "slow"), [(999, True), (1000, False)])
def test_the_floor_is_what_it_says(n_bytes: int, slow: bool) -> None:
    budget = patience()
    budget.read(n_bytes - 1, 5, 0)
    if slow:
        with pytest.raises(Transient):
            budget.read(1, 5, 0)
    else:
        budget.read(1, 5, 0)


def test_a_fast_beginning_does_not_excuse_a_slow_end() -> None:
    budget = patience()
    budget.read(10**9, 10, 0)
    with pytest.raises(Transient):
        budget.read(1, 10, 0)


def test_each_attempt_has_a_window_of_its_own() -> None:
    budget = patience()
    budget.begin()
    budget.read(1, 9, 0)
    budget.begin()
    budget.read(1, 9, 0)
    with pytest.raises(Transient):
        budget.read(1, 9, 0)


def test_there_may_be_no_floor() -> None:
    budget = patience(min_bytes_per_second=0)
    for _ in range(10):
        budget.read(0, 1000, 0)
    with pytest.raises(Transient):  # which the least floor has not
        patience(min_bytes_per_second=1).read(0, 1000, 0)


def test_the_deadline_is_checked_at_each_read_and_before_each_wait() -> None:
    clock = Clock()
    budget = patience(clock, timeout=60)
    clock.now += 60
    budget.read(10**6, 1, 10**6)
    assert not budget.overdue()
    assert budget.overdue(0.1)
    clock.now += 0.1
    assert budget.overdue()
    with pytest.raises(ArtifactTransferError, match="timeout=60") as caught:
        budget.read(10**6, 1, 2 * 10**6)
    assert type(caught.value) is ArtifactTransferError
    assert caught.value.received == 2 * 10**6


def test_there_is_no_deadline_of_itself() -> None:
    clock = Clock()
    budget = patience(clock)
    clock.now += 10**9
    assert not budget.overdue(10**9)
    budget.read(10**9, 1, 0)


def test_waits_double_up_to_their_limit() -> None:
    budget = patience(backoff=1, max_backoff=10, attempts=10_000)
    longest = []
    for _ in range(2000):
        longest.append(max(budget.wait(failed()) for _ in range(60)))
        budget.fail(failed(), 0)
    for n, limit in enumerate([1, 1, 2, 4, 8, 10, 10, 10]):
        assert limit * 0.7 < longest[n] <= limit
    assert max(longest) <= 10


def test_waits_are_spread() -> None:
    budget = patience(backoff=1)
    waits = [budget.wait(failed()) for _ in range(200)]
    assert min(waits) < 0.2
    assert max(waits) > 0.8
    assert len(set(waits)) > 100


def test_after_progress_waits_are_short_again() -> None:
    budget = patience(backoff=1, max_backoff=1000)
    for _ in range(9):
        budget.fail(failed(), 0)
    budget.fail(failed(), 10_000)
    assert all(budget.wait(failed()) <= 1 for _ in range(100))


@pytest.mark.parametrize(("asked", "waited"), [(0, 0), (7, 7), (60, 60), (61, 60), (1e12, 60)])
def test_the_server_says_when_to_come_again_up_to_a_limit(asked: float, waited: float) -> None:
    budget = patience(max_retry_after=60, backoff=1000, max_backoff=1000)
    assert budget.wait(failed(retry_after=asked)) == waited


def test_a_server_is_waited_for_as_long_as_it_says(
    server: ScriptedServer, client: ArtifactClient
) -> None:
    server.script = [answer(503, b"", Retry_After="1"), answer()]
    started = time.monotonic()
    assert b"".join(client.stream(ROUTE)) == NWB
    assert time.monotonic() - started > 0.9


def test_a_server_that_asks_for_too_much_is_not_waited_for(server: ScriptedServer) -> None:
    server.script = [answer(503, b"", Retry_After="3600"), answer()]
    with ArtifactClient(replace(server.settings, max_retry_after=0.01)) as client:
        assert b"".join(client.stream(ROUTE)) == NWB


def test_a_wait_beyond_the_deadline_is_not_begun(server: ScriptedServer) -> None:
    server.script = [answer(503, b"", Retry_After="3600")]
    with (
        ArtifactClient(replace(server.settings, timeout=5, max_retry_after=3600)) as client,
        pytest.raises(ArtifactTransferError, match="answered 503"),
    ):
        list(client.stream(ROUTE))
    assert len(server.seen) == 1


def stall(handler: BaseHTTPRequestHandler) -> None:
    answer(body=NWB[:1000], length=len(NWB))(handler)
    time.sleep(30)


def silence(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(30)


@pytest.mark.parametrize("script", [stall, silence])
def test_the_deadline_ends_a_wait_for_bytes(server: ScriptedServer, script: Any) -> None:
    server.script = [script]
    started = time.monotonic()
    with (
        ArtifactClient(replace(server.settings, timeout=0.2, read_timeout=60)) as client,
        pytest.raises(ArtifactTransferError, match="timeout=0.2"),
    ):
        list(client.stream(ROUTE))
    assert time.monotonic() - started < 15


def test_a_resumed_download_has_no_attempt_more_than_others(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    partial = Partial(tmp_path / "a.nwb", client.url_of(ROUTE), Version(ETAG, len(NWB)))
    partial.write(NWB[:5000])
    partial.close()
    server.script = [answer(503, b"")]
    with pytest.raises(ArtifactTransferError) as caught:
        client.download(ROUTE, tmp_path / "a.nwb")
    assert len(server.seen) == caught.value.attempts == 3
    assert caught.value.received == 5000


@pytest.mark.parametrize(
    "last", [answer(400, b""), answer(206, b""), ranged(NWB[::-1], etag='"two"')]
)
def test_a_lasting_error_tells_how_many_requests_were_made(
    client: ArtifactClient, server: ScriptedServer, last: Any
) -> None:
    server.script = [answer(503, b""), ranged(cut=5000), last]
    with pytest.raises(ArtifactTransferError) as caught:
        list(client.stream(ROUTE))
    assert caught.value.attempts == len(server.seen) >= 3
    assert caught.value.received == 5000
