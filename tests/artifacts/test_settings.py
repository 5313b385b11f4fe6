"""Each setting has its effect, a wrong one is refused by name, and none tells a secret."""

from __future__ import annotations

import copy
import pickle
import socket
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import FrozenInstanceError, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from ecephys_dal import (
    ArtifactClient,
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactSettings,
    ArtifactTransferError,
    AsyncArtifactClient,
    ConfigurationError,
)
from ecephys_dal.artifacts.mounts import Mounts
from tests.artifacts.conftest import NWB, ROUTE, Answer, ScriptedServer, Start, answer, ranged

NAN, INFINITE = float("nan"), float("inf")
BAD = {
    "scheme": ["ftp", "", None, "HTTP", 5, []],
    "host": [
        "", None, 5, b"lims2", "http://lims2", "//lims2", "lims2:", "lims2:x", "lims2:-1",
        "lims2:0", "lims2:65536", "lims2:99999", "lims 2", "lims2/a b", "lims2?x", "lims2#x",
        "lims2//x", "[::1", "::1", "[zz]", "[:::]", "[1.2.3.4]", "lims2\n", "lims2\0", "/x", ":80",
    ],
    "timeout": [0, -1, "60", NAN, INFINITE, True, [60]],
    "connect_timeout": [0, -1, None, "10", NAN, INFINITE, True, (1, 2)],
    "read_timeout": [0, -1, None, "10", NAN, INFINITE, False],
    "min_bytes_per_second": [-1, None, "1k", NAN, INFINITE, True],
    "attempts": [0, -1, 1.5, None, "3", True],
    "backoff": [0, -1, None, "1", NAN],
    "max_backoff": [0, -1, None, "1", NAN],
    "max_retry_after": [0, -1, None, "1", NAN],
    "chunksize": [0, -1, 1.5, None, "1M", True],
    "max_parallel": [0, -1, 1.5, None, "4", True],
    "verify": ["", "/no/such/file.pem", None, 1, 0, b"x", Path("/")],
    "user_agent": ["", 5, b"x", "a\nb", " a", "a\0", "\N{SNOWMAN}"],
    "mounts": ["/allen", "allen=/mnt", 5, ["/allen"], {"/allen": 5}, {"allen": "/mnt"}],
    "sha256": ["no", None, 0, 1],
    "progress": ["no", 0, 1],
}  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_a_bad_setting_is_refused_by_name(setting: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"^{setting}=") as caught:
        ArtifactSettings(**{setting: value})
    assert repr(value) in str(caught.value)


BAD_SECRETS: dict[str, list[Any]] = {
    "headers": [
        "X: s3cret", ["s3cret"], {"X": 5}, {5: "s3cret"}, {"X": b"s3cret"}, {"X": None},
        {"X": "s3cret\n"}, {"X": "a\r\nY: s3cret"}, {"X": " s3cret"}, {"X": "s3cret\N{SNOWMAN}"},
        {"X": "s3cret\0"}, {"X Y": "s3cret"}, {"": "s3cret"}, {"X:": "s3cret"},
        {"Range": "s3cret"}, {"if-range": "s3cret"}, {"Accept-Encoding": "s3cret"},
        {"HOST": "s3cret"}, {"User-Agent": "s3cret"},
    ],
    "auth": [
        "me:s3cret", ("s3cret",), ("me", "s3cret", "x"), ("me", 5), (None, "s3cret"), ["s3cret"],
        {"me": "s3cret"}, b"s3cret", 5, ("me", b"s3cret"),
    ],
    "proxies": ["http://me:s3cret@proxy", ["s3cret"], {"http": 5}, {"http": "s3cret\n"}, 5,
                {"http": "http://me:s3cret@"}, {"http": "http://s3cret:none"}, {"http": "ftp://s3cret"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "value"),
    [(name, value) for name, values in BAD_SECRETS.items() for value in values],
)
def test_what_may_be_secret_is_refused_by_name_and_not_repeated(
    server: ScriptedServer, setting: str, value: object
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{setting} ") as caught:
        ArtifactSettings(**{setting: value})
    assert "s3cret" not in str(caught.value)
    # What a callable gives is refused when it is asked for.
    settings = replace(server.settings, **{setting: lambda: value})
    with (
        ArtifactClient(settings) as client,
        pytest.raises(ConfigurationError, match=f"^{setting} ") as caught,
    ):
        list(client.stream(ROUTE))
    assert "s3cret" not in str(caught.value)
    assert server.seen == []


def test_a_host_that_may_hold_a_password_is_not_repeated() -> None:
    for host in ("user:s3cret@lims2", "s3cret@", "lims2/@s3cret"):
        with pytest.raises(ConfigurationError, match="host=") as caught:
            ArtifactSettings(host=host)
        assert "s3cret" not in str(caught.value)


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigurationError, match=r"no setting 'chunk_size'.*'chunksize'"):
        ArtifactSettings.of({"chunk_size": 1})
    assert ArtifactSettings.of({"chunksize": 1}) == ArtifactSettings(chunksize=1)


GOOD: dict[str, list[Any]] = {
    "scheme": ["http", "https"],
    "host": [
        "lims2", "lims2:8080", "lims2/", "lims2:8080/some/prefix", "lims2.corp.org/a-b_c/%20/",
        "10.0.0.1:1", "[::1]", "[2001:db8::7]:65535/x", "lims2/x//y",
    ],
    "timeout": [None, 1, 0.5],
    "min_bytes_per_second": [0, 0.5, 10**9],
    "verify": [True, False, __file__],
    "user_agent": [None, "probe/1 (me@lab.org)", "M\xfcller/1"],
    "headers": [None, {}, {"X-Token": "a b"}, {"X": ""}, dict],
    "auth": [None, ("me", "word"), ["me", "word"], ("", ""), tuple],
    "proxies": [None, {}, {"http": "http://me:word@proxy:3128"}, {"http": ""}, dict],
}  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "value"), [(name, value) for name, values in GOOD.items() for value in values]
)
def test_a_good_setting_is_taken(setting: str, value: object) -> None:
    assert getattr(ArtifactSettings(**{setting: value}), setting) == value


