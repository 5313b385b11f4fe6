"""A LIMS in which all is well, and copies of it to be damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url

from ecephys_dal import Database
from ecephys_dal.doctor import Examination, examine
from ecephys_dal.migrations import upgrade
from ecephys_dal.testing import (
    EcephysAnalysisRunFactory,
    EcephysAnalysisRunProbeFactory,
    EcephysUnitMetricBundleFactory,
    StimulusFactory,
    WellKnownFileFactory,
    using,
)

from ..conftest import MADE, _administer

Damage = dict[str, list[str]]
Copy = Callable[[str, list[str]], str]
# What an examination says of a copy by where it is, and not by how it is.
ALWAYS = {"role_may_write", "file_writable", "tables_extra"}


def fill(database: Database) -> None:
    """Write one of everything that the examination looks at, with nothing odd about it."""
    with database.session() as db, using(db):
        bundle = EcephysUnitMetricBundleFactory(data={"p_value_rf": 0.016, "on_screen_rf": True})
        probe = bundle.unit.channel.probe
        run = EcephysAnalysisRunFactory(session=probe.session)
        part = EcephysAnalysisRunProbeFactory(probe=probe, run=run)
        WellKnownFileFactory(attachable=run)
        WellKnownFileFactory(attachable=part, type__name="EcephysLfpNwb")
        StimulusFactory()


@pytest.fixture(scope="session")
def healthy(fresh_url: Callable[[str], str]) -> Callable[[str], str]:
    """The URL of a LIMS in which all is well, by backend; no test changes it."""

    @cache
    def make(backend: str) -> str:
        url = fresh_url(backend)
        with Database(url, owned=True) as database:
            with database.connection() as connection:
                upgrade(connection)
            fill(database)
        return url

    return make


@pytest.fixture
def copied(healthy: Callable[[str], str], tmp_path: Path, request: pytest.FixtureRequest) -> Copy:
    """Make a copy of the healthy LIMS, and run statements in it."""

    def copy(backend: str, statements: list[str]) -> str:
        url = healthy(backend)
        if backend == "sqlite":
            path = tmp_path / f"{uuid4().hex}.db"
            shutil.copy(make_url(url).database, path)
            made = f"sqlite:///{path}"
        else:
            name = f"ecephys_dal_test_{uuid4().hex[:12]}"
            server = request.getfixturevalue("postgres_url")
            template = make_url(url).database
            _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
            MADE.append(name)
            made = make_url(url).set(database=name).render_as_string(hide_password=False)
        run(made, statements)
        return made

    return copy


def run(url: str, statements: list[str]) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


Findings = dict[tuple[str, str], str]


def found(examination: Examination) -> Findings:
    """Return the severity of all that is not well, by code and subject."""
    return {
        (one.code, one.subject): one.severity
        for one in examination.findings
        if one.severity != "ok" and one.code not in ALWAYS
    }


def examined(url: str, **options: object) -> Examination:
    return examine(url, progress=False, **options)
