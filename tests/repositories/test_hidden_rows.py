"""Rows that a database hides from a role are not said to be missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from sqlalchemy import URL, make_url, text
from sqlalchemy.orm import Session

from ecephys_dal import (
    Database,
    EcephysProjectLimsApi,
    ProbeRepository,
    SessionRepository,
    UnitRepository,
    doctor,
)
from ecephys_dal.migrations import upgrade
from ecephys_dal.testing import SyntheticLims, build_synthetic_lims

from ..conftest import BACKENDS, MADE, FreshUrl, _administer

POLICY = [
    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY seen ON {table} FOR SELECT USING (id <> {hidden})",
]
VIEW = [
    "ALTER TABLE {table} RENAME TO all_of_them",
    "CREATE VIEW {table} AS SELECT * FROM all_of_them WHERE id <> {hidden}",
]


@pytest.fixture
def made(fresh_url: FreshUrl) -> Callable[[str], tuple[URL, SyntheticLims]]:
    def make(backend: str) -> tuple[URL, SyntheticLims]:
        url = make_url(fresh_url(backend))
        with Database(url, owned=True) as owned:
            with owned.connection() as connection:
                upgrade(connection)
            lims = build_synthetic_lims(
                owned, sessions=1, channels_per_probe=2, units_per_session=4, progress=False
            )
        return url, lims

    return make


def change(url: URL, statements: list[str], **names: object) -> None:
    with Database(url, owned=True) as owned, owned.connection() as connection:
        for statement in statements:
            connection.execute(text(statement.format(**names)))


@pytest.fixture
def reader(postgres_url: str) -> Iterator[str]:
    """A role that may read all tables of the databases of a test."""
    name = f"reader_{uuid4().hex[:8]}"
    _administer(postgres_url, f"CREATE ROLE {name} LOGIN")
    before = list(MADE)
    yield name
    for database in [one for one in MADE if one not in before]:
        MADE.remove(database)
        _administer(postgres_url, f"DROP DATABASE {database} WITH (FORCE)")
    _administer(postgres_url, f"DROP ROLE {name}")


GRANT = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}"


def test_row_level_security_may_hide_a_record(made, reader) -> None:  # type: ignore[no-untyped-def]
    url, lims = made("postgresql")
    session_id = lims.session_ids[0]
    with Database(url) as everything:
        unit_id = int(UnitRepository(everything).ids()[0])
    change(url, [GRANT], reader=reader)
    seen = url.set(username=reader)
    with Database(seen) as database:
        assert "hidden by the database" not in str(SessionRepository(database).why(-1))
    change(url, POLICY, table="ecephys_sessions", hidden=session_id)
    with Database(seen) as database, Database(url) as everything:
        for where in (database, seen):
            assert session_id not in SessionRepository(where).ids()
        why = SessionRepository(database).why(session_id)
        assert (why.exists, why.visible) == (False, False)
        assert str(why) == (
            f"EcephysSession {session_id} was not found; rows may be hidden by the database"
            " (ecephys_sessions: row-level security is active for this role)."
        )
        assert why.to_dict()["remark"] in str(why)
        assert "rows may be hidden" in why._repr_html_()
        with Session(database.engine) as db:
            assert str(SessionRepository(db).why(session_id)) == str(why)
        # The session of a unit is hidden, and the unit is not.
        join = UnitRepository(database).why(unit_id).hidden_by[0]
        assert join.name == "ecephys_sessions"
        assert "ecephys_sessions: row-level security is active" in join.remark
        assert "hidden by the database" in str(EcephysProjectLimsApi(database).why(unit_id=unit_id))
        # The other tables have no policy, and the owner sees everything.
        assert str(UnitRepository(database).why(-1)) == "EcephysUnit -1 does not exist."
        assert str(SessionRepository(everything).why(-1)) == "EcephysSession -1 does not exist."
        assert SessionRepository(everything).why(session_id).exists


def test_a_file_may_be_hidden(made, reader) -> None:  # type: ignore[no-untyped-def]
    url, lims = made("postgresql")
    change(url, [GRANT, *POLICY[:1]], reader=reader, table="well_known_files")
    with Database(url.set(username=reader)) as database:
        why = EcephysProjectLimsApi(database).why(session_id=lims.session_ids[0])
        (file,) = why.related
        assert file.found == ()
        assert "rows may be hidden by the database (well_known_files: row-level" in file.verdict
        assert "well_known_files" in file.to_dict()["hiding"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.sample(1)
def test_a_view_may_hide_a_record(made, backend) -> None:  # type: ignore[no-untyped-def]
    url, lims = made(backend)
    probe_id = lims.probe_ids[0]
    change(url, VIEW, table="ecephys_probes", hidden=probe_id)
    with Database(url) as database:
        why = ProbeRepository(database).why(probe_id)
        assert str(why).startswith(f"EcephysProbe {probe_id} was not found; rows may be hidden")
        assert "ecephys_probes: it is a view" in str(why)
        assert str(SessionRepository(database).why(-1)) == "EcephysSession -1 does not exist."


def test_the_doctor_warns_of_row_level_security(made, reader) -> None:  # type: ignore[no-untyped-def]
    url, _ = made("postgresql")
    change(url, [GRANT], reader=reader)
    for table in ("ecephys_units", "users"):
        change(url, POLICY, table=table, hidden=1)
    by_role = {}
    for role in (reader, url.username):
        examination = doctor.examine(url.set(username=role), progress=False)
        by_role[role] = {
            one.subject: one for one in examination.findings if one.code == "row_security"
        }
    assert by_role[reader].keys() == {"ecephys_units", "users"}
    assert {one.severity for one in by_role[reader].values()} == {"warning"}
    assert set(by_role[reader]["ecephys_units"].methods) == {
        "get_units", "get_unit_analysis_metrics",
    }  # fmt: skip
    assert "BYPASSRLS" in by_role[reader]["users"].advice
    (well,) = by_role[url.username].values()
    assert well.severity == "ok"


def test_a_database_that_does_not_say_may_hide_rows(made, reader) -> None:  # type: ignore[no-untyped-def]
    url, _ = made("postgresql")
    change(url, [GRANT, "REVOKE EXECUTE ON FUNCTION row_security_active(oid) FROM PUBLIC"],
           reader=reader)  # fmt: skip
    with Database(url.set(username=reader)) as database:
        told = str(UnitRepository(database).why(-1))
    assert told.startswith("EcephysUnit -1 was not found; rows may be hidden by the database")
    assert "does not say" in told
