"""Tables and columns: roles that see little, other schemas, views, and types that serve."""

from __future__ import annotations

from uuid import uuid4

import pandas as pd
import pytest
from sqlalchemy import event, inspect, make_url

from ecephys_dal import (
    ChannelRepository,
    Database,
    ProbeRepository,
    SessionRepository,
    UnitMetricRepository,
    UnitRepository,
)
from ecephys_dal.doctor.asking import Lims
from ecephys_dal.doctor.catalogue import read_catalogue
from ecephys_dal.models import LIMS_TABLES

from ..conftest import MADE, _administer
from .conftest import examined, found, run

UNIT, SESSION = "ecephys_units", "ecephys_sessions"
TABLES = sorted(LIMS_TABLES)


def of(examination, code):
    return [one for one in examination.findings if one.code == code and one.severity != "ok"]


def as_role(url, role):
    return make_url(url).set(username=role)


@pytest.fixture
def role(postgres_url):
    name = f"reader_{uuid4().hex[:8]}"
    run(postgres_url, [f"CREATE ROLE {name} LOGIN"])
    yield name
    run(postgres_url, [f"DROP ROLE {name}"])


@pytest.fixture
def other_role(postgres_url):
    name = f"writer_{uuid4().hex[:8]}"
    run(postgres_url, [f"CREATE ROLE {name}"])
    yield name
    run(postgres_url, [f"DROP ROLE {name}"])


@pytest.fixture
def granted(copied, role, other_role, postgres_url):
    """A copy of the healthy LIMS, for a role that may do no more than what is granted."""
    made = []

    def grant(*rights, statements=()):
        url = copied("postgresql", ["REVOKE CREATE ON SCHEMA public FROM PUBLIC"])
        name = make_url(url).database
        made.append(name)
        names = {"role": role, "other": other_role, "database": name}
        run(url, [statement.format(**names) for statement in statements])
        run(url, [f"GRANT {right} TO {role}" for right in rights])
        return as_role(url, role)

    yield grant
    for name in made:  # for a role that was granted something can't be dropped
        MADE.remove(name)
        _administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def test_a_role_that_may_only_read_is_well(granted, role):
    examination = examined(granted(*(f"SELECT ON {table}" for table in TABLES)))
    assert found(examination) == {}
    (finding,) = (one for one in examination.findings if one.code == "role_may_write")
    assert (finding.severity, finding.subject) == ("ok", role)
    reached = next(one for one in examination.findings if one.code == "database_unreachable")
    assert reached.facts["role"] == role
    assert 0 < reached.facts["latency_ms"] < 5_000


@pytest.mark.parametrize(
    ("right", "told"),
    [
        ("INSERT ON ecephys_units", "change ecephys_units"),
        ("UPDATE ON genders", "change genders"),
        ("DELETE ON stimuli", "change stimuli"),
        ("CREATE ON SCHEMA public", "create tables in the schema public"),
    ],
)
def test_a_role_that_could_write_is_warned_of(granted, role, right, told):
    examination = examined(granted("SELECT ON ALL TABLES IN SCHEMA public", right))
    (finding,) = of(examination, "role_may_write")
    assert finding.severity == "warning"
    assert finding.message == f"{role} may {told}"
    assert found(examination) == {}


