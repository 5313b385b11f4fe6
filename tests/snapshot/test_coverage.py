"""A question beyond a snapshot is refused; all others are answered as the source answers them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ecephys_dal import (
    AnalysisRunFilter,
    AnalysisRunRepository,
    BeyondSnapshotError,
    ChannelFilter,
    ChannelRepository,
    Database,
    EcephysProjectLimsApi,
    FileFilter,
    FileRepository,
    ProbeFileFilter,
    ProbeFilter,
    ProbeRepository,
    RecordNotFoundError,
    SessionFileFilter,
    SessionFilter,
    SessionRepository,
    UnitFilter,
    UnitMetricFilter,
    UnitMetricRepository,
    UnitRepository,
    repositories,
    snapshot,
)
from ecephys_dal.models import EcephysAnalysisRun, EcephysSession, Specimen
from ecephys_dal.testing import create_synthetic_lims

from .conftest import Lims
from .test_equality import SPECS, specs

NOBODY = 7  # is no record's id
FIELDS = {
    SessionFilter: ("session_ids",),
    ProbeFilter: ("probe_ids", "session_ids"),
    ChannelFilter: ("channel_ids", "probe_ids", "session_ids"),
    UnitFilter: ("unit_ids", "channel_ids", "probe_ids", "session_ids"),
    UnitMetricFilter: ("unit_ids", "ecephys_session_ids"),
    FileFilter: ("session_ids", "probe_ids"),
    AnalysisRunFilter: ("session_ids", "probe_ids"),
    SessionFileFilter: ("session_ids",),
    ProbeFileFilter: ("probe_ids",),
}


def some_ids(lims: Lims) -> dict[str, list[int]]:
    """Ids of visible and hidden records and of none."""

    def few(repository: Any, n: int) -> list[int]:
        ids = repository(lims.database, without_rules=repository.rule_names()).ids()
        return [NOBODY, *map(int, ids[:: max(1, len(ids) // n)])]

    sessions = few(SessionRepository, 30)
    return {
        "session_ids": sessions,
        "ecephys_session_ids": sessions,
        "probe_ids": few(ProbeRepository, 20),
        "channel_ids": few(ChannelRepository, 15),
        "unit_ids": few(UnitRepository, 15),
    }


def questions(lims: Lims) -> Iterator[Any]:
    ids = some_ids(lims)
    for filter_type, fields in FIELDS.items():
        for name in fields:
            yield from (filter_type(**{name: [one]}) for one in ids[name])
            yield filter_type(**{name: ids[name][:3]})
        for one, other in itertools.combinations(fields, 2):
            yield filter_type(**{one: ids[one][-1:], other: ids[other][-1:]})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whole", *SPECS])
def test_a_question_about_records_is_refused_or_answered_in_full(small: Lims, name: str) -> None:
    path = small.snapshot(name, specs(small).get(name))
    answered = refused = 0
    with snapshot.SnapshotDatabase(path) as offline:
        for spec in questions(small):
            repository = repositories.REPOSITORIES[type(spec)]
            try:
                found = repository(offline).frame(spec)
            except BeyondSnapshotError:
                refused += 1
                continue
            expected = repository(small.database).frame(spec)
            pd.testing.assert_frame_equal(found, expected, obj=repr(spec))
            answered += len(found) > 0
    assert answered > 5
    assert (refused > 5) == (name != "whole")


@pytest.fixture
def offline(small: Lims) -> Iterator[EcephysProjectLimsApi]:
    path = small.snapshot("sessions", specs(small)["sessions"])
    with EcephysProjectLimsApi.from_snapshot(path) as api:
        yield api


def test_what_is_there_is_answered(small: Lims, offline: EcephysProjectLimsApi) -> None:
    online, ids = small.api(), small.ids.session_ids[:2]
    pd.testing.assert_frame_equal(
        offline.get_units(session_ids=ids), online.get_units(session_ids=ids)
    )
    probes = online.get_probes(session_ids=ids).index
    pd.testing.assert_frame_equal(
        offline.get_channels(probe_ids=probes), online.get_channels(probe_ids=probes)
    )


def test_the_message_names_what_is_not_there_and_what_to_do(
    small: Lims, offline: EcephysProjectLimsApi
) -> None:
    other = small.ids.session_ids[3]
    with pytest.raises(BeyondSnapshotError, match=rf"sessions.db .*session_ids {other}.*make a"):
        offline.get_sessions(session_ids=[small.ids.session_ids[0], other])


@pytest.mark.parametrize(
    "ask",
    [
        lambda api, other: api.get_probes(session_ids=[other]),
        lambda api, other: api.get_unit_analysis_metrics(ecephys_session_ids=[other]),
        lambda api, _: api.get_unit_analysis_metrics(session_types=["no such type"]),
        lambda api, other: api.get_session_data(other),
        lambda api, other: api.list_files(session_id=other),
        lambda api, other: api.locate(session_id=other, type="EcephysNwb"),
        lambda api, _: api.get_file(NOBODY),
        lambda api, other: api.why(session_id=other),
        lambda api, other: api.explain(SessionFilter(session_ids=[other])),
    ],
    ids=["probes", "metrics", "type", "data", "files", "locate", "file", "why", "explain"],
)
def test_every_way_to_ask_is_checked(small: Lims, offline: Any, ask: Any) -> None:
    with pytest.raises(BeyondSnapshotError):
        ask(offline, small.ids.session_ids[3])


@pytest.mark.parametrize(
    "method", ["frame", "count", "exists", "ids", "entities", "partitions", "one"]
)
def test_every_output_is_checked(small: Lims, offline: EcephysProjectLimsApi, method: str) -> None:
    units = UnitRepository(offline.postgres_engine)
    spec = UnitFilter(session_ids=small.ids.session_ids[3:])
    with pytest.raises(BeyondSnapshotError):
        getattr(units, method)(spec)
    with pytest.raises(BeyondSnapshotError):
        list(units.chunks(spec))
    with pytest.raises(BeyondSnapshotError):
        units.select(spec)
    with Session(offline.postgres_engine.engine) as db, pytest.raises(BeyondSnapshotError):
        getattr(UnitRepository(db), method)(spec)


def test_a_single_record_is_found_missing_or_beyond(small: Lims, offline: Any) -> None:
    sessions = SessionRepository(offline.postgres_engine)
    assert sessions.get(small.ids.session_ids[0]).id == small.ids.session_ids[0]
    with pytest.raises(BeyondSnapshotError):
        sessions.get(small.ids.session_ids[3])
    with snapshot.SnapshotDatabase(small.snapshot("whole")) as whole:
        with pytest.raises(RecordNotFoundError):
            SessionRepository(whole).get(NOBODY)
        assert not SessionRepository(whole).why(NOBODY).exists


def test_several_reasons_are_told_or_refused(small: Lims, offline: Any) -> None:
    sessions = SessionRepository(offline.postgres_engine)
    there, other = small.ids.session_ids[0], small.ids.session_ids[3]
    assert [one.record_id for one in sessions.why_each([there])] == [there]
    with pytest.raises(BeyondSnapshotError, match=f"EcephysSession {other}"):
        sessions.why_each([there, other])


def test_a_rule_that_was_applied_cannot_be_left_out(small: Lims) -> None:
    whole = small.snapshot("whole")
    with pytest.raises(BeyondSnapshotError, match="session_not_failed.*hidden=True"):
        EcephysProjectLimsApi.from_snapshot(whole, without_rules=["session_not_failed"]).get_units()
    with snapshot.SnapshotDatabase(whole) as database:
        with pytest.raises(BeyondSnapshotError, match="channel_valid_data"):
            UnitRepository(database, without_rules=["channel_valid_data"])
        with pytest.raises(BeyondSnapshotError, match="run_is_current"):
            UnitMetricRepository(database).count(UnitMetricFilter(without_rules=["run_is_current"]))


def test_a_later_day_of_publication_is_beyond(small: Lims) -> None:
    path = small.snapshot("published", SessionFilter(published_at="2019-10-03"))
    with EcephysProjectLimsApi.from_snapshot(path) as offline:
        earlier, online = offline.get_units(published_at="2019-10-03"), small.api()
        pd.testing.assert_frame_equal(earlier, online.get_units(published_at="2019-10-03"))
        with pytest.raises(BeyondSnapshotError, match="2019-10-03"):
            offline.get_sessions(published_at="2019-10-04")


def test_what_another_condition_kept_out_is_beyond(small: Lims) -> None:
    later = small.ids.awkward["session_published_later"]
    ids = [small.ids.session_ids[0], later]
    spec = SessionFilter(session_ids=ids, published_at="2019-10-03")
    path = small.snapshot("two conditions", spec)
    with snapshot.SnapshotDatabase(path) as database, pytest.raises(BeyondSnapshotError):
        SessionRepository(database).frame(SessionFilter(session_ids=[later]))


def test_ids_that_were_looked_for_in_vain_are_remembered(small: Lims, tmp_path: Any) -> None:
    asked = SessionFilter(session_ids=[*small.ids.session_ids[:1], NOBODY])
    snapshot.create(small.database, tmp_path / "s.db", asked, progress=False)
    with snapshot.SnapshotDatabase(tmp_path / "s.db") as database:
        assert SessionRepository(database).frame(asked).index.tolist() == small.ids.session_ids[:1]
        assert FileRepository(database).count(FileFilter(session_ids=[NOBODY])) == 0
        with pytest.raises(BeyondSnapshotError):
            SessionRepository(database).frame(SessionFilter(session_ids=[NOBODY + 1]))


def test_of_no_ids_it_can_tell(small: Lims) -> None:
    with snapshot.SnapshotDatabase(small.snapshot("units", specs(small)["units"])) as database:
        assert UnitRepository(database).count(UnitFilter(session_ids=[])) == 0
        assert FileRepository(database).count(FileFilter(run_ids=[])) == 0


def test_what_a_join_hides_is_not_taken_for_what_is_not_there(
    fresh_url: Callable[[str], str], tmp_path: Path
) -> None:
    url = fresh_url("sqlite")
    create_synthetic_lims(
        url, sessions=1, channels_per_probe=2, units_per_session=2, progress=False
    )
    with Database(url, owned=True) as owned, owned.session() as db:
        specimen = Specimen(id=5, name="without a donor")
        other = db.scalars(select(EcephysSession)).first()
        db.add(specimen)
        dates = {"created_at": other.created_at, "updated_at": other.updated_at}
        db.add(EcephysSession(id=6, name="s", specimen_id=5, project_id=other.project_id, **dates))
        db.add(EcephysAnalysisRun(id=7, ecephys_session_id=6, current=True))
    snapshot.create(url, tmp_path / "s.db", progress=False)
    with snapshot.SnapshotDatabase(tmp_path / "s.db") as database:
        assert SessionRepository(database).count(SessionFilter(session_ids=[6])) == 0
        with pytest.raises(BeyondSnapshotError):
            SessionRepository(database).why(6)
        with pytest.raises(BeyondSnapshotError):
            AnalysisRunRepository(database).count(AnalysisRunFilter(session_ids=[6]))


def test_a_part_knows_what_it_left_out(small: Lims, tmp_path: Path) -> None:
    """Also where its source left out less."""
    failed = SessionFilter(without_rules=["session_not_failed", "session_not_habituation"])
    with_failed = small.snapshot("failed", failed)
    snapshot.create(with_failed, tmp_path / "s.db", progress=False)
    channels = ChannelRepository(small.database, without_rules=ChannelRepository.rule_names())
    known = 0
    with snapshot.SnapshotDatabase(tmp_path / "s.db") as database:
        for channel in channels.ids()[::5].tolist():
            try:
                found = ChannelRepository(database).why(channel)
            except BeyondSnapshotError:
                continue
            expected = ChannelRepository(small.database).why(channel)
            assert found.to_dict() == expected.to_dict()
            known += 1
    assert known > 5


def test_many_ids_are_checked_fast(small: Lims) -> None:
    with snapshot.SnapshotDatabase(small.snapshot("whole")) as database:
        assert UnitRepository(database).count(UnitFilter(unit_ids=range(300_000))) == 0


def test_sql_of_the_callers_own_sees_what_is_there(small: Lims, offline: Any) -> None:
    with offline.postgres_engine.session() as db:
        found = db.scalars(select(EcephysSession.id).order_by(EcephysSession.id)).all()
    assert found == small.ids.session_ids[:2]


def test_a_plain_database_is_never_checked(small: Lims) -> None:
    path = small.snapshot("sessions", specs(small)["sessions"])
    with Database(f"sqlite:///{path}") as plain:
        spec = SessionFilter(session_ids=small.ids.session_ids[3:])
        assert SessionRepository(plain).count(spec) == 0
