"""An explanation shows the statement that is run, the plan, and what empties an answer."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from sqlalchemy import String, cast, func, literal, text

from ecephys_dal import (
    ConfigurationError,
    Database,
    DatabaseSettings,
    ProbeFilter,
    ProbeRepository,
    Repository,
    SessionFilter,
    SessionRepository,
    UnitFilter,
    UnitRepository,
)
from ecephys_dal.models import EcephysProbe, EcephysSession, EcephysUnit
from ecephys_dal.repositories import REPOSITORIES
from ecephys_dal.testing import SyntheticLims


@pytest.fixture(params=REPOSITORIES.values(), ids=lambda repository: repository.__name__)
def repository(request: pytest.FixtureRequest, synthetic: SyntheticLims) -> Repository[Any, Any]:
    made: Repository[Any, Any] = request.param(synthetic.database)
    return made


def run(repository: Repository[Any, Any], sql: str) -> list[Any]:
    """Run a statement as it stands, by a cursor of the driver's."""
    with repository.db.connection() as connection:  # type: ignore[union-attr]
        cursor = connection.connection.cursor()
        cursor.execute(sql)
        rows: list[Any] = cursor.fetchall()
    return rows


def test_the_sql_is_the_statement_as_it_stands(repository: Repository[Any, Any]) -> None:
    explanation = repository.explain()
    rows = run(repository, explanation.sql)
    assert sorted(row[0] for row in rows) == repository.frame().index.tolist()
    assert len(rows) == repository.count() == explanation.funnel[-1].n_left


def test_the_counts_never_rise_and_begin_with_all(repository: Repository[Any, Any]) -> None:
    first, *others = repository.explain().funnel
    (n_all,) = run(repository, f"SELECT count(*) FROM {repository.model.__tablename__}")[0]
    assert (first.kind, first.name, first.n_left) == (
        "table",
        repository.model.__tablename__,
        n_all,
    )
    counts = [n_all, *(step.n_left for step in others)]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("words", ["50% 'o\"k'", "%(a)s", "%%", "\\", ":a", "a\nb"])
def test_values_are_written_as_the_database_sees_them(synthetic: SyntheticLims, words: str) -> None:
    probes = ProbeRepository(synthetic.database)
    where = [EcephysSession.name != words, func.length(words) == len(words), text("'%' = '%'")]
    spec = ProbeFilter(session_ids=synthetic.session_ids, published_at="2019-10-03")
    explanation = probes.explain(spec, where=where)
    assert len(run(probes, explanation.sql)) == probes.count(spec) > 0
    assert "2019-10-03" in explanation.sql


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), dt.timedelta(days=3), b"%a'"])
def test_values_that_are_else_only_bound_are_written(
    synthetic: SyntheticLims, value: object
) -> None:
    if synthetic.database.engine.dialect.name == "postgresql":
        probes = ProbeRepository(synthetic.database)
        where = [literal(value) == literal(value), EcephysProbe.name != "%"]
        explanation = probes.explain(where=where)
        assert len(run(probes, explanation.sql)) == probes.count(where=where) > 0


def test_what_takes_too_long_to_count_is_explained_all_the_same(
    synthetic: SyntheticLims,
) -> None:
    if synthetic.database.engine.dialect.name == "postgresql":
        hurried = DatabaseSettings(statement_timeout=0.5)
        with Database(synthetic.database.url, settings=hurried) as database:
            slow = func.length(cast(func.pg_sleep(0.1), String)) >= 0
            explanation = UnitRepository(database).explain(where=slow)
        assert explanation.funnel == ()
        assert explanation.remark.startswith("Not counted: ")
        assert explanation.remark in str(explanation)
        assert "pg_sleep" in explanation.sql


def test_the_plan_is_the_databases_and_nothing_is_run(repository: Repository[Any, Any]) -> None:
    plan = repository.explain(counts=False).plan
    postgresql = repository.db.engine.dialect.name == "postgresql"  # type: ignore[union-attr]
    assert ("cost=" in plan) is postgresql
    assert "actual" not in plan
    assert repository.model.__tablename__ in plan
    assert repository.explain(counts=False).funnel == ()


def test_postgresql_runs_it_if_told(synthetic: SyntheticLims) -> None:
    units = UnitRepository(synthetic.database)
    if synthetic.database.engine.dialect.name == "postgresql":
        assert "actual" in units.explain(analyze=True, counts=False).plan
    else:
        with pytest.raises(ConfigurationError, match="SQLite can't analyze"):
            units.explain(analyze=True)


def test_what_empties_an_answer_is_named(synthetic: SyntheticLims) -> None:
    units = UnitRepository(synthetic.database)
    failed = UnitFilter(session_ids=[synthetic.awkward["session_failed"]])
    explanation = units.explain(failed)
    emptied = explanation.emptied_by
    assert emptied is not None
    assert (emptied.kind, emptied.name) == ("filter", "session_ids")
    assert units.explain().emptied_by is None
    nothing = units.explain(where=EcephysUnit.snr < -5).emptied_by
    assert nothing is not None
    assert nothing.name == "where[0]"
    assert "0  filter session_ids" in str(explanation)
    assert json.loads(json.dumps(explanation.to_dict()))["funnel"][-1]["n_left"] == 0
    assert "<pre>SELECT" in explanation._repr_html_()


def test_rules_that_are_left_out_are_not_counted(synthetic: SyntheticLims) -> None:
    spec = SessionFilter(without_rules=["session_not_failed"])
    steps = SessionRepository(synthetic.database).explain(spec).funnel
    assert [step.name for step in steps if step.kind == "rule"] == ["session_not_habituation"]
