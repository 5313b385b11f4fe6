"""What is not ours is never migrated, and no rows are dropped without a word."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from alembic import command
from sqlalchemy import func, select, text

from ecephys_dal import ConfigurationError, Database, SchemaMismatchError
from ecephys_dal.migrations import alembic_config, upgrade
from ecephys_dal.models import EcephysSession
from ecephys_dal.testing import create_synthetic_lims
from tests.conftest import FreshUrl

THEIRS = {
    "another table": "CREATE TABLE notes (id int)",
    "a view": "CREATE VIEW notes AS SELECT 1 AS id",
    "a table of LIMS": "CREATE TABLE ecephys_units (id int)",
}
THEIRS_ON_POSTGRESQL = {
    "a materialized view": "CREATE MATERIALIZED VIEW ecephys_units AS SELECT 1 AS id",
    "a partitioned table": "CREATE TABLE ecephys_units (id int) PARTITION BY LIST (id)",
    "a foreign table": "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;"
    " CREATE FOREIGN TABLE ecephys_units (id int) SERVER s",
    "a sequence": "CREATE SEQUENCE counted",
    "a table elsewhere": "CREATE SCHEMA lims; CREATE TABLE lims.notes (id int)",
    "a foreign table elsewhere": "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA"
    " WRAPPER w; CREATE SCHEMA lims; CREATE FOREIGN TABLE lims.genders (id int) SERVER s",
    "a partition elsewhere": "CREATE SCHEMA lims; CREATE TABLE lims.all_ages (id int) PARTITION BY"
    " LIST (id); CREATE TABLE lims.ages PARTITION OF lims.all_ages DEFAULT",
    "a table of an odd name": 'CREATE SCHEMA "a b"; CREATE TABLE "a b"."c;d" (id int)',
}
QUICK = {"a view", "a foreign table", "a partition elsewhere"}
CASES = [
    pytest.param(
        backend, made, marks=() if name in QUICK else pytest.mark.slow, id=f"{backend}: {name}"
    )
    for backend, theirs in (
        ("sqlite", THEIRS),
        ("postgresql", {**THEIRS, **THEIRS_ON_POSTGRESQL}),
    )
    for name, made in theirs.items()
]


def relations(database: Database) -> list[str]:
    catalogue = "sqlite_master" if database.url.get_backend_name() == "sqlite" else "pg_class"
    name = "name" if catalogue == "sqlite_master" else "oid::text || relname"
    with database.connection() as connection:
        query = f"SELECT {name} FROM {catalogue} ORDER BY 1"
        return list(connection.execute(text(query)).scalars())


@pytest.mark.parametrize(("backend", "made"), CASES)
def test_what_is_not_empty_and_not_ours_is_left_alone(
    fresh_url: FreshUrl, backend: str, made: str
) -> None:
    with Database(fresh_url(backend), owned=True) as database:
        with database.connection() as connection:
            for statement in made.split("; "):
                connection.execute(text(statement))
        before = relations(database)
        for call in (
            upgrade,
            lambda connection: command.stamp(alembic_config(connection), "head"),
            lambda connection: command.downgrade(alembic_config(connection), "base"),
        ):
            with (
                pytest.raises(ConfigurationError, match="did not make it"),
                database.connection() as connection,
            ):
                call(connection)
        assert relations(database) == before


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_a_table_of_alembic_alone_is_nothing(fresh_url: FreshUrl, backend: str) -> None:
    with Database(fresh_url(backend), owned=True) as database:
        with database.connection() as connection:
            connection.execute(text("CREATE TABLE alembic_version (version_num varchar(32))"))
        with database.connection() as connection:
            upgrade(connection)
        with database.connection() as connection:  # there are no rows yet
            command.downgrade(alembic_config(connection), "base")
            command.upgrade(alembic_config(connection), "head")


def test_what_an_extension_brings_is_nobodys(fresh_url: FreshUrl) -> None:
    with Database(fresh_url("postgresql"), owned=True) as database:
        with database.connection() as connection:
            known = "SELECT name FROM pg_available_extensions WHERE name = 'pg_buffercache'"
            if connection.execute(text(known)).first():
                connection.execute(text("CREATE EXTENSION pg_buffercache"))  # a view
        with database.connection() as connection:
            upgrade(connection)


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_rows_are_not_dropped_unless_somebody_wants_that(
    fresh_url: FreshUrl, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = fresh_url(backend)
    create_synthetic_lims(
        url, sessions=1, channels_per_probe=2, units_per_session=2, progress=False
    )

    def downgrade(*said: str, answer: str | None = None) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: answer is not None)
        monkeypatch.setattr("builtins.input", lambda _: answer)
        with Database(url, owned=True) as database, database.connection() as connection:
            config = alembic_config(connection)
            config.cmd_opts = type("Options", (), {"x": list(said)})()  # type: ignore[assignment]
            command.downgrade(config, "base")

    def n_sessions() -> int:
        with Database(url) as database, database.session() as db:
            return db.scalars(select(func.count()).select_from(EcephysSession)).one()

    there = n_sessions()
    refusals: list[Callable[[], None]] = [
        downgrade,
        lambda: downgrade(answer="n"),
        lambda: downgrade("rows=keep"),
    ]
    for refused in refusals:
        with pytest.raises(
            ConfigurationError, match=r"hold rows\); nothing was changed.*rows=drop"
        ):
            refused()
        assert n_sessions() == there
    downgrade(answer="y")
    create_synthetic_lims(
        url, sessions=1, channels_per_probe=2, units_per_session=2, progress=False
    )
    downgrade("rows=drop")
    with pytest.raises(SchemaMismatchError, match="ecephys_sessions"):
        n_sessions()
