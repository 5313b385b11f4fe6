"""A snapshot answers as its source does, cell by cell."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.orm import joinedload

from ecephys_dal import (
    ChannelFilter,
    ChannelRepository,
    EcephysProjectLimsApi,
    FileRepository,
    ProbeFilter,
    ProbeRepository,
    Repository,
    SessionFilter,
    SessionRepository,
    UnitFilter,
    UnitMetricFilter,
    UnitMetricRepository,
    UnitRepository,
    repositories,
    snapshot,
)
from ecephys_dal.filters import Filter
from ecephys_dal.models import Donor, EcephysSession, Genotype, Specimen, WellKnownFile

from .conftest import Lims

PUBLIC = (
    SessionRepository,
    ProbeRepository,
    ChannelRepository,
    UnitRepository,
    UnitMetricRepository,
)
TABLES = (
    *("get_sessions", "get_probes", "get_channels", "get_units", "get_unit_analysis_metrics"),
    "get_isi_experiments",
)
# A file of something that is not modelled belongs to nothing that a filter reaches.
REACHED = {FileRepository: WellKnownFile.attachable_type.is_distinct_from("OphysSession")}


@pytest.mark.parametrize("method", TABLES)
def test_every_table_of_the_facade_is_the_same(lims: Lims, method: str) -> None:
    with EcephysProjectLimsApi.from_snapshot(lims.snapshot("whole")) as offline:
        expected = getattr(lims.api(), method)()
        assert len(expected) > 0
        pd.testing.assert_frame_equal(getattr(offline, method)(), expected)


@pytest.mark.parametrize(
    "repository", repositories.REPOSITORIES.values(), ids=lambda one: one.__name__
)
@pytest.mark.parametrize("backend", ["numpy", "numpy_nullable"])
def test_every_repository_is_the_same(
    lims: Lims, repository: type[Repository[Any, Any]], backend: Any
) -> None:
    with snapshot.SnapshotDatabase(lims.snapshot("whole")) as database:
        found = repository(database).frame(dtype_backend=backend)
    where = REACHED.get(repository, ())
    expected = repository(lims.database).frame(where=where, dtype_backend=backend)
    assert len(expected) > 0
    pd.testing.assert_frame_equal(found, expected)


def specs(lims: Lims) -> dict[str, Filter]:
    """A filter of each public table, and of conditions at each depth."""
    sessions, probes = lims.ids.session_ids, lims.ids.probe_ids
    channels = ChannelRepository(lims.database).ids(ChannelFilter(probe_ids=probes[:2]))
    units = UnitRepository(lims.database).ids(UnitFilter(session_ids=sessions[:2]))
    return {
        "sessions": SessionFilter(session_ids=sessions[:2]),
        "published": SessionFilter(published_at="2019-10-03"),
        "probes": ProbeFilter(probe_ids=probes[1:9:2]),
        "probes of a session": ProbeFilter(session_ids=sessions[:1]),
        "channels": ChannelFilter(channel_ids=channels[::3]),
        "units": UnitFilter(unit_ids=units[::7]),
        "units of a probe": UnitFilter(probe_ids=probes[:1], published_at="2019-10-03"),
        "metrics": UnitMetricFilter(session_types=["functional_connectivity"]),
        "part": UnitFilter(id_range=(int(units[5]), int(units[25]))),
        "failed probes too": ProbeFilter(without_rules=["probe_not_failed"]),
    }


SPECS = (
    *("sessions", "published", "probes", "probes of a session", "channels", "units"),
    *("units of a probe", "metrics", "part", "failed probes too"),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_a_filter_brings_all_that_it_keeps_and_what_that_belongs_to(lims: Lims, name: str) -> None:
    spec = specs(lims)[name]
    path = lims.snapshot(name, spec)
    level = [one.filter_type for one in PUBLIC].index(type(spec))
    root = PUBLIC[level](lims.database)
    clauses = [*root.criteria(spec)]
    if spec.id_range:
        clauses.append(root.model.id.between(spec.id_range[0], spec.id_range[1] - 1))
    without = set(spec.without_rules or ())
    with snapshot.SnapshotDatabase(path) as database:
        for at, repository in enumerate(PUBLIC):
            rules = without.intersection(repository.rule_names())
            found = repository(database, without_rules=rules).frame()
            there = repository(lims.database, without_rules=rules)
            if at >= level:
                pd.testing.assert_frame_equal(found, there.frame(where=clauses))
            else:
                pd.testing.assert_frame_equal(found, there.frame().loc[found.index])
                key = repository.model.id
                parents = root.select(spec).with_only_columns(key, maintain_column_froms=True)
                with lims.database.connection() as connection:
                    reached = set(connection.execute(parents.order_by(None)).scalars())
                assert set(found.index) >= reached.intersection(there.ids().tolist())
        files = FileRepository(database).frame()
        pd.testing.assert_frame_equal(files, FileRepository(lims.database).frame().loc[files.index])


@pytest.mark.parametrize("name", ["whole", *SPECS])
@pytest.mark.in_turn("name", "lims")
@pytest.mark.sample(4)
def test_nothing_refers_to_what_is_not_there(lims: Lims, name: str) -> None:
    path = lims.snapshot(name, specs(lims).get(name))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert snapshot.info(path).dangling == 0


@pytest.mark.sample(1)
def test_a_unit_brings_its_animal_its_runs_and_its_place(lims: Lims) -> None:
    unit = int(UnitRepository(lims.database).ids(UnitFilter(session_ids=lims.ids.session_ids))[0])
    rows = snapshot.info(lims.snapshot("one unit", UnitFilter(unit_ids=[unit]))).rows
    one_each = ("ecephys_units", "ecephys_channels", "ecephys_probes", "ecephys_sessions")
    assert [rows[name] for name in one_each] == [1, 1, 1, 1]
    assert [rows[name] for name in ("specimens", "donors", "genders", "ages")] == [1, 1, 1, 1]
    assert rows["ecephys_unit_metric_bundles"] == 1
    assert min(rows["ecephys_analysis_runs"], rows["projects"], rows["well_known_files"]) >= 1
    assert min(rows["well_known_file_types"], rows["equipment"], rows["users"]) >= 1


def test_a_session_brings_its_lines_and_its_behavior(small: Lims) -> None:
    session = small.ids.awkward["session_with_behavior"]
    path = small.snapshot("behavior", SessionFilter(session_ids=[session]))
    donor = joinedload(EcephysSession.specimen).joinedload(Specimen.donor)
    lines = donor.selectinload(Donor.genotypes).joinedload(Genotype.genotype_type)
    options = [lines, joinedload(EcephysSession.behavior_session)]
    told = []
    with snapshot.SnapshotDatabase(path) as offline:
        for database in (offline, small.database):
            found = SessionRepository(database).get(session, options=options)
            genotypes = found.specimen.donor.genotypes
            named = {(one.id, one.name, one.genotype_type.name) for one in genotypes}
            told.append((named, found.behavior_session.id, found.behavior_session.foraging_id))
    assert told[0] == told[1]
    assert told[0][0]


@pytest.mark.sample(1)
def test_hidden_rows_come_along_if_asked_for(lims: Lims) -> None:
    path = lims.snapshot("hidden", hidden=True)
    with snapshot.SnapshotDatabase(path) as database:
        for repository in PUBLIC:
            rules = repository.rule_names()
            found = repository(database, without_rules=rules).frame()
            expected = repository(lims.database, without_rules=rules).frame()
            assert len(expected) > repository(lims.database).count()
            pd.testing.assert_frame_equal(found, expected)
            shown = repository(lims.database).frame()
            pd.testing.assert_frame_equal(repository(database).frame(), shown)
    assert snapshot.info(path).rules == ()


def test_hidden_rows_stay_away_otherwise(lims: Lims) -> None:
    rows = snapshot.info(lims.snapshot("whole")).rows
    hidden = snapshot.info(lims.snapshot("hidden", hidden=True)).rows
    for table in ("ecephys_channels", "ecephys_unit_metric_bundles"):
        assert rows[table] < hidden[table]
    # Only what a visible record belongs to.
    path = lims.snapshot("sessions", specs(lims)["sessions"])
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT count(*) FROM ecephys_sessions WHERE workflow_state = 'failed'"
        assert connection.execute(query).fetchone() == (0,)


def test_why_and_files_are_the_same(lims: Lims) -> None:
    online, session = lims.api(), lims.ids.session_ids[0]
    with EcephysProjectLimsApi.from_snapshot(lims.snapshot("whole")) as offline:
        for question in ({"session_id": session}, {"probe_id": lims.ids.probe_ids[0]}):
            assert offline.why(**question).to_dict() == online.why(**question).to_dict()
        listed = [api.list_files(session_id=session, check=False) for api in (offline, online)]
        pd.testing.assert_frame_equal(*listed)
        located = [api.locate(session_id=session, type="EcephysNwb") for api in (offline, online)]
        assert located[0] == located[1]
        assert [vars(one) for one in located[0]] == [vars(one) for one in located[1]]


def test_the_bundles_of_a_unit_are_told_of_if_none_was_left_out(lims: Lims) -> None:
    online = lims.api()
    units = [
        int(UnitRepository(lims.database).ids()[0]),
        lims.ids.awkward["unit_with_older_bundle"],
        lims.ids.awkward["unit_without_bundle"],
    ]
    with EcephysProjectLimsApi.from_snapshot(lims.snapshot("hidden", hidden=True)) as offline:
        for unit in units:
            assert offline.why(unit_id=unit).to_dict() == online.why(unit_id=unit).to_dict()
    with EcephysProjectLimsApi.from_snapshot(lims.snapshot("whole")) as offline:
        for unit in units:
            found, expected = (api.why(unit_id=unit) for api in (offline, online))
            assert found.checks == expected.checks
            assert "the rule run_is_current was applied" in found.related[0].remark


def test_nan_and_infinity_and_moments_with_a_zone_survive(fresh_url: Any, tmp_path: Any) -> None:
    from ecephys_dal import Database
    from ecephys_dal.testing import create_synthetic_lims

    url = fresh_url("postgresql")
    lims = create_synthetic_lims(
        url, sessions=1, channels_per_probe=4, units_per_session=8, progress=False
    )
    with Database(url, owned=True) as owned, owned.connection() as connection:
        for statement in (
            "UPDATE ecephys_units SET isi_violations = 'NaN', snr = 'Infinity' WHERE id % 3 = 0",
            "UPDATE ecephys_units SET snr = 'NaN' WHERE id % 3 = 1",
            "ALTER TABLE ecephys_sessions ALTER COLUMN date_of_acquisition TYPE timestamptz",
            f"ALTER DATABASE {make_url(url).database} SET timezone TO 'America/Los_Angeles'",
            "ALTER TABLE ecephys_units ALTER COLUMN d_prime TYPE numeric",
            "ALTER TABLE ecephys_unit_metric_bundles ALTER COLUMN data TYPE text",
        ):
            connection.execute(text(statement))
    spec = SessionFilter(session_ids=lims.session_ids)
    snapshot.create(url, tmp_path / "odd.db", spec, progress=False)
    offline = snapshot.SnapshotDatabase(tmp_path / "odd.db")
    with offline, Database(url) as online:
        for backend in ("numpy", "numpy_nullable"):
            for repository, of in (
                (UnitRepository, UnitFilter),
                (SessionRepository, SessionFilter),
            ):
                asked: Any = of(session_ids=lims.session_ids)
                found, expected = (
                    repository(db).frame(asked, dtype_backend=backend) for db in (offline, online)
                )
                assert len(expected) > 0
                pd.testing.assert_frame_equal(found, expected)
