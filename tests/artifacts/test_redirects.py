"""A redirection is followed as far as it is safe, and no secret travels to another server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from ecephys_dal import ArtifactClient, ArtifactNotFoundError, ArtifactTransferError
from ecephys_dal.artifacts.redirects import is_redirect, next_url, same_origin
from tests.artifacts.conftest import (
    ETAG,
    NWB,
    ROUTE,
    Answer,
    ScriptedServer,
    Start,
    answer,
    by_path,
    ranged,
    visible,
)

HOME = "http://lims2:8080/app/files/7?wkf_id=7"


def to(location: str) -> CaseInsensitiveDict[str]:
    return CaseInsensitiveDict(location=location)


def redirection(location: str, status: int = 302) -> Answer:
    return answer(status, b"<html>elsewhere</html>", keep=True, Location=location)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("http://other/x", "http://other/x"),
        ("https://other:444/x?y=z", "https://other:444/x?y=z"),
        ("HTTPS://other/x", "https://other/x"),
        ("//other/x", "http://other/x"),
        ("/x", "http://lims2:8080/x"),
        ("x", "http://lims2:8080/app/files/x"),
        ("../x", "http://lims2:8080/app/x"),
        ("?again=1", "http://lims2:8080/app/files/7?again=1"),
        ("", HOME),
        ("http:///x", "http://lims2:8080/x"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
    ],
)
def test_a_location_is_read_as_a_browser_does(location: str, target: str) -> None:
    assert next_url(HOME, HOME, to(location), 0, allowed=["other", "[::1]"]) == target


@pytest.mark.parametrize(
    "location",
    [
        "ftp://other/x", "file:///etc/passwd", "data:,x", "javascript:x", "mailto:x", "https://",
        "https:///x", "http://[bad/x", "http://]/x", "http://[::1/x", "//[",
        "http://other:port/x", "http://other:99999/x", "http://other:-1/x", "http://other:0/x",
        "http://:80/x",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_web_server_is_not_gone_to(location: str) -> None:
    with pytest.raises(ArtifactTransferError, match="no address of a web server") as caught:
        next_url(HOME, HOME, to(location), 0)
    assert caught.value.url == HOME


@given(st.text(alphabet="htps:/[]@?#.1\xff x\n") | st.text())
def test_a_location_that_is_garbage_is_refused_or_is_an_address(location: str) -> None:
    try:
        target = next_url(HOME, HOME, to(location), 0, allowed=["x", "p", "1"])
    except ArtifactTransferError:
        return
    assert target.lower().startswith(("http://", "https://"))


@pytest.mark.parametrize("home", ["https://lims2/x", "HTTPS://lims2/x", "https://lims2:80/x"])
@pytest.mark.parametrize("location", ["http://lims2/x", "HTTP://lims2/x", "http://other/x"])
def test_encryption_is_not_given_up(home: str, location: str) -> None:
    with pytest.raises(ArtifactTransferError, match="from https to http"):
        next_url(home, home, to(location), 0)
    assert next_url(home, home, to("/y"), 0).lower().startswith("https:")


def test_five_hops_are_made_and_no_sixth() -> None:
    assert next_url(HOME, HOME, to("/x"), 4)
    with pytest.raises(ArtifactTransferError, match="more than 5 times"):
        next_url(HOME, HOME, to("/x"), 5)


def test_only_a_status_with_a_location_redirects() -> None:
    for status in (301, 302, 303, 307, 308):
        assert is_redirect(status, to("/x"))
        assert not is_redirect(status, CaseInsensitiveDict())
    assert not any(is_redirect(status, to("/x")) for status in (200, 201, 300, 304, 305, 404))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("http://lims2:80/other", True), ("http://LIMS2/x", True), ("HTTP://lims2/x", True),
        ("http://user:word@lims2/x", True), ("https://lims2/x", False),
        ("http://lims2:8080/x", False), ("http://lims20/x", False), ("http://lims2.org/x", False),
        ("http://lims2@evil/x", False), ("http://evil/lims2", False), ("https://lims2:80/x", False),
    ],
)  # fmt: skip
def test_an_origin_is_scheme_host_and_port(other: str, same: bool) -> None:
    assert same_origin("http://lims2/x", other) is same


SECRETS: dict[str, Any] = {
    "auth": ("me", "s3cret"),
    "headers": {"X-Token": "s3cret", "Cookie": "session=s3cret"},
}


@pytest.fixture
def elsewhere(start: Start) -> ScriptedServer:
    """Start the server that is redirected to."""
    made = start()
    made.script = [ranged()]
    return made


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_secrets_do_not_travel_to_another_server(
    server: ScriptedServer, elsewhere: ScriptedServer, status: int
) -> None:
    server.script = [redirection(f"http://{elsewhere.host}/x", status)]
    settings = replace(
        server.settings, user_agent="probe/1", allowed_redirect_hosts=[elsewhere.host], **SECRETS
    )
    with ArtifactClient(settings) as client:
        assert b"".join(client.stream(ROUTE)) == NWB
        assert client.reachable([ROUTE]) == [True]
    for asked in server.seen:
        assert asked.headers["X-Token"] == "s3cret"
        assert asked.headers["Cookie"] == "session=s3cret"
        assert asked.headers["Authorization"].startswith("Basic ")
    assert [asked.method for asked in elsewhere.seen] == ["GET", "HEAD"]
    for asked in elsewhere.seen:
        assert "s3cret" not in str(asked.headers)
        assert "Authorization" not in asked.headers
        assert asked.headers["User-Agent"] == "probe/1"
        assert asked.path == "/x"
    assert elsewhere.seen[0].headers["Accept-Encoding"] == "identity"


def test_secrets_do_travel_on_the_same_server(server: ScriptedServer) -> None:
    server.script = [by_path({ROUTE: redirection("/x"), "x": ranged()})]
    with ArtifactClient(replace(server.settings, **SECRETS)) as client:
        assert b"".join(client.stream(ROUTE)) == NWB
    assert [asked.path for asked in server.seen] == [f"/{ROUTE}", "/x"]
    for asked in server.seen:
        assert asked.headers["X-Token"] == "s3cret"
        assert asked.headers["Authorization"].startswith("Basic ")


def test_secrets_that_are_asked_for_are_not_asked_for_elsewhere(
    server: ScriptedServer, elsewhere: ScriptedServer
) -> None:
    asked = []

    def token() -> dict[str, str]:
        asked.append(1)
        return {"X-Token": "s3cret"}

    server.script = [redirection(f"http://{elsewhere.host}/x")]
    settings = replace(server.settings, headers=token, allowed_redirect_hosts="127.0.0.1")
    with ArtifactClient(settings) as client:
        assert b"".join(client.stream(ROUTE)) == NWB
    assert len(asked) == 1


@pytest.mark.parametrize("target", ["/x", f"/{ROUTE}"])
def test_a_loop_ends_at_once(server: ScriptedServer, tmp_path: Path, target: str) -> None:
    server.script = [redirection(target)]
    with ArtifactClient(server.settings) as client:
        with pytest.raises(ArtifactTransferError, match="more than 5 times"):
            client.download(ROUTE, tmp_path / "a.nwb")
        assert len(server.seen) == 6
        assert client.reachable([ROUTE]) == [False]
    assert visible(tmp_path) == []


@pytest.mark.parametrize(
    "wrong", [answer(302, b""), redirection("ftp://other/x"), redirection("http://[bad/")]
)
def test_a_redirection_to_nowhere_is_an_error(
    client: ArtifactClient, server: ScriptedServer, wrong: Answer
) -> None:
    server.script = [wrong]
    with pytest.raises(ArtifactTransferError):
        list(client.stream(ROUTE))
    assert client.reachable([ROUTE]) == [False]
    assert len(server.seen) == 2


def test_a_redirection_to_a_missing_file_is_one_of_ours(
    client: ArtifactClient, server: ScriptedServer
) -> None:
    server.script = [by_path({ROUTE: redirection("/not-there")})]
    with pytest.raises(ArtifactNotFoundError) as caught:
        list(client.stream(ROUTE))
    assert caught.value.url == client.url_of(ROUTE)


def test_a_resumed_transfer_asks_the_web_application_anew(
    server: ScriptedServer, elsewhere: ScriptedServer, start: Start
) -> None:
    third = start()
    third.script = [ranged()]
    server.script = [
        redirection(f"http://{elsewhere.host}/first"),
        redirection(f"http://{third.host}/second"),
    ]
    elsewhere.script = [ranged(cut=100_000)]
    hosts = [elsewhere.host, third.host]
    with ArtifactClient(replace(server.settings, allowed_redirect_hosts=hosts)) as client:
        assert b"".join(client.stream(ROUTE)) == NWB
    assert [asked.path for asked in server.seen] == [f"/{ROUTE}"] * 2
    assert server.seen[1].headers["Range"] == third.seen[0].headers["Range"] == "bytes=100000-"
    assert third.seen[0].headers["If-Range"] == ETAG
    assert [len(elsewhere.seen), len(third.seen)] == [1, 1]
