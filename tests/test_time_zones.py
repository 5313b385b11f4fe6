"""Moments are in UTC, whatever the zones of columns, server and client are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.orm import Session

from ecephys_dal import Database, SessionFilter, SessionRepository, snapshot
from ecephys_dal.models import EcephysSession
from ecephys_dal.testing import create_synthetic_lims

ZONES = ("Europe/Berlin", "America/Los_Angeles")
DAY = dt.datetime(2019, 10, 3)
LATER = dt.datetime(2019, 10, 3, 5)  # still the day before in Los Angeles
COLUMNS = ("date_of_acquisition", "published_at")


@pytest.fixture(scope="module", params=["naive", "aware"])
def url(request: pytest.FixtureRequest, fresh_url: Callable[[str], str]) -> str:
    """A LIMS whose sessions were published at midnight or soon after, with a zone or without."""
    url = fresh_url("postgresql")
    create_synthetic_lims(
        url, sessions=2, channels_per_probe=4, units_per_session=8, progress=False
    )
    with Database(url, owned=True) as owned, owned.connection() as connection:
        connection.execute(text(f"UPDATE ecephys_sessions SET published_at = '{DAY}'"))
        connection.execute(
            text(
                f"UPDATE ecephys_sessions SET published_at = '{LATER}'"
                " WHERE id = (SELECT max(id) FROM ecephys_sessions WHERE stimulus_name IS NOT NULL)"
            )
        )
        for column in COLUMNS if request.param == "aware" else ():
            connection.execute(
                text(
                    f"ALTER TABLE ecephys_sessions ALTER {column} TYPE timestamptz"
                    f" USING {column} AT TIME ZONE 'UTC'"
                )
            )
    return url


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, url: str) -> str:
    """The zone of all sessions at the server whose client says nothing else."""
    with Database(url, owned=True) as owned, owned.connection() as connection:
        name = make_url(url).database
        connection.execute(text(f"ALTER DATABASE {name} SET TimeZone = '{request.param}'"))
    return str(request.param)


@pytest.fixture(params=["server's", "client's"])
def told(request: pytest.FixtureRequest, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client's environment say the zone too, or leave it to the server."""
    if request.param == "client's":
        monkeypatch.setenv("PGTZ", zone)
        monkeypatch.setenv("PGOPTIONS", f"-c TimeZone={zone}")


def check(db: Any) -> None:
    sessions = SessionRepository(db)
    frame = sessions.frame()
    assert set(frame["published_at"]) == {pd.Timestamp(DAY), pd.Timestamp(LATER)}
    spec = SessionFilter(published_at=DAY)
    assert set(sessions.frame(spec)["published_at"]) == {pd.Timestamp(DAY)}
    assert sessions.count(spec) == sum(frame["published_at"] == DAY)
    assert sessions.count(SessionFilter(published_at="2019-10-02")) == 0


@pytest.fixture(params=["engine", "AUTOCOMMIT", "own engine"])
def database(request: pytest.FixtureRequest, url: str) -> Iterator[Database]:
    if request.param == "own engine":
        with Database(url, bulk=False) as database:
            yield database
        return
    level = {"isolation_level": request.param} if request.param == "AUTOCOMMIT" else {}
    engine = create_engine(url, pool_size=1, max_overflow=0, **level)
    yield Database(engine)
    engine.dispose()


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("bulk", [True, False], ids=["bulk", "rows"])
@pytest.mark.sample(3)
def test_a_day_means_the_same_on_both_routes(url: str, bulk: bool) -> None:
    with Database(url, bulk=bulk) as database:
        check(database)


@pytest.mark.usefixtures("told")
def test_entities_are_in_utc(database: Database) -> None:
    check(database)
    with database.session() as db:
        for moment in db.scalars(select(EcephysSession.published_at)):
            assert moment is not None
            assert moment.replace(tzinfo=None) in (DAY, LATER)
            assert moment.utcoffset() in (None, dt.timedelta(0))
    for entity in SessionRepository(database).entities():
        assert entity.published_at is not None
        assert entity.published_at.replace(tzinfo=None) in (DAY, LATER)


@pytest.mark.parametrize("level", ["READ COMMITTED", "AUTOCOMMIT"])
def test_the_callers_own_connections_keep_their_zone(url: str, zone: str, level: Any) -> None:
    engine = create_engine(url, pool_size=1, max_overflow=0, isolation_level=level)
    check(Database(engine))
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW TimeZone")) == zone
    engine.dispose()


@pytest.mark.parametrize("level", ["READ COMMITTED", "AUTOCOMMIT"])
def test_a_session_of_the_callers_keeps_its_zone(url: str, zone: str, level: Any) -> None:
    engine = create_engine(url, isolation_level=level)
    with Session(engine) as db:
        check(db)
        assert db.scalar(text("SHOW TimeZone")) == zone
    engine.dispose()


@pytest.mark.usefixtures("zone")
@pytest.mark.sample(2)
def test_a_snapshot_holds_the_same_moments(url: str, tmp_path: Path) -> None:
    path = tmp_path / "lims.db"
    snapshot.create(url, path, SessionFilter(published_at=DAY), progress=False)
    with closing(snapshot.SnapshotDatabase(path)) as offline, Database(url) as online:
        found = SessionRepository(offline).frame(SessionFilter(published_at=DAY))
        expected = SessionRepository(online).frame(SessionFilter(published_at=DAY))
    assert set(found["published_at"]) == {pd.Timestamp(DAY)}
    pd.testing.assert_frame_equal(found, expected)
