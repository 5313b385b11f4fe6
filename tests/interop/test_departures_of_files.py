"""Where we depart from AllenSDK on purpose, beyond the tables: failed transfers, and passwords."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ecephys_dal import (
    ArtifactClient,
    ArtifactCorruptError,
    ArtifactNotFoundError,
    ArtifactSettings,
    ArtifactTransferError,
    DatabaseUnavailableError,
    EcephysProjectLimsApi,
    NotExactlyOneError,
)

from . import oracle
from .sides import Sides

pytestmark = pytest.mark.usefixtures("shown")

ROUTE = "well_known_files/download/7?wkf_id=7"
PAGE = b"<html><body>Please log in.</body></html>"
PASSWORD = "a-very-secret-word"


@contextmanager
def _answering(status: int, body: bytes, missing: int = 0) -> Iterator[str]:
    """Serve one answer to every request, and keep the last bytes of it back; give the host."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) - missing])

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


# --- 7: failed transfers ---


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, ArtifactNotFoundError), (403, ArtifactNotFoundError), (500, ArtifactTransferError)],
)
def test_7_an_answer_that_is_no_file_raises(
    status: int, error: type[Exception], tmp_path: Path
) -> None:
    with _answering(status, PAGE) as host:
        theirs = oracle.HttpEngine("http", host)
        theirs.write_bytes(str(tmp_path / "theirs.nwb"), theirs.stream(ROUTE))
        with ArtifactClient(ArtifactSettings(host=host, attempts=1)) as ours:
            with pytest.raises(error):
                ours.write_bytes(tmp_path / "ours.nwb", ours.stream(ROUTE))
            with pytest.raises(error):
                b"".join(ours.stream(ROUTE))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"theirs.nwb": PAGE}


def test_7_a_page_in_the_place_of_a_file_raises(sides: Sides, tmp_path: Path) -> None:
    session_id = sides.lims.session_ids[0]
    with _answering(200, PAGE) as host, Sides(sides.url, sides.lims, host) as odd:
        assert b"".join(odd.theirs.get_session_data(session_id)) == PAGE
        with pytest.raises(ArtifactCorruptError):
            b"".join(odd.ours.get_session_data(session_id))


def test_7_a_truncated_file_does_not_get_its_name(tmp_path: Path) -> None:
    file = b"\x93NUMPY" + bytes(10_000)
    with _answering(200, file, missing=100) as host:
        theirs = oracle.HttpEngine("http", host)
        with pytest.raises(OSError, match="IncompleteRead"):
            theirs.write_bytes(str(tmp_path / "theirs.npy"), theirs.stream(ROUTE))
        ours = ArtifactClient(ArtifactSettings(host=host, attempts=1))
        with ours, pytest.raises(ArtifactTransferError):
            ours.write_bytes(tmp_path / "ours.npy", ours.stream(ROUTE))
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.npy"]


def test_7_a_template_without_a_file_is_not_asked_for(sides: Sides) -> None:
    page = b"".join(sides.theirs.get_natural_movie_template(98))
    assert sides.requests[-1] == "/well_known_files/download/None?wkf_id=None"
    assert page.startswith(b"<html>")
    asked = len(sides.requests)
    with pytest.raises(NotExactlyOneError, match="natural_movie_98"):
        sides.ours.get_natural_movie_template(98)
    assert len(sides.requests) == asked


# --- 8: passwords ---


def _credentials() -> oracle.DbCredentials:
    # Nothing listens on port 1.
    return oracle.DbCredentials("lims2", "reader", "127.0.0.1", 1, PASSWORD)


def test_8_the_password_is_in_no_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = oracle.EcephysProjectLimsApi.default(_credentials())
    assert PASSWORD.encode() in pickle.dumps(theirs)
    with EcephysProjectLimsApi.default(_credentials()) as ours:
        pickled = pickle.dumps(ours)
    assert PASSWORD.encode() not in pickled
    monkeypatch.setenv("LIMS_PASSWORD", PASSWORD)
    assert pickle.loads(pickled).postgres_engine.url.password == PASSWORD


def test_8_the_password_is_in_no_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert PASSWORD in repr(_credentials())
    with EcephysProjectLimsApi.default(_credentials()) as ours:
        with pytest.raises(DatabaseUnavailableError) as raised:
            ours.get_sessions()
        texts = [repr(ours), repr(ours.postgres_engine), str(raised.value), caplog.text]
        texts += [repr(error) for error in _chain(raised.value)]
    assert not [text for text in texts if PASSWORD in text]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
