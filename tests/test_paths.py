"""Paths of callers: ~ is the home folder, and a folder that is changed to later changes nothing."""

from __future__ import annotations

import asyncio
import os
import pickle
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url

import ecephys_dal
from ecephys_dal import (
    Artifact,
    ArtifactClient,
    ArtifactSettings,
    AsyncArtifactClient,
    BeyondSnapshotError,
    ConfigurationError,
    Database,
    DatabaseSettings,
    EcephysProjectLimsApi,
    SessionFilter,
    SessionRepository,
    doctor,
    snapshot,
)
from ecephys_dal.paths import absolute_path, sync_folder
from ecephys_dal.snapshot import SnapshotDatabase, SnapshotFiles, database_of
from ecephys_dal.testing import ArtifactServer, create_synthetic_lims
from tests.cli.conftest import SHAPE, asked  # noqa: F401 - a fixture

STRANGER = "~no_such_user_here/x"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a LIMS, its files and a snapshot of it."""
    folder = tmp_path_factory.mktemp("made")
    create_synthetic_lims(f"sqlite:///{folder}/lims.db", artifacts=folder / "files", **SHAPE)
    snapshot.create(Database(f"sqlite:///{folder}/lims.db"), folder / "part.db")
    return folder


@pytest.fixture
def home(made, tmp_path, monkeypatch) -> Path:
    """A home folder that holds all of that, and another current folder."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    for one in made.iterdir():
        (home / one.name).symlink_to(one)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    return home


@pytest.fixture
def client(made) -> Iterator[ArtifactClient]:
    with (
        ArtifactServer(made / "files") as server,
        ArtifactClient(ArtifactSettings(host=server.host, attempts=1)) as client,
    ):
        yield client


def one_file(made: Path) -> Artifact:
    with EcephysProjectLimsApi(f"sqlite:///{made}/lims.db", ArtifactClient()) as api:
        sessions = api.get_sessions()
        session_id = int(sessions.index[sessions["has_nwb"]][0])
        return api.locate(session_id=session_id, type="EcephysNwb")[0]


def asynchronously(client: ArtifactClient, method: str, *arguments: Any) -> Any:
    async def main() -> Any:
        async with AsyncArtifactClient(client.settings) as other:
            return await getattr(other, method)(*arguments)

    return asyncio.run(main())


# What each writes to ``~/new``.
WRITTEN: dict[str, Callable[[str, Artifact, ArtifactClient], Any]] = {
    "download": lambda to, file, client: client.download(file, to),
    "download_many": lambda to, file, client: client.download_many([file], to),
    "a mapping": lambda to, file, client: client.download_many({file: to}),
    "a mapping in a folder": lambda to, file, client: client.download_many({file: to}, "files"),
    "write_bytes": lambda to, _, client: client.write_bytes(to, [b"x"]),
    "a saved stream": lambda to, file, client: client.write_bytes(to, client.stream(file)),
    "download, awaited": lambda to, file, client: asynchronously(client, "download", file, to),
    "many, awaited": lambda to, file, client: asynchronously(client, "download_many", [file], to),
    "a snapshot": lambda to, *_: snapshot.create("~/part.db", to),
    "an export": lambda to, *_: snapshot.export("~/part.db", to, format="csv"),
    "a fetch": lambda to, _, client: snapshot.fetch("~/part.db", client, folder=to),
    "a synthetic LIMS": lambda to, *_: create_synthetic_lims(f"sqlite:///{to}", **SHAPE),
    "its files": lambda to, *_: create_synthetic_lims("sqlite://", artifacts=to, **SHAPE),
}


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.sample(1)
def test_what_is_written_below_the_home_folder_gets_there(name, made, home, client, tmp_path):
    WRITTEN[name]("~/new", one_file(made), client)
    assert (home / "new").exists()
    assert list((tmp_path / "here").iterdir()) == []
    with pytest.raises(ConfigurationError, match="no_such_user_here"):
        WRITTEN[name](STRANGER, one_file(made), client)
    assert list((tmp_path / "here").iterdir()) == []


