import http.client
import threading

import pytest
import requests

from ecephys_dal.testing.server import ArtifactServer

BYTES = bytes(range(256)) * 500
ROUTE = "/well_known_files/download/7?wkf_id=7"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "a file.nwb").write_bytes(BYTES)
    return tmp_path


def test_it_serves_the_bytes_of_the_file_with_this_id(folder):
    with ArtifactServer(folder) as server:
        answer = requests.get(server.url + ROUTE, timeout=5)
    assert answer.raw.version == 11
    assert answer.headers["Content-Length"] == str(len(BYTES))
    assert answer.content == BYTES


def test_head_gives_the_length_and_no_body(folder):
    with ArtifactServer(folder) as server:
        answer = requests.head(server.url + ROUTE, timeout=5)
    assert answer.headers["Content-Length"] == str(len(BYTES))
    assert answer.content == b""


@pytest.mark.parametrize(
    "route",
    [
        "/well_known_files/download/8?wkf_id=8",
        "/well_known_files/download/7",
        "/well_known_files/download/7?wkf_id=8",
        "/well_known_files/download/../7?wkf_id=7",
        "/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_anything_else_is_an_html_page_that_says_not_found(folder, route, method):
    with ArtifactServer(folder) as server:
        connection = http.client.HTTPConnection(server.host)
        connection.request(method, route)
        answer = connection.getresponse()
        page = answer.read()
        # Whatever was sent too much would be taken for the next answer.
        connection.request("GET", ROUTE)
        assert connection.getresponse().read() == BYTES
        connection.close()
    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert page.startswith(b"<html>") if method == "GET" else page == b""


def test_one_connection_serves_several_requests_and_all_are_recorded(folder):
    with ArtifactServer(folder) as server:
        connection = http.client.HTTPConnection(server.host)
        for route in (ROUTE, "/", ROUTE):
            connection.request("GET", route)
            connection.getresponse().read()
        connection.close()
    assert server.requests == [ROUTE, "/", ROUTE]


def test_it_ends_with_the_block_even_if_a_client_stays_connected(folder):
    before = threading.active_count()
    with ArtifactServer(folder) as server:
        connection = http.client.HTTPConnection(server.host)
        connection.request("GET", ROUTE)
        connection.getresponse().read()
    assert threading.active_count() == before
    connection.close()
    with pytest.raises(requests.ConnectionError, match="refused"):
        requests.get(server.url + ROUTE, timeout=5)


def test_it_is_quiet_even_if_a_client_goes_away(folder, capfd):
    (folder / "9").mkdir()
    (folder / "9" / "large.nwb").write_bytes(bytes(20_000_000))
    with ArtifactServer(folder) as server:
        connection = http.client.HTTPConnection(server.host)
        connection.request("GET", "/well_known_files/download/9?wkf_id=9")
        connection.getresponse().read(1)
        connection.close()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("asked", "status", "first", "stop"),
    [
        ({}, 200, 0, len(BYTES)),
        ({"Range": "bytes=1000-"}, 206, 1000, len(BYTES)),
        ({"Range": "bytes=1000-1009"}, 206, 1000, 1010),
        ({"Range": "bytes=0-999999999"}, 206, 0, len(BYTES)),
        ({"Range": "bytes=1000-", "If-Range": '"another"'}, 200, 0, len(BYTES)),
        ({"Range": f"bytes={len(BYTES)}-"}, 416, 0, 0),
        ({"Range": "lines=1-2"}, 200, 0, len(BYTES)),
    ],
)
def test_ranges_are_given_of_one_version(folder, asked, status, first, stop):
    with ArtifactServer(folder) as server, requests.Session() as session:
        etag = session.head(server.url + ROUTE, timeout=5).headers["ETag"]
        answer = session.get(server.url + ROUTE, headers=asked, timeout=5)
        (folder / "7" / "a file.nwb").write_bytes(b"changed")
        assert session.head(server.url + ROUTE, timeout=5).headers["ETag"] != etag
    assert answer.status_code == status
    assert answer.content == BYTES[first:stop]
    assert answer.headers["ETag"] == etag
    if status != 200:
        shown = f"{first}-{stop - 1}" if stop else "*"
        assert answer.headers["Content-Range"] == f"bytes {shown}/{len(BYTES)}"
