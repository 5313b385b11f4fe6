"""A database is read and not written, and what goes wrong is said in our words."""

from __future__ import annotations

import copy
import json
import pickle
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from ecephys_dal import (
    ConfigurationError,
    Database,
    DatabaseUnavailableError,
    DbCredentials,
    ReadOnlyError,
    SchemaMismatchError,
    SessionRepository,
    StatementRefusedError,
    UnitMetricRepository,
    UnitRepository,
)
from ecephys_dal.database import translated_errors
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import Gender
from ecephys_dal.testing import SyntheticLims, create_synthetic_lims

PASSWORD = "p@ss:w/rd%' \""


@pytest.fixture
def owned(empty_url: str) -> Iterator[Database]:
    with Database(empty_url, owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        yield database


def names(database: Database) -> list[str | None]:
    with database.session() as db:
        return list(db.scalars(select(Gender.name)))


def test_an_owned_database_is_written_and_committed(owned: Database) -> None:
    with owned.session() as db:
        db.add(Gender(id=1, name="F"))
    assert names(owned) == ["F"]


def test_a_database_that_is_not_ours_cant_be_written(owned: Database) -> None:
    with Database(owned.url) as database:
        with pytest.raises(ReadOnlyError, match="Gender"), database.session() as db:
            db.add(Gender(id=1, name="F"))
            db.flush()
        with pytest.raises(ReadOnlyError, match=r"read-?only"), database.connection() as connection:
            connection.execute(text("DELETE FROM genders"))
    assert names(owned) == []


def test_nothing_is_written_through_a_callers_engine(owned: Database) -> None:
    engine = create_engine(owned.url)
    database = Database(engine)
    with pytest.raises(ReadOnlyError, match="read-?only"), database.connection() as connection:
        connection.execute(text("DELETE FROM genders"))
    with pytest.raises(ReadOnlyError, match="Gender"), database.session() as db:
        db.add(Gender(id=1, name="F"))
        db.commit()
    with engine.begin() as connection:  # the caller's own use of it is as before
        connection.execute(text("INSERT INTO genders (id, name) VALUES (2, 'M')"))
    assert names(database) == ["M"]
    engine.dispose()


@pytest.mark.parametrize("name", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_postgresql_is_reached_by_the_driver_that_is_installed_with_us(
    postgres_url: str, name: str
) -> None:
    url = postgres_url.replace("postgresql+psycopg2", name)
    with Database(url) as database, database.connection() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u@h/d", "mysql is neither postgresql nor sqlite"),
        ("postgresql+pg8000://u@h/d", "driver of postgresql\\+pg8000 is not installed"),
        ("postgresql+nonsense://u@h/d", "driver of postgresql\\+nonsense is not installed"),
    ],
)
def test_what_cant_be_reached_is_refused_by_name(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Database(url)


@pytest.mark.parametrize(
    ("url", "instead"),
    [
        ("postgresql+asyncpg://u@h/d", r"use postgresql\+psycopg2,"),
        ("postgresql+psycopg_async://u@h/d", r"use postgresql\+psycopg2,"),
        ("sqlite+aiosqlite:///lims.db", "use sqlite,"),
    ],
)
def test_an_asynchronous_driver_is_refused_with_what_to_use_instead(url: str, instead: str) -> None:
    with pytest.raises(ConfigurationError, match=instead):
        Database(url)


class AsyncEngine:
    """As SQLAlchemy's, which needs a driver that is not installed."""

    sync_engine = None


@pytest.mark.parametrize("open_by", [Database, Database.of])
def test_an_asynchronous_engine_is_refused(open_by: Callable[..., Database]) -> None:
    with pytest.raises(ConfigurationError, match="AsyncEngine .* asyncio.to_thread"):
        open_by(AsyncEngine())


def test_a_password_among_the_options_of_a_url_is_not_shown() -> None:
    database = Database("postgresql://u@h/d?password=s3cret&sslmode=require")
    assert database.url.password == "s3cret"
    assert database.url.query == {"sslmode": "require"}
    assert "s3cret" not in repr(database)
    assert b"s3cret" not in pickle.dumps(database)


def test_what_was_not_committed_before_an_error_is_gone(owned: Database) -> None:
    with pytest.raises(RuntimeError), owned.session() as db:
        db.add(Gender(id=1, name="F"))
        db.flush()
        raise RuntimeError
    assert names(owned) == []


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "mispelt.db"
    with (
        pytest.raises(DatabaseUnavailableError, match="no SQLite database .*mispelt"),
        Database(f"sqlite:///{path}") as database,
        database.connection(),
    ):
        pass
    assert not path.exists()


def test_a_database_without_the_tables_is_said_to_be_none(empty_url: str) -> None:
    with Database(empty_url, owned=True) as database, database.connection():
        pass
    with (
        Database(empty_url) as database,
        pytest.raises(SchemaMismatchError, match="ecephys_sessions") as caught,
    ):
        SessionRepository(database).frame()
    assert "SELECT" not in str(caught.value)


def test_a_server_that_is_not_there_is_said_not_to_answer() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        credentials = DbCredentials(
            dbname="lims2", user="reader", host="127.0.0.1", port=port, password=PASSWORD
        )
        with (
            Database.from_credentials(credentials) as database,
            pytest.raises(DatabaseUnavailableError, match="check host") as caught,
        ):
            SessionRepository(database).count()
    assert PASSWORD not in str(caught.value)


def test_a_wrong_role_is_said_in_our_words(postgres_url: str) -> None:
    url = make_url(postgres_url).set(database="no_such_database")
    with (
        Database(url) as database,
        pytest.raises(DatabaseUnavailableError, match="no_such_database"),
    ):
        SessionRepository(database).count()


def test_credentials_reach_the_driver_as_they_are() -> None:
    credentials = DbCredentials(
        dbname="li/ms", user="re@der", host="limsdb", port=5433, password=PASSWORD
    )
    url = Database.from_credentials(credentials).url
    assert (url.database, url.username, url.host, url.port, url.password) == (
        "li/ms", "re@der", "limsdb", 5433, PASSWORD,
    )  # fmt: skip


def test_the_password_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = DbCredentials(dbname="d", user="u", host="h", password=PASSWORD)
    database = Database.from_credentials(credentials)
    shown = [repr(database), str(database), repr(database.engine)]
    pickled = pickle.dumps(database)
    assert all("ss:w" not in text and "ss%3Aw" not in text for text in shown)
    assert b"ss:w" not in pickled
    monkeypatch.setenv("LIMS_PASSWORD", PASSWORD)
    assert pickle.loads(pickled).url == database.url
    monkeypatch.delenv("LIMS_PASSWORD")
    with pytest.raises(ConfigurationError, match="set LIMS_PASSWORD"):
        pickle.loads(pickled)


def test_a_url_that_cant_be_parsed_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Database(f"postgresql//user:{PASSWORD}@host")
    assert "ss:w" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("nonsense", [None, 5, object()])
def test_what_is_no_database_is_refused(nonsense: object) -> None:
    with pytest.raises(ConfigurationError, match=f"a {type(nonsense).__name__} is no database"):
        Database.of(nonsense)  # type: ignore[arg-type]


def test_a_pickle_opens_the_same_database(owned: Database) -> None:
    with owned.session() as db:
        db.add(Gender(id=1, name="F"))
    with pickle.loads(pickle.dumps(Database(owned.url))) as copy:
        assert names(copy) == ["F"]
        assert repr(copy) == repr(Database(owned.url))


def test_a_database_in_memory_is_not_pickled() -> None:
    with pytest.raises(ConfigurationError, match="memory"):
        pickle.dumps(Database("sqlite://"))


def test_a_callers_engine_is_the_callers_to_close(owned: Database) -> None:
    engine = create_engine(owned.url)
    with Database(engine) as database, database.connection():
        pass
    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]
    engine.dispose()


