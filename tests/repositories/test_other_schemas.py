"""What is not known of LIMS for certain may be either way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pandas as pd
import pytest
from sqlalchemy import text

from ecephys_dal import Database, SessionFilter, SessionRepository, UnitMetricRepository
from ecephys_dal.migrations import upgrade
from ecephys_dal.testing import build_synthetic_lims

PUBLISHED_AT_IS_A_DATE = {
    "postgresql": "ALTER TABLE ecephys_sessions ALTER published_at TYPE date",
    "sqlite": "UPDATE ecephys_sessions SET published_at = substr(published_at, 1, 10)",
}
BUNDLES_ARE_TEXT = {
    "postgresql": "ALTER TABLE ecephys_unit_metric_bundles ALTER data TYPE text",
    "sqlite": "UPDATE ecephys_unit_metric_bundles SET data = json_quote(data)",
}
BUNDLES_ARE_BINARY = {
    "postgresql": "ALTER TABLE ecephys_unit_metric_bundles ALTER data TYPE jsonb",
    "sqlite": "SELECT 1",
}


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    with Database(empty_url, owned=True) as made:
        with made.connection() as connection:
            upgrade(connection)
        build_synthetic_lims(
            made, sessions=1, channels_per_probe=4, units_per_session=8, progress=False
        )
        yield made


def change(database: Database, statements: dict[str, str]) -> None:
    with database.connection() as connection:
        connection.execute(text(statements[connection.dialect.name]))


def test_published_at_may_be_a_date(database: Database) -> None:
    sessions = SessionRepository(database)
    spec = SessionFilter(published_at="2019-10-03")
    before, ids = sessions.frame(), sessions.ids(spec).tolist()
    change(database, PUBLISHED_AT_IS_A_DATE)
    pd.testing.assert_frame_equal(sessions.frame(), before)
    assert sessions.ids(spec).tolist() == ids
    assert 0 < len(ids) < len(before)
    assert {type(session.published_at) for session in sessions.entities(spec)} == {dt.datetime}


@pytest.mark.parametrize("statements", [BUNDLES_ARE_TEXT, BUNDLES_ARE_BINARY])
@pytest.mark.sample(2)
def test_bundles_may_be_stored_in_other_ways(
    database: Database, statements: dict[str, str]
) -> None:
    metrics = UnitMetricRepository(database)
    before = metrics.frame()
    change(database, statements)
    after = metrics.frame()
    assert len(after) > 0
    pd.testing.assert_frame_equal(after, before, check_like=True)  # jsonb sorts the keys
