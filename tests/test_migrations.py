"""The migrations make what the models say, in a database of ours and in no other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from ecephys_dal import ConfigurationError, Database
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import LIMS_TABLES

ROOT = Path(__file__).parent.parent


def alembic(*arguments: str, url: str | None = None) -> subprocess.CompletedProcess[str]:
    named = ["-x", f"url={url}"] if url else []
    command = [sys.executable, "-W", "error", "-m", "alembic", *named, *arguments]
    return subprocess.run(  # noqa: S603 - our own command
        command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
    )


def tables(url: str) -> set[str]:
    with Database(url, owned=True) as database, database.connection() as connection:
        return set(inspect(connection).get_table_names())


@pytest.mark.sample(2)
def test_models_and_migrations_agree(empty_url: str) -> None:
    made = alembic("upgrade", "head", url=empty_url)
    assert made.returncode == 0, made.stderr
    assert tables(empty_url) == {*LIMS_TABLES, "alembic_version"}
    checked = alembic("check", url=empty_url)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "No new upgrade operations detected" in checked.stdout


@pytest.mark.slow
def test_a_difference_between_models_and_tables_is_found(empty_url: str) -> None:
    alembic("upgrade", "head", url=empty_url)
    with Database(empty_url, owned=True) as database, database.connection() as connection:
        connection.execute(text("DROP INDEX ix_ecephys_units_ecephys_channel_id"))
    checked = alembic("check", url=empty_url)
    assert checked.returncode != 0
    assert "ix_ecephys_units_ecephys_channel_id" in checked.stdout + checked.stderr


def test_every_foreign_key_is_indexed() -> None:
    for table in LIMS_TABLES.values():
        leading = {index.columns[0].name for index in table.indexes}
        leading |= {next(iter(table.primary_key.columns)).name}
        assert {key.parent.name for key in table.foreign_keys} <= leading, table.name


@pytest.mark.slow
def test_downgrading_leaves_nothing(empty_url: str) -> None:
    alembic("upgrade", "head", url=empty_url)
    undone = alembic("downgrade", "base", url=empty_url)
    assert undone.returncode == 0, undone.stderr
    assert tables(empty_url) == {"alembic_version"}
    assert alembic("upgrade", "head", url=empty_url).returncode == 0


@pytest.mark.sample(1)
def test_the_sql_can_be_written_without_a_database(empty_url: str) -> None:
    up = alembic("upgrade", "head", "--sql", url=empty_url)
    down = alembic("downgrade", "head:base", "--sql", url=empty_url)
    assert up.returncode == down.returncode == 0, up.stderr + down.stderr
    for table in LIMS_TABLES:
        assert f"CREATE TABLE {table} (" in up.stdout
        assert f"DROP TABLE {table};" in down.stdout
    assert "CREATE TABLE alembic_version" in up.stdout
    assert '"PT_ratio"' in up.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", [("upgrade", "head"), ("stamp", "head"), ("check",)])
def test_somebody_elses_lims_is_refused_and_left_alone(
    empty_url: str, command: tuple[str, ...]
) -> None:
    with Database(empty_url, owned=True) as database, database.connection() as connection:
        connection.execute(text("CREATE TABLE ecephys_sessions (id bigint primary key)"))
    refused = alembic(*command, url=empty_url)
    assert refused.returncode != 0
    assert "holds ecephys_sessions" in refused.stderr
    assert tables(empty_url) == {"ecephys_sessions"}
    with (
        pytest.raises(ConfigurationError, match="somebody's LIMS"),
        Database(empty_url, owned=True) as database,
        database.connection() as connection,
    ):
        upgrade(connection)
    assert tables(empty_url) == {"ecephys_sessions"}


@pytest.mark.sample(1)
def test_an_empty_alembic_version_is_no_permit(empty_url: str) -> None:
    with Database(empty_url, owned=True) as database, database.connection() as connection:
        connection.execute(text("CREATE TABLE ecephys_sessions (id bigint primary key)"))
        connection.execute(text("CREATE TABLE alembic_version (version_num varchar(32))"))
    assert "holds ecephys_sessions" in alembic("upgrade", "head", url=empty_url).stderr


@pytest.mark.slow
@pytest.mark.parametrize("revision", ["0001", "abc123"])
@pytest.mark.parametrize(
    "command", [("upgrade", "head"), ("downgrade", "base"), ("stamp", "head", "--purge")]
)
def test_somebody_elses_alembic_is_no_permit_either(
    empty_url: str, revision: str, command: tuple[str, ...]
) -> None:
    with Database(empty_url, owned=True) as database, database.connection() as connection:
        connection.execute(text("CREATE TABLE ecephys_sessions (id bigint primary key)"))
        connection.execute(text("CREATE TABLE alembic_version (version_num varchar(32))"))
        connection.execute(text(f"INSERT INTO alembic_version VALUES ('{revision}')"))
    refused = alembic(*command, url=empty_url)
    assert refused.returncode != 0
    assert f"in alembic_version {revision}" in refused.stderr
    assert tables(empty_url) == {"ecephys_sessions", "alembic_version"}


def test_lims_tables_of_another_schema_are_seen(fresh_url: Callable[[str], str]) -> None:
    url = fresh_url("postgresql")
    with Database(url, owned=True) as database, database.connection() as connection:
        connection.execute(text("CREATE SCHEMA lims"))
        connection.execute(text("CREATE VIEW lims.ecephys_units AS SELECT 1 AS id"))
    refused = alembic("upgrade", "head", url=url)
    assert "holds ecephys_units" in refused.stderr
    assert tables(url) == set()


def test_a_transaction_of_the_callers_is_not_ended(empty_url: str) -> None:
    with Database(empty_url, owned=True) as database, database.connection() as connection:
        connection.execute(text("CREATE TABLE notes (id bigint)"))
        with pytest.raises(ConfigurationError, match="middle of a transaction"):
            upgrade(connection)
    assert tables(empty_url) == {"notes"}


@pytest.mark.sample(2)
def test_a_migration_that_fails_leaves_nothing(empty_url: str) -> None:
    with Database(empty_url, owned=True) as database, database.connection() as connection:
        connection.execute(text("CREATE TABLE ix_ecephys_units_ecephys_channel_id (id bigint)"))
    assert alembic("upgrade", "head", url=empty_url).returncode != 0
    assert tables(empty_url) <= {"ix_ecephys_units_ecephys_channel_id", "alembic_version"}


def test_no_database_is_taken_by_default() -> None:
    refused = alembic("upgrade", "head")
    assert refused.returncode != 0
    assert "no database is named" in refused.stderr


def test_upgrading_twice_changes_nothing(empty_url: str) -> None:
    with Database(empty_url, owned=True) as database:
        for _ in range(2):
            with database.connection() as connection:
                upgrade(connection)
    assert tables(empty_url) >= set(LIMS_TABLES)


def test_a_migration_is_the_callers_to_commit(empty_url: str) -> None:
    with Database(empty_url, owned=True) as database, database.engine.connect() as connection:
        upgrade(connection)
        connection.rollback()
    assert tables(empty_url) == set()