ELSEWHERE = ["CREATE SCHEMA other", "CREATE TABLE other.notes (id int)"]
AS_ANOTHER = ["ALTER ROLE {role} NOINHERIT", "GRANT {other} TO {role}"]


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (["GRANT UPDATE (name) ON ecephys_sessions TO {role}"], "change ecephys_sessions"),
        (["GRANT INSERT (id) ON ecephys_sessions TO {role}"], "change ecephys_sessions"),
        (["CREATE TABLE notes (id int)", "GRANT ALL ON notes TO {role}"], "change notes"),
        ([*ELSEWHERE, "GRANT DELETE ON other.notes TO {role}"], "change other.notes"),
        (["GRANT UPDATE ON genders TO PUBLIC"], "change genders"),
        (["CREATE TABLE own (id int)", "ALTER TABLE own OWNER TO {role}",
          "SET ROLE {role}", "REVOKE ALL ON own FROM {role}", "RESET ROLE"], "change own"),
        (["CREATE SCHEMA other", "GRANT CREATE ON SCHEMA other TO {role}"],
         "create tables in the schema other"),
        (["CREATE SCHEMA other AUTHORIZATION {role}"], "create tables in the schema other"),
        (["GRANT CREATE ON DATABASE {database} TO {role}"],
         "create schemas in the database {database}"),
        (["GRANT UPDATE ON genders TO {other}", *AS_ANOTHER], "change genders"),
        (["ALTER ROLE {other} SUPERUSER", *AS_ANOTHER], "do everything as the superuser {other}"),
        (["ALTER ROLE {role} CREATEROLE"], "create roles as {role}"),
        (["GRANT pg_execute_server_program, pg_write_server_files TO {role}"],
         "use the server's files or programs as pg_execute_server_program, pg_write_server_files"),
        (["CREATE FUNCTION wipe() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"],
         "call wipe(), with the rights of whoever made it"),
        (["GRANT CREATE ON SCHEMA public TO PUBLIC"],
         ("create tables in the schema public, and meet what anybody may make in the schema public,"
         " which is on the search_path")),
    ],
)  # fmt: skip
@pytest.mark.sample(6)
def test_a_right_that_is_easily_overlooked_is_warned_of(
    granted, role, other_role, statements, told
):
    url = granted("SELECT ON ALL TABLES IN SCHEMA public", statements=statements)
    (finding,) = of(examined(url), "role_may_write")
    told = told.format(role=role, other=other_role, database=url.database)
    assert finding.message == f"{role} may {told}"


def test_a_role_that_may_change_back_is_warned_of(granted, role, healthy):
    url = make_url(healthy("postgresql"))
    acting = url.update_query_dict({"options": f"-crole={role}"})
    examination = examined(acting)
    (finding,) = of(examination, "role_may_write")
    assert "superuser" in finding.message
    reached = next(one for one in examination.findings if one.code == "database_unreachable")
    assert reached.facts["role"] == role


def test_of_many_tables_some_are_named(granted, role):
    examination = examined(granted("ALL ON ALL TABLES IN SCHEMA public"))
    (finding,) = of(examination, "role_may_write")
    assert finding.message.endswith(", ...")
    assert finding.message.count(", ") == 10


def test_a_superuser_is_warned_of(healthy):
    (finding,) = of(examined(healthy("postgresql")), "role_may_write")
    assert "superuser" in finding.message


def test_a_role_that_sees_some_tables_is_told_what_works(granted):
    seen = {"ecephys_sessions", "ecephys_probes"}
    examination = examined(granted(*(f"SELECT ON {table}" for table in seen)))
    unreadable = of(examination, "table_unreadable")
    assert {one.subject for one in unreadable} == set(TABLES) - seen
    assert {one.subject for one in unreadable if one.severity != "error"} == {
        "behavior_sessions", "donors_genotypes", "equipment", "genotypes", "genotype_types",
        "projects", "users",
    }  # fmt: skip
    assert "get_probes" not in {method for one in unreadable for method in one.methods}
    # What is readable was looked at, and what is not was not tried.
    subjects = {one.subject for one in examination.findings if one.code == "rule_undecided"}
    assert subjects == {
        "ecephys_sessions.workflow_state", "ecephys_sessions.habituation",
        "ecephys_probes.workflow_state",
    }  # fmt: skip
    assert of(examination, "check_skipped")
    assert not of(examination, "check_failed")


def test_a_role_that_sees_some_columns_is_told_which_are_hidden(granted):
    others = [table for table in TABLES if table != UNIT]
    names = [one.name for one in LIMS_TABLES[UNIT].columns if one.name != "snr"]
    columns = ", ".join(f'"{name}"' for name in names)
    url = granted(*(f"SELECT ON {table}" for table in others), f"SELECT ({columns}) ON {UNIT}")
    examination = examined(url)
    assert found(examination) == {("column_unreadable", f"{UNIT}.snr"): "error"}
    (finding,) = of(examination, "column_unreadable")
    assert finding.methods == ("get_units",)


