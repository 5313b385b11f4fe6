"""A web application, or whom it sends to, tries to have credentials, memory or a way inside."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from netrc import netrc as read_netrc
from pathlib import Path
from typing import Any

import pytest

from ecephys_dal import (
    Artifact,
    ArtifactClient,
    ArtifactCorruptError,
    ArtifactSettings,
    ArtifactTransferError,
    AsyncArtifactClient,
    ConfigurationError,
    DbCredentials,
    EcephysProjectLimsApi,
)
from tests.artifacts.conftest import (
    NWB,
    ROUTE,
    Answer,
    ScriptedServer,
    Start,
    answer,
    by_path,
    ranged,
)

from .files import Form, awaited, each_form, streamed

AWAY = "http://{}/x"


def redirection(location: str, **fields: str) -> Answer:
    return answer(302, b"elsewhere", keep=True, Location=location, **fields)


@pytest.fixture
def elsewhere(start: Start) -> ScriptedServer:
    """Start another server, on this machine as well."""
    made = start()
    made.script = [ranged()]
    return made


# Credentials.


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "netrc"
    machines = ("127.0.0.1", "localhost")
    path.write_text("".join(f"machine {one} login me password s3cret\n" for one in machines))
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copy(path, path.with_name(".netrc"))


@each_form
@pytest.mark.usefixtures("netrc")
def test_netrc_does_not_speak_for_us(server: ScriptedServer, tmp_path: Path, form: Form) -> None:
    server.script = [ranged()]
    assert form(server.settings, ROUTE, tmp_path) == NWB
    with ArtifactClient(server.settings) as client:
        assert client.reachable([ROUTE]) == [True]
    assert all("Authorization" not in asked.headers for asked in server.seen)


@each_form
@pytest.mark.in_turn("form", "place")
@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("place", [AWAY, "http://me:s3cret@{}/x"])
def test_nobody_speaks_for_us_where_we_are_sent_to(
    server: ScriptedServer, elsewhere: ScriptedServer, tmp_path: Path, form: Form, place: str
) -> None:
    server.script = [redirection(place.format(elsewhere.host))]
    settings = replace(server.settings, auth=("me", "s3cret"), headers={"X-Token": "s3cret"})
    allowing = replace(settings, allowed_redirect_hosts=[elsewhere.host])
    assert form(allowing, ROUTE, tmp_path) == NWB
    assert elsewhere.seen
    for asked in elsewhere.seen:
        assert {"Authorization", "X-Token", "Cookie"}.isdisjoint(asked.headers)


@pytest.mark.usefixtures("netrc")
def test_who_asks_for_netrc_has_it(server: ScriptedServer) -> None:
    def ours() -> tuple[str, str]:
        login, _, password = read_netrc().authenticators("127.0.0.1") or ("", "", "")
        return login, password or ""

    server.script = [ranged()]
    assert streamed(replace(server.settings, auth=ours), ROUTE, Path()) == NWB
    assert server.seen[0].headers["Authorization"].startswith("Basic ")


# Cookies.


def test_no_cookie_outlives_its_request(server: ScriptedServer) -> None:
    server.script = [ranged(Set_Cookie="session=s3cret; Path=/")]
    with ArtifactClient(server.settings) as client:
        for _ in range(3):
            assert b"".join(client.stream(ROUTE)) == NWB
            assert client.reachable([ROUTE]) == [True]
    assert all("Cookie" not in asked.headers for asked in server.seen)


@each_form
def test_a_cookie_goes_back_along_one_way_only_and_to_nobody_else(
    server: ScriptedServer, elsewhere: ScriptedServer, tmp_path: Path, form: Form
) -> None:
    there = AWAY.format(elsewhere.host)
    server.script = [
        by_path({
            ROUTE: redirection("/login", Set_Cookie="session=s3cret; Path=/; Domain=127.0.0.1"),
            "login": redirection("/again", Set_Cookie="more=s3cret; Path=/"),
            "again": redirection(there),
        })
    ]  # fmt: skip
    allowing = replace(server.settings, allowed_redirect_hosts=[elsewhere.host])
    assert form(allowing, ROUTE, tmp_path) == NWB
    by = {asked.path: asked.headers.get("Cookie") for asked in server.seen}
    assert by[f"/{ROUTE}"] is None
    assert "session=s3cret" in (by["/login"] or "")
    assert "more=s3cret" in (by["/again"] or "")
    assert all("Cookie" not in asked.headers for asked in elsewhere.seen)


# Redirections.


@each_form
@pytest.mark.in_turn("form", "place")
@pytest.mark.parametrize(
    "place",
    [
        "http://{}/x", "http://{}\\@127.0.0.1/x", "http://127.0.0.1@{}/x", "//{}/x", "HTTP://{}/x",
        "\thttp://{}/x", "http://me:pw@{}/x",
    ],
)  # fmt: skip
def test_the_web_application_sends_us_nowhere_else(
    server: ScriptedServer, elsewhere: ScriptedServer, tmp_path: Path, form: Form, place: str
) -> None:
    name = elsewhere.host.replace("127.0.0.1", "localhost")
    server.script = [redirection(place.format(name))]
    with pytest.raises(ArtifactTransferError, match="allowed_redirect_hosts") as caught:
        form(server.settings, ROUTE, tmp_path)
    assert name in str(caught.value)
    with ArtifactClient(server.settings) as client:
        assert client.reachable([ROUTE]) == [False]
    assert elsewhere.seen == []


@pytest.mark.parametrize("form", [streamed, awaited])
def test_another_port_of_the_same_host_is_another_place(
    server: ScriptedServer, elsewhere: ScriptedServer, tmp_path: Path, form: Form
) -> None:
    server.script = [redirection(AWAY.format(elsewhere.host))]
    with pytest.raises(ArtifactTransferError, match=f"'{elsewhere.host}'.*allowed_redirect_hosts"):
        form(server.settings, ROUTE, tmp_path)
    assert elsewhere.seen == []


def test_what_a_host_that_is_allowed_sends_to_is_looked_at_too(
    server: ScriptedServer, elsewhere: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    third = start()
    server.script = [redirection(AWAY.format(elsewhere.host))]
    elsewhere.script = [redirection(AWAY.format(third.host))]
    allowing = replace(server.settings, allowed_redirect_hosts=[elsewhere.host])
    with pytest.raises(ArtifactTransferError, match=third.host):
        streamed(allowing, ROUTE, tmp_path)
    assert third.seen == []


@pytest.mark.parametrize("named", [["127.0.0.1"], "localhost, 127.0.0.1", {"{}"}, ("{}",), "{}"])
def test_hosts_that_are_named_are_gone_to(
    server: ScriptedServer, elsewhere: ScriptedServer, named: Any
) -> None:
    hosts = (
        named.format(elsewhere.host)
        if isinstance(named, str)
        else type(named)(one.format(elsewhere.host) for one in named)
    )
    server.script = [redirection(AWAY.format(elsewhere.host))]
    settings = ArtifactSettings.of({"host": server.host, "allowed_redirect_hosts": hosts})
    assert streamed(replace(settings, progress=False), ROUTE, Path()) == NWB


def test_the_facade_takes_them_too(server: ScriptedServer) -> None:
    app = {"host": server.host, "allowed_redirect_hosts": "files.example.org"}
    lims = {"dbname": "lims", "user": "me", "host": "nowhere", "password": "pw", "port": 5432}
    with EcephysProjectLimsApi.default(DbCredentials(**lims), app_kwargs=app) as api:
        assert api.app_engine.settings.allowed_redirect_hosts == ("files.example.org",)


@pytest.mark.parametrize(
    "value",
    [
        5, None, True, b"lims2", {"lims2": 1}, [5], [None], [""], ["a b"], ["http://lims2"],
        ["lims2/x"], ["me:s3cret@lims2"], ["lims2:0"], ["lims2:port"], ["*"], ["a\nb"],
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_host_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="allowed_redirect_hosts") as caught:
        ArtifactSettings(allowed_redirect_hosts=value)
    assert "s3cret" not in str(caught.value)


# Bombs.

SIZE = 48 * 2**20
BOMB = gzip.compress(bytes(SIZE), compresslevel=1)
MOST = 8 * 2**20


@contextmanager
def bounded() -> Iterator[None]:
    """Raise if the block takes much memory."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST


