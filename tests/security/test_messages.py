"""What messages, tracebacks, logs and pickled errors must not show: passwords and queries."""

from __future__ import annotations

import logging
import os
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Integer, cast, create_engine, func, literal, select, text
from sqlalchemy.orm import Session

from ecephys_dal import (
    ConfigurationError,
    Database,
    DbCredentials,
    EcephysDalError,
    InvalidFilterError,
    SessionRepository,
    StatementRefusedError,
    UnitFilter,
    UnitMetricFilter,
    UnitMetricRepository,
    UnitRepository,
    snapshot,
)
from ecephys_dal.models import EcephysUnit, Gender
from ecephys_dal.snapshot import SnapshotDatabase
from tests.conftest import opened

# --- No part of a password ---------------------------------------------------------------------

OURS = {line.strip() for line in Path(__file__).read_text(encoding="utf-8").splitlines()}
PARTS = ("s3cret", "B4dpart")
FORMS = (
    "postgresql://u:{}@lims.invalid/db",
    "postgresql+psycopg2://u:{}@lims.invalid:5432/db?connect_timeout=1",
    "postgres://:{}@lims.invalid",
    "postgresql://u:{}@[::1]:1/db",
    "postgresql://u:{}@h1.invalid,h2.invalid/db",
    "postgresql://lims.invalid:5432/db?user=u&password={}",
    "postgresql://u@lims.invalid/db?sslpassword={}",
    "postgresql:/u:{}@lims.invalid/db",
    "postgresql//u:{}@lims.invalid/db",
    "sqlite://u:{}@lims.invalid/db",
    "mysql://u:{}@lims.invalid/db",
)
BREAKS = (
    "@",
    "/",
    "#",
    "?",
    ":",
    "@/",
    "/@",
    "?@",
    "#@",
    ":@",
    "@:",
    "@@",
    "@h:80/",
    "[",
    "]@",
    " @",
)


def everything(error: BaseException) -> str:
    """Return what every way of showing an error shows, but the lines of the tests themselves."""
    errors: list[BaseException] = [error]
    for one in errors:
        behind = (one.__cause__, one.__context__)
        errors += [other for other in behind if other is not None and other not in errors]
    parts = traceback.format_exception(error)  # as logging.exception writes it, too
    for one in errors:
        parts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        parts += [repr(getattr(one, name, "")) for name in ("statement", "params", "pgerror")]
        parts.append(repr(getattr(getattr(one, "cursor", None), "query", "")))
        with suppress(Exception):
            parts.append(pickle.dumps(one).decode("latin-1"))
    shown = "\n".join(parts)
    return "\n".join(line for line in shown.splitlines() if line.strip() not in OURS)


@pytest.mark.parametrize("form", FORMS)
def test_an_unescaped_password_is_refused_or_is_the_password_as_a_whole(form: str) -> None:
    for between in BREAKS:
        password = between.join(PARTS)
        url = form.format(password)
        try:
            with Database(url) as database:
                assert database.url.password == password or "sslpassword" in url
                told = repr(database)
        except ConfigurationError as error:
            told = everything(error)
        assert not [part for part in PARTS if part in told], url


@pytest.mark.parametrize("form", FORMS)
def test_a_url_in_the_place_of_a_path_is_not_repeated(form: str, tmp_path: Path) -> None:
    for ask in (snapshot.info, snapshot.verify, SnapshotDatabase, from_what_is_no_url(tmp_path)):
        with pytest.raises(EcephysDalError) as caught:
            ask(form.format("s3cretB4dpart"))
        assert not [part for part in PARTS if part in everything(caught.value)]


def from_what_is_no_url(folder: Path) -> Callable[[str], Any]:
    def create(url: str) -> None:
        snapshot.create(url.replace("://", "//"), folder / "made.db", progress=False)

    return create


def test_what_is_refused_is_said_how_to_write() -> None:
    for between in ("@", "/", ":", "?", "#", "/@"):
        with pytest.raises(ConfigurationError, match="%40.*URL.create"):
            Database(f"postgresql://u:{between.join(PARTS)}@h/db")


def test_a_url_object_or_an_engine_whose_host_is_a_part_of_a_password_is_refused() -> None:
    engine = create_engine("postgresql+psycopg2://u:p@ss@host/db")
    for where in (engine, engine.url, engine.url.set(drivername="sqlite")):
        with pytest.raises(ConfigurationError) as caught:
            Database(where)
        assert "ss@host" not in everything(caught.value)


