"""The page for whoever runs LIMS knows which indexes there are, and which are missing."""

from __future__ import annotations

import pytest
from documentation import ROOT, blocks
from sqlalchemy import create_engine, text

from ecephys_dal.migrations import upgrade

MISSING, PRESENT, MAKE = (one.text for one in blocks(ROOT / "docs" / "doctor.md", "sql"))


@pytest.fixture(scope="module")
def connection(fresh_url):
    engine = create_engine(fresh_url("postgresql"))
    with engine.connect() as connection:
        upgrade(connection)
        connection.commit()
        yield connection
    engine.dispose()


def test_no_index_that_matters_is_missing(connection):
    assert connection.execute(text(MISSING)).all() == []
    found = {table for table, _ in connection.execute(text(PRESENT))}
    assert {"ecephys_units", "well_known_files"} <= found


def test_a_missing_index_is_named_and_the_statement_of_the_page_makes_it(connection):
    with connection.begin_nested() as savepoint:
        connection.execute(text("drop index ix_ecephys_units_ecephys_channel_id"))
        missing = connection.execute(text(MISSING)).all()
        assert missing == [("ecephys_units", "ecephys_channel_id")]
        connection.execute(text(MAKE.replace("CONCURRENTLY", "")))  # we are in a transaction
        assert connection.execute(text(MISSING)).all() == []
        savepoint.rollback()


def test_an_index_that_serves_only_some_rows_does_not_count(connection):
    with connection.begin_nested() as savepoint:
        connection.execute(text("drop index ix_ecephys_units_ecephys_channel_id"))
        connection.execute(text(MAKE.replace("CONCURRENTLY", "").replace(";", "where id > 5")))
        missing = connection.execute(text(MISSING)).all()
        assert missing == [("ecephys_units", "ecephys_channel_id")]
        savepoint.rollback()
