"""A file arrives as a whole or not at all, and an iterator gives the file or raises."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ecephys_dal import (
    Artifact,
    ArtifactChangedError,
    ArtifactClient,
    ArtifactCorruptError,
    ArtifactNotFoundError,
    ArtifactSettings,
    ArtifactTransferError,
)
from ecephys_dal.artifacts.formats import FileFormat
from tests.artifacts.conftest import NWB, ROUTE, ScriptedServer, answer, ranged, visible

HTML = b"<html><body>Please log in</body></html>"
NWB_ROUTE = Artifact(ROUTE, size=len(NWB), filename="a.nwb")


def stall(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(0.8)
    handler.close_connection = True


def cut(handler: BaseHTTPRequestHandler) -> None:
    answer(body=NWB[:100_000], length=len(NWB))(handler)


def chunked_without_an_end(handler: BaseHTTPRequestHandler) -> None:
    answer(body=b"10000\r\n" + NWB[:65536], length=-1, Transfer_Encoding="chunked")(handler)


PASSING = {
    "an error of the server": answer(500, HTML),
    "a gateway without a server": answer(502, HTML),
    "a busy server": answer(503, HTML),
    "too many requests": answer(429, HTML),
    "a request that took too long": answer(408, HTML),
    "a body that is cut": cut,
    "a chunked body that is cut": chunked_without_an_end,
    "an empty body": answer(body=b""),
    "a stall": stall,
    "fewer bytes than LIMS has": answer(body=NWB[:1000], length=-1),
}
LASTING = {
    "no such file": (answer(404, HTML), ArtifactNotFoundError),
    "not any more": (answer(410, HTML), ArtifactNotFoundError),
    "not for us": (answer(403, HTML), ArtifactNotFoundError),
    "who are you": (answer(401, HTML), ArtifactNotFoundError),
    "a bad request": (answer(400, HTML), ArtifactTransferError),
    "no content": (answer(204, b""), ArtifactTransferError),
    "a part that was not asked for": (answer(206, NWB[:100]), ArtifactTransferError),
    "a page with status 200": (answer(200, HTML), ArtifactCorruptError),
    "an encoding that was not asked for": (
        answer(200, Content_Encoding="br"),
        ArtifactCorruptError,
    ),
    "another number of bytes than LIMS has": (answer(200, NWB + b"!"), ArtifactCorruptError),
    "fewer bytes than LIMS has, as announced": (answer(200, NWB[:1000]), ArtifactCorruptError),
    "a redirection that can't be read": (
        answer(302, b"", Location="http://[bad/"),
        ArtifactTransferError,
    ),
    "a redirection to nowhere else": (
        answer(302, b"", Location=f"/{ROUTE}"),
        ArtifactTransferError,
    ),
}


def test_a_file_is_downloaded(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    path = client.download(ROUTE, tmp_path / "new" / "a.nwb").path
    assert path.read_bytes() == NWB
    assert visible(path.parent) == ["a.nwb"]
    assert [request.path for request in server.seen] == [f"/{ROUTE}"]
    assert server.seen[0].headers["Accept-Encoding"] == "identity"


def test_a_file_is_as_readable_as_the_umask_says(client: ArtifactClient, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = client.download(ROUTE, tmp_path / "a.nwb").path
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_stream_gives_the_bytes_again_and_again(client: ArtifactClient) -> None:
    stream = client.stream(ROUTE)
    assert b"".join(stream) == NWB
    assert b"".join(stream) == NWB
    assert "127.0.0.1" in repr(stream)


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_is_survived(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path, fault: str
) -> None:
    server.script = [PASSING[fault], PASSING[fault], answer()]
    assert client.download(NWB_ROUTE, tmp_path / "a.nwb").path.read_bytes() == NWB
    assert len(server.seen) == 3
    assert visible(tmp_path) == ["a.nwb"]


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_stays_ends_in_an_error_and_no_file(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path, fault: str
) -> None:
    server.script = [PASSING[fault]]
    with pytest.raises(ArtifactTransferError, match="the last 3 brought nothing") as caught:
        client.download(NWB_ROUTE, tmp_path / "a.nwb")
    assert type(caught.value) is ArtifactTransferError
    # The first part of the file is progress, and the same part again is not.
    assert caught.value.attempts == len(server.seen) == (4 if "cut" in fault else 3)
    assert caught.value.url.endswith(ROUTE)
    assert ("timed out" in str(caught.value)) == (fault == "a stall")
    assert visible(tmp_path) == []


@pytest.mark.parametrize("fault", LASTING)
def test_a_lasting_fault_is_asked_for_once_and_leaves_no_file(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path, fault: str
) -> None:
    script, error = LASTING[fault]
    for fetch in (
        lambda: client.download(NWB_ROUTE, tmp_path / "a.nwb"),
        lambda: list(client.stream(NWB_ROUTE)),
    ):
        server.script, server.seen = [script], []
        with pytest.raises(error) as caught:
            fetch()
        assert type(caught.value) is error
        assert len(server.seen) == 1 or "redirection" in fault
        assert visible(tmp_path) == []


@pytest.mark.parametrize("fault", ["a body that is cut", "a chunked body that is cut"])
def test_an_iterator_goes_on_where_a_body_was_cut(
    client: ArtifactClient, server: ScriptedServer, fault: str
) -> None:
    server.script = [PASSING[fault], PASSING[fault], answer()]
    assert b"".join(client.stream(ROUTE)) == NWB
    assert len(server.seen) == 3


def test_an_iterator_that_has_given_bytes_away_raises_if_they_are_not_the_same_any_more(
    client: ArtifactClient, server: ScriptedServer
) -> None:
    other = bytearray(NWB)
    other[50_000] ^= 1
    server.script = [cut, answer(body=bytes(other))]
    given = 0
    with pytest.raises(ArtifactChangedError, match="can't be taken back") as caught:
        for chunk in client.stream(ROUTE):
            given += len(chunk)
    assert caught.value.received == given == 100_000


def test_the_name_of_a_file_tells_its_format_where_nothing_else_does(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [answer(200, HTML)]
    with pytest.raises(ArtifactCorruptError, match="expected HDF5"):
        client.download(ROUTE, tmp_path / "a.nwb")
    assert client.download(ROUTE, tmp_path / "page.html").path.read_bytes() == HTML


@pytest.mark.parametrize("length", ["abc", "5, 5", "-5", ""])
def test_a_length_that_is_none_is_not_believed(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path, length: str
) -> None:
    server.script = [answer(200, NWB, length=-1, Content_Length=length)]
    try:
        assert client.download(NWB_ROUTE, tmp_path / "a.nwb").path.read_bytes() == NWB
    except ArtifactTransferError:
        assert visible(tmp_path) == []


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_no_encoding_may_be_named(
    client: ArtifactClient, server: ScriptedServer, encoding: str
) -> None:
    server.script = [answer(200, Content_Encoding=encoding)]
    assert b"".join(client.stream(ROUTE)) == NWB


def test_an_error_names_its_own_cause_and_not_the_callers(tmp_path: Path) -> None:
    settings = ArtifactSettings(host="127.0.0.1:9", attempts=1, progress=False)
    with ArtifactClient(settings) as client, pytest.raises(ArtifactTransferError) as caught:
        try:
            (tmp_path / "not in the cache").open()
        except FileNotFoundError:
            client.download(ROUTE, tmp_path / "a.nwb")
    assert "refused" in str(caught.value)
    assert "cache" not in str(caught.value)


def test_the_deadline_is_one_for_all_attempts(server: ScriptedServer, tmp_path: Path) -> None:
    def slowly_busy(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.3)
        answer(503)(handler)

    server.script = [slowly_busy]
    settings = ArtifactSettings(host=server.settings.host, timeout=0.5, backoff=0.01, attempts=50)
    with ArtifactClient(settings) as client, pytest.raises(ArtifactTransferError):
        client.download(ROUTE, tmp_path / "a.nwb")
    assert len(server.seen) <= 3


def test_a_slow_consumer_of_a_file_that_is_there_is_not_too_late(server: ScriptedServer) -> None:
    server.script = [answer(200, NWB[:100])]
    settings = ArtifactSettings(host=server.settings.host, timeout=0.2, progress=False)
    with ArtifactClient(settings) as client:
        received = b""
        for chunk in client.stream(ROUTE):
            time.sleep(0.4)
            received += chunk
    assert received == NWB[:100]


def test_an_iterator_survives_what_happens_before_its_first_byte(
    client: ArtifactClient, server: ScriptedServer
) -> None:
    server.script = [answer(503), stall, answer()]
    assert b"".join(client.stream(ROUTE)) == NWB


def test_an_older_file_stays_until_the_new_one_is_whole(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    path = tmp_path / "a.nwb"
    path.write_bytes(b"older")
    server.script = [answer(404)]
    with pytest.raises(ArtifactNotFoundError):
        client.download(ROUTE, path)
    assert path.read_bytes() == b"older"
    server.script = [answer()]
    client.download(ROUTE, path)
    assert path.read_bytes() == NWB


def test_a_transfer_has_a_deadline(server: ScriptedServer, tmp_path: Path) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        answer(body=NWB[:8], length=len(NWB))(handler)
        for byte in NWB[8:]:  # until the client has gone
            time.sleep(0.05)
            handler.wfile.write(bytes([byte]))

    server.script = [drip]
    settings = ArtifactSettings(host=server.settings.host, timeout=0.3, progress=False)
    started = time.monotonic()
    with (
        ArtifactClient(settings) as client,
        pytest.raises(ArtifactTransferError, match="timeout=0.3"),
    ):
        client.download(ROUTE, tmp_path / "a.nwb")
    assert time.monotonic() - started < 20
    assert visible(tmp_path) == []


def test_a_server_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    settings = ArtifactSettings(host="127.0.0.1:9", attempts=2, backoff=0.001, progress=False)
    with ArtifactClient(settings) as client, pytest.raises(ArtifactTransferError, match="reached"):
        client.download(ROUTE, tmp_path / "a.nwb")


def test_interruption_is_not_tried_again(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    def interrupted() -> Iterator[bytes]:
        yield b"some"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.write_bytes(tmp_path / "a.nwb", interrupted())
    assert visible(tmp_path) == []


def test_write_bytes_writes_our_streams_with_all_attempts_and_others_as_they_are(
    client: ArtifactClient, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [cut, answer()]
    client.write_bytes(str(tmp_path / "ours.nwb"), client.stream(ROUTE))
    client.write_bytes(str(tmp_path / "theirs.nwb"), iter([b"a", b"b"]))
    assert (tmp_path / "ours.nwb").read_bytes() == NWB
    assert (tmp_path / "theirs.nwb").read_bytes() == b"ab"


def test_connections_are_used_again_and_a_pickle_makes_its_own(
    client: ArtifactClient, server: ScriptedServer
) -> None:
    copy = pickle.loads(pickle.dumps(client))
    with copy:
        assert b"".join(copy.stream(ROUTE)) == NWB
        assert copy.settings == client.settings
    route = pickle.loads(pickle.dumps(NWB_ROUTE))
    assert (route, route.size, route.file_format) == (ROUTE, len(NWB), FileFormat.HDF5)


def test_a_bar_shows_how_far_it_is(
    server: ScriptedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for progress, shown in ((True, True), (False, False)):
        settings = ArtifactSettings(host=server.settings.host, progress=progress)
        with ArtifactClient(settings) as client:
            client.download(ROUTE, tmp_path / "a.nwb", refresh=True)
        assert ("a.nwb: 100%" in capsys.readouterr().err) == shown


def test_only_what_the_caller_gives_speaks_for_them(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.script = [ranged()]
    for headers in ({"Authorization": "Bearer t"}, {"authorization": "Bearer t"}, None):
        with ArtifactClient(replace(server.settings, headers=headers)) as client:
            assert b"".join(client.stream(ROUTE)) == NWB
            assert client.reachable([ROUTE]) == [True]
    told = [seen.headers["authorization"] for seen in server.seen]
    assert told == ["Bearer t"] * 4 + [None] * 2
