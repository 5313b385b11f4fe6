"""A text of the caller's can't make several statements of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, literal_column, make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ecephys_dal import Database, DatabaseSettings, EcephysDalError, UnitRepository
from ecephys_dal.database.bulk import has_bulk_route
from ecephys_dal.models import EcephysSession, EcephysUnit
from ecephys_dal.repositories import SessionRepository
from ecephys_dal.testing import create_synthetic_lims
from tests.conftest import FreshUrl

WRITE = "COMMIT; BEGIN READ WRITE; INSERT INTO harm VALUES (1); COMMIT"
# What closes what stands before it, writes, and opens what comes after it.
TEXTS = {
    "in parentheses": f"1=1); {WRITE}; SELECT (1",
    "without them": f"1=1; {WRITE}; SELECT 1 WHERE 1=1",
    "before a comment": f"1=1); {WRITE}; --",
    "before a long comment": f"1=1); {WRITE}; /*",
    "in a query that has a name": f"1=1)) AS one; {WRITE}; SELECT * FROM (SELECT 1 WHERE (1=1",
    "in a query, and parentheses": f"1=1) AS one; {WRITE}; SELECT one.* FROM (SELECT 1 WHERE 1=1",
    "with quotes of dollars": f"$$;$$ = ';'); {WRITE}; SELECT (1",
    "which sets": "1=1); COMMIT; SET default_transaction_read_only = off;"
    " INSERT INTO harm VALUES (1); SELECT (1",
}
REFUSED = (EcephysDalError, DBAPIError)
Outputs = dict[str, Callable[[UnitRepository, Any], Any]]
OUTPUTS: Outputs = {
    "count": lambda units, where: units.count(where=where),
    "exists": lambda units, where: units.exists(where=where),
    "ids": lambda units, where: units.ids(where=where),
    "get": lambda units, where: units.get(int(units.ids()[0]), where=where),
    "entities": lambda units, where: units.entities(where=where),
    "frame": lambda units, where: units.frame(where=where),
    "chunks": lambda units, where: list(units.chunks(size=5, where=where)),
    "partitions": lambda units, where: units.partitions(2, where=where),
    "why": lambda units, where: units.why(int(units.ids()[0]), where=where),
    "explain": lambda units, where: units.explain(where=where),
    "explain, analyzed": lambda units, where: units.explain(where=where, analyze=True),
}
if has_bulk_route(make_url("postgresql+psycopg2://")):
    OUTPUTS["arrow"] = lambda units, where: units.arrow(where=where)


def unset(url: str) -> Database:
    return Database(url, settings=DatabaseSettings(startup_options=False))


def by_a_callers_engine(url: str) -> Database:
    return Database(create_engine(url))


def in_autocommit(url: str) -> Database:
    return Database(create_engine(url, isolation_level="AUTOCOMMIT"))


def by_rows(url: str) -> Database:
    return Database(url, bulk=False)


WAYS = [Database, by_rows, unset, by_a_callers_engine, in_autocommit]


@pytest.fixture(scope="module")
def victim(fresh_url: FreshUrl) -> Iterator[tuple[str, Callable[[], bool]]]:
    """A LIMS of a few units, and whether it was written to."""
    url = fresh_url("postgresql")
    create_synthetic_lims(
        url, sessions=1, channels_per_probe=2, units_per_session=9, progress=False
    )
    with Database(url, owned=True) as owner:
        with owner.connection() as connection:
            connection.execute(text("CREATE TABLE harm (id int)"))

        def is_harmed() -> bool:
            with owner.connection() as connection:
                return connection.execute(text("SELECT count(*) FROM harm")).scalar_one() > 0

        yield url, is_harmed


@pytest.mark.parametrize("attack", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.in_turn("output", "way", "attack")
def test_no_text_of_a_condition_begins_another_statement(
    victim: tuple[str, Callable[[], bool]],
    way: Callable[[str], Database],
    output: Callable[[UnitRepository, Any], Any],
    attack: str,
) -> None:
    url, is_harmed = victim
    with way(url) as database, pytest.raises(EcephysDalError):
        output(UnitRepository(database), text(attack))
    assert not is_harmed()


@pytest.mark.parametrize("attack", [TEXTS["in parentheses"], TEXTS["without them"]])
def test_nor_does_a_text_within_a_session_of_the_callers(
    victim: tuple[str, Callable[[], bool]], attack: str
) -> None:
    url, is_harmed = victim
    for output in OUTPUTS.values():
        with Session(create_engine(url)) as db, pytest.raises(EcephysDalError):
            output(UnitRepository(db), text(attack))
        assert not is_harmed()


@pytest.mark.parametrize("attack", TEXTS.values(), ids=TEXTS)
def test_nor_does_a_text_of_a_query_of_ones_own(
    victim: tuple[str, Callable[[], bool]], attack: str
) -> None:
    url, is_harmed = victim
    for query in (
        select(EcephysUnit).where(text(attack)),
        select(literal_column(attack)),
        select(EcephysUnit.id).order_by(text(attack)),
        select(EcephysUnit.id).where(text(attack)).union_all(select(EcephysSession.id)),
    ):
        with pytest.raises(REFUSED), Database(url) as database, database.session() as db:
            db.execute(query)
        assert not is_harmed()


def test_what_was_wrong_is_said(victim: tuple[str, Callable[[], bool]]) -> None:
    for bulk in (True, False):
        with (
            Database(victim[0], bulk=bulk) as database,
            pytest.raises(EcephysDalError, match="ends its statement and begins another one"),
        ):
            UnitRepository(database).frame(where=text(TEXTS["in a query that has a name"]))


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_a_semicolon_in_quotes_is_one(filled: Any, backend: str) -> None:
    url, _ = filled(backend)
    for bulk in (True, False):
        with Database(url, bulk=bulk) as database:
            sessions = SessionRepository(database)
            everything = sessions.ids().tolist()
            for harmless in ("';' = ';'", "1=1 /* ; */", "'--;' <> '/*'"):
                assert sessions.frame(where=text(harmless)).index.tolist() == everything
                assert sessions.count(where=text(harmless)) == len(everything)
                assert len(sessions.entities(where=text(harmless))) == len(everything)


def test_sqlite_takes_one_statement(filled: Any) -> None:
    url, _ = filled("sqlite")
    for output in OUTPUTS.values():
        with Database(url) as database, pytest.raises(REFUSED):
            output(UnitRepository(database), text("1=1); DELETE FROM ages; SELECT (1"))


def test_names_of_queries_are_not_told_beforehand(victim: tuple[str, Callable[[], bool]]) -> None:
    """A text that knows the last query's name knows nothing of the next one's."""
    url, is_harmed = victim
    with Database(url) as database:
        units = UnitRepository(database)
        with database.connection() as connection:
            known = connection.execute(select(literal_column("current_query()"))).scalar_one()
        name = known.partition(".*")[0].removeprefix("SELECT ")
        assert name.startswith("ecephys_dal_one_")
        attack = f"1=1) AS {name}; {WRITE}; SELECT 1 FROM (SELECT 1 WHERE 1=1"
        with pytest.raises(EcephysDalError):
            units.frame(where=text(attack))
    assert not is_harmed()


def test_an_operator_of_somebody_elses_changes_no_rule(fresh_url: FreshUrl) -> None:
    """One of the very types of a column comes before PostgreSQL's own, of a type like it."""
    url = fresh_url("postgresql")
    create_synthetic_lims(
        url, sessions=3, channels_per_probe=2, units_per_session=3, progress=False
    )
    with Database(url) as database:
        sessions = SessionRepository(database)
        failed = text("ecephys_sessions.workflow_state::text = 'failed'")
        before = sessions.ids().tolist()
        assert sessions.count(where=failed) == 0
    with Database(url, owned=True) as owned, owned.connection() as connection:
        for statement in (
            "CREATE FUNCTION never(varchar, varchar) RETURNS bool LANGUAGE sql AS 'SELECT true'",
            "CREATE FUNCTION always(varchar, text) RETURNS bool LANGUAGE sql AS 'SELECT true'",
            "CREATE OPERATOR <> (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = never)",
            "CREATE OPERATOR <> (LEFTARG = varchar, RIGHTARG = text, FUNCTION = always)",
            "UPDATE ecephys_sessions SET workflow_state = 'failed'",
        ):
            connection.execute(text(statement))
    assert before
    for bulk in (True, False):
        with Database(url, bulk=bulk) as database:
            assert SessionRepository(database).ids().tolist() == []
            assert len(SessionRepository(database).frame()) == 0
            assert len(UnitRepository(database).frame()) == 0
