"""How files are reached: a web application that does well, others that do not, and mounts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Event, Thread

import h5py
import pytest

from ecephys_dal import ArtifactClient, ArtifactSettings, AsyncArtifactClient, Database
from ecephys_dal.artifacts.local import check_content
from ecephys_dal.doctor import web
from ecephys_dal.doctor.uses import FILE_METHODS
from ecephys_dal.errors import InvalidFilterError
from ecephys_dal.migrations import upgrade
from ecephys_dal.testing import ArtifactServer, WellKnownFileFactory, using

from .conftest import examined


def hdf5() -> bytes:
    """Return the smallest file of its format."""
    memory = BytesIO()
    h5py.File(memory, "w").close()
    return memory.getvalue()


CONTENT = hdf5()
WEB = (
    "web_unreachable", "file_not_served", "file_size_differs", "ranges_missing", "etag_missing",
    "digest_missing",
)  # fmt: skip


@dataclass
class Lims:
    """A LIMS with one NWB file, whose bytes are in a folder as `ArtifactServer` wants them."""

    url: str
    file_id: int
    folder: str
    stored: str


@pytest.fixture(scope="module")
def lims(fresh_url, tmp_path_factory) -> Lims:
    url, folder = fresh_url("sqlite"), tmp_path_factory.mktemp("files")
    stored = tmp_path_factory.mktemp("allen")
    with Database(url, owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        with database.session() as db, using(db):
            file = WellKnownFileFactory(
                size=len(CONTENT), filename="a.nwb", storage_directory="/allen/of/a/"
            )
            older = WellKnownFileFactory(id=5)
            assert older.id < file.id
            file_id = file.id
    for path in (folder / str(file_id) / "a.nwb", stored / "of" / "a" / "a.nwb"):
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENT)
    return Lims(url, file_id, str(folder), str(stored))


@dataclass
class Behaviour:
    """What a server does."""

    status: int = 200
    etag: str | None = '"1"'
    digest: bool = True
    ranges: bool = True
    length: bool = True
    head: bool = True
    body: bytes = CONTENT


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, body):
            part = behaviour.ranges and "Range" in self.headers and behaviour.status == 200
            sent = body[:1] if part else body
            self.send_response(206 if part else behaviour.status)
            if part:
                self.send_header("Content-Range", f"bytes 0-0/{len(body)}")
            if behaviour.etag:
                self.send_header("ETag", behaviour.etag)
            if behaviour.digest:
                self.send_header("Repr-Digest", "sha-256=:" + "A" * 43 + "=:")
            if behaviour.length:
                self.send_header("Content-Length", str(len(sent)))
            self.send_header("Connection", "close")
            self.end_headers()
            return sent

        def do_HEAD(self):
            if behaviour.head:
                self.answer(behaviour.body)
            else:
                self.send_error(405)

        def do_GET(self):
            self.wfile.write(self.answer(behaviour.body))

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def settings(host: str, **more) -> ArtifactSettings:
    return ArtifactSettings(host=host, **{"mounts": None, **more})


def told(examination) -> dict[str, str]:
    """Return the severity of each code that is about files."""
    codes = (*WEB, "file_unknown", "file_size_unknown", "file_not_mounted", "mounted_file_differs",
             "mount_stalled")  # fmt: skip
    return {one.code: one.severity for one in examination.findings if one.code in codes}


WELL = {**dict.fromkeys(WEB, "ok"), "file_unknown": "ok"}


def test_the_artifact_server_does_all_but_digests(lims):
    with ArtifactServer(lims.folder) as server:
        examination = examined(lims.url, app=settings(server.host))
        route = f"/well_known_files/download/{lims.file_id}?wkf_id={lims.file_id}"
        assert set(server.requests) == {route}
    assert told(examination) == {**WELL, "digest_missing": "info"}
    finding = next(one for one in examination.findings if one.code == "digest_missing")
    assert finding.methods == FILE_METHODS
    reached = next(one for one in examination.findings if one.code == "web_unreachable")
    assert reached.facts["status"] == 200
    assert reached.subject.endswith(route)


DEFECTS = {
    "nothing": (Behaviour(), {}),
    "knows no HEAD": (Behaviour(head=False), {}),
    "no ranges": (Behaviour(ranges=False), {"ranges_missing": "warning"}),
    "no ETag": (Behaviour(etag=None), {"etag_missing": "warning"}),
    "a weak ETag": (Behaviour(etag='W/"1"'), {"etag_missing": "warning"}),
    "no digest": (Behaviour(digest=False), {"digest_missing": "info"}),
    "another size": (Behaviour(body=CONTENT[:-1]), {"file_size_differs": "error"}),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_of_a_server_gives_its_finding_and_no_other(name, lims):
    behaviour, expected = DEFECTS[name]
    with serving(behaviour) as host:
        assert told(examined(lims.url, app=settings(host))) == {**WELL, **expected}


def test_a_size_that_the_server_does_not_tell_is_only_information(lims):
    with serving(Behaviour(length=False)) as host:
        found = told(examined(lims.url, app=settings(host)))
    expected = {code: severity for code, severity in WELL.items() if code != "file_size_differs"}
    assert found == {**expected, "file_size_unknown": "info"}


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_a_refusal_is_an_error_and_says_no_more(status, lims):
    with serving(Behaviour(status=status)) as host:
        examination = examined(lims.url, app=settings(host))
    assert told(examination) == {
        "file_unknown": "ok", "web_unreachable": "ok", "file_not_served": "error",
    }  # fmt: skip
    finding = next(one for one in examination.findings if one.code == "file_not_served")
    assert str(status) in finding.message


def test_a_port_where_nobody_listens_is_one_error(lims):
    examination = examined(lims.url, app=settings("127.0.0.1:9", headers={"X": "s3cret"}))
    assert told(examination) == {"file_unknown": "ok", "web_unreachable": "error"}
    assert "refused" in next(
        one.message for one in examination.findings if one.code == "web_unreachable"
    )
    assert "s3cret" not in examination.to_json()


def test_a_server_that_is_silent_is_one_error_in_time(lims):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        examination = examined(lims.url, app=settings(host), time_limit=0.3)
    assert told(examination) == {"file_unknown": "ok", "web_unreachable": "error"}
    assert examination.seconds < 10


def test_a_file_may_be_named(lims):
    with ArtifactServer(lims.folder) as server:
        assert told(examined(lims.url, app=settings(server.host), file_id=5)) == {
            "file_unknown": "ok", "web_unreachable": "ok", "file_not_served": "error",
        }  # fmt: skip


def test_a_file_that_lims_has_no_record_of_is_not_asked_for(lims):
    with ArtifactServer(lims.folder) as server:
        unknown = examined(lims.url, app=settings(server.host), file_id=6)
        assert not any("/6" in request for request in server.requests)
    assert told(unknown) == {"file_unknown": "info", "web_unreachable": "ok"}
    assert unknown.ok


@pytest.mark.parametrize("file_id", [True, "x", 1.5, 2**63, float("nan")])
def test_what_can_be_no_id_of_a_file_is_refused(file_id, lims):
    with pytest.raises(InvalidFilterError, match="file_id"):
        examined(lims.url, app=settings("127.0.0.1:9"), file_id=file_id)
    with pytest.raises(InvalidFilterError, match="file_id"):
        examined(lims.url, file_id=file_id)


def test_without_any_file_it_is_seen_whether_somebody_answers(copied):
    url = copied("sqlite", ["DELETE FROM well_known_files"])
    with serving(Behaviour(status=404)) as host:
        assert told(examined(url, app=settings(host))) == {
            "file_unknown": "info", "web_unreachable": "ok",
        }  # fmt: skip


def test_a_record_that_can_not_be_read_is_told_and_somebody_still_answers(copied):
    url = copied("sqlite", ["ALTER TABLE well_known_files DROP COLUMN size"])
    with serving(Behaviour(status=404)) as host:
        examination = examined(url, app=settings(host))
    assert told(examination) == {"web_unreachable": "ok"}
    skipped = {one.subject for one in examination.findings if one.code == "check_skipped"}
    assert skipped == {"well_known_files"}


def test_the_web_application_is_reached_also_without_the_database(lims):
    with ArtifactServer(lims.folder) as server:
        examination = examined(
            "sqlite:////nowhere/lims.db", app=settings(server.host), file_id=lims.file_id
        )
    assert told(examination)["file_not_served"] == "ok"
    assert told(examination)["file_size_unknown"] == "info"


def test_a_client_is_taken_too_and_left_open(lims):
    with ArtifactServer(lims.folder) as server:
        asynchronous = AsyncArtifactClient(settings(server.host))
        assert told(examined(lims.url, app=asynchronous))["file_not_served"] == "ok"
        with ArtifactClient(settings(server.host)) as client:
            assert told(examined(lims.url, app=client))["file_not_served"] == "ok"
            assert client.reachable([f"well_known_files/download/{lims.file_id}"]) == [False]


def mounted(lims, time_limit=2, **more):
    return examined(lims.url, app=settings("127.0.0.1:9", **more), time_limit=time_limit)


def test_a_mounted_file_is_compared_with_its_record(lims):
    examination = mounted(lims, mounts={"/allen": lims.stored})
    assert told(examination)["mounted_file_differs"] == "ok"
    assert "file_not_mounted" not in told(examination)


def test_a_file_that_is_not_mounted_is_only_information(lims):
    assert told(mounted(lims, mounts={}))["file_not_mounted"] == "info"
    assert "file_not_mounted" not in told(mounted(lims, mounts=None))


@pytest.mark.parametrize("content", [CONTENT[:-1], bytes(len(CONTENT))])
def test_a_mounted_file_that_is_another_one_is_warned_of(content, lims, tmp_path):
    path = tmp_path / "of" / "a" / "a.nwb"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    examination = mounted(lims, mounts={"/allen": str(tmp_path)})
    assert told(examination)["mounted_file_differs"] == "warning"


def test_a_file_system_that_does_not_answer_is_not_waited_for(lims, monkeypatch):
    answered = Event()

    def wait(path, artifact):
        answered.wait(20)
        return check_content(path, artifact)

    monkeypatch.setattr(web, "check_content", wait)
    examination = mounted(lims, mounts={"/allen": lims.stored}, time_limit=0.2)
    answered.set()
    assert told(examination)["mount_stalled"] == "warning"
    assert examination.seconds < 10
