"""By no route that we offer is a LIMS written to, and what is refused is refused by name.

Each attempt is followed by a look with a second connection, which may write, at all that could
have changed.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, func, insert, make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    scoped_session,
    selectinload,
    sessionmaker,
)

from ecephys_dal import Database, ReadOnlyError, SessionRepository, StatementRefusedError
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import Donor, EcephysSession, Gender, Genotype
from ecephys_dal.testing import using
from ecephys_dal.testing.factories import DonorFactory, EcephysSessionFactory, GenotypeFactory
from tests.conftest import BACKENDS, FreshUrl

HARM = """
CREATE FUNCTION harm() RETURNS bigint LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO genders (id, name) VALUES (666, 'harm'); RETURN 1; END $$
"""
STATEMENTS = (
    "INSERT INTO genders (id, name) VALUES (666, 'harm')",
    "UPDATE genders SET name = 'harm'",
    "DELETE FROM donors_genotypes",
    "CREATE TABLE harm (id int)",
    "DROP TABLE ages",
)
POSTGRESQL_STATEMENTS = (
    "SELECT harm()",
    "SELECT nextval('counted')",
    "WITH w AS (INSERT INTO genders (id, name) VALUES (666, 'harm') RETURNING id) SELECT * FROM w",
    "SELECT id INTO TABLE copied FROM genders",
    "TRUNCATE donors_genotypes",
)


@dataclass
class Lims:
    """A LIMS that somebody else owns."""

    url: str
    owner: Database

    @property
    def statements(self) -> tuple[str, ...]:
        return STATEMENTS + (POSTGRESQL_STATEMENTS if self.is_postgresql else ())

    @property
    def is_postgresql(self) -> bool:
        return self.url.startswith("postgresql")

    def state(self) -> list[Any]:
        """All that an attempt could have changed."""
        tables = "select name from sqlite_master where type = 'table' order by name"
        if self.is_postgresql:
            tables = "select relname from pg_class where relkind in ('r', 'S') order by relname"
        questions = [tables, "select * from genders", "select * from donors_genotypes"]
        questions += ["select last_value, is_called from counted"] * self.is_postgresql
        with self.owner.connection() as connection:
            return [connection.execute(text(question)).all() for question in questions]


@pytest.fixture(scope="module")
def made(fresh_url: FreshUrl) -> Iterator[Callable[[str], Lims]]:
    """One LIMS of each backend."""
    with ExitStack() as closed:

        @cache
        def make(backend: str) -> Lims:
            owner = closed.enter_context(Database(url := fresh_url(backend), owned=True))
            with owner.connection() as connection:
                upgrade(connection)
            with owner.session() as db, using(db):
                donor = DonorFactory(genotypes=[GenotypeFactory()])
                EcephysSessionFactory(specimen__donor=donor)
            if backend == "postgresql":
                with owner.connection() as connection:
                    connection.execute(text("CREATE SEQUENCE counted"))
                    connection.execute(text(HARM))
            return Lims(url, owner)

        yield make


@pytest.fixture(params=BACKENDS)
def lims(request: pytest.FixtureRequest, made: Callable[[str], Lims]) -> Lims:
    return made(request.param)


@pytest.fixture
def postgresql(made: Callable[[str], Lims]) -> Lims:
    """Where conditions can write, and there is a COPY and a bulk route."""
    return made("postgresql")


@contextmanager
def refused(lims: Lims, *errors: type[Exception], match: str = r"(?i)read-?only|only read") -> Any:
    before = lims.state()
    with pytest.raises(errors or ReadOnlyError, match=match) as caught:
        yield caught
    assert lims.state() == before


def by_connection(lims: Lims, statement: str) -> None:
    with Database(lims.url) as database, database.connection() as connection:
        connection.execute(text(statement))
        connection.commit()


def by_session(lims: Lims, statement: str) -> None:
    with Database(lims.url) as database, database.session() as db:
        db.execute(text(statement))
        db.commit()


def by_rows_alone(lims: Lims, statement: str) -> None:
    with Database(lims.url, bulk=False) as database, database.connection() as connection:
        connection.execute(text(statement))
        connection.commit()


def by_a_pickle(lims: Lims, statement: str) -> None:
    copied = pickle.loads(pickle.dumps(Database(lims.url)))
    with copied as database, database.connection() as connection:
        connection.execute(text(statement))
        connection.commit()


def by_the_engine(lims: Lims, statement: str) -> None:
    with Database(lims.url) as database, database.engine.begin() as connection:
        connection.execute(text(statement))


def by_autocommit(lims: Lims, statement: str) -> None:
    with Database(lims.url) as database:
        engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))


def by_the_driver(lims: Lims, statement: str) -> None:
    with Database(lims.url) as database, database.engine.connect() as connection:
        connection.connection.cursor().execute(statement)
        connection.connection.commit()


def by_a_callers_engine(lims: Lims, statement: str, **options: Any) -> None:
    engine = create_engine(lims.url, **options)
    try:
        with Database(engine).connection() as connection:
            connection.execute(text(statement))
            connection.commit()
    finally:
        engine.dispose()


def by_a_callers_engine_of_autocommit(lims: Lims, statement: str) -> None:
    by_a_callers_engine(lims, statement, isolation_level="AUTOCOMMIT")


def by_a_callers_option_of_autocommit(lims: Lims, statement: str) -> None:
    engine = create_engine(lims.url)
    database = Database(engine.execution_options(isolation_level="AUTOCOMMIT"))
    try:
        with database.connection() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


def by_a_url_that_asks_for_it(lims: Lims, statement: str) -> None:
    url = make_url(lims.url)
    if lims.is_postgresql:
        url = url.update_query_dict({"options": "-c default_transaction_read_only=off"})
    with Database(url) as database:
        engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))


ROUTES: tuple[Callable[[Lims, str], None], ...] = (
    by_connection, by_session, by_rows_alone, by_a_pickle, by_the_engine, by_autocommit,
    by_the_driver, by_a_callers_engine, by_a_callers_engine_of_autocommit,
    by_a_callers_option_of_autocommit, by_a_url_that_asks_for_it,
)  # fmt: skip


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
def test_no_statement_writes(lims: Lims, route: Callable[[Lims, str], None]) -> None:
    driver = (DBAPIError, *driver_errors())
    for statement in lims.statements:
        with refused(lims, ReadOnlyError, *driver):
            route(lims, statement)


def driver_errors() -> tuple[type[Exception], ...]:
    import sqlite3

    import psycopg2

    return psycopg2.Error, sqlite3.Error


def test_what_our_own_routes_refuse_is_said_in_our_words(lims: Lims) -> None:
    for route in (by_connection, by_session, by_a_callers_engine):
        with refused(lims, match="is only read: .*owned=True") as caught:
            route(lims, STATEMENTS[0])
        assert "harm" not in str(caught.value)


def test_nothing_is_copied_into_a_table(postgresql: Lims) -> None:
    for options in ({}, {"isolation_level": "AUTOCOMMIT"}):
        with Database(postgresql.url) as database:
            engine = database.engine.execution_options(**options)
            with engine.connect() as connection, refused(postgresql, *driver_errors()):
                cursor: Any = connection.connection.cursor()
                cursor.copy_expert("COPY genders FROM STDIN", io.StringIO("666\tharm\n"))


def test_the_bulk_route_writes_nothing(postgresql: Lims) -> None:
    pytest.importorskip("pyarrow", reason="the arrow extra is not installed")
    with Database(postgresql.url) as database:
        assert database.bulk is not None
        for statement in (*STATEMENTS, *POSTGRESQL_STATEMENTS):
            with refused(postgresql), database.bulk.batches(text(statement)) as batches:
                list(batches)


def asked_to_write() -> tuple[Any, ...]:
    """Conditions that write."""
    written = insert(Gender).values(id=666, name="harm").returning(Gender.id).cte("written")
    return (
        func.harm() > 0,
        func.nextval("counted") > 0,
        EcephysSession.id != select(written.c.id).scalar_subquery(),
    )


ANSWERS: dict[str, Callable[[SessionRepository, Any], object]] = {
    "frame": lambda repository, where: repository.frame(where=where),
    "chunks": lambda repository, where: list(repository.chunks(size=10, where=where)),
    "entities": lambda repository, where: repository.entities(where=where),
    "one": lambda repository, where: repository.one(where=where),
    "count": lambda repository, where: repository.count(where=where),
    "exists": lambda repository, where: repository.exists(where=where),
    "ids": lambda repository, where: repository.ids(where=where),
    "partitions": lambda repository, where: repository.partitions(n=2, where=where),
}


@pytest.mark.parametrize("bulk", [True, False], ids=["bulk", "rows"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_no_condition_of_a_repository_writes(postgresql: Lims, answer: str, bulk: bool) -> None:
    for where in asked_to_write():
        # A cursor of PostgreSQL's has a refusal of its own, of a WITH that writes.
        match = r"only read|data-modifying"
        with (
            Database(postgresql.url, bulk=bulk) as database,
            refused(postgresql, ReadOnlyError, StatementRefusedError, match=match),
        ):
            ANSWERS[answer](SessionRepository(database), where)


if find_spec("dask") is not None:

    def test_no_partition_of_dask_writes(postgresql: Lims) -> None:
        with Database(postgresql.url) as database:
            for where in asked_to_write()[:2]:
                before = postgresql.state()
                with pytest.raises(ReadOnlyError):
                    SessionRepository(database).dask_frame(where=where).compute()
                assert postgresql.state() == before


def forget_genotypes(db: Session) -> None:
    donor = a_donor(db)
    donor.genotypes.clear()


CHANGES: dict[str, Callable[[Session], None]] = {
    "Gender.*666.* inserted": lambda db: db.add(Gender(id=666, name="harm")),
    "Donor.* changed": lambda db: setattr(a_donor(db), "name", "harm"),
    "Donor.* deleted": lambda db: db.delete(a_donor(db)),
    "Donor.* changed by": forget_genotypes,
    "Genotype.* inserted": lambda db: db.add(Genotype(id=666, name="harm")),
}


def a_donor(db: Session) -> Donor:
    return db.scalars(select(Donor).options(selectinload(Donor.genotypes)).limit(1)).one()


@contextmanager
def ours(lims: Lims) -> Iterator[Session]:
    with Database(lims.url) as database, database.session() as db:
        yield db


@contextmanager
def the_callers(lims: Lims) -> Iterator[Session]:
    engine = create_engine(lims.url)
    with Session(engine) as db:
        yield db
    engine.dispose()


@contextmanager
def of_a_callers_engine(lims: Lims) -> Iterator[Session]:
    engine = create_engine(lims.url)
    with Database(engine).session() as db:
        yield db
    engine.dispose()


SESSIONS = (ours, the_callers, of_a_callers_engine)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("opened", SESSIONS, ids=lambda opened: opened.__name__)
def test_a_flush_is_refused_before_any_sql(lims: Lims, opened: Any, change: str) -> None:
    asked: list[str] = []
    with opened(lims) as db, refused(lims, match=f"{change}.*owned=True"):
        CHANGES[change](db)
        event.listen(db.get_bind(), "before_cursor_execute", lambda *call: asked.append(call[2]))
        db.commit()
    assert [one for one in asked if not one.startswith("PRAGMA")] == []


def test_a_session_that_was_refused_goes_on_without_the_record(lims: Lims) -> None:
    with the_callers(lims) as db:
        gender = Gender(id=666, name="harm")
        db.add(gender)
        with refused(lims):
            db.flush()
        db.expunge(gender)
        assert db.scalar(select(func.count()).select_from(Gender)) == 1
        db.commit()


def test_a_record_that_is_set_to_what_it_was_is_not_changed(lims: Lims) -> None:
    with ours(lims) as db:
        donor = a_donor(db)
        donor.name = donor.name
        db.flush()


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_repository_in_a_callers_session_flushes_nothing(lims: Lims, answer: str) -> None:
    engine = create_engine(lims.url)
    for db in (Session(engine), scoped_session(sessionmaker(engine))):
        db.add(Gender(id=666, name="harm"))
        with refused(lims, match="Gender.*inserted"):
            ANSWERS[answer](SessionRepository(db), ())
        db.close()
    engine.dispose()


def test_what_is_ours_by_name_is_written(lims: Lims) -> None:
    engine = create_engine(lims.url)
    with Database(engine, owned=True) as database:
        for bind in (database.engine, lims.owner.engine):
            with Session(bind) as db:
                CHANGES["Donor.* changed"](db)
                db.add(Gender(id=666, name="harm"))
                db.flush()
                assert a_donor(db).name == "harm"
                db.rollback()
    engine.dispose()


def test_a_callers_engine_is_afterwards_as_it_was(lims: Lims) -> None:
    engine = create_engine(lims.url, pool_size=1, max_overflow=0)
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    for _ in range(2):
        for theirs in (engine, autocommit):
            with pytest.raises(ReadOnlyError), Database(theirs).connection() as connection:
                connection.execute(text(STATEMENTS[0]))
            with engine.begin() as connection:
                write_and_take_back(connection)
            with autocommit.connect() as connection:
                write_and_take_back(connection)
    engine.dispose()


def write_and_take_back(connection: Connection) -> None:
    connection.execute(text(STATEMENTS[0]))
    connection.execute(text("DELETE FROM genders WHERE id = 666"))


def test_pgoptions_hold_but_do_not_open_a_lims(
    postgresql: Lims, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=pg_catalog -c default_transaction_read_only=0")
    with Database(postgresql.url) as database, database.connection() as connection:
        assert connection.scalar(text("SHOW search_path")) == "pg_catalog"
        assert connection.scalar(text("SHOW default_transaction_read_only")) == "on"


def test_what_a_listener_adds_to_a_flush_is_refused_too(tmp_path: Path) -> None:
    class Own(DeclarativeBase):
        """Tables of the caller's."""

    class Note(Own):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)

    engine = create_engine(f"sqlite:///{tmp_path}/lims.db")
    Own.metadata.create_all(engine)
    Gender.__table__.create(engine)  # type: ignore[attr-defined]
    with Session(engine) as db:
        event.listen(db, "before_flush", lambda *_: db.add(Gender(id=1, name="F")))
        db.add(Note(id=1))
        with pytest.raises(ReadOnlyError, match="would be written by a flush"):
            db.flush()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM genders")) == 0
    engine.dispose()
