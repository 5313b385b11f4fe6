"""The page on the doctor says what the doctor does, and its SQL runs."""

from __future__ import annotations

import pytest
from documentation import ROOT, blocks
from sqlalchemy import create_engine, text

from ecephys_dal.doctor import examine
from ecephys_dal.doctor.kinds import KINDS
from ecephys_dal.migrations import upgrade

PAGE = ROOT / "docs" / "doctor.md"
PRESENT, MAKE = (one.text for one in blocks(PAGE, "sql"))


def test_every_kind_of_finding_is_explained():
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"| `{code}` | {kind.severity}" in page for code, kind in KINDS.items())


@pytest.fixture(scope="module")
def connection(fresh_url):
    engine = create_engine(fresh_url("postgresql"))
    with engine.connect() as connection:
        upgrade(connection)
        connection.commit()
        yield connection
    engine.dispose()


def missing(connection) -> set[str]:
    connection.commit()
    findings = examine(connection.engine, progress=False).findings
    return {one.subject for one in findings if one.code == "index_missing" and one.message}


def test_the_statements_of_the_page_show_the_indexes_and_make_one(connection):
    found = {table for table, _ in connection.execute(text(PRESENT))}
    assert {"ecephys_units", "well_known_files"} <= found
    assert missing(connection) == set()
    connection.execute(text("drop index ix_ecephys_units_ecephys_channel_id"))
    assert missing(connection) == {"ecephys_units.ecephys_channel_id"}
    connection.execute(text(MAKE.replace("CONCURRENTLY", "")))  # we are in a transaction
    assert missing(connection) == set()
