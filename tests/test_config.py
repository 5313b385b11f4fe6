"""Credentials: read when they are asked for, named when they are missing, never shown."""

from __future__ import annotations

import pickle
from collections import namedtuple

import pytest

from ecephys_dal import ConfigurationError, DbCredentials

LIMS = {
    "LIMS_DBNAME": "lims2",
    "LIMS_USER": "reader",
    "LIMS_HOST": "limsdb",
    "LIMS_PASSWORD": "p@ss:w/rd%' \"",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("LIMS_PORT", raising=False)
    for name, value in LIMS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_environment_is_read_at_call_time(environment: pytest.MonkeyPatch) -> None:
    credentials = DbCredentials.from_env()
    assert (credentials.dbname, credentials.user, credentials.host, credentials.port) == (
        "lims2", "reader", "limsdb", 5432,
    )  # fmt: skip
    assert credentials.password == LIMS["LIMS_PASSWORD"]
    environment.setenv("LIMS_PORT", "5433")
    assert DbCredentials.from_env().port == 5433


@pytest.mark.parametrize("name", LIMS)
def test_a_missing_variable_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(name)
    with pytest.raises(ConfigurationError, match=f"set {name} in the environment"):
        DbCredentials.from_env()


def test_all_missing_variables_are_named(environment: pytest.MonkeyPatch) -> None:
    for name in LIMS:
        environment.delenv(name)
    with pytest.raises(ConfigurationError) as caught:
        DbCredentials.from_env()
    assert all(name in str(caught.value) for name in LIMS)


def test_an_empty_password_is_one_but_an_empty_host_is_none(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("LIMS_PASSWORD", "")
    assert DbCredentials.from_env().password == ""
    environment.setenv("LIMS_HOST", "")
    with pytest.raises(ConfigurationError, match="LIMS_HOST"):
        DbCredentials.from_env()


def test_any_object_with_the_five_attributes_will_do() -> None:
    theirs = namedtuple("DbCredentials", ["dbname", "user", "host", "port", "password"])  # noqa: PYI024
    ours = DbCredentials.of(theirs("lims2", "reader", "limsdb", "5433", "x"))
    assert ours == DbCredentials(
        dbname="lims2", user="reader", host="limsdb", port=5433, password="x"
    )
    assert DbCredentials.of(theirs("lims2", "reader", "limsdb", None, None)).port == 5432
    with pytest.raises(ConfigurationError, match=r"a str, has no dbname, user, host, port, passw"):
        DbCredentials.of("reader@limsdb")
    with pytest.raises(ConfigurationError, match="lack host"):
        DbCredentials.of(theirs("lims2", "reader", None, 5432, "x"))


@pytest.mark.parametrize("port", ["lims", 0, -1, 65536, 5432.5, ""])
def test_a_wrong_port_is_refused_by_name(port: object) -> None:
    with pytest.raises(ConfigurationError, match="port="):
        DbCredentials(dbname="a", user="b", host="c", port=port)  # type: ignore[arg-type]


def test_the_password_is_in_no_pickle(environment: pytest.MonkeyPatch) -> None:
    credentials = DbCredentials.from_env()
    pickled = pickle.dumps(credentials)
    assert LIMS["LIMS_PASSWORD"].encode() not in pickled
    assert pickle.loads(pickled) == credentials
    environment.delenv("LIMS_PASSWORD")
    with pytest.raises(ConfigurationError, match="set LIMS_PASSWORD"):
        pickle.loads(pickled)
    trusted = DbCredentials(dbname="d", user="u", host="h")
    assert pickle.loads(pickle.dumps(trusted)) == trusted


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(DbCredentials(dbname="a", user="b", host="c", password="secret"))
