"""A facade over a database alone answers what the database knows, and says what it lacks."""

from __future__ import annotations

import pickle

import pytest

from ecephys_dal import ConfigurationError, EcephysProjectLimsApi, SessionFilter, snapshot
from ecephys_dal.testing import SyntheticLims


@pytest.fixture
def lims(filled) -> SyntheticLims:
    return filled("sqlite")[1]


@pytest.fixture
def api(filled):
    with EcephysProjectLimsApi(filled("sqlite")[0]) as opened:
        yield opened


def test_tables_reasons_and_records_of_files_need_no_client(api, lims):
    session_id = lims.session_ids[0]
    assert len(api.get_sessions()) == len(lims.visible_session_ids)
    assert api.why(session_id=session_id).visible
    files = api.list_files(session_id=session_id)
    assert len(files) > 0
    assert files["reachable"].isna().all()
    (artifact,) = api.locate(session_id=session_id, type="EcephysNwb")
    assert artifact.id in files.index


@pytest.mark.parametrize(
    "fetch",
    [
        lambda api, lims: api.get_session_data(lims.session_ids[0]),
        lambda api, lims: api.get_probe_lfp_data(lims.probe_ids[0]),
        lambda api, _: api.get_natural_movie_template(1),
        lambda api, _: api.get_natural_scene_template(0),
        lambda api, lims: api.get_file(
            int(api.list_files(session_id=lims.session_ids[0]).index[0])
        ),
        lambda api, _: api.app_engine.download("a/route", "here"),
        lambda api, _: api.app_engine.download_many(["a/route"], "here"),
        lambda api, _: api.app_engine.open_artifact("a/route"),
    ],
    ids=["session", "lfp", "movie", "scene", "file", "download", "download_many", "open"],
)
def test_what_fetches_a_file_says_what_is_missing_and_how_to_give_it(api, lims, fetch):
    with pytest.raises(ConfigurationError, match=r"no client .*ArtifactSettings\(host="):
        fetch(api, lims)


def test_it_is_shown_and_pickled_as_one_with_a_client_is(api):
    assert "no client" in repr(api)
    assert "no client" in api._repr_html_()
    with pickle.loads(pickle.dumps(api)) as loaded:
        assert len(loaded.get_sessions()) == len(api.get_sessions())
        with pytest.raises(ConfigurationError, match="no client"):
            loaded.get_natural_movie_template(1)


def test_a_snapshot_is_opened_with_the_files_beside_it_as_ever(api, lims, tmp_path):
    spec = SessionFilter(session_ids=lims.session_ids[:1])
    snapshot.create(api.postgres_engine, tmp_path / "part.db", spec, progress=False)
    with EcephysProjectLimsApi.from_snapshot(tmp_path / "part.db") as offline:
        assert "no client" not in repr(offline)
        assert len(offline.get_sessions()) == 1
