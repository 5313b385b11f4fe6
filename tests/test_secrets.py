"""The password is shown nowhere: one hunt through all that comes out of this package.

To hunt in something more, add a line to PRODUCERS. What it returns is searched, as text and as
bytes; if it raises, the whole chain of errors is, with tracebacks; and so is all that is logged.
"""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from sqlalchemy import URL, create_engine, func, literal, select, text
from sqlalchemy.orm import Session

from ecephys_dal import (
    ArtifactClient,
    ArtifactSettings,
    ConfigurationError,
    Database,
    DatabaseSettings,
    DatabaseUnavailableError,
    DbCredentials,
    EcephysProjectLimsApi,
    SessionRepository,
    UnitFilter,
    UnitRepository,
)
from ecephys_dal.doctor import examine
from ecephys_dal.models import Gender
from tests.logins import PASSWORD, Login

# The password, whole and in parts, as it is, quoted and escaped.
NEEDLES = {
    *(PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""), quote_plus(PASSWORD)),
    *(repr(PASSWORD)[1:-1], json.dumps(PASSWORD)[1:-1], PASSWORD.replace("'", "\\'")),
    *("ss:w", "ss%3Aw", "ss%3aw", "p@ss", "p%40ss", "w/rd", "w%2Frd", "rd%'", "rd%25"),
}


def secret() -> str:
    """What a vault would give."""
    return PASSWORD


@dataclass
class Case:
    """A LIMS that is open, and how."""

    database: Database
    api: EcephysProjectLimsApi
    login: Login
    folder: Path

    def other(self, settings: DatabaseSettings | None = None, **changes: Any) -> Database:
        """Open another database with the same password."""
        url = self.database.url.set(**changes)
        return Database(url, settings=settings, password=self.database.password)

    @property
    def credentials(self) -> DbCredentials:
        return self.login.credentials(self.database.password or PASSWORD)

    def value(self, query: Any, database: Database | None = None, *, bulk: bool = False) -> Any:
        database = database or self.database
        if bulk and database.bulk is not None:
            with database.bulk.batches(query) as batches:
                return [batch.to_pydict() for batch in batches]
        with database.connection() as connection:
            return connection.execute(query).all()


def quoted() -> str:
    return quote(PASSWORD, safe="")


def show_connection(case: Case) -> object:
    with case.database.connection() as connection, Session(connection) as db:
        return [repr(one) for one in (connection, connection.connection, db, vars(connection))]


def in_all_forms(answer: Any) -> object:
    return [str(answer), repr(answer), answer.to_dict(), answer._repr_html_(), pickle.dumps(answer)]


def exhaust(database: Database) -> None:
    with database.connection(), database.connection():
        pass


def flush(case: Case) -> None:
    with case.database.session() as db:
        db.add(Gender(id=1, name="F"))
        db.flush()


def mistyped(case: Case) -> Database:
    return Database(case.login.url.set(password=f"{PASSWORD}x"))


def engine_of(case: Case) -> Any:
    return create_engine(case.login.url.set(password=PASSWORD))


def graph(table: Any) -> object:
    import cloudpickle

    return [cloudpickle.dumps(table), dict(table.__dask_graph__()), repr(table)]


SLOW = select(func.pg_sleep(30))
HURRIED = DatabaseSettings(statement_timeout=0.05, connect_timeout=2)
EXHAUSTED = DatabaseSettings(pool_size=1, pool_timeout=0.01)

