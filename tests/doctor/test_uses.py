"""Which methods need which columns, by the repositories' own statements."""

from __future__ import annotations

import inspect
from contextlib import suppress

import pytest
from sqlalchemy import create_engine

from ecephys_dal import ArtifactClient, Database, EcephysProjectApi, EcephysProjectLimsApi
from ecephys_dal.doctor.uses import METHODS, name_of, users_of
from ecephys_dal.errors import EcephysDalError, SchemaMismatchError
from ecephys_dal.facade.files import FileMethods
from ecephys_dal.models import LIMS_TABLES
from ecephys_dal.repositories import REPOSITORIES, AnalysisRunRepository
from ecephys_dal.repositories.statement import Statement

ARGUMENTS = {
    "get_session_data": (1,),
    "get_probe_lfp_data": (1,),
    "get_natural_movie_template": (1,),
    "get_natural_scene_template": (1,),
    "get_file": (1,),
}
NAMED = {"locate": {"session_id": 1, "type": "EcephysNwb"}}
VALUES = {"published_at": "2019-10-03", "session_types": ["a"], "types": ["EcephysNwb"]}


class App:
    """A web application that has every file, each of them empty."""

    def stream(self, _):
        return []


def test_every_method_of_the_facade_is_known():
    of_files = {name for name, _ in inspect.getmembers(FileMethods, inspect.isfunction)}
    wanted = EcephysProjectApi.__abstractmethods__ | {
        name for name in of_files if not name.startswith("_")
    }
    assert METHODS.keys() == wanted


def test_a_repository_is_known_that_no_method_asks():
    asked = {method.repository for method in METHODS.values()}
    assert AnalysisRunRepository in set(REPOSITORIES.values()) - asked
    users = users_of([("ecephys_analysis_runs", "job_strategy_class")])
    assert users.methods == ()
    assert "AnalysisRunRepository.frame" in users.outputs


@pytest.mark.parametrize("name", METHODS)
def test_a_method_asks_the_repository_that_is_said(name, healthy, monkeypatch):
    asked, original = [], Statement.select

    def select(self, *args, **kwargs):
        asked.append(type(self))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Statement, "select", select)
    api = EcephysProjectLimsApi(healthy("sqlite"), ArtifactClient())
    with api, suppress(EcephysDalError):  # there is no such record
        getattr(api, name)(*ARGUMENTS.get(name, ()), **NAMED.get(name, {}))
    assert set(asked) == {METHODS[name].repository}


@pytest.mark.parametrize(
    ("column", "methods"),
    [
        ("ecephys_units.snr", {"get_units"}),
        ("ecephys_units.cluster_ids", set()),
        ("donors.full_genotype", {"get_sessions"}),
        ("structures.acronym", {"get_channels"}),
        ("ecephys_sessions.stimulus_name", {"get_sessions", "get_unit_analysis_metrics"}),
        ("users.login", set()),
    ],
)
def test_a_column_is_needed_by_what_names_it(column, methods):
    assert set(users_of([tuple(column.split("."))]).methods) == methods


def test_a_column_that_only_records_have_is_needed_by_these():
    users = users_of([("ecephys_units", "cluster_ids")])
    assert users.outputs == ("UnitRepository.entities",)


def works(api, name):
    """Ask a method with a condition in every argument, whether there is such a record or not."""
    method = getattr(api, name)
    arguments = {
        argument: VALUES.get(argument, [1])
        for argument in inspect.signature(method).parameters
        if argument in VALUES or argument.endswith("_ids")
    }
    try:
        method(*ARGUMENTS.get(name, ()), **{**arguments, **NAMED.get(name, {})})
    except SchemaMismatchError:
        return False
    except EcephysDalError:
        pass
    return True


@pytest.mark.slow
def test_a_method_is_said_to_need_a_column_if_and_only_if_it_fails_without_it(copied):
    url, said, failed = copied("postgresql", []), {}, {}
    engine = create_engine(url)
    with EcephysProjectLimsApi(Database(url, bulk=False), App()) as api:
        assert all(works(api, name) for name in METHODS)
        for column in all_columns():
            rename = f"ALTER TABLE {column.table.name} RENAME COLUMN"
            with engine.begin() as connection:
                connection.exec_driver_sql(f'{rename} "{column.name}" TO gone')
            failed[str(column)] = {name for name in METHODS if not works(api, name)}
            said[str(column)] = set(users_of([name_of(column)]).methods)
            with engine.begin() as connection:
                connection.exec_driver_sql(f'{rename} gone TO "{column.name}"')
    engine.dispose()
    assert said == failed


def all_columns():
    return [column for table in LIMS_TABLES.values() for column in table.columns]
