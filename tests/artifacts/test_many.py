"""Many files are fetched at once, each with its own fate."""

from __future__ import annotations

import logging
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest

from ecephys_dal import (
    Artifact,
    ArtifactClient,
    ArtifactCorruptError,
    ArtifactNotFoundError,
    ArtifactTransferError,
    ConfigurationError,
    DownloadReport,
)
from tests.artifacts.conftest import (
    ETAG,
    NWB,
    Answer,
    ScriptedServer,
    answer,
    by_path,
    eventually,
    ranged,
    visible,
)


def body(number: int) -> bytes:
    """Return the bytes of a file, which no other has."""
    return NWB[:-9] + f"{number:09}".encode()


def artifact(number: int, **columns: Any) -> Artifact:
    return Artifact(f"files/{number}", **({"id": number, "filename": "a.nwb"} | columns))


def files(count: int, **others: Answer) -> Answer:
    """Script a server of so many files."""
    answers = {f"files/{number}": ranged(body(number)) for number in range(count)}
    return by_path(answers | {f"files/{name[1:]}": answer for name, answer in others.items()})


def running() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("ecephys_dal")]


def test_each_file_goes_to_its_place_and_the_reports_are_in_order(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [files(8)]
    order = [3, 1, 7, 0, 2]
    reports = client.download_many((artifact(number) for number in order), tmp_path / "new")
    assert [report.path for report in reports] == [
        tmp_path / "new" / f"{number}_a.nwb" for number in order
    ]
    for number, report in zip(order, reports, strict=True):
        assert report.path.read_bytes() == body(number)
        assert report.url == client.url_of(artifact(number))
        assert (report.ok, report.source) == (True, "web application")
    assert len(visible(tmp_path / "new")) == len(server.seen) == 5


def test_a_mapping_says_where_each_file_goes(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [files(3)]
    wanted = {"files/0": tmp_path / "x" / "0.nwb", artifact(1): str(tmp_path / "1.nwb")}
    assert [report.path for report in client.download_many(wanted)] == [*map(Path, wanted.values())]
    [report] = client.download_many({"files/2": "deep/2.nwb"}, tmp_path)
    assert report.path == tmp_path / "deep" / "2.nwb"
    found = {path.name: path.read_bytes() for path in tmp_path.rglob("*.nwb")}
    assert found == {f"{number}.nwb": body(number) for number in range(3)}


def test_nothing_wanted_is_nothing_fetched(client: ArtifactClient, tmp_path: Path) -> None:
    assert client.download_many([], tmp_path) == client.download_many({}) == []


@pytest.mark.parametrize(
    ("wanted", "folder", "match"),
    [
        ("files/7", "x", "wanted='files/7' is one file"),
        (artifact(7), "x", "is one file"),
        ([artifact(7)], None, "folder is missing"),
        (["files/7"], "x", "no id to name it by"),
        ([artifact(7, id=None)], "x", "no id to name it by"),
        ([artifact(7), artifact(8), artifact(7)], "x", r"two files .*7_a\.nwb"),
        ({"files/7": "x/a", "files/8": Path("x", "a")}, None, "two files .*x/a"),
        ({"files/7": "a", "files/8": "./a"}, "x", "two files .*x/a"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_fetched(
    client: ArtifactClient,
    server: ScriptedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wanted: Any,
    folder: str | None,
    match: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=match):
        client.download_many(wanted, folder)
    assert server.seen == []
    assert visible(tmp_path) == []


@pytest.mark.parametrize("filename", ["/etc/x.nwb", "../x.nwb", "a/b/x.nwb"])
def test_no_name_leads_out_of_the_folder(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path, filename: str
) -> None:
    server.script = [files(1)]
    [report] = client.download_many([artifact(0, filename=filename)], tmp_path)
    assert report.path == tmp_path / "0_x.nwb"


def test_the_rest_goes_on_when_some_fail(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    fates: dict[int, Answer] = {
        1: answer(404, b"<html>", keep=True),
        3: answer(503, b"", keep=True),
        5: answer(200, b"<html>", keep=True),
    }
    server.script = [files(7, **{f"_{number}": fate for number, fate in fates.items()})]
    (tmp_path / "6_a.nwb").mkdir()
    reports = client.download_many([artifact(number) for number in range(7)], tmp_path)
    expected = {1: ArtifactNotFoundError, 3: ArtifactTransferError, 5: ArtifactCorruptError}
    for number, report in enumerate(reports):
        assert report.path == tmp_path / f"{number}_a.nwb"
        assert report.url == client.url_of(artifact(number))
        if number in (0, 2, 4):
            assert report.ok
            assert report.path.read_bytes() == body(number)
        else:
            assert not report.ok
            assert not report.verified
            assert report.error is not None
            assert number == 6 or type(report.error) is expected[number]
            assert str(report.error) in str(report)
            assert (report.size, report.source) == (0, "")
    assert visible(tmp_path) == ["0_a.nwb", "2_a.nwb", "4_a.nwb", "6_a.nwb"]


def test_a_second_run_fetches_what_is_missing_and_nothing_else(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [files(4, _4=answer(404, b""), _5=ranged(body(5), cut=100_000))]
    wanted = [artifact(number) for number in range(6)]
    first = client.download_many(wanted, tmp_path)
    assert [report.ok for report in first] == [True] * 4 + [False, True]
    first[2].path.unlink()
    server.script, server.seen[:] = [files(6)], []
    again = client.download_many(wanted, tmp_path)
    sources = ["present", "present", "web application", "present", "web application", "present"]
    assert [report.source for report in again] == sources
    assert sorted(asked.path for asked in server.seen) == ["/files/2", "/files/4"]
    assert all(report.ok for report in client.download_many(wanted, tmp_path, refresh=True))
    assert len(server.seen) == 8


@pytest.mark.parametrize("at_once", [1, 3])
def test_so_many_are_fetched_at_once_as_is_said(
    server: ScriptedServer, tmp_path: Path, at_once: int
) -> None:
    def together(handler: BaseHTTPRequestHandler) -> None:
        barrier.wait(10)  # passed by so many only that ask at the same time
        give(handler)

    barrier, give = Barrier(at_once), files(9)
    server.script = [together]
    settings = replace(server.settings, max_parallel=at_once, read_timeout=10)
    with ArtifactClient(settings) as client:
        reports = client.download_many([artifact(number) for number in range(9)], tmp_path)
    assert all(report.ok for report in reports)
    assert server.most_at_once == at_once
    assert server.accepted <= at_once  # for connections are kept
    assert eventually(lambda: not running())


def test_reachability_is_asked_for_at_once_and_in_order(
    server: ScriptedServer, tmp_path: Path
) -> None:
    def together(handler: BaseHTTPRequestHandler) -> None:
        barrier.wait(10)
        give(handler)

    barrier, give = Barrier(3), files(5)
    server.script = [together]
    settings = replace(server.settings, max_parallel=3, read_timeout=10)
    with ArtifactClient(settings) as client:
        wanted = [artifact(number) for number in (0, 7, 4, 8, 9, 2)]
        assert client.reachable(wanted) == [True, False, True, False, False, True]
    assert {asked.method for asked in server.seen} == {"HEAD"}
    assert server.most_at_once == 3
    assert server.accepted == 3  # for connections are kept


def test_one_route_in_the_place_of_several_is_refused(client: ArtifactClient) -> None:
    with pytest.raises(ConfigurationError, match="one file"):
        client.reachable("files/7")


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    return re.sub(r"\x1b\[A|\n", "\r", err)


def test_bars_show_each_file_and_all(
    server: ScriptedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script = [files(3, _3=answer(404, b""))]
    wanted = [artifact(number, filename=f"file{number}.nwb") for number in range(4)]
    with ArtifactClient(replace(server.settings, progress=True)) as client:
        client.download_many(wanted, tmp_path)
    lines = shown(capsys).split("\r")
    for number in range(3):
        assert any(f"file{number}.nwb" in line for line in lines)
    total = [line for line in lines if line.startswith("Downloading")]
    assert "0/4" in total[0]
    assert "100%" in total[-1]
    assert "4/4" in total[-1]


def test_bars_can_be_switched_off(
    client: ArtifactClient,
    server: ScriptedServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.script = [files(3)]
    client.download_many([artifact(number) for number in range(3)], tmp_path)
    client.download(artifact(0), tmp_path / "x.nwb")
    assert b"".join(client.stream(artifact(0)))
    assert shown(capsys) == ""


def test_a_bar_goes_on_where_an_earlier_download_ended(
    server: ScriptedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script = [ranged(cut=400_000), answer(404, b"")]
    with ArtifactClient(replace(server.settings, progress=True)) as client:
        client.download_many([artifact(0)], tmp_path)
        shown(capsys)
        server.script = [ranged()]
        client.download(artifact(0), tmp_path / "0_a.nwb")
    last = shown(capsys).rstrip("\r").split("\r")[-1]
    assert "100%" in last
    assert "501k/501k" in last


def test_one_line_a_download_is_logged_by_the_library(
    client: ArtifactClient,
    server: ScriptedServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    server.script = [files(3, _2=answer(404, b""), _1=ranged(body(1), cut=400_000))]
    wanted = [artifact(number) for number in range(3)]
    client.download_many(wanted, tmp_path)
    client.download(artifact(0), tmp_path / "0_a.nwb")
    with pytest.raises(ArtifactNotFoundError):
        client.download(artifact(2), tmp_path / "2_a.nwb")
    levels = sorted(record.levelname for record in caplog.records)
    assert levels == ["INFO", "INFO", "INFO", "WARNING", "WARNING"]
    for record in caplog.records:
        assert record.name.startswith("ecephys_dal.")
        assert str(tmp_path) in record.getMessage()
        assert "\n" not in record.getMessage()
        assert record.exc_info is None
    for name in ("ecephys_dal", "ecephys_dal.artifacts", "ecephys_dal.artifacts.download"):
        logger = logging.getLogger(name)
        assert all(isinstance(one, logging.NullHandler) for one in logger.handlers)
        assert logger.level == logging.NOTSET
        assert logger.propagate


def test_the_error_of_a_callable_ends_it_all(server: ScriptedServer, tmp_path: Path) -> None:
    def token() -> dict[str, str]:
        if len(asked := server.seen) >= 2:
            raise LookupError(f"no token after {len(asked)} requests")
        return {}

    server.script = [files(20)]
    with (
        ArtifactClient(replace(server.settings, headers=token, max_parallel=2)) as client,
        pytest.raises(LookupError, match="no token"),
    ):
        client.download_many([artifact(number) for number in range(20)], tmp_path)
    assert len(server.seen) <= 4
    assert eventually(lambda: not running())


CHILD = """
import sys
from ecephys_dal import Artifact, ArtifactClient, ArtifactSettings
host, folder, form = sys.argv[1:]
wanted = [Artifact(f"files/{n}", id=n, filename="a.nwb") for n in range(8)]
with ArtifactClient(ArtifactSettings(host=host, max_parallel=3, progress=False)) as client:
    try:
        if form == "many":
            client.download_many(wanted, folder)
        elif form == "one":
            client.download(wanted[0], f"{folder}/0_a.nwb")
        else:
            for piece in client.stream(wanted[0]):
                pass
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.fixture
def hanging(server: ScriptedServer) -> Iterator[Event]:
    """Let the server stop after half of each file until the test is over."""

    def give(handler: BaseHTTPRequestHandler) -> None:
        answer(body=NWB[:250_000], length=len(NWB), keep=True, ETag=ETAG)(handler)
        handler.wfile.flush()
        over.wait(30)

    over = Event()
    server.script = [give]
    yield over
    over.set()


@pytest.mark.parametrize(("form", "requests"), [("many", 3), ("stream", 1)])
def test_ctrl_c_ends_it_at_once_and_keeps_what_arrived(
    server: ScriptedServer, hanging: Event, tmp_path: Path, form: str, requests: int
) -> None:
    child = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", CHILD, server.host, str(tmp_path), form],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    kept = 0 if form == "stream" else requests
    assert eventually(lambda: len(server.seen) == requests, 30)
    assert eventually(lambda: sum(part.stat().st_size for part in tmp_path.glob(".*.part"))
                      == kept * 250_000)  # fmt: skip
    time.sleep(0.1)
    started = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert time.monotonic() - started < 15
    assert (out, err, child.returncode) == (b"interrupted\n", b"", 0)
    assert len(server.seen) == requests
    parts = list(tmp_path.glob(".*.part"))
    assert [part.read_bytes() for part in parts] == [NWB[:250_000]] * kept
    assert list(tmp_path.glob("*_a.nwb")) == []


def test_what_ctrl_c_kept_is_used(
    client: ArtifactClient, server: ScriptedServer, hanging: Event, tmp_path: Path
) -> None:
    child = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", CHILD, server.host, str(tmp_path), "one"], stdout=subprocess.PIPE
    )
    assert eventually(lambda: [*tmp_path.glob(".*.part")], 30)
    assert eventually(lambda: next(tmp_path.glob(".*.part")).stat().st_size == 250_000)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    server.script = [ranged()]
    report: DownloadReport = client.download(artifact(0), tmp_path / "0_a.nwb")
    assert report.resumed_from == 250_000
    assert report.path.read_bytes() == NWB