# What each reads below ``~``, as a number that is not 0.
READ: dict[str, Callable[[str], Any]] = {
    "a URL": lambda at: SessionRepository(Database(f"sqlite:///{at}/lims.db")).count(),
    "a URI": lambda at: SessionRepository(
        Database(f"sqlite:///file:{at}/lims.db?uri=true")
    ).count(),
    "a snapshot": lambda at: SessionRepository(SnapshotDatabase(f"{at}/part.db")).count(),
    "a snapshot by URL": lambda at: SessionRepository(
        database_of(f"sqlite:///{at}/part.db")
    ).count(),
    "the facade": lambda at: len(
        EcephysProjectLimsApi.from_snapshot(f"{at}/part.db", artifacts=f"{at}/files").get_probes()
    ),
    "what it is": lambda at: snapshot.info(f"{at}/part.db").size,
    "its check": lambda at: snapshot.verify(f"{at}/part.db").ok,
    "two of them": lambda at: not snapshot.diff(f"{at}/part.db", f"{at}/part.db"),
    "its folder": lambda at: snapshot.folder_of(f"{at}/part.db").is_absolute(),
    "its files": lambda at: SnapshotFiles(f"{at}/files").folder.is_dir(),
    "the doctor": lambda at: doctor.examine(f"sqlite:///{at}/lims.db").ok,
    "a server": lambda at: len(list(_stopped(ArtifactServer(f"{at}/files")).folder.iterdir())),
    "a certificate": lambda at: Path(ArtifactSettings(verify=f"{at}/lims.db").verify).is_file(),
    "its name": lambda at: Path(
        DatabaseSettings(sslrootcert=f"{at}/lims.db").sslrootcert
    ).is_file(),
    "it in a URL": lambda at: Path(
        Database(f"postgresql://h/d?sslrootcert={at}/lims.db").url.query["sslrootcert"]
    ).is_file(),
    "a mount": lambda at: (
        ArtifactSettings(mounts=f"/allen={at}").mounts.path("/allen", "part.db").is_file()
        or at == ""
    ),
    "verify": lambda at: ecephys_dal.verify(f"{at}/lims.db").size,
    "an open file": lambda at: len(_opened(f"{at}/files")),
}


def _stopped(server: ArtifactServer) -> Any:
    server.stop()
    return server._server


def _opened(folder: str) -> bytes:
    with SnapshotFiles(folder) as files:
        return str(files.folder).encode()


@pytest.mark.parametrize("name", READ)
def test_what_is_below_the_home_folder_is_read(name, home):
    assert READ[name]("~")
    with pytest.raises(ConfigurationError, match="no_such_user_here"):
        READ[name](STRANGER)


