from collections import Counter
from types import SimpleNamespace

import pytest
from sqlalchemy import inspect, select, text

from ecephys_dal import ArtifactClient, Database, EcephysProjectLimsApi
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import LIMS_TABLES
from ecephys_dal.testing import create_synthetic_lims, enlarge_synthetic_lims

SMALL = {"sessions": 2, "channels_per_probe": 8, "units_per_session": 20, "progress": False}
SHARED = {"structures", "genders", "ages", "projects", "stimuli", "well_known_file_types"}
TABLES = LIMS_TABLES
TIMES = 3


def contents(database):
    with database.connection() as connection:
        return {
            name: connection.execute(select(table).order_by(*table.primary_key)).all()
            for name, table in TABLES.items()
        }


def schema(database):
    """Return the keys and indexes of each table, in an order of their own."""
    catalogue = inspect(database.engine)
    kinds = (catalogue.get_foreign_keys, catalogue.get_indexes)
    return {name: sorted(str(one) for of in kinds for one in of(name)) for name in TABLES}


def answers(api, session_id):
    """Return what the tables hold of a session."""
    one = [session_id]
    return {
        "session": api.get_sessions(session_ids=one),
        "probes": api.get_probes(session_ids=one),
        "channels": api.get_channels(session_ids=one),
        "units": api.get_units(session_ids=one),
        "metrics": api.get_unit_analysis_metrics(ecephys_session_ids=one),
        "files": api.list_files(session_id=session_id),
    }


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def enlarged(request, fresh_url):
    url = fresh_url(request.param)
    lims = create_synthetic_lims(url, **SMALL)
    with Database(url, owned=True) as database:
        before, keys = contents(database), schema(database)
        enlarge_synthetic_lims(database, TIMES)
        yield SimpleNamespace(lims=lims, database=database, before=before, keys=keys)


@pytest.fixture
def lims(tmp_path):
    url = f"sqlite:///{tmp_path}/lims.db"
    lims = create_synthetic_lims(url, **SMALL)
    with Database(url, owned=True) as database:
        lims.database = database
        yield lims


@pytest.mark.sample(1)
def test_all_that_hangs_on_a_session_is_there_several_times_and_the_rest_once(enlarged):
    before, after = enlarged.before, contents(enlarged.database)
    grown = {name: len(after[name]) / len(before[name]) for name in TABLES if before[name]}
    files = grown.pop("well_known_files")
    assert set(grown.values()) == {1, TIMES}
    assert all(grown[name] == TIMES for name in grown if name.startswith("ecephys_"))
    assert all(grown[name] == 1 for name in SHARED)
    assert 1 < files < TIMES  # those of stimuli are not copied


@pytest.mark.sample(1)
def test_what_was_there_stays_as_it_was_and_every_id_is_of_one_record(enlarged):
    before, after = enlarged.before, contents(enlarged.database)
    assert all(set(map(str, before[name])) <= set(map(str, after[name])) for name in TABLES)
    ids = Counter(row.id for name in TABLES if "id" in TABLES[name].c for row in after[name])
    assert set(ids.values()) == {1}


@pytest.mark.sample(1)
def test_a_copy_refers_to_copies_and_is_else_the_same(enlarged):
    api = EcephysProjectLimsApi(enlarged.database, ArtifactClient())
    visible = list(api.get_sessions().index)
    assert len(visible) == TIMES * len(enlarged.lims.visible_session_ids)
    first = enlarged.lims.session_ids[0]
    shift = visible[len(visible) // TIMES] - visible[0]
    originals, copies = answers(api, first), answers(api, first + shift)
    for name, original in originals.items():
        copy, ids = copies[name], [column for column in original if is_shifted(column)]
        assert len(copy), name
        assert list(copy.index) == list(original.index + shift), name
        assert copy[ids].reset_index(drop=True).equals(original[ids].reset_index(drop=True) + shift)
        others = [column for column in original if column not in ids]
        assert copy[others].reset_index(drop=True).equals(original[others].reset_index(drop=True))


def is_shifted(column):
    """Tell whether a column of a table holds ids of what hangs on a session."""
    return column in ("owner_id", "run") or (
        column.endswith("_id") and column != "ecephys_structure_id"
    )


def test_keys_and_indexes_are_as_before_and_every_key_leads_somewhere(enlarged):
    assert schema(enlarged.database) == enlarged.keys
    with enlarged.database.connection() as connection:
        for table in TABLES.values():
            for key in table.foreign_keys:
                there = select(key.column)
                lost = select(table).where(key.parent.is_not(None), key.parent.not_in(there))
                assert connection.execute(lost).all() == []


def test_what_is_large_already_can_be_made_larger(lims):
    enlarge_synthetic_lims(lims.database, 2)
    enlarge_synthetic_lims(lims.database, 2)
    sessions = EcephysProjectLimsApi(lims.database, ArtifactClient()).get_sessions()
    assert len(sessions) == 4 * len(lims.visible_session_ids)


def test_once_changes_nothing_and_less_is_refused(lims):
    before = contents(lims.database)
    enlarge_synthetic_lims(lims.database, 1)
    assert contents(lims.database) == before
    for times in (0, -1):
        with pytest.raises(ConfigurationError, match=f"times={times}"):
            enlarge_synthetic_lims(lims.database, times)


def test_a_database_that_is_only_read_is_refused(lims):
    with (
        Database(lims.database.url) as database,
        pytest.raises(ConfigurationError, match="owned=True"),
    ):
        enlarge_synthetic_lims(database, 2)


def test_a_database_without_a_synthetic_lims_is_refused():
    with Database("sqlite://", owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        with pytest.raises(ConfigurationError, match="no synthetic LIMS"):
            enlarge_synthetic_lims(database, 2)


def test_somebody_elses_lims_is_refused(lims):
    with lims.database.connection() as connection:
        connection.execute(text("drop table alembic_version"))
    with pytest.raises(ConfigurationError, match="somebody's LIMS"):
        enlarge_synthetic_lims(lims.database, 2)