def test_a_hidden_column_is_not_looked_at_and_the_others_are(granted):
    hidden, other = "created_at", "updated_at"
    nullable = [f"ALTER TABLE {SESSION} ALTER {name} DROP NOT NULL" for name in (hidden, other)]
    others = [table for table in TABLES if table != SESSION]
    names = [one.name for one in LIMS_TABLES[SESSION].columns if one.name != hidden]
    url = granted(
        *(f"SELECT ON {table}" for table in others),
        f"SELECT ({', '.join(names)}) ON {SESSION}",
        statements=[*nullable, f"UPDATE {SESSION} SET {other} = NULL"],
    )
    examination = examined(url)
    assert found(examination).keys() == {
        ("column_unreadable", f"{SESSION}.{hidden}"),
        ("column_nullable", f"{SESSION}.{hidden}"),
        ("column_nullable", f"{SESSION}.{other}"),
        ("null_unexpected", f"{SESSION}.{other}"),
    }
    assert examination.unexamined == ("moment_out_of_range", "null_unexpected")


def test_tables_may_be_in_another_schema_where_the_connection_looks(copied):
    moved = [f"ALTER TABLE {table} SET SCHEMA lims" for table in TABLES]
    url = copied("postgresql", ["CREATE SCHEMA lims", *moved])
    looking = make_url(url).update_query_dict({"options": "-csearch_path=lims"})
    assert found(examined(looking)) == {}
    examination = examined(url)
    assert len(of(examination, "table_missing")) == len(TABLES)
    assert all("schema lims" in one.message for one in of(examination, "table_missing"))
    assert not of(examination, "check_failed")


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_a_view_is_as_good_as_a_table(backend, copied):
    url = copied(
        backend,
        [f"ALTER TABLE {UNIT} RENAME TO sorted", f"CREATE VIEW {UNIT} AS SELECT * FROM sorted"],
    )
    examination = examined(url)
    assert found(examination) == {}
    (others,) = of(examination, "tables_extra")
    assert "sorted" in others.message


def test_the_catalogue_is_read_in_a_few_statements(healthy):
    statements = []
    with Database(healthy("postgresql")) as database:
        inspect(database.engine)  # which asks for the version
        event.listen(
            database.engine, "before_cursor_execute", lambda *args: statements.append(args[2])
        )
        read_catalogue(Lims(database, 10))
    assert len(statements) < 10


# What columns of a table are changed to, one after the other.
SERVE = {
    UnitRepository: [
        ("ecephys_units", "snr", "numeric"),
        ("ecephys_units", "snr", "real"),
        ("ecephys_units", "id", "numeric"),
        ("ecephys_units", "ecephys_channel_id", "double precision"),
        ("ecephys_units", "quality", "char(9)"),
    ],
    ChannelRepository: [
        ("ecephys_channels", "local_index", "smallint"),
        ("ecephys_channels", "local_index", "numeric"),
    ],
    ProbeRepository: [("ecephys_probes", "air_channel_index", "double precision")],
    SessionRepository: [
        ("ages", "days", "int"),
        ("ecephys_sessions", "published_at", "date"),
        ("ecephys_sessions", "published_at", "timestamptz"),
        ("ecephys_sessions", "date_of_acquisition", "timestamptz"),
    ],
    UnitMetricRepository: [
        ("ecephys_unit_metric_bundles", "data", "jsonb"),
        ("ecephys_unit_metric_bundles", "data", "text"),
    ],
}
REFERENCES = [
    f"ALTER TABLE {table} DROP CONSTRAINT fk_{table}_{column}"
    for table, column in (
        ("ecephys_units", "ecephys_channel_id"),
        ("ecephys_unit_metric_bundles", "ecephys_unit_id"),
    )
]


@pytest.mark.parametrize("repository", SERVE, ids=lambda repository: repository.__name__)
@pytest.mark.sample(1)
def test_types_that_are_said_to_serve_serve(repository, copied):
    url = copied("postgresql", REFERENCES)
    frames = {bulk: frame_of(repository, url, bulk) for bulk in (True, False)}
    for table, column, new in SERVE[repository]:
        changed = f"ALTER TABLE {table} ALTER {column} TYPE {new} USING {column}::{new}"
        run(url, ["SET TIME ZONE 'UTC'", changed])
        subject = f"{table}.{column}"
        told = {one.severity for one in examined(url).findings if one.subject == subject}
        assert told <= {"info", "ok"}, new
        for bulk, before in frames.items():
            after = frame_of(repository, url, bulk)
            assert len(after) == 1
            pd.testing.assert_frame_equal(after, before, rtol=1e-6, check_like=True)


def frame_of(repository, url, bulk):
    with Database(url, bulk=bulk) as database:
        frame = repository(database).frame()
    # The server fills a char(n) with blanks.
    return frame.apply(lambda column: column.str.rstrip() if column.name == "quality" else column)