@pytest.mark.parametrize(
    "value", ["/allen=/mnt/allen", {"/allen": "/mnt/allen"}, Mounts((("/allen", "/mnt/allen"),))]
)
def test_mounts_have_several_forms(value: object) -> None:
    settings = ArtifactSettings(mounts=value)  # type: ignore[arg-type]
    assert settings.mounts == Mounts((("/allen", "/mnt/allen"),))
    assert replace(settings, attempts=1).mounts == settings.mounts


def test_no_mounts_and_none_at_all_differ() -> None:
    assert ArtifactSettings().mounts == ArtifactSettings(mounts={}).mounts == Mounts()
    assert ArtifactSettings(mounts="").mounts == Mounts()
    assert ArtifactSettings(mounts=None).mounts is None


def test_settings_stay_as_they_are() -> None:
    with pytest.raises(FrozenInstanceError):
        ArtifactSettings().host = "other"  # type: ignore[misc]


def token() -> dict[str, str]:
    return {"X-Token": "s3cret"}


def password() -> tuple[str, str]:
    return "me", "s3cret"


def proxies() -> dict[str, str]:
    return {"https": "http://me:s3cret@127.0.0.1:9"}


SECRETS: dict[str, tuple[Any, Callable[[], Any]]] = {
    "headers": (token(), token),
    "auth": (password(), password),
    "proxies": (proxies(), proxies),
}


def told_by(settings: ArtifactSettings) -> Iterator[str]:
    yield from (repr(settings), str(settings), f"{settings}")
    for client in (ArtifactClient(settings), AsyncArtifactClient(settings)):
        with client:
            yield from (repr(client), str(client), repr(client.stream(ROUTE)))


@pytest.mark.parametrize("setting", SECRETS)
def test_secrets_are_told_by_nothing(
    server: ScriptedServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, setting: str
) -> None:
    caplog.set_level("DEBUG")
    for value in SECRETS[setting]:
        server.script = [ranged(), answer(404, b""), answer(400, b""), answer(200, b"<html>")]
        settings = replace(server.settings, **{setting: value})
        assert "s3cret" not in "".join(told_by(settings))
        with ArtifactClient(settings) as client:
            report = client.download(ROUTE, tmp_path / "a.nwb", refresh=True)
            assert "s3cret" not in f"{report} {report!r}"
            for _ in range(3):
                with suppress(ArtifactError):
                    client.download(ROUTE, tmp_path / "a.nwb", refresh=True)
    assert caplog.records
    assert "s3cret" not in caplog.text
    assert "s3cret" not in (tmp_path / ".artifacts.jsonl").read_text()


