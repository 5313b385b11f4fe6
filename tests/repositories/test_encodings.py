"""Databases whose encoding is not UTF-8: their letters, and those that they can't hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from ecephys_dal import (
    Database,
    StatementRefusedError,
    UnitMetricFilter,
    UnitMetricRepository,
    UnitRepository,
)
from ecephys_dal.models import Base, EcephysUnit
from ecephys_dal.testing import using
from ecephys_dal.testing.factories import EcephysUnitFactory, EcephysUnitMetricBundleFactory

from ..conftest import opened

LETTERS = {  # of an encoding, and others that it has not
    "LATIN1": ("größe é µm", "神経"),
    "WIN1252": ("€ “µm”", "神経"),
    "EUC_JP": ("神経 ニューロン", "é €"),
}


@contextmanager
def database_of(server: str, encoding: str) -> Iterator[str]:
    """Make a database of an encoding, and yield its URL."""
    name = f"ecephys_dal_test_{uuid4().hex[:12]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            text(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
        )
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(scope="module", params=LETTERS)
def lettered(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[tuple[str, str, str]]:
    """A database of one unit, the letters that it holds, and others."""
    held, others = LETTERS[request.param]
    with database_of(postgres_url, request.param) as url:
        with Database(url, owned=True) as owned, owned.session() as db, using(db):
            Base.metadata.create_all(db.connection())
            unit = EcephysUnitFactory(quality=held)
            unit.channel.probe.session.stimulus_name = held
            EcephysUnitMetricBundleFactory(unit=unit)
            db.flush()
            db.execute(
                text("UPDATE ecephys_unit_metric_bundles SET data = CAST(:data AS json)"),
                {"data": f'{{"{held}": "{held}"}}'},
            )
            db.commit()
        yield url, held, others


@pytest.fixture(params=[False, True], ids=["bulk", "by rows"])
def database(request: pytest.FixtureRequest, lettered: tuple[str, str, str]) -> Iterator[Database]:
    with opened(lettered[0], by_rows=request.param) as made:
        yield made


@pytest.mark.sample(3)
def test_letters_of_the_encoding_are_read_and_compared(
    database: Database, lettered: tuple[str, str, str], caplog: pytest.LogCaptureFixture
) -> None:
    _, held, _ = lettered
    units, metrics = UnitRepository(database), UnitMetricRepository(database)
    for where in (EcephysUnit.quality == held, EcephysUnit.quality.contains(held[0])):
        assert units.frame(where=where)["quality"].tolist() == [held]
        assert next(units.chunks(where=where))["quality"].tolist() == [held]
        assert [unit.quality for unit in units.entities(where=where)] == [held]
    frame = metrics.frame(UnitMetricFilter(session_types=[held]))
    assert frame[held].tolist() == [held]
    assert not caplog.messages  # of what a route can't read


@pytest.mark.parametrize("output", ["frame", "chunks", "entities", "count", "ids", "exists"])
@pytest.mark.sample(7)
def test_other_letters_in_a_condition_are_refused(
    output: str, database: Database, lettered: tuple[str, str, str]
) -> None:
    _, held, others = lettered
    units: Any = UnitRepository(database)
    with pytest.raises(StatementRefusedError, match="no equivalent in encoding"):
        list(getattr(units, output)(where=EcephysUnit.quality.in_([held, others])))
    with pytest.raises(StatementRefusedError, match="filter"):
        UnitMetricRepository(database).frame(UnitMetricFilter(session_types=[others]))