def test_a_user_that_there_is_has_a_home(monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    import pwd

    user = pwd.getpwuid(0)
    assert absolute_path(f"~{user.pw_name}/x") == Path(user.pw_dir, "x")


def test_options_know_the_home_folder(made, home, client, asked, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("ECEPHYS_DAL_DATABASE", "~/lims.db")

    (home / "ids.txt").write_text("1\n")
    app = ("--app", client.settings.url)
    assert asked("sessions", "--count")[0] == 0
    assert asked("sessions", "--output=~/sessions.csv")[0] == 0
    assert asked("sessions", "--session-ids", "@~/ids.txt")[0] == 1
    assert asked("export", "~/tables", "--format", "csv")[0] == 0
    assert asked("snapshot", "create", "~/new.db")[0] == 0
    assert asked("snapshot", "verify", "~/new.db")[0] == 0
    assert asked("download", "movie", "1", "--output-dir=~/movies", *app)[0] == 0
    assert asked("sessions", "--count", "--database", "sqlite:///~/part.db")[0] == 0
    assert asked("sessions", "--database", "~/part.db", "--output", "-", "--format", "csv")[1]
    there = {one.name for one in home.iterdir()}
    assert {"sessions.csv", "tables", "new.db", "movies"} <= there
    assert list((tmp_path / "here").iterdir()) == []
    for wrong in (("sessions", "--output", STRANGER), ("sessions", "--database", STRANGER),
                  ("sessions", "--session-ids", f"@{STRANGER}")):  # fmt: skip
        code, shown, told = asked(*wrong)
        assert (code, shown) == (2, "")
        assert "no_such_user_here" in told
        assert told.count("\n") == 1


@pytest.mark.parametrize("url", ["sqlite:///lims.db", "sqlite:///file:lims.db?uri=true"])
def test_a_database_stays_where_it_was_when_it_was_named(url, made, tmp_path, monkeypatch):
    monkeypatch.chdir(made)
    database = Database(url)
    frame = SessionRepository(database).frame()
    kept = pickle.dumps([database, SessionRepository(database).partitions(n=2)])
    monkeypatch.chdir(tmp_path)
    sqlite3.connect("lims.db").close()  # another one of this name
    with database:
        assert SessionRepository(database).count() == len(frame) > 0
        assert str(made) in repr(database)
    copy, parts = pickle.loads(kept)
    with copy:
        assert sum(SessionRepository(copy).count(part) for part in parts) == len(frame)


def test_so_do_snapshots_servers_files_and_settings(made, client, tmp_path, monkeypatch):
    file = one_file(made)
    monkeypatch.chdir(made)
    opened = SnapshotDatabase("part.db")
    facade = EcephysProjectLimsApi.from_snapshot("part.db", artifacts="files")
    settings = ArtifactSettings(verify="lims.db")
    kept = pickle.dumps([opened, facade, settings, DatabaseSettings(sslrootcert="lims.db")])
    with ArtifactServer("files") as server:
        monkeypatch.chdir(tmp_path)
        with ArtifactClient(ArtifactSettings(host=server.host, attempts=1)) as other:
            assert b"".join(other.stream(file)) == b"".join(client.stream(file))
    copies = pickle.loads(kept)
    for one in (opened, copies[0], facade.postgres_engine, copies[1].postgres_engine):
        assert SessionRepository(one).count() > 0
        one.close()
    assert copies[1].app_engine.folder == made / "files"
    assert (copies[2].verify, copies[3].sslrootcert) == (f"{made}/lims.db",) * 2


def test_an_engine_is_its_makers(made, tmp_path, monkeypatch):
    monkeypatch.chdir(made)
    engine = create_engine("sqlite:///lims.db")
    database = Database(engine)
    monkeypatch.chdir(tmp_path)
    with pickle.loads(pickle.dumps(database)) as copy:
        assert SessionRepository(copy).count() == SessionRepository(database).count() > 0
    engine.dispose()
    (tmp_path / "~").mkdir()
    there = create_engine("sqlite:///~/lims.db")  # to SQLAlchemy a folder of that name
    assert Database(there).url.database == f"{tmp_path}/~/lims.db"
    there.dispose()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?uri=true",
        "sqlite:////nowhere/lims.db",
        "sqlite:///file:/nowhere/lims.db?uri=true",
        "sqlite:///file:///nowhere/lims.db?uri=true",
        "postgresql+psycopg2://h/d?sslrootcert=system",
        "postgresql+psycopg2://h/d?sslkey=pkcs11:token",
        "postgresql+psycopg2://h/~d",
    ],
)
def test_what_is_no_relative_path_stays(url):
    assert Database(url).url == make_url(url)
    assert DatabaseSettings(sslrootcert="system").sslrootcert == "system"


def test_targets_are_those_of_the_call_though_threads_write_them(
    made, client, tmp_path, monkeypatch
):
    file, (first, second) = one_file(made), (tmp_path / "first", tmp_path / "second")
    first.mkdir()
    second.mkdir()
    monkeypatch.chdir(first)

    def wanted() -> Iterator[Artifact]:  # asked for by a thread
        monkeypatch.chdir(second)
        yield file

    asynchronously(client, "download_many", wanted(), "new")
    monkeypatch.chdir(first)
    reports = client.download_many({file: "a.nwb"})
    monkeypatch.chdir(second)
    assert reports[0].path == first / "a.nwb"
    assert (first / "new").is_dir()
    assert list(second.iterdir()) == []


def test_a_home_that_is_unknown_is_named_with_its_setting():
    for name, kind in (("verify", ArtifactSettings), ("sslrootcert", DatabaseSettings)):
        with pytest.raises(ConfigurationError, match=f"^{name}='~no_such_user_here/x'"):
            kind(**{name: STRANGER})
    with pytest.raises(ConfigurationError, match=r"~no_such_user_here/x .* absolute path"):
        absolute_path(STRANGER)


@pytest.mark.skipif(os.name != "posix", reason="two slashes name a server there")
@pytest.mark.parametrize("form", ["sqlite:////{}", "sqlite+pysqlite:////{}", "/{}"])
def test_two_slashes_at_the_beginning_are_one(made, tmp_path, form):
    part = tmp_path / "part.db"
    source = Database(f"sqlite:///{made}/lims.db")
    snapshot.create(source, part, SessionFilter(session_ids=[600000021]))
    with database_of_any(form.format(part)) as database, pytest.raises(BeyondSnapshotError):
        SessionRepository(database).count(SessionFilter(session_ids=[5]))


def database_of_any(where: str) -> Database:
    return database_of(where) if "://" in where else SnapshotDatabase(Path(where))


def test_a_folder_that_can_not_be_synced_is_left_alone(tmp_path, monkeypatch):
    def refuse(_: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    sync_folder(tmp_path)
    sync_folder(tmp_path / "none")