def test_an_escaped_password_is_the_password() -> None:
    with Database("postgresql://u:p%40ss%2F%3A%3F%23@host/db") as database:
        assert (database.url.password, database.url.host) == ("p@ss/:?#", "host")


@pytest.mark.parametrize(
    "url", ["postgresql://u@127.0.0.1:1/db", "postgresql://u:p@127.0.0.1:1/{}"]
)
def test_a_password_that_can_not_be_sent_is_in_no_error(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = b"s3cret\xe9B4dpart".decode("utf-8", "surrogateescape")  # as of a variable
    monkeypatch.setenv("LIMS_PASSWORD", password)
    text = DbCredentials(dbname="db", user="u", host="127.0.0.1", port=1, password=password)
    function = DbCredentials(dbname="db", user="u", host="127.0.0.1", port=1, password=password_now)
    for credentials in (text, function):
        with pytest.raises(ConfigurationError, match="UTF-8") as caught:
            Database.from_credentials(credentials).ping()
        assert not [part for part in (*PARTS, "udce9") if part in everything(caught.value)]
    with pytest.raises(ConfigurationError, match="UTF-8"):
        Database(f"{url}\udce9").ping()


def password_now() -> str:
    return os.environ["LIMS_PASSWORD"]


def test_what_else_can_not_be_sent_brings_no_password_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=\udce9")
    for bulk in (True, False):
        database = Database("postgresql://u:s3cret@127.0.0.1:1/db", bulk=bulk)
        for ask in (database.ping, UnitRepository(database).frame):
            with pytest.raises(EcephysDalError) as caught:
                ask()
            assert "s3cret" not in everything(caught.value)


@pytest.mark.parametrize(
    "option",
    ["sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key", "PASSWORD"],
)
def test_no_secret_option_is_pickled(option: str) -> None:
    with Database(f"postgresql://u@h/db?{option}=s3cret&passfile=/x") as database:
        pickled = pickle.dumps(database)
    assert b"s3cret" not in pickled
    assert b"passfile" in pickled


@pytest.mark.parametrize("options", ["dsn=password%3Ds3cret", "dbname=x%20password%20%3D%20s3cret"])
def test_a_password_within_another_option_is_refused(options: str) -> None:
    for url in (f"postgresql://u@h/?{options}", f"postgresql:///{options.partition('=')[2]}"):
        with pytest.raises(ConfigurationError) as caught:
            Database(url)
        assert "s3cret" not in everything(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ["sessions", "--database", "{}"],
        ["{}", "sessions"],
        ["sessions", "--session-id", "{}"],
        ["sessions", "--debug", "--database", "{}"],
        ["sessions", "--columns", "{}", "--database", "x.db"],
        ["download", "session", "{}"],
        ["sessions", "--databse={}"],
    ],
)
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cret{}B4dpart@lims.invalid/db",
        "postgresql:/u:s3cret{}B4dpart@lims.invalid/db",
        "postgresql:u:s3cret{}B4dpart@lims.invalid/db",
        "postgresql://lims.invalid/db?password=s3cret{}B4dpart",
        "host=lims.invalid password=s3cret{}B4dpart user=u",
        "host=lims.invalid password = s3cret{}B4dpart user=u",
        "postgresql+psycopg2//u:s3cret{}B4dpart@lims.invalid/db",
        "u:s3cret{}B4dpart@lims.invalid/db",
    ],
)
def test_the_command_line_repeats_no_password(arguments: list[str], url: str, asked: Any) -> None:
    for between in ("", "@", "/", "#", ":", "%40"):
        given = [one.format(url.format(between)) for one in arguments]
        code, shown, told = asked(*given)
        assert code in (1, 2, 3)
        assert not [part for part in PARTS if part in shown + told], (given, told)


