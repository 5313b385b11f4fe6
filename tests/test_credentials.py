"""A server that demands a password gets it from wherever it is kept, on both routes."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from ecephys_dal import (
    ConfigurationError,
    Database,
    DatabaseUnavailableError,
    DbCredentials,
    EcephysProjectLimsApi,
)
from tests.logins import PASSWORD, READER, Login

ROUTES = ("rows", "bulk") if find_spec("adbc_driver_postgresql") else ("rows",)
ASKED: list[str] = []  # what the functions below were asked for


def token() -> str:
    """What a service's own code would fetch from where its tokens are."""
    ASKED.append(os.environ["ROTATING_TOKEN"])
    return ASKED[-1]


@pytest.fixture(autouse=True)
def nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ASKED.clear()
    monkeypatch.setenv("ROTATING_TOKEN", PASSWORD)
    monkeypatch.setenv("PGPASSFILE", "/no/such/file")
    for name in ("PGPASSWORD", "PGSERVICE", "LIMS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


def who(database: Database, route: str) -> str:
    query = select(func.current_user().op("||")(""))
    if route == "rows":
        with database.connection() as connection:
            return str(connection.execute(query).scalar_one())
    assert database.bulk is not None
    with database.bulk.batches(query) as batches:
        (batch,) = batches
        return str(batch[0][0].as_py())


Named = Callable[[Login, pytest.MonkeyPatch, Path], Database]


def by_credentials(login: Login, *_: object) -> Database:
    return Database.from_credentials(login.credentials())


def by_url(login: Login, *_: object) -> Database:
    return Database(login.url.set(password=PASSWORD).render_as_string(hide_password=False))


def by_environment(login: Login, monkeypatch: pytest.MonkeyPatch, _: Path) -> Database:
    for name, value in environment(login).items():
        monkeypatch.setenv(name, value)
    return Database.from_credentials(DbCredentials.from_env())


def environment(login: Login) -> dict[str, str]:
    return {
        "LIMS_DBNAME": "postgres",
        "LIMS_USER": READER,
        "LIMS_HOST": login.folder,
        "LIMS_PASSWORD": PASSWORD,
    }


def by_passfile(login: Login, monkeypatch: pytest.MonkeyPatch, path: Path) -> Database:
    monkeypatch.setenv("PGPASSFILE", str(passfile(path / "passwords")))
    return Database(login.url)


def by_passfile_at_home(login: Login, monkeypatch: pytest.MonkeyPatch, path: Path) -> Database:
    monkeypatch.delenv("PGPASSFILE")
    monkeypatch.setenv("HOME", str(path))
    passfile(path / ".pgpass")
    return Database.from_credentials(login.credentials(password=""))


def passfile(path: Path) -> Path:
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    path.write_text(f"*:*:postgres:{READER}:{escaped}\n")
    path.chmod(0o600)
    return path


def by_service(login: Login, monkeypatch: pytest.MonkeyPatch, path: Path) -> Database:
    write_service(login, monkeypatch, path)
    return Database("postgresql://?service=lims")


def by_service_of_environment(
    login: Login, monkeypatch: pytest.MonkeyPatch, path: Path
) -> Database:
    write_service(login, monkeypatch, path)
    monkeypatch.setenv("PGSERVICE", "lims")
    return Database("postgresql://")


def write_service(login: Login, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    (path / "services").write_text(
        f"[lims]\nhost={login.folder}\ndbname=postgres\nuser={READER}\npassword={PASSWORD}\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(path / "services"))


def by_function(login: Login, *_: object) -> Database:
    return Database(login.url, password=token)


def by_function_in_credentials(login: Login, *_: object) -> Database:
    return Database.from_credentials(login.credentials(token))


def by_a_pickled_function(login: Login, *_: object) -> Database:
    credentials = pickle.loads(pickle.dumps(login.credentials(token)))
    return pickle.loads(pickle.dumps(Database.from_credentials(credentials)))  # type: ignore[no-any-return]


WAYS: tuple[Named, ...] = (
    by_credentials, by_url, by_environment, by_passfile, by_passfile_at_home, by_service,
    by_service_of_environment, by_function, by_function_in_credentials, by_a_pickled_function,
)  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.sample(5)
def test_the_server_gets_the_password(
    login: Login, way: Named, route: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with way(login, monkeypatch, tmp_path) as database:
        assert who(database, route) == READER
        assert PASSWORD not in repr(database)


def test_the_facade_logs_in_by_the_environment_and_by_a_function(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EcephysProjectLimsApi.default(lims_credentials=login.credentials(token)) as api:
        found = api.get_sessions()
    assert len(found) > 0
    for name, value in environment(login).items():
        monkeypatch.setenv(name, value)
    with EcephysProjectLimsApi.default() as api:
        assert api.get_sessions().equals(found)


@pytest.mark.parametrize("route", ROUTES)
def test_a_function_is_asked_at_each_new_connection(
    login: Login, route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database(login.url, password=token) as database:
        who(database, route)
        once = len(ASKED)
        who(database, route)
        assert len(ASKED) == once
        try:
            login.set_password("another")
            database.close()
            monkeypatch.setenv("ROTATING_TOKEN", "another")
            assert who(database, route) == READER
            assert set(ASKED[once:]) == {"another"}
        finally:
            login.set_password(PASSWORD)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("password", [None, "", "wrong:' \"%"])
def test_a_wrong_password_is_said_but_not_shown(
    login: Login, route: str, password: str | None
) -> None:
    given = [Database(login.url if password is None else login.url.set(password=password))]
    if password is not None:
        given.append(Database(login.url, password=partial(str, password)))
    for database in given:
        with database, pytest.raises(DatabaseUnavailableError) as caught:
            who(database, route)
        assert "password" in str(caught.value)
        assert not password or password not in repr((caught.value, caught.value.__cause__))


@pytest.mark.parametrize("route", ROUTES)
def test_what_a_function_raises_comes_out(login: Login, route: str) -> None:
    def fail() -> str:
        raise LookupError("the vault is sealed")

    with (
        Database(login.url, password=fail) as database,
        pytest.raises(LookupError, match="the vault is sealed"),
    ):
        who(database, route)


@pytest.mark.parametrize("route", ROUTES)
def test_a_function_that_returns_no_text_is_refused(login: Login, route: str) -> None:
    with (
        Database(login.url, password=PASSWORD.encode) as database,  # type: ignore[arg-type]
        pytest.raises(ConfigurationError, match="returned a bytes, not a str") as caught,
    ):
        who(database, route)
    assert "ss:w" not in str(caught.value)


class Token:
    def __init__(self) -> None:
        self.value = PASSWORD

    def __call__(self) -> str:
        return self.value


def test_a_function_is_pickled_by_its_name_only() -> None:
    for password in (lambda: PASSWORD, Token(), Token().__call__, partial(str, PASSWORD)):
        credentials = DbCredentials(dbname="d", user="u", host="h", password=password)
        for holder in (credentials, Database.from_credentials(credentials)):
            assert "ss:w" not in repr(holder)
            with pytest.raises(ConfigurationError, match="by its name only"):
                pickle.dumps(holder)
            if find_spec("cloudpickle"):  # by which Dask pickles what pickle can't
                import cloudpickle

                with pytest.raises(ConfigurationError, match="by its name only"):
                    cloudpickle.dumps(holder)


def test_a_function_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pickled = pickle.dumps(Database("postgresql://u@h/d", password=token))
    assert pickle.loads(pickled).password is token
    monkeypatch.delattr(f"{__name__}.token")
    with pytest.raises(ConfigurationError, match=f"function {__name__}:token .* is not here"):
        pickle.loads(pickled)


@pytest.mark.parametrize(
    ("where", "password"),
    [
        ("postgresql://u:s3cret@h/d", token),
        ("sqlite://", token),
        (create_engine("sqlite://"), token),
        ("postgresql://u@h/d", "s3cret"),
    ],
)
def test_a_password_that_could_not_be_used_is_refused(where: Any, password: Any) -> None:
    with pytest.raises(ConfigurationError, match="password is a function") as caught:
        Database(where, password=password)
    assert "s3cret" not in str(caught.value)


def test_credentials_that_hold_no_password_at_all_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="the password, a bytes, is neither text nor"):
        DbCredentials(dbname="d", user="u", host="h", password=b"s3cret")  # type: ignore[arg-type]


def test_threads_may_ask_at_once(login: Login) -> None:
    with Database(login.url, password=token) as database, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: who(database, "rows"), range(16))) == {READER}