PRODUCERS: dict[str, Callable[[Case], object]] = {
    # What is shown of objects
    "repr of a database": lambda case: [case.database, str(case.database), vars(case.database)],
    "repr of an api": lambda case: [case.api, str(case.api), vars(case.api)],
    "repr of credentials": lambda case: [case.credentials, str(case.credentials)],
    "repr of settings": lambda case: case.database.settings,
    "repr of an engine": lambda case: [case.database.engine, case.database.engine.url],
    "repr of pools": lambda case: [case.database.engine.pool.status(), case.database.engine.pool],
    "repr of the bulk route": lambda case: [case.database.bulk, vars(case.database.bulk or case)],
    "repr of a repository": lambda case: [UnitRepository(case.database), case.database.url],
    "repr of a connection": show_connection,
    # What is answered
    "tables": lambda case: [case.api.get_sessions(), case.api.get_units()],
    "attributes of a table": lambda case: case.api.get_probes().attrs,
    "an examination": lambda case: in_all_forms(examine(case.database, progress=False)),
    "why": lambda case: in_all_forms(case.api.why(unit_id=1)),
    "why a session is there": lambda case: in_all_forms(
        case.api.why(session_id=case.login.lims.session_ids[0])
    ),
    "explain": lambda case: in_all_forms(case.api.explain(UnitFilter(session_ids=[1]))),
    "explain of what fails": lambda case: EcephysProjectLimsApi(
        case.other(database="none"), case.api.app_engine
    ).explain(UnitFilter()),
    "a statement": lambda case: SessionRepository(case.database).select(),
    "objects": lambda case: [vars(one) for one in SessionRepository(case.database).entities()],
    "what the server sees": lambda case: case.value(text("select query from pg_stat_activity")),
    # What is kept
    "pickle of a database": lambda case: pickle.dumps(case.database),
    "pickle of credentials": lambda case: pickle.dumps(case.credentials),
    "pickle of an api": lambda case: pickle.dumps(case.api),
    "pickle of a repository": lambda case: pickle.dumps(UnitRepository(case.database)),
    "pickle of a table": lambda case: pickle.dumps(case.api.get_sessions()),
    # What goes wrong
    "a wrong password": lambda case: case.value(SLOW, mistyped(case)),
    "a wrong password, bulk": lambda case: case.value(SLOW, mistyped(case), bulk=True),
    "a wrong role": lambda case: case.value(SLOW, case.other(username="postgres_")),
    "no such database": lambda case: case.value(SLOW, case.other(database="none")),
    "no such database, bulk": lambda case: case.value(
        SLOW, case.other(database="none"), bulk=True
    ),
    "no such host": lambda case: case.value(
        SLOW, case.other(host="none.invalid", query={}, settings=HURRIED)
    ),
    "no such host, bulk": lambda case: case.value(
        SLOW, case.other(host="none.invalid", query={}, settings=HURRIED), bulk=True
    ),
    "an option that libpq does not know": lambda case: case.value(
        SLOW, case.other(query={**case.database.url.query, "sslmod": "x"}), bulk=True
    ),
    "a timeout": lambda case: case.value(SLOW, case.other(settings=HURRIED)),
    "a timeout, bulk": lambda case: case.value(SLOW, case.other(settings=HURRIED), bulk=True),
    "a full pool": lambda case: exhaust(case.other(settings=EXHAUSTED)),
    "a missing table": lambda case: case.value(text("select * from no_such_table")),
    "a missing table, bulk": lambda case: case.value(text("select * from no_such"), bulk=True),
    "a table that is hidden": lambda case: case.value(text("select * from pg_authid")),
    "no SQL": lambda case: case.value(text("selekt :x").bindparams(x=1)),
    "no SQL, bulk": lambda case: case.value(text("selekt :x").bindparams(x=1), bulk=True),
    "a lost connection": lambda case: case.value(TERMINATE),
    "a write": lambda case: case.value(text("create table harm (id int)")),
    "a flush": flush,
    "an unknown id": lambda case: case.api.get_session_data(1),
    "a URL that can't be parsed": lambda _: Database(f"postgresql//u:{PASSWORD}@h"),
    "a URL with a port that is none": lambda _: Database(f"postgresql://u:{PASSWORD}@h:x/d"),
    "a URL of something else": lambda _: Database(f"mysql://u:{quoted()}@h/d"),
    "a URL of a missing driver": lambda _: Database(f"postgresql+none://u:{quoted()}@h/d"),
    "a URL with two passwords": lambda _: Database(
        f"postgresql://h/d?password={quoted()}&password={quoted()}"
    ),
    "a URL with the password among its options": lambda case: Database(
        case.login.url.update_query_dict({"password": PASSWORD})
    ),
    "a URL of an owned database": lambda case: Database(case.database.url, owned=True),
    "a password and a function": lambda case: Database(
        case.database.url.set(password=PASSWORD), password=secret
    ),
    "credentials without a host": lambda _: DbCredentials(
        dbname="d", user="u", host="", password=PASSWORD
    ),
    "credentials with a wrong port": lambda _: DbCredentials(
        dbname="d", user="u", host="h", port=0, password=PASSWORD
    ),
    "credentials that are none": lambda _: EcephysProjectLimsApi.default(PASSWORD),
    "a pickle of a function without a name": lambda case: pickle.dumps(
        Database(case.login.url, password=partial(str, PASSWORD))
    ),
    "a pickle where the password is not": lambda case: pickle.loads(pickle.dumps(case.database)),
    "a callers engine": lambda case: [Database(engine_of(case)), vars(Database(engine_of(case)))],
    "a pickled callers engine": lambda case: pickle.dumps(Database(engine_of(case))),
    "a table asked for wrongly": lambda case: case.api.get_sessions(session_ids="1"),
}  # fmt: skip
if find_spec("dask") is not None:
    PRODUCERS |= {
        "a graph of Dask": lambda case: graph(UnitRepository(case.database).dask_frame()),
        "a failure in Dask": lambda case: (
            UnitRepository(case.other(database="none")).dask_frame().compute()
        ),
    }
