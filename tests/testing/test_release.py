import os
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import func, select

from ecephys_dal.database import Database
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import (
    Age,
    Donor,
    EcephysAnalysisRun,
    EcephysAnalysisRunProbe,
    EcephysProbe,
    EcephysSession,
    Gender,
    Specimen,
    WellKnownFile,
    WellKnownFileType,
)
from ecephys_dal.testing import load_release

BESIDE = Path(__file__).parents[3] / "shared"
FOLDER = Path(os.environ.get("ECEPHYS_DAL_SHARED", BESIDE)) / "data/visual_coding_neuropixels"


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    if not FOLDER.is_dir():
        pytest.skip(f"the published tables are not at {FOLDER}; set ECEPHYS_DAL_SHARED")
    url = f"sqlite:///{tmp_path_factory.mktemp('release') / 'lims.db'}"
    with Database(url, owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        load_release(database, FOLDER)
    with Database(url) as database, database.connection() as connection:
        yield connection


def frame(connection, statement):
    rows = connection.execute(statement)
    return pd.DataFrame(rows.all(), columns=list(rows.keys())).set_index("id")


def test_sessions_read_back_as_published(connection):
    nwb = (
        select(EcephysAnalysisRun.ecephys_session_id)
        .join(WellKnownFile, WellKnownFile.attachable_id == EcephysAnalysisRun.id)
        .join(WellKnownFileType)
        .where(WellKnownFile.attachable_type == "EcephysAnalysisRun")
        .where(WellKnownFileType.name == "EcephysNwb", EcephysAnalysisRun.current)
    )
    statement = (
        select(
            EcephysSession.id,
            EcephysSession.date_of_acquisition,
            EcephysSession.isi_experiment_id,
            EcephysSession.published_at,
            EcephysSession.specimen_id,
            EcephysSession.stimulus_name.label("session_type"),
            Age.days.label("age_in_days"),
            Gender.name.label("sex"),
            Donor.full_genotype.label("genotype"),
            EcephysSession.id.in_(nwb).label("has_nwb"),
        )
        .join(EcephysSession.specimen)
        .join(Specimen.donor)
        .join(Donor.age)
        .join(Donor.gender)
        .order_by(EcephysSession.id)
    )
    published = pd.read_csv(FOLDER / "sessions.csv", index_col="id").sort_index()
    for column in ("date_of_acquisition", "published_at"):
        published[column] = pd.to_datetime(published[column]).dt.tz_localize(None)
    assert len(published) == 58
    pd.testing.assert_frame_equal(frame(connection, statement), published, check_dtype=False)


def test_probes_read_back_as_published(connection):
    statement = select(
        EcephysProbe.id,
        EcephysProbe.air_channel_index,
        EcephysProbe.ecephys_session_id,
        EcephysProbe.global_probe_lfp_sampling_rate.label("lfp_sampling_rate"),
        EcephysProbe.temporal_subsampling_factor.label("lfp_temporal_subsampling_factor"),
        EcephysProbe.name,
        EcephysProbe.phase,
        EcephysProbe.global_probe_sampling_rate.label("sampling_rate"),
        EcephysProbe.surface_channel_index,
        EcephysProbe.use_lfp_data.label("has_lfp_data"),
    ).order_by(EcephysProbe.id)
    published = pd.read_csv(FOLDER / "probes.csv", index_col="id").sort_index()
    assert len(published) == 332
    assert published.lfp_temporal_subsampling_factor.isna().sum() == 5
    pd.testing.assert_frame_equal(frame(connection, statement), published, check_exact=True)


def test_every_session_is_uploaded_and_every_probe_passed(connection):
    assert connection.scalars(select(EcephysSession.workflow_state).distinct()).all() == [
        "uploaded"
    ]
    assert connection.scalars(select(EcephysProbe.workflow_state).distinct()).all() == ["passed"]


def test_a_probe_with_lfp_has_the_record_of_its_file(connection):
    statement = (
        select(func.count())
        .select_from(EcephysAnalysisRunProbe)
        .join(WellKnownFile, WellKnownFile.attachable_id == EcephysAnalysisRunProbe.id)
        .join(WellKnownFileType)
        .where(WellKnownFileType.name == "EcephysLfpNwb")
        .where(WellKnownFile.attachable_type == "EcephysAnalysisRunProbe")
    )
    assert connection.scalar(statement) == 332 - 7


def test_a_folder_without_the_tables_is_refused(tmp_path):
    database = Database("sqlite://", owned=True)
    with pytest.raises(ConfigurationError, match=r"sessions\.csv"):
        load_release(database, tmp_path)


def test_a_database_that_is_only_read_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="owned=True"):
        load_release(Database("sqlite://"), tmp_path)
