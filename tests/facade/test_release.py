"""Tables as they are published, put into the LIMS schema, come back equal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import func, select

from ecephys_dal import ArtifactClient, Database, EcephysProjectLimsApi, ProbeRepository
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import EcephysProbe, EcephysSession
from ecephys_dal.testing import load_release
from tests.conftest import BACKENDS, FreshUrl
from tests.published import SOURCES, published_folder


@pytest.fixture(scope="module", params=SOURCES)
def release_folder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return published_folder(request.param, tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module", params=BACKENDS)
def api(
    request: pytest.FixtureRequest, fresh_url: FreshUrl, release_folder: Path
) -> Iterator[EcephysProjectLimsApi]:
    url = fresh_url(request.param)
    with Database(url, owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        load_release(database, release_folder)
    with EcephysProjectLimsApi(url, ArtifactClient()) as made:
        yield made


@pytest.fixture(scope="module")
def published(release_folder: Path) -> dict[str, pd.DataFrame]:
    return {
        name: pd.read_csv(release_folder / f"{name}.csv", index_col="id").sort_index()
        for name in ("sessions", "probes", "session_table_processed")
    }


def assert_every_cell_equal(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Compare by value: the files have their columns in another order, and times with a zone."""
    assert sorted(ours.columns) == sorted(theirs.columns)
    assert ours.index.tolist() == theirs.index.tolist()
    for name in ours.columns:
        expected = theirs[name]
        if ours[name].dtype == "datetime64[ns]":
            expected = pd.to_datetime(expected).dt.tz_localize(None)
        pairs = zip(ours[name], expected, strict=True)
        different = [(a, b) for a, b in pairs if not (a == b or (pd.isna(a) and pd.isna(b)))]
        assert different == [], name


@pytest.mark.parametrize("day", [None, "2019-10-03", "2026-01-01"])
def test_sessions_and_probes_equal_the_published_ones(
    api: EcephysProjectLimsApi, published: dict[str, pd.DataFrame], day: str | None
) -> None:
    sessions, probes = api.get_sessions(published_at=day), api.get_probes(published_at=day)
    assert_every_cell_equal(sessions, published["sessions"])
    assert_every_cell_equal(probes, published["probes"])


def test_the_comparison_can_fail(published: dict[str, pd.DataFrame]) -> None:
    theirs = published["probes"]
    for spoilt in (
        theirs.assign(phase=theirs["phase"].where(theirs.index != theirs.index[1], "PXI")),
        theirs.assign(lfp_temporal_subsampling_factor=2.0),
        theirs.iloc[:-1],
        theirs.drop(columns="name"),
    ):
        with pytest.raises(AssertionError):
            assert_every_cell_equal(spoilt, theirs)


def test_nothing_was_published_the_day_before(api: EcephysProjectLimsApi) -> None:
    assert len(api.get_sessions(published_at="2019-10-02")) == 0
    assert len(api.get_probes(published_at="2019-10-02")) == 0


def test_partial_questions_give_the_matching_rows(
    api: EcephysProjectLimsApi, published: dict[str, pd.DataFrame]
) -> None:
    sessions, probes = published["sessions"], published["probes"]
    for session_id in sessions.index:
        one = api.get_sessions(session_ids=[session_id])
        assert_every_cell_equal(one, sessions.loc[[session_id]])
        assert_every_cell_equal(
            api.get_probes(session_ids=[session_id]),
            probes[probes["ecephys_session_id"] == session_id],
        )
    some = probes.index[::3]
    assert_every_cell_equal(api.get_probes(probe_ids=some), probes.loc[some])
    both = api.get_probes(probe_ids=some, session_ids=sessions.index[:2])
    expected = probes.loc[some]
    assert_every_cell_equal(both, expected[expected["ecephys_session_id"].isin(sessions.index[:2])])


def test_a_join_of_ones_own_gives_the_published_probe_counts(
    api: EcephysProjectLimsApi, published: dict[str, pd.DataFrame]
) -> None:
    query = (
        select(EcephysSession.id, func.count(EcephysProbe.id).label("probes"))
        .join(EcephysSession.probes)
        .group_by(EcephysSession.id)
    )
    with api.postgres_engine.session() as db:
        counts = {row.id: row.probes for row in db.execute(query)}
    assert counts == published["session_table_processed"]["probe_count"].to_dict()
    assert sum(counts.values()) == ProbeRepository(api.postgres_engine).count()