@pytest.mark.parametrize("setting", SECRETS)
def test_secrets_are_not_pickled_and_functions_that_give_them_are(setting: str) -> None:
    secret, function = SECRETS[setting]
    settings = ArtifactSettings(**{setting: secret})
    for held in (settings, ArtifactClient(settings), AsyncArtifactClient(settings)):
        with pytest.raises(ConfigurationError, match=rf"{setting} can't be pickled.*function"):
            pickle.dumps(held)
    settings = ArtifactSettings(**{setting: function})
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert b"s3cret" not in pickle.dumps(ArtifactClient(settings))
    assert copy.copy(settings) == settings


@pytest.mark.parametrize(
    ("suffix", "path"),
    [
        ("", "/files/7?wkf_id=7"), ("/", "/files/7?wkf_id=7"), ("/app", "/app/files/7?wkf_id=7"),
        ("/some/prefix/", "/some/prefix/files/7?wkf_id=7"), ("/a%20b", "/a%20b/files/7?wkf_id=7"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("route", ["files/7?wkf_id=7", "/files/7?wkf_id=7"])
def test_the_host_may_hold_a_port_and_a_prefix(
    server: ScriptedServer, suffix: str, path: str, route: str
) -> None:
    with ArtifactClient(replace(server.settings, host=server.host + suffix)) as client:
        assert b"".join(client.stream(route)) == NWB
        assert client.reachable([route]) == [True]
    assert [asked.path for asked in server.seen] == [path] * 2
    assert server.seen[0].headers["Host"] == server.host


def test_the_host_may_be_an_address_of_ipv6(start: Start) -> None:
    try:
        server = start(address="::1")
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with ArtifactClient(replace(server.settings, host=f"{server.host}/app")) as client:
        assert b"".join(client.stream("x")) == NWB
    assert server.seen[0].path == "/app/x"


def sent_by(server: ScriptedServer, **settings: Any) -> list[Any]:
    """Return the header fields of two requests, each with settings asked for anew."""
    with ArtifactClient(replace(server.settings, **settings)) as client:
        assert b"".join(client.stream(ROUTE)) == NWB
        assert client.reachable([ROUTE]) == [True]
    return [asked.headers for asked in server.seen]


def test_we_say_who_we_are(server: ScriptedServer) -> None:
    for fields in sent_by(server):
        assert fields["User-Agent"].startswith("ecephys_dal/")
    server.seen.clear()
    for fields in sent_by(server, user_agent="probe/1"):
        assert fields["User-Agent"] == "probe/1"


def test_headers_are_sent_with_each_request(server: ScriptedServer) -> None:
    for fields in sent_by(server, headers={"X-Token": "a b", "x-other": ""}):
        assert (fields["X-Token"], fields["X-Other"]) == ("a b", "")


@pytest.mark.parametrize("pair", [("me", "word"), ["me", "word"], ("m\xfc", "w\u20acrd: \u2603")])
def test_user_and_password_are_sent_with_each_request(
    server: ScriptedServer, pair: tuple[str, str]
) -> None:
    for fields in sent_by(server, auth=pair):
        scheme, coded = fields["Authorization"].split()
        assert (scheme, b64decode(coded).decode()) == ("Basic", ":".join(pair))


def test_callables_are_asked_at_each_request(server: ScriptedServer) -> None:
    passwords, tokens = iter("abcdef"), iter("uvwxyz")
    server.script = [answer(503, b""), ranged()]
    fields = sent_by(
        server, auth=lambda: ("me", next(passwords)), headers=lambda: {"X-Token": next(tokens)}
    )
    given = [b64decode(one["Authorization"].split()[1]).decode() for one in fields]
    assert given == ["me:a", "me:b", "me:c"]
    assert [one["X-Token"] for one in fields] == ["u", "v", "w"]


def test_callables_may_give_nothing(server: ScriptedServer) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("headers", "auth", "proxies"), lambda: None)
    assert all("Authorization" not in fields for fields in sent_by(server, **nothing))


def test_the_error_of_a_callable_is_the_callers(server: ScriptedServer) -> None:
    def missing() -> dict[str, str]:
        raise KeyError("TOKEN")

    with (
        ArtifactClient(replace(server.settings, headers=missing)) as client,
        pytest.raises(KeyError, match="TOKEN"),
    ):
        list(client.stream(ROUTE))


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_are_how_often_it_is_tried_in_vain(server: ScriptedServer, attempts: int) -> None:
    server.script = [answer(503, b"")]
    with (
        ArtifactClient(replace(server.settings, attempts=attempts)) as client,
        pytest.raises(ArtifactTransferError),
    ):
        list(client.stream(ROUTE))
    assert len(server.seen) == attempts


@pytest.mark.parametrize("chunksize", [1000, 70_000, 10**7])
def test_a_piece_is_a_chunk_at_most(server: ScriptedServer, chunksize: int) -> None:
    with ArtifactClient(replace(server.settings, chunksize=chunksize)) as client:
        pieces = list(client.stream(ROUTE))
    assert b"".join(pieces) == NWB
    assert max(map(len, pieces)) <= chunksize
    assert len(pieces) >= len(NWB) / chunksize


def pausing(handler: BaseHTTPRequestHandler) -> None:
    answer(body=NWB[:1000], length=len(NWB))(handler)
    time.sleep(0.5)
    handler.wfile.write(NWB[1000:])


def late(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(0.5)
    answer()(handler)


@pytest.mark.parametrize("script", [pausing, late])
def test_the_next_bytes_are_waited_for_as_long_as_is_said(
    server: ScriptedServer, script: Answer
) -> None:
    server.script = [script]
    with ArtifactClient(replace(server.settings, read_timeout=10, attempts=1)) as client:
        assert b"".join(client.stream(ROUTE)) == NWB
    with (
        ArtifactClient(replace(server.settings, read_timeout=0.1, attempts=1)) as client,
        pytest.raises(ArtifactTransferError, match="timed out"),
    ):
        list(client.stream(ROUTE))


def drip(handler: BaseHTTPRequestHandler) -> None:
    answer(body=NWB[:8], length=1000)(handler)
    for at in range(8, 1000, 31):
        time.sleep(0.02)  # 1550 bytes/s at most
        handler.wfile.write(NWB[at : at + 31])


@pytest.mark.slow
def test_a_transfer_below_the_floor_of_speed_is_given_up(server: ScriptedServer) -> None:
    server.script = [drip]
    settings = replace(server.settings, read_timeout=0.25, attempts=2)
    for floor in (0, 1):
        with ArtifactClient(replace(settings, min_bytes_per_second=floor)) as client:
            assert b"".join(client.stream(ROUTE)) == NWB[:1000]
    with (
        ArtifactClient(replace(settings, min_bytes_per_second=10_000)) as client,
        pytest.raises(ArtifactTransferError, match="min_bytes_per_second=10000"),
    ):
        list(client.stream(ROUTE))
    assert len(server.seen) == 4


@pytest.fixture
def full_server() -> Iterator[str]:
    """Be a server that has no place for another connection, and does not say so."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        for one in waiting:
            one.close()


@pytest.mark.skipif(sys.platform != "linux", reason="others refuse such connections")
def test_a_connection_is_waited_for_as_long_as_is_said(full_server: str) -> None:
    settings = ArtifactSettings(
        host=full_server, connect_timeout=0.2, read_timeout=60, attempts=1, progress=False
    )
    started = time.monotonic()
    with (
        ArtifactClient(settings) as client,
        pytest.raises(ArtifactTransferError, match="can't be reached"),
    ):
        list(client.stream(ROUTE))
    assert 0.1 < time.monotonic() - started < 5


def test_waits_are_as_long_as_is_said(server: ScriptedServer) -> None:
    server.script = [answer(503, b"")]
    started = time.monotonic()
    with (
        ArtifactClient(replace(server.settings, attempts=30)) as client,
        pytest.raises(ArtifactTransferError),
    ):
        list(client.stream(ROUTE))
    short = time.monotonic() - started
    settings = replace(server.settings, attempts=30, backoff=0.05, max_backoff=0.05)
    with ArtifactClient(settings) as client, pytest.raises(ArtifactTransferError):
        list(client.stream(ROUTE))
    assert time.monotonic() - started - short > 0.3  # 29 waits of 0.025 s on average


def test_sha256_is_computed_if_wanted(server: ScriptedServer, tmp_path: Path) -> None:
    for wanted in (True, False):
        with ArtifactClient(replace(server.settings, sha256=wanted)) as client:
            report = client.download(ROUTE, tmp_path / "a.nwb", refresh=True)
        assert (report.sha256 is not None) == wanted


def test_a_file_that_is_not_there_names_its_url(client: ArtifactClient) -> None:
    with pytest.raises(ArtifactNotFoundError) as caught:
        client.path_of(ROUTE)
    assert caught.value.url == client.url_of(ROUTE)
