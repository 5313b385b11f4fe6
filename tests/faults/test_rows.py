"""Every fault of the table that a server can do, in every form of fetching."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecephys_dal import ArtifactError

from .forms import FORMS, SECRET, Fetched, fetch, must_of
from .replies import Request
from .scenarios import FAULTS, Must, Scenario
from .server import FaultServer
from .table import SCENARIOS

# AllenSDK's cache calls write_bytes alone, which is download behind another door.
WRITTEN = {
    "1, strong ETag",
    "8, strong ETag",
    "11, to the same size",
    "23, 404",
    "24, size from LIMS",
}


def _forms(scenario: Scenario) -> list[str]:
    return [
        form
        for form in FORMS
        if must_of(scenario, form) and (not form.startswith("written") or str(scenario) in WRITTEN)
    ]


WAITING = {18, 19, 20, 21}  # rows of what has to be waited for


def _is_quick(scenario: Scenario, number: int, place: int) -> bool:
    """Two forms of a row are quick, another two of the next: one engine does the work of all."""
    return scenario.row not in WAITING and (place - number) % len(_forms(scenario)) < 2


CASES = [
    pytest.param(
        scenario,
        form,
        id=f"{scenario}-{form}",
        marks=[] if _is_quick(scenario, number, place) else [pytest.mark.slow],
    )
    for number, scenario in enumerate(SCENARIOS)
    for place, form in enumerate(_forms(scenario))
]
NAMES = {"elsewhere": "localhost"}


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(("scenario", "form"), CASES)
def test_a_fault_is_survived(scenario: Scenario, form: str, tmp_path: Path) -> None:
    must = must_of(scenario, form)
    assert must is not None
    path = tmp_path / scenario.wanted.filename
    with FaultServer(scenario.elsewhere, name="localhost") as other:
        other.elsewhere = other.host
        with FaultServer(scenario.script, elsewhere=other.host) as server:
            fetched = fetch(form, scenario, server.host, path)
            assert server.is_quiet()
            assert other.is_quiet()
    _check_outcome(must, form, fetched, path)
    _check_report(must, fetched, path)
    _check_folder(must, form, fetched, path)
    _check_stream(must, scenario, form, fetched)
    _check_requests(must, server.requests, other.requests)
    _check_headers(server.requests, other.requests)


def test_the_table_has_every_row() -> None:
    assert list(FAULTS) == list(range(1, 38))
    assert {scenario.row for scenario in SCENARIOS} == set(range(31))
    assert len({str(scenario) for scenario in SCENARIOS}) == len(SCENARIOS)
    assert {str(scenario) for scenario in SCENARIOS} >= WRITTEN


def _check_outcome(must: Must, form: str, fetched: Fetched, path: Path) -> None:
    if must.within is not None:
        assert fetched.seconds < must.within
    if fetched.error is not None:
        assert isinstance(fetched.error, ArtifactError), repr(fetched.error)
        assert type(fetched.error).__name__ in must.errors, repr(fetched.error)
        assert fetched.error.url
        return
    assert must.gives, "an error was due"
    given = bytes(fetched.delivered) if "stream" in form else path.read_bytes()
    assert given in [version.data for version in must.versions]


def _check_report(must: Must, fetched: Fetched, path: Path) -> None:
    report = fetched.report
    if report is None:
        return
    assert report.path == path
    assert report.size == path.stat().st_size
    assert report.sha256 in {version.sha256 for version in must.versions}
    assert report.source == "web application"
    assert report.error is None
    if must.verified is not None:
        assert report.verified == must.verified
    assert report.verified == bool(report.verified_by)
    assert must.verified_by in " ".join(report.verified_by)


def _check_folder(must: Must, form: str, fetched: Fetched, path: Path) -> None:
    names = {entry.name for entry in path.parent.iterdir()}
    if fetched.error is not None or "stream" in form:
        assert path.name not in names
    else:
        assert not {name for name in names if ".part" in name}
    if must.keeps is not None and "stream" not in form:
        partials = [entry for entry in path.parent.iterdir() if entry.suffix == ".part"]
        assert [partial.stat().st_size for partial in partials] == [must.keeps]


def _check_stream(must: Must, scenario: Scenario, form: str, fetched: Fetched) -> None:
    if "stream" not in form:
        return
    known = (*scenario.partial, *must.versions)
    assert any(version.data.startswith(fetched.delivered) for version in known)
    if must.delivers is not None and fetched.error is not None:
        assert len(fetched.delivered) == must.delivers


def _check_requests(must: Must, asked: list[Request], elsewhere: list[Request]) -> None:
    if must.requests is not None:
        assert len(asked) == must.requests
    if must.at_most is not None:
        assert len(asked) + len(elsewhere) <= must.at_most
    if must.ranges is not None:
        assert tuple(request.offset for request in asked) == must.ranges
    for number, (least, most) in must.waits.items():
        assert least <= asked[number].at - asked[number - 1].at <= most


def _check_headers(asked: list[Request], elsewhere: list[Request]) -> None:
    for request in (*asked, *elsewhere):
        assert request.headers["accept-encoding"] == "identity"
        if "range" in request.headers:
            assert request.headers["if-range"] in ('"first"', '"second"')
        else:
            assert "if-range" not in request.headers
    for request in asked:
        assert request.headers["x-secret"] == SECRET
        assert request.headers["authorization"].startswith("Basic ")
    for request in elsewhere:
        assert {"x-secret", "authorization", "cookie"}.isdisjoint(request.headers)