TERMINATE = select(func.pg_terminate_backend(func.pg_backend_pid()))


WAYS: dict[str, Callable[[Login], Database]] = {
    "credentials": lambda login: Database.from_credentials(login.credentials()),
    "url": lambda login: Database(text_of(login.url.set(password=PASSWORD))),
    "function": lambda login: Database(login.url, password=secret),
}


def text_of(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All that is logged, by whatever logger."""
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "sqlalchemy"):
        yield caplog


@pytest.mark.parametrize("producer", PRODUCERS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.in_turn("producer", "way")
@pytest.mark.sample(24)
def test_the_password_is_not_shown(
    login: Login, way: str, producer: str, tmp_path: Path, logged: pytest.LogCaptureFixture
) -> None:
    with WAYS[way](login) as database, ArtifactClient(ArtifactSettings()) as client:
        case = Case(database, EcephysProjectLimsApi(database, client), login, tmp_path)
        assert case.value(select(literal(1)), bulk=True)  # it logs in
        try:
            shown = [PRODUCERS[producer](case)]
        except Exception as error:
            shown = list(chain(error))
    hunt(shown)
    assert any("dsn" in record.getMessage() for record in logged.records)
    hunt([*((record.getMessage(), vars(record)) for record in logged.records), logged.text])


def chain(error: BaseException) -> Iterator[object]:
    """Yield all that an error and those behind it say."""
    errors: list[BaseException] = [error]
    for one in errors:
        behind = (one.__cause__, one.__context__)
        errors += [other for other in behind if other is not None and other not in errors]
        yield from (repr(one), str(one), one.args, vars(one))
        yield "".join(traceback.format_exception(type(one), one, one.__traceback__))


def hunt(shown: list[Any]) -> None:
    for one in shown:
        if type(one) in (list, tuple):  # and not a URL, which is a tuple too
            hunt(list(one))
            continue
        found = one.decode("latin-1") if isinstance(one, bytes) else f"{one} {one!r}"
        assert [needle for needle in NEEDLES if needle in found] == []


@pytest.mark.parametrize(
    "shown",
    [
        PASSWORD,
        f"x{quoted()}y",
        b"x\0" + PASSWORD.encode(),
        [("a", ({"password": PASSWORD},))],
        URL.create("postgresql", "u", PASSWORD, "h").render_as_string(hide_password=False),
        ValueError(PASSWORD),
    ],
)
def test_the_hunt_would_find_it(shown: Any) -> None:
    with pytest.raises(AssertionError):
        hunt([shown])


def test_errors_of_a_process_pool_and_of_threads_show_nothing(login: Login) -> None:
    def fail() -> None:
        with WAYS["url"](login) as database, database.connection() as connection:
            connection.execute(text("select * from no_such_table"))

    with ThreadPoolExecutor(1) as pool:
        error = pool.submit(fail).exception()
    assert error is not None
    hunt([*chain(error), pickle.dumps(error)])


@pytest.mark.parametrize("bulk", [True, False])
def test_not_even_local_variables_show_a_password_that_libpq_reads_itself(
    login: Login, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bulk: bool
) -> None:
    file = tmp_path / "passwords"
    file.write_text(f"*:*:*:*:{PASSWORD.replace(':', chr(92) + ':')}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    case = Case(Database(login.url), None, login, tmp_path)  # type: ignore[arg-type]
    assert case.value(select(literal(1)), bulk=bulk)
    with pytest.raises(DatabaseUnavailableError) as caught:
        case.value(SLOW, case.other(database="none"), bulk=bulk)
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    hunt(["".join(report.format())])
    case.database.close()


def test_a_pickle_is_opened_where_the_password_is(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = pickle.dumps(WAYS["url"](login))
    with pytest.raises(ConfigurationError, match="LIMS_PASSWORD"):
        pickle.loads(pickled)
    monkeypatch.setenv("LIMS_PASSWORD", PASSWORD)
    with pickle.loads(pickled) as database:
        assert SessionRepository(database).count() > 0