@pytest.mark.parametrize("password", ["ecephys-da", "l", "a", "id", "session", "e"])
def test_a_short_or_common_password_is_not_told_by_what_is_hidden(
    password: str, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMS_PASSWORD", password)
    for given in (["sesions"], ["sessions", "--database", f"mysql://u:{password}@h/d"]):
        _, _, told = asked(*given)
        assert told.startswith("ecephys-dal: ")
        assert "***" not in told


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Callable[..., tuple[int, str, str]]:
    """Run the program in this process."""
    from ecephys_dal.cli.program import run

    for name in ("LIMS_DBNAME", "LIMS_USER", "LIMS_HOST", "LIMS_PASSWORD", "ECEPHYS_DAL_DATABASE"):
        monkeypatch.delenv(name, raising=False)

    def ask(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        return run(list(arguments)), *capfd.readouterr()

    return ask


# --- No query, no values -----------------------------------------------------------------------

# What stands in every query of units, and what only the values of this question hold.
QUERY = ("SELECT ", "FROM ecephys", "WHERE ", "[SQL", "[parameters", "INSERT INTO", "ORDER BY")
MARK = "m4rked"
REFUSED: dict[str, Any] = {
    "no SQL": text("selekt (1"),
    "an unknown function": text("no_such_function(1) = 1"),
    "an open quote": text(f"1 = 1 and '{MARK}' = 'x"),
    "an open double quote": text('1 = 1 and "x'),
    "a value that is none": text("id = :x"),
    "an unsendable value": EcephysUnit.quality == literal(object()),
    "a wrong comparison": cast(EcephysUnit.quality, Integer) == text("'x'::int"),
    "an unknown column": text("no_such_column = 1"),
    "an unknown table": text("exists (select 1 from no_such_table)"),
    "a wrong use of a sum": func.sum(EcephysUnit.snr) > 1,
    "two columns": text("(select 1, 2) = 1"),
    "values": (EcephysUnit.quality == MARK) & text("1 / (select 0) > 0 and bad("),
}
OUTPUTS = ("frame", "entities", "count", "explain", "chunks")


@pytest.fixture(params=["sqlite", "postgresql", "postgresql, by rows", "session", "engine"])
def units(request: pytest.FixtureRequest, filled: Any) -> Iterator[UnitRepository]:
    """The units of a LIMS, by each route, inside a session of the caller's, and by an engine."""
    backend, _, route = request.param.partition(", ")
    url, _ = filled(backend if backend in ("sqlite", "postgresql") else "postgresql")
    engine = create_engine(url)
    with opened(url, by_rows=bool(route)) as database:
        if backend == "session":
            with Session(engine) as db:
                yield UnitRepository(db)
        else:
            yield UnitRepository(engine if backend == "engine" else database)
    engine.dispose()


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.in_turn("kind", "units")
def test_no_error_shows_the_query(units: UnitRepository, kind: str, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG, "ecephys_dal")
    for output in OUTPUTS:
        failed: list[Exception] = []
        try:
            answer = getattr(units, output)(where=REFUSED[kind])
            list(answer) if output == "chunks" else None
        except EcephysDalError as error:  # and no error of a driver
            failed = [error]
        for one in failed:
            told = everything(one)
            assert not [word for word in (*QUERY, MARK) if word in told], (output, told)
            assert len(str(one)) < 1000
        if isinstance(units.__dict__["_reader"].db, Session):
            units.__dict__["_reader"].db.rollback()
    assert not [one for one in (*QUERY, MARK) if one in caplog.text]


def test_no_error_of_a_connection_shows_what_was_executed(filled: Any) -> None:
    url, _ = filled("postgresql")
    attempts: tuple[Callable[[Any], object], ...] = (
        lambda db: db.execute(text(f"SELECT '{MARK}' FROM no_such")),
        lambda db: db.execute(text("SELECT CAST(:x AS int)"), {"x": object()}),
        lambda db: db.execute(text("SELECT :x")),
        lambda db: db.execute(f"SELECT '{MARK}'"),
        lambda db: db.execute(select(literal(object()))),
        lambda db: db.execute(text(f"SELECT 1 / (SELECT 0), '{MARK}'")),
        lambda db: db.execute(text("SELECT CAST(:x AS date)"), {"x": MARK}).all(),
    )
    for attempt in attempts:
        with Database(url) as database:
            for opens in (database.connection, database.session):
                with pytest.raises(EcephysDalError) as caught, opens() as db:  # type: ignore[operator]
                    attempt(db)
                told = everything(caught.value)
                assert not [one for one in QUERY if one in told], told


def test_no_error_of_a_write_shows_its_rows(migrated: Database) -> None:
    def twice(db: Session) -> None:
        db.add_all([Gender(id=1, name=MARK), Gender(id=1, name=MARK)])
        with suppress(Exception):
            db.flush()
        db.execute(text("SELECT 1"))  # of a session that has ended

    def clash(db: Session) -> None:
        db.add_all([Gender(id=2, name=MARK)])
        db.flush()
        db.execute(Gender.__table__.insert(), [{"id": 2, "name": MARK}])

    for attempt in (twice, clash):
        with pytest.raises(EcephysDalError) as caught, migrated.session() as db:
            attempt(db)
        told = everything(caught.value)
        assert not [one for one in (*QUERY, MARK) if one in told], told


def test_logs_of_sqlalchemy_show_no_values(filled: Any, caplog: Any) -> None:
    url, _ = filled("postgresql")
    engine = create_engine(url)
    caplog.set_level(logging.INFO, "sqlalchemy.engine")
    for where in (url, engine):
        with Database(where) as database:
            assert UnitRepository(database).ids(where=EcephysUnit.quality == MARK).size == 0
    engine.dispose()
    assert "SELECT" in caplog.text
    assert MARK not in caplog.text


# --- However many ids and names ----------------------------------------------------------------

MANY = 300_000


@pytest.mark.sample(2)
def test_hundreds_of_thousands_of_names_and_ids_are_answered(by_each_route: Any) -> None:
    names = [f"name {n}" for n in range(MANY)]
    database = by_each_route.database
    metrics = UnitMetricRepository(database)
    types = list(SessionRepository(database).frame()["session_type"].dropna().unique())
    spec = UnitMetricFilter(session_types=[*names, *types])
    n_metrics = metrics.count(UnitMetricFilter(session_types=types))
    assert len(metrics.frame(spec)) == n_metrics > 0
    assert UnitRepository(database).count(UnitFilter(unit_ids=np.arange(MANY))) == 0


def test_names_are_compared_as_they_are(by_each_route: Any) -> None:
    odd = ['a"b', "a\\b", "{a,b}", "NULL", "null", "", " ", "a,b", "é", "\U0001f9e0", "a'b", "%s",
           "a\nb", "\x1b[31m", ":x", "[]", '","', "\\", "\\u0041", "x" * 100_000]  # fmt: skip
    database = by_each_route.database
    types = list(SessionRepository(database).frame()["session_type"].dropna().unique())
    metrics = UnitMetricRepository(database)
    assert metrics.count(UnitMetricFilter(session_types=odd)) == 0
    n_metrics = metrics.count(UnitMetricFilter(session_types=types))
    assert metrics.count(UnitMetricFilter(session_types=[*odd, *types])) == n_metrics > 0


@pytest.mark.parametrize("name", ['a"b', "a\\b", "{a,b}", "NULL", "", "é", "\\u0041", "a'b%s\n"])
def test_an_odd_name_is_found(name: str, migrated: Database) -> None:
    from ecephys_dal.repositories.clauses import named

    with migrated.session() as db:
        db.add(Gender(id=77, name=name))
        db.flush()
        for names, found in (([name], [77]), ([f"{name}x"], []), ([], [])):
            (clause,) = named(Gender.name, names)
            assert list(db.scalars(select(Gender.id).where(clause))) == found
        db.rollback()


@pytest.mark.sample(2)
def test_an_error_of_hundreds_of_thousands_of_names_is_a_few_lines(by_each_route: Any) -> None:
    names = [f"{MARK} {n}" for n in range(MANY // 10)]
    metrics = UnitMetricRepository(by_each_route.database)
    spec = UnitMetricFilter(session_types=names, unit_ids=np.arange(MANY))
    with pytest.raises(StatementRefusedError) as caught:
        metrics.count(spec, where=text("1 / (select 0) > 0 and bad("))
    told = everything(caught.value)
    assert MARK not in told
    assert len(told) < 20_000
    assert len(str(caught.value).splitlines()) < 4
    assert len(repr(spec)) < 300


@pytest.mark.parametrize("value", ["\0" + "x" * 10**6, "\ud800" * 10**6, b"x" * 10**6, 10**5000],
                         ids=["nul", "surrogates", "bytes", "integer"])  # fmt: skip
def test_a_value_of_any_size_gives_a_message_of_a_few_lines(value: Any) -> None:
    for field in ({"session_types": [value]}, {"unit_ids": [value]}, {"session_types": value}):
        with pytest.raises(InvalidFilterError) as caught:
            UnitMetricFilter(**field)
        assert len(str(caught.value)) < 500
    with pytest.raises(InvalidFilterError) as caught:
        UnitMetricFilter.from_dict({value: 1})
    assert len(str(caught.value)) < 1000