@pytest.mark.parametrize("where", ["url", "engine"])
def test_no_secret_of_a_url_is_shown(where: str) -> None:
    url = make_url("postgresql+psycopg2://u@h/d?password=s3cret&sslpassword=s3cret2")
    database = Database(create_engine(url) if where == "engine" else url)
    assert "s3cret" not in repr(database)
    assert b"s3cret" not in pickle.dumps(database)
    with pytest.raises(ConfigurationError, match="several passwords"):
        Database("postgresql://u@h/d?password=a&password=b")


def test_a_connection_that_was_cut_while_idle_is_not_used(postgres_url: str) -> None:
    with Database(postgres_url) as database:
        with database.connection() as connection:
            pid = connection.scalar(text("SELECT pg_backend_pid()"))
        with Database(postgres_url) as other, other.connection() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with database.connection() as connection:
            assert connection.scalar(text("SELECT 1")) == 1


def test_a_pool_that_is_exhausted_is_said_to_be(owned: Database) -> None:
    engine = create_engine(owned.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    database = Database(engine)
    with (
        database.connection(),
        pytest.raises(DatabaseUnavailableError, match="became free"),
        database.connection(),
    ):
        pass
    engine.dispose()


def test_a_role_that_may_not_see_a_table_is_said_so(postgres_url: str) -> None:
    with Database(postgres_url, owned=True) as server, server.connection() as connection:
        connection.execute(text("CREATE TABLE secrets (id int)"))
        role = f"reader_{uuid4().hex[:8]}"
        connection.execute(text(f"CREATE ROLE {role}"))
        connection.execute(text(f"SET LOCAL ROLE {role}"))
        with pytest.raises(SchemaMismatchError, match="permission denied"), translated_errors(1):
            connection.execute(text("SELECT * FROM secrets"))
        connection.rollback()


def test_a_statement_that_was_cancelled_is_said_to_be(postgres_url: str) -> None:
    with (
        Database(postgres_url) as database,
        pytest.raises(DatabaseUnavailableError, match="canceling statement"),
        database.connection() as connection,
    ):
        connection.execute(text("SET LOCAL statement_timeout = 50"))
        connection.execute(text("SELECT pg_sleep(20)"))


def test_a_value_that_cant_be_sent_is_no_fault_of_the_network(postgres_url: str) -> None:
    with (
        Database(postgres_url) as database,
        pytest.raises(StatementRefusedError, match="can't adapt"),
        database.connection() as connection,
    ):
        connection.execute(text("SELECT :x"), {"x": object()})


def test_an_sqlite_uri_opens_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "lims.db"
    with Database(f"sqlite:///{path}", owned=True) as database, database.connection() as made:
        upgrade(made)
    with Database(f"sqlite:///file:{path}?mode=ro&uri=true") as database:
        assert names(database) == []


def test_text_that_is_no_json_is_said_to_be(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/lims.db"
    create_synthetic_lims(
        url, sessions=1, channels_per_probe=4, units_per_session=8, progress=False
    )
    with Database(url, owned=True) as owned, owned.connection() as connection:
        connection.execute(text("UPDATE ecephys_unit_metric_bundles SET data = '{broken'"))
    with Database(url) as database, pytest.raises(SchemaMismatchError, match="no JSON") as caught:
        UnitMetricRepository(database).entities()
    assert caught.value.method == "UnitMetricRepository.entities"


def test_errors_of_the_callers_own_are_left_alone(owned: Database) -> None:
    with pytest.raises(json.JSONDecodeError), owned.connection():
        json.loads("{broken")


@pytest.mark.parametrize("bulk", [True, False], ids=["bulk", "rows"])
def test_what_a_database_refuses_for_a_reason_of_its_own_is_said(
    filled: Callable[[str], tuple[str, SyntheticLims]], bulk: bool
) -> None:
    nonsense = text("1 / (ecephys_units.id - ecephys_units.id) > 0")
    with (
        Database(filled("postgresql")[0], bulk=bulk) as database,
        pytest.raises(StatementRefusedError, match="division by zero; look at") as caught,
    ):
        UnitRepository(database).frame(where=nonsense)
    assert "SELECT" not in str(caught.value)


def test_a_callers_session_shows_no_password_in_an_error(postgres_url: str) -> None:
    url = make_url(postgres_url).set(database="no_such_database")
    engine = create_engine(url.update_query_dict({"password": "s3cret", "sslpassword": "s3cret"}))
    with Session(engine) as db, pytest.raises(DatabaseUnavailableError) as caught:
        SessionRepository(db).count()
    assert "s3cret" not in str(caught.value)
    engine.dispose()


def test_autocommit_on_a_callers_engine_is_refused(owned: Database) -> None:
    engine = create_engine(owned.url)
    database = Database(engine)
    with database.connection() as connection, pytest.raises(ReadOnlyError, match="AUTOCOMMIT"):
        connection.execution_options(isolation_level="AUTOCOMMIT")
    with database.session() as db, pytest.raises(ReadOnlyError, match="AUTOCOMMIT"):
        db.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
    engine.dispose()


@pytest.mark.parametrize("url", ["postgresql://reader:p@ss/w0rd@127.0.0.1/lims"])
def test_a_password_that_cuts_its_url_short_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="@ as %40") as caught:
        Database(url)
    assert "p@ss" not in str(caught.value)
    assert "w0rd" not in str(caught.value)


def test_damaged_and_locked_files_are_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "lims.db"
    create_synthetic_lims(
        f"sqlite:///{path}", sessions=1, channels_per_probe=4, units_per_session=8, progress=False
    )
    whole = path.read_bytes()
    with sqlite3.connect(path) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        locked = Database(f"sqlite:///{path}?timeout=0.1")
        with locked, pytest.raises(DatabaseUnavailableError, match="is locked by someone else"):
            SessionRepository(locked).count()
    writer.close()
    path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    with (
        Database(f"sqlite:///{path}") as database,
        pytest.raises(DatabaseUnavailableError, match="whole SQLite database"),
    ):
        SessionRepository(database).count()


def test_a_wrong_option_of_a_url_is_said_to_be(postgres_url: str) -> None:
    with (
        Database(make_url(postgres_url).update_query_dict({"sslmod": "x"})) as database,
        pytest.raises(ConfigurationError, match="check the options of the URL"),
    ):
        SessionRepository(database).count()


def test_a_session_that_only_reads_is_said_to_be(postgres_url: str) -> None:
    option = {"target_session_attrs": "read-write"}
    with (
        Database(make_url(postgres_url).update_query_dict(option)) as database,
        pytest.raises(DatabaseUnavailableError, match="target_session_attrs=primary"),
    ):
        SessionRepository(database).count()


def test_credentials_are_copied_with_their_password() -> None:
    credentials = DbCredentials(dbname="d", user="u", host="h", password=PASSWORD)
    assert copy.deepcopy(copy.copy(credentials)).password == PASSWORD


def test_a_callers_own_limit_stays_as_it_was(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/lims.db", poolclass=StaticPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with Database(engine).connection():
        pass
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA query_only").scalar_one() == 1
    engine.dispose()