@pytest.mark.parametrize("chunksize", [4096, 2**20])
def test_a_bomb_is_inflated_in_pieces(server: ScriptedServer, chunksize: int) -> None:
    server.script = [answer(body=BOMB, Content_Encoding="gzip")]
    settings = replace(server.settings, chunksize=chunksize, read_timeout=10)
    with ArtifactClient(settings) as client, bounded():
        assert sum(map(len, client.stream(ROUTE))) == SIZE


def test_a_bomb_is_inflated_in_pieces_meanwhile(server: ScriptedServer) -> None:
    async def main() -> int:
        async with AsyncArtifactClient(settings) as client:
            return sum([len(piece) async for piece in client.stream(ROUTE)])

    server.script = [answer(body=BOMB, Content_Encoding="gzip")]
    settings = replace(server.settings, chunksize=2**20, read_timeout=10)
    with bounded():
        assert asyncio.run(main()) == SIZE


def test_a_bomb_in_a_file_ends_where_the_file_should(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [answer(body=BOMB, Content_Encoding="gzip")]
    wanted = Artifact(ROUTE, id=7, filename="a.dat", size=10**6)
    with (
        ArtifactClient(server.settings) as client,
        bounded(),
        pytest.raises(ArtifactCorruptError, match="number of bytes"),
    ):
        client.download(wanted, tmp_path / "a.dat")


@pytest.mark.parametrize("status", [302, 404, 503])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_the_page_of_an_answer_that_is_no_file_is_not_read(
    server: ScriptedServer, tmp_path: Path, status: int, encoding: str
) -> None:
    page = BOMB if encoding == "gzip" else bytes(SIZE)
    server.script = [
        answer(status, page, Content_Encoding=encoding, Location="/there"),
        ranged(),
    ]
    with ArtifactClient(server.settings) as client, bounded():
        if status == 404:
            assert client.reachable([ROUTE]) == [False]
        else:
            assert client.download(ROUTE, tmp_path / "a.nwb").size == len(NWB)
