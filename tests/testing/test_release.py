import pytest
from sqlalchemy import func, select

from ecephys_dal.database import Database
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import (
    EcephysAnalysisRunProbe,
    EcephysProbe,
    EcephysSession,
    WellKnownFile,
    WellKnownFileType,
)
from ecephys_dal.testing import load_release
from tests.published import published_folder


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    release_folder = published_folder("typed rows", folder)
    url = f"sqlite:///{folder / 'lims.db'}"
    with Database(url, owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        load_release(database, release_folder)
    with Database(url) as database, database.connection() as connection:
        yield connection


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
    assert connection.scalar(statement) == 4


def test_a_folder_without_the_tables_is_refused(tmp_path):
    database = Database("sqlite://", owned=True)
    with pytest.raises(ConfigurationError, match=r"sessions\.csv"):
        load_release(database, tmp_path)


def test_a_database_that_is_only_read_is_refused(tmp_path):
    for name in ("sessions.csv", "probes.csv"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigurationError, match="owned=True"):
        load_release(Database("sqlite://"), tmp_path)
