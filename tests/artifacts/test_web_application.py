"""A web application as real ones are: kept connections, gzip, TLS, proxies, redirections."""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from types import MappingProxyType
from typing import Any

import pytest
import trustme

from ecephys_dal import (
    ArtifactClient,
    ArtifactNotFoundError,
    ArtifactTransferError,
    ConfigurationError,
)
from tests.artifacts.conftest import (
    ETAG,
    NWB,
    ROUTE,
    Answer,
    ScriptedServer,
    Start,
    answer,
    chunked,
    eventually,
    forward,
    ranged,
    visible,
)

GZIPPED = gzip.compress(NWB)


def gzipped(**headers: str) -> Answer:
    return answer(body=GZIPPED, keep=True, Content_Encoding="gzip", **headers)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def authority_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return str(tmp_path / "authority.pem")


@pytest.fixture
def tls_server(authority: trustme.CA, start: Start) -> ScriptedServer:
    return start(_tls(authority, "127.0.0.1"))


def _tls(authority: trustme.CA, host: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


def fetched(client: ArtifactClient, folder: Path, form: str) -> bytes:
    """Fetch the file in one of the forms."""
    if form == "stream":
        return b"".join(client.stream(ROUTE))
    return client.download(ROUTE, folder / "a.nwb", refresh=True).path.read_bytes()


BODIES: dict[str, Answer] = {
    "of a length": ranged(),
    "in chunks": chunked(),
    "gzipped": gzipped(),
    "gzipped in chunks": chunked(GZIPPED, Content_Encoding="gzip"),
}


@pytest.mark.parametrize("body", BODIES)
def test_all_bodies_come_over_one_connection(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path, body: str
) -> None:
    server.script = [BODIES[body]]
    for form in ("stream", "file", "stream", "file"):
        assert fetched(client, tmp_path, form) == NWB
    assert len(server.seen) == 4
    assert server.accepted == 1
    client.close()
    assert eventually(lambda: not server.connections)


def test_answers_without_the_file_leave_the_connection_usable(
    client: ArtifactClient, server: ScriptedServer
) -> None:
    server.script = [
        answer(503, b"busy", keep=True),
        answer(302, b"there", keep=True, Location="/there"),
        ranged(),
    ]
    assert b"".join(client.stream(ROUTE)) == NWB
    assert b"".join(client.stream(ROUTE)) == NWB
    assert len(server.seen) == 4
    assert server.accepted <= 3


@pytest.mark.parametrize("form", ["stream", "file"])
def test_a_connection_that_the_server_closed_meanwhile_costs_no_attempt(
    server: ScriptedServer, tmp_path: Path, form: str
) -> None:
    def once(handler: BaseHTTPRequestHandler) -> None:
        ranged()(handler)
        handler.close_connection = True  # without a word

    server.script = [once]
    with ArtifactClient(replace(server.settings, attempts=1)) as client:
        for _ in range(3):
            assert fetched(client, tmp_path, form) == NWB
            assert eventually(lambda: not server.connections)
    assert server.accepted == 3


def test_a_stream_that_is_abandoned_closes_its_connection(
    client: ArtifactClient, server: ScriptedServer
) -> None:
    more = Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        answer(body=NWB[:70_000], length=len(NWB), keep=True)(handler)
        more.wait(10)
        handler.wfile.write(NWB[70_000:])

    server.script = [slow, ranged()]
    stream = iter(client.stream(ROUTE))
    assert next(stream)
    del stream
    more.set()
    assert eventually(lambda: not server.connections)
    assert b"".join(client.stream(ROUTE)) == NWB
    assert server.accepted == 2


@pytest.mark.parametrize("form", ["stream", "file"])
def test_a_server_that_gzips_what_it_may_is_told_not_to(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path, form: str
) -> None:
    def happy(handler: BaseHTTPRequestHandler) -> None:
        allowed = "gzip" in handler.headers.get("Accept-Encoding", "gzip")
        sent.append("gzip" if allowed else "identity")
        (gzipped() if allowed else ranged())(handler)

    sent: list[str] = []
    server.script = [happy]
    assert fetched(client, tmp_path, form) == NWB
    assert sent == ["identity"]


@pytest.mark.parametrize("form", ["stream", "file"])
def test_a_server_that_gzips_all_the_same_gives_the_right_bytes(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path, form: str
) -> None:
    # Its ETag and ranges are of the encoded form, so nothing may be put together by them.
    cut = answer(body=GZIPPED[:100_000], length=len(GZIPPED), Content_Encoding="gzip", ETag=ETAG)
    server.script = [cut, gzipped(ETag=ETAG)]
    assert fetched(client, tmp_path, form) == NWB
    assert len(server.seen) == 2
    assert "Range" not in server.seen[1].headers
    if form == "file":
        report = client.download(ROUTE, tmp_path / "a.nwb", refresh=True)
        assert "CRC-32 of gzip" in report.verified_by
        assert "Content-Length" not in report.verified_by
        assert (report.validator, report.size) == (None, len(NWB))


@pytest.mark.parametrize("form", ["stream", "file"])
def test_the_page_of_a_416_is_not_a_part_of_the_file(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path, form: str
) -> None:
    page = b"<html><h1>416 Requested Range Not Satisfiable</h1></html>"
    there = answer(416, page, keep=True, Content_Range=f"bytes */{len(NWB)}", ETag=ETAG)
    server.script = [chunked(ends=False, ETag=ETAG), there]
    assert fetched(client, tmp_path, form) == NWB
    assert server.seen[1].headers["Range"] == f"bytes={len(NWB)}-"


@pytest.mark.parametrize("status", [405, 501])
def test_where_head_is_not_known_a_file_is_asked_for_and_its_bytes_are_not_read(
    client: ArtifactClient, server: ScriptedServer, status: int
) -> None:
    def give(handler: BaseHTTPRequestHandler) -> None:
        (answer(status, b"") if handler.command == "HEAD" else ranged())(handler)

    server.script = [give]
    assert client.reachable([ROUTE, ROUTE]) == [True, True]
    assert sorted(asked.method for asked in server.seen) == ["GET", "GET", "HEAD", "HEAD"]
    assert eventually(lambda: not server.connections)


def test_what_answers_is_reachable(client: ArtifactClient, server: ScriptedServer) -> None:
    for status, reachable in ((200, True), (404, False), (403, False), (500, False), (206, False)):
        server.script = [answer(status, b"x" * 10)]
        assert client.reachable([ROUTE]) == [reachable]
    assert client.reachable([]) == []


@pytest.mark.parametrize("form", ["stream", "file"])
def test_tls_is_spoken_with_a_server_whose_authority_is_trusted(
    tls_server: ScriptedServer, authority_file: str, tmp_path: Path, form: str
) -> None:
    tls_server.script = [ranged(cut=200_000), ranged()]
    with ArtifactClient(replace(tls_server.settings, verify=authority_file)) as client:
        assert fetched(client, tmp_path, form) == NWB
    assert len(tls_server.seen) == 2


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_a_certificate_that_is_not_trusted_is_refused_at_once(
    authority: trustme.CA, start: Start, tmp_path: Path, wrong: str
) -> None:
    other = trustme.CA() if wrong == "authority" else authority
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    server = start(_tls(authority, "127.0.0.1" if wrong == "authority" else "lims.example"))
    settings = replace(server.settings, verify=str(tmp_path / "other.pem"))
    with (
        ArtifactClient(settings) as client,
        pytest.raises(ArtifactTransferError, match="certificate that is not trusted"),
    ):
        client.download(ROUTE, tmp_path / "a.nwb")
    assert server.accepted == 1
    assert server.seen == []
    assert visible(tmp_path) == ["other.pem"]


def test_certificates_are_checked_unless_that_is_switched_off(tls_server: ScriptedServer) -> None:
    with (
        ArtifactClient(tls_server.settings) as client,
        pytest.raises(ArtifactTransferError, match="not trusted"),
    ):
        list(client.stream(ROUTE))
    with (
        ArtifactClient(replace(tls_server.settings, verify=False)) as client,
        pytest.warns(Warning, match="Unverified HTTPS request"),
    ):
        assert b"".join(client.stream(ROUTE)) == NWB


def test_the_way_leads_from_http_to_https_and_not_back(
    server: ScriptedServer, tls_server: ScriptedServer, authority_file: str
) -> None:
    def to(other: ScriptedServer) -> Answer:
        return answer(302, b"", keep=True, Location=f"{other.scheme}://{other.host}/x")

    server.script, tls_server.script = [to(tls_server)], [ranged()]
    settings = replace(
        server.settings, verify=authority_file, allowed_redirect_hosts=[tls_server.host]
    )
    with ArtifactClient(settings) as client:
        assert b"".join(client.stream(ROUTE)) == NWB
    server.seen.clear()
    server.script, tls_server.script = [ranged()], [to(server)]
    with (
        ArtifactClient(replace(tls_server.settings, verify=authority_file)) as client,
        pytest.raises(ArtifactTransferError, match="from https to http"),
    ):
        list(client.stream(ROUTE))
    assert server.seen == []


@pytest.fixture
def proxy(start: Start) -> ScriptedServer:
    made = start()
    made.script = [forward]
    return made


def _given(proxies: dict[str, str], _: pytest.MonkeyPatch) -> Any:
    return proxies


def _asked_for(proxies: dict[str, str], _: pytest.MonkeyPatch) -> Any:
    return lambda: proxies


def _unchanging(proxies: dict[str, str], _: pytest.MonkeyPatch) -> Any:
    return MappingProxyType(proxies)


def _of_environment(proxies: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme, url in proxies.items():
        monkeypatch.setenv(f"{scheme}_proxy", url)


@pytest.mark.parametrize("way", [_given, _asked_for, _unchanging, _of_environment])
def test_a_proxy_is_asked_instead(
    server: ScriptedServer,
    proxy: ScriptedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: Callable[[dict[str, str], pytest.MonkeyPatch], Any],
) -> None:
    proxies = way({"http": f"http://me:s3cret@{proxy.host}"}, monkeypatch)
    server.script = [answer()]
    with ArtifactClient(replace(server.settings, proxies=proxies)) as client:
        assert fetched(client, tmp_path, "stream") == NWB
        assert fetched(client, tmp_path, "file") == NWB
    assert [asked.path for asked in proxy.seen] == [f"http://{server.host}/{ROUTE}"] * 2
    assert proxy.seen[0].headers["Proxy-Authorization"].startswith("Basic ")
    assert proxy.seen[0].headers["Accept-Encoding"] == "identity"
    assert len(server.seen) == 2


def test_the_callers_proxies_stay_as_they_are(
    server: ScriptedServer, proxy: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
    proxies = {"http": f"http://{proxy.host}"}
    with ArtifactClient(replace(server.settings, proxies=proxies)) as client:
        assert b"".join(client.stream(ROUTE)) == NWB
    assert proxies == {"http": f"http://{proxy.host}"}


def test_a_proxy_makes_a_tunnel_to_a_tls_server_and_learns_no_secret(
    tls_server: ScriptedServer, proxy: ScriptedServer, authority_file: str, tmp_path: Path
) -> None:
    settings = replace(
        tls_server.settings,
        verify=authority_file,
        proxies={"https": f"http://{proxy.host}"},
        headers={"X-Token": "s3cret"},
        auth=("me", "s3cret"),
    )
    tls_server.script = [ranged()]
    with ArtifactClient(settings) as client:
        for form in ("stream", "file"):
            assert fetched(client, tmp_path, form) == NWB
    assert [(asked.method, asked.path) for asked in proxy.seen] == [("CONNECT", tls_server.host)]
    assert "s3cret" not in str(proxy.seen[0].headers)
    assert "Authorization" not in proxy.seen[0].headers
    assert [asked.headers["X-Token"] for asked in tls_server.seen] == ["s3cret"] * 2


def test_a_proxy_that_is_not_there_is_an_error_without_its_password(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    settings = replace(server.settings, proxies={"http": "http://me:s3cret@127.0.0.1:9"})
    with ArtifactClient(settings) as client, pytest.raises(ArtifactTransferError) as caught:
        client.download(ROUTE, tmp_path / "a.nwb")
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in caplog.text
    assert server.seen == []


@pytest.mark.parametrize(
    "url", ["http://me:s3cret@127.0.0.1:99999", "http://me:s3cret@[bad", "http://me:s3cret@"]
)
def test_a_proxy_that_can_not_be_is_refused_without_its_password(
    server: ScriptedServer, url: str
) -> None:
    with pytest.raises(ConfigurationError, match="^proxies") as caught:
        replace(server.settings, proxies={"http": url})
    assert "s3cret" not in str(caught.value)
    settings = replace(server.settings, proxies=lambda: {"http": url})
    with (
        ArtifactClient(settings) as client,
        pytest.raises(ConfigurationError, match="^proxies") as caught,
    ):
        list(client.stream(ROUTE))
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_not_there_is_asked_for_once(
    client: ArtifactClient, server: ScriptedServer
) -> None:
    server.script = [answer(404, b"<html>", keep=True)]
    with pytest.raises(ArtifactNotFoundError):
        list(client.stream(ROUTE))
    assert len(server.seen) == 1
