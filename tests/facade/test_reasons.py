"""The facade tells why a record or a file is missing, and how a question is answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from ecephys_dal import (
    Database,
    EcephysProjectLimsApi,
    InvalidFilterError,
    NotExactlyOneError,
    UnitFilter,
    UnitRepository,
    Why,
    WhyOne,
)
from ecephys_dal.testing import SyntheticLims, create_synthetic_lims


class Streams:
    def stream(self, route: str) -> list[bytes]:  # noqa: ARG002
        return []


class Closing(Streams):
    def close(self) -> None: ...


@pytest.fixture
def api(synthetic: SyntheticLims) -> EcephysProjectLimsApi:
    return EcephysProjectLimsApi(synthetic.database, Streams())


def n_files(get: Callable[[int], object], owner_id: int) -> int:
    try:
        get(owner_id)
    except NotExactlyOneError as error:
        return len(error.found)
    return 1


def test_a_session_is_told_with_its_nwb_file(
    api: EcephysProjectLimsApi, synthetic: SyntheticLims
) -> None:
    for key, session_id in synthetic.awkward.items():
        if key.startswith("session_"):
            why = api.why(session_id=session_id)
            assert isinstance(why, Why)
            (file,) = why.related
            assert isinstance(file, WhyOne)
            assert why.visible is (session_id in synthetic.visible_session_ids), key
            assert len(file.found) == n_files(api.get_session_data, session_id)
            assert file.wanted in str(why)
            assert json.loads(json.dumps(why.to_dict()))["related"][0]["wanted"] == file.wanted
            assert "current NWB file" in why._repr_html_()


def test_a_probe_is_told_with_its_lfp_file(
    api: EcephysProjectLimsApi, synthetic: SyntheticLims
) -> None:
    for key, probe_id in synthetic.awkward.items():
        if key.startswith("probe_"):
            why = api.why(probe_id=probe_id)
            assert isinstance(why, Why)
            (file,) = why.related
            assert isinstance(file, WhyOne)
            assert why.visible is (probe_id in synthetic.visible_probe_ids), key
            assert len(file.found) == n_files(api.get_probe_lfp_data, probe_id), key


def test_a_channel_and_a_unit_are_told_with_what_they_belong_to(
    api: EcephysProjectLimsApi, synthetic: SyntheticLims
) -> None:
    channel = api.why(channel_id=synthetic.awkward["channel_invalid"])
    assert isinstance(channel, Why)
    assert [check.name for check in channel.hidden_by] == ["channel_valid_data"]
    unit = api.why(unit_id=synthetic.awkward["unit_on_invalid_channel"])
    assert isinstance(unit, Why)
    assert unit.parents["ecephys_channels"] == channel.record_id
    assert [check.name for check in unit.hidden_by] == ["channel_valid_data"]


def test_a_unit_is_told_with_its_metric_bundles(
    api: EcephysProjectLimsApi, synthetic: SyntheticLims
) -> None:
    units = api.get_units(session_ids=synthetic.session_ids).index[:5]
    for unit_id in (*units, synthetic.awkward["unit_without_bundle"]):
        why = api.why(unit_id=unit_id)
        assert isinstance(why, Why)
        (bundles,) = why.related
        assert isinstance(bundles, WhyOne)
        n_found = len(api.get_unit_analysis_metrics(unit_ids=[unit_id]))
        assert len(bundles.found) == n_found == (unit_id in units)
        assert f"metric bundle for unit_ids=({unit_id},). Found: {n_found}" in str(why)
        assert len(bundles.runs) == len(bundles.candidates)


def test_a_record_is_told_where_what_belongs_to_it_can_not_be(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/lims.db"
    lims = create_synthetic_lims(
        url, sessions=1, channels_per_probe=4, units_per_session=8, progress=False
    )
    with Database(url, owned=True) as owned, owned.connection() as connection:
        connection.execute(text("ALTER TABLE well_known_files RENAME COLUMN filename TO other"))
    with EcephysProjectLimsApi(url, Closing()) as api:
        why = api.why(probe_id=lims.probe_ids[0])
        assert isinstance(why, Why)
        assert why.visible
        assert "It can't be told: " in str(why)
        assert "filename" in why.to_dict()["related"][0]["remark"]


def test_rules_that_are_left_out_are_shown(api: EcephysProjectLimsApi) -> None:
    assert "without_rules" not in repr(api)
    wide = EcephysProjectLimsApi(api.postgres_engine, Streams(), without_rules=["run_is_current"])
    assert repr(wide).endswith(", without_rules=['run_is_current'])")
    units = UnitRepository(api.postgres_engine, without_rules=["probe_not_failed"])
    assert repr(units).startswith("UnitRepository('")
    assert repr(units).endswith("', without_rules=['probe_not_failed'])")


def test_templates_are_told_by_their_number(api: EcephysProjectLimsApi) -> None:
    movie, scene = api.why(natural_movie=99), api.why(natural_scene=5)
    assert isinstance(movie, WhyOne)
    assert isinstance(scene, WhyOne)
    assert (len(movie.found), len(scene.found)) == (2, 1)
    with pytest.raises(InvalidFilterError, match="leave published_at out"):
        api.why(natural_movie=1, published_at="2019-10-03")


def test_a_day_of_publication_is_a_reason(
    api: EcephysProjectLimsApi, synthetic: SyntheticLims
) -> None:
    later = synthetic.awkward["session_published_later"]
    unpublished = synthetic.awkward["session_unpublished"]
    assert api.why(session_id=later).visible  # type: ignore[union-attr]
    for session_id in (later, unpublished):
        why = api.why(session_id=session_id, published_at="2019-10-03")
        assert isinstance(why, Why)
        assert {check.name for check in why.hidden_by} == {"published_at"}


@pytest.mark.parametrize("named", [{}, {"session_id": 1, "probe_id": 2}])
def test_one_record_is_named(api: EcephysProjectLimsApi, named: dict[str, int]) -> None:
    with pytest.raises(InvalidFilterError, match="name one record, by session_id, probe_id"):
        api.why(**named)  # type: ignore[arg-type]
    with pytest.raises(InvalidFilterError, match="unit_id: 'x'"):
        api.why(unit_id="x")  # type: ignore[arg-type]


def test_a_question_is_explained_by_its_filter(
    api: EcephysProjectLimsApi, synthetic: SyntheticLims
) -> None:
    spec = UnitFilter(session_ids=synthetic.session_ids[:2])
    explanation = api.explain(spec)
    assert explanation.funnel[-1].n_left == len(api.get_units(session_ids=spec.session_ids))
    assert "ecephys_units" in explanation.plan
    for nonsense in ("UnitFilter", None, object()):
        with pytest.raises(InvalidFilterError, match="explain takes a filter"):
            api.explain(nonsense)  # type: ignore[arg-type]
