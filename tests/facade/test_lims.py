"""The facade: AllenSDK's interface, over our repositories and files."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import create_engine

from ecephys_dal import (
    ArtifactClient,
    ArtifactSettings,
    AsyncArtifactClient,
    ConfigurationError,
    Database,
    EcephysProjectApi,
    EcephysProjectLimsApi,
    InvalidFilterError,
    NotExactlyOneError,
)
from ecephys_dal.testing import SyntheticLims

COLUMNS = {
    "get_sessions": "specimen_id session_type isi_experiment_id date_of_acquisition published_at"
    " genotype sex age_in_days has_nwb",
    "get_probes": "ecephys_session_id name sampling_rate lfp_sampling_rate phase air_channel_index"
    " surface_channel_index has_lfp_data lfp_temporal_subsampling_factor",
    "get_channels": "ecephys_probe_id local_index probe_vertical_position"
    " probe_horizontal_position ecephys_structure_id ecephys_structure_acronym"
    " anterior_posterior_ccf_coordinate dorsal_ventral_ccf_coordinate left_right_ccf_coordinate",
    "get_units": "ecephys_channel_id quality snr firing_rate isi_violations presence_ratio"
    " amplitude_cutoff isolation_distance l_ratio d_prime nn_hit_rate nn_miss_rate"
    " silhouette_score max_drift cumulative_drift epoch_name_quality_metrics"
    " epoch_name_waveform_metrics duration halfwidth PT_ratio repolarization_slope recovery_slope"
    " amplitude spread velocity_above velocity_below",
    "get_isi_experiments": "project_id date_of_acquisition workflow_state",
}
TABLES = [*COLUMNS, "get_unit_analysis_metrics"]
FILES = [
    "get_session_data",
    "get_probe_lfp_data",
    "get_natural_movie_template",
    "get_natural_scene_template",
]
LIMS = {
    "LIMS_DBNAME": "lims2", "LIMS_USER": "reader", "LIMS_HOST": "limsdb", "LIMS_PASSWORD": "s3cret",
}  # fmt: skip


class Recorder:
    """An app_engine that notes what is asked of it."""

    def __init__(self) -> None:
        self.routes: list[str] = []

    def stream(self, route: str) -> Iterator[bytes]:
        self.routes.append(route)
        return iter([b"bytes"])


@pytest.fixture
def api(by_each_route: SyntheticLims) -> EcephysProjectLimsApi:
    return EcephysProjectLimsApi(by_each_route.database, Recorder())


@pytest.mark.parametrize("method", COLUMNS)
def test_tables_have_their_columns_with_and_without_rows(
    api: EcephysProjectLimsApi, method: str
) -> None:
    table = getattr(api, method)()
    assert len(table) > 0
    assert table.columns.tolist() == COLUMNS[method].split()
    assert table.index.name == "id"
    pd.testing.assert_frame_equal(getattr(api, method)([]), table.iloc[:0])


def test_every_collection_argument_filters(api: EcephysProjectLimsApi) -> None:
    for method in TABLES:
        ask = getattr(api, method)
        for name in inspect.signature(ask).parameters:
            if name != "published_at":
                assert len(ask(**{name: []})) == 0, (method, name)


@pytest.mark.parametrize("method", ["get_sessions", "get_probes", "get_channels", "get_units"])
def test_published_at_reaches_the_question(api: EcephysProjectLimsApi, method: str) -> None:
    ask = getattr(api, method)
    assert 0 < len(ask(published_at="2019-10-03")) < len(ask())
    assert len(ask(published_at="1999-12-31")) == 0


def test_metrics_are_indexed_by_unit(api: EcephysProjectLimsApi) -> None:
    metrics = api.get_unit_analysis_metrics(session_types=["brain_observatory_1.1"])
    assert metrics.index.name == "ecephys_unit_id"
    assert {"c50_dg", "p_value_rf", "pref_images_multi_ns"} <= set(metrics.columns)
    assert metrics["p_value_rf"].dtype == "float64"
    assert metrics["on_screen_rf"].dtype == "boolean"
    some = metrics.index[:3].tolist()
    assert api.get_unit_analysis_metrics(unit_ids=some).index.tolist() == some


def test_arguments_of_the_wrong_kind_are_named(api: EcephysProjectLimsApi) -> None:
    for method in TABLES:
        ask = getattr(api, method)
        for name in inspect.signature(ask).parameters:
            for wrong in (5, "1; DROP TABLE users", [None], {"a": 1}):
                with pytest.raises(InvalidFilterError, match=name):
                    ask(**{name: wrong})
    for method in FILES:
        (name,) = inspect.signature(getattr(api, method)).parameters
        for wrong in (None, "1", 1.5, True, [1]):
            with pytest.raises(InvalidFilterError, match=f"{name}: "):
                getattr(api, method)(wrong)


def test_files_are_asked_for_by_their_record(
    api: EcephysProjectLimsApi, by_each_route: SyntheticLims
) -> None:
    session_id, probe_id = by_each_route.session_ids[0], by_each_route.probe_ids[0]
    for stream in (
        api.get_session_data(session_id),
        api.get_probe_lfp_data(probe_id),
        api.get_natural_movie_template(1),
        api.get_natural_scene_template(number=117),
    ):
        assert list(stream) == [b"bytes"]
    routes = api.app_engine.routes  # type: ignore[attr-defined]
    assert len(set(routes)) == 4
    for route in routes:
        wkf_id = route.rpartition("=")[2]
        assert route == f"well_known_files/download/{wkf_id}?wkf_id={wkf_id}"
        assert type(route.size) is int


@pytest.mark.parametrize("method", FILES)
def test_no_file_is_an_error_that_says_so(api: EcephysProjectLimsApi, method: str) -> None:
    with pytest.raises(NotExactlyOneError, match=r"1000000007.*found 0"):
        getattr(api, method)(10**9 + 7)
    assert api.app_engine.routes == []  # type: ignore[attr-defined]


def test_two_files_are_an_error_that_lists_both(
    api: EcephysProjectLimsApi, by_each_route: SyntheticLims
) -> None:
    with pytest.raises(NotExactlyOneError, match=r"found 2: WellKnownFile\(id=\d+, path='/") as err:
        api.get_session_data(by_each_route.awkward["session_two_nwb_files"])
    assert len(err.value.found) == 2


def test_names_order_and_defaults_of_the_arguments() -> None:
    published = ("published_at", None)
    expected = {
        "get_sessions": [("session_ids", None), published],
        "get_probes": [("probe_ids", None), ("session_ids", None), published],
        "get_channels": [
            ("channel_ids", None), ("probe_ids", None), ("session_ids", None), published,
        ],
        "get_units": [
            ("unit_ids", None), ("channel_ids", None), ("probe_ids", None), ("session_ids", None),
            published,
        ],
        "get_unit_analysis_metrics": [
            ("unit_ids", None), ("ecephys_session_ids", None), ("session_types", None),
            ("session_ids", None),
        ],
        "default": [
            ("lims_credentials", None), ("app_kwargs", None), ("asynchronous", False),
            ("without_rules", None), ("progress", None),
        ],
    }  # fmt: skip
    for method, arguments in expected.items():
        signature = inspect.signature(getattr(EcephysProjectLimsApi, method))
        names = [p for p in signature.parameters.items() if p[0] != "self"]
        assert [(name, p.default) for name, p in names] == arguments, method
    assert EcephysProjectLimsApi.STIMULUS_TEMPLATE_NAMESPACE == "brain_observatory_1.1"


def test_metrics_know_their_sessions_by_the_name_of_the_other_tables(
    synthetic: SyntheticLims,
) -> None:
    one = synthetic.session_ids[:1]
    with EcephysProjectLimsApi(synthetic.database, Recorder()) as api:
        get = api.get_unit_analysis_metrics
        expected = get(ecephys_session_ids=one)
        assert 0 < len(expected) < len(get())
        pd.testing.assert_frame_equal(get(session_ids=np.array(one)), expected)
        pd.testing.assert_frame_equal(get(None, one, session_ids=set(one)), expected)
        assert get(session_ids=[]).empty
        with pytest.raises(InvalidFilterError, match="ecephys_session_ids and session_ids"):
            get(ecephys_session_ids=one, session_ids=[1])
        with pytest.raises(InvalidFilterError, match="session_ids='1'"):
            get(session_ids="1")


def test_the_interface_is_abstract_and_described() -> None:
    with pytest.raises(TypeError, match="abstract"):
        EcephysProjectApi()  # type: ignore[abstract]
    for method in [*TABLES, *FILES]:
        assert getattr(EcephysProjectApi, method).__isabstractmethod__
        assert "Returns" in (inspect.getdoc(getattr(EcephysProjectLimsApi, method)) or "")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in LIMS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("asynchronous", [False, True])
def test_default_reads_the_environment(environment: pytest.MonkeyPatch, asynchronous: bool) -> None:
    api = EcephysProjectLimsApi.default(asynchronous=asynchronous)
    assert api.postgres_engine.url.host == "limsdb"
    assert type(api.app_engine) is (AsyncArtifactClient if asynchronous else ArtifactClient)
    assert (api.app_engine.settings.scheme, api.app_engine.settings.host) == ("http", "lims2")
    environment.delenv("LIMS_USER")
    with pytest.raises(ConfigurationError, match="LIMS_USER"):
        EcephysProjectLimsApi.default()


def test_default_takes_credentials_and_settings() -> None:
    theirs = SimpleNamespace(dbname="d", user="u", host="h", port=1, password="p")
    api = EcephysProjectLimsApi.default(theirs, {"host": "lims3", "timeout": 5, "chunksize": 10})
    assert api.postgres_engine.url.host == "h"
    settings: Any = api.app_engine
    assert settings.settings == ArtifactSettings(host="lims3", timeout=5, chunksize=10)
    with pytest.raises(ConfigurationError, match=r"no setting 'hots' .*; did you mean 'host'"):
        EcephysProjectLimsApi.default(theirs, {"hots": "lims3"})
    with pytest.raises(ConfigurationError, match=r"no setting .* did you mean") as caught:
        EcephysProjectLimsApi.default(theirs, {"schem": "http"})
    assert "scheme" in str(caught.value)
    with pytest.raises(TypeError, match="asynchronous"):
        EcephysProjectLimsApi.default(theirs, {"asynchronous": True})


def test_a_database_engine_or_url_will_do(by_each_route: SyntheticLims) -> None:
    url = by_each_route.database.url
    engine = create_engine(url)
    expected = EcephysProjectLimsApi(by_each_route.database, Recorder()).get_probes()
    for database in (engine, url, url.render_as_string(hide_password=False), Database(url)):
        with EcephysProjectLimsApi(database, Recorder()) as api:
            pd.testing.assert_frame_equal(api.get_probes(), expected)
    engine.dispose()
    with pytest.raises(ConfigurationError, match="no database"):
        EcephysProjectLimsApi(object(), Recorder())  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"no stream\(route\)"):
        EcephysProjectLimsApi(url, object())  # type: ignore[arg-type]


def test_with_closes_the_connections(by_each_route: SyntheticLims) -> None:
    database = Database(by_each_route.database.url)
    with EcephysProjectLimsApi(database, ArtifactClient()) as api:
        api.get_probes()
        pool = database.engine.pool
        assert pool.checkedin() == 1  # type: ignore[attr-defined]
    assert pool.checkedin() == 0  # type: ignore[attr-defined]


def test_with_closes_the_app_engine_if_it_can_be_closed(by_each_route: SyntheticLims) -> None:
    class Closing(Recorder):
        closed = False

        def close(self) -> None:
            self.closed = True

    with EcephysProjectLimsApi(by_each_route.database.url, Closing()) as api:
        assert not api.app_engine.closed
    assert api.app_engine.closed
    with EcephysProjectLimsApi(by_each_route.database.url, Recorder()) as api:
        assert api.get_sessions([]).empty


def test_the_password_is_not_shown(environment: pytest.MonkeyPatch) -> None:
    api = EcephysProjectLimsApi.default()
    assert "s3cret" not in repr(api)
    assert b"s3cret" not in pickle.dumps(api)
    assert "limsdb" in repr(api)
    assert "lims2" in repr(api)


@pytest.mark.sample(1)
def test_a_pickle_works_in_another_process(by_each_route: SyntheticLims, tmp_path: Path) -> None:
    api = EcephysProjectLimsApi(by_each_route.database, ArtifactClient())
    path = tmp_path / "api.pickle"
    path.write_bytes(pickle.dumps(api))
    program = (
        "import pickle, sys; api = pickle.load(open(sys.argv[1], 'rb'));print(len(api.get_units()))"
    )
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == len(api.get_units())


def test_importing_reads_nothing_and_connects_to_nothing() -> None:
    program = """
import sys
seen = []
hook = lambda name, args: seen.append((name, args)) if (
    name.startswith("socket.") or name == "sqlite3.connect"
) else None
import os, numpy, pandas, requests, sqlalchemy, alembic, tenacity, tqdm.auto, psycopg2
class Watched(type(os.environ)):
    def __getitem__(self, key):
        seen.append(("environ", key))
        return super().__getitem__(key)
os.environ.__class__ = Watched
sys.addaudithook(hook)
from ecephys_dal import *
seen = [one for one in seen if one != ("environ", "EAGER_IMPORT")]  # lazy_loader's switch
sys.exit(repr(seen) if seen else 0)
"""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
