"""Of whatever filter a snapshot is made: a question is refused, or answered as by the source."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecephys_dal import BeyondSnapshotError, Database, repositories, snapshot
from ecephys_dal.filters import Filter
from ecephys_dal.repositories.clauses import within

from .conftest import Lims
from .test_coverage import some_ids
from .test_equality import PUBLIC

DAYS = ("2018-01-01", "2019-10-02", "2019-10-03", "2020-06-01")
TYPES = ("functional_connectivity", "brain_observatory_1.1", "no such type")
LEVELS = [one.filter_type for one in PUBLIC]


@pytest.fixture(scope="module")
def ids(small: Lims) -> dict[str, list[int]]:
    return some_ids(small)


def drawn(data: st.DataObject, filter_type: type[Filter], ids: dict[str, list[int]]) -> Filter:
    """Draw a filter of some of its fields."""
    rules = repositories.REPOSITORIES[filter_type].rule_names()
    values: dict[str, st.SearchStrategy[Any]] = {
        **{name: st.lists(st.sampled_from(some), max_size=6) for name, some in ids.items()},
        "published_at": st.sampled_from(DAYS),
        "session_types": st.lists(st.sampled_from(TYPES), max_size=2),
        "without_rules": st.lists(st.sampled_from(rules)) if rules else st.none(),
    }
    known = sorted(values.keys() & filter_type.kinds().keys())
    names = data.draw(st.lists(st.sampled_from(known), unique=True, max_size=3))
    return filter_type(**{name: data.draw(values[name]) for name in names})


def clauses(spec: Filter) -> list[Any]:
    table = repositories.REPOSITORIES[type(spec)]
    return [*table.criteria(spec), *within(table.columns[0], spec.id_range)]


def expected_of(online: Database, question: Filter, specs: list[Filter]) -> pd.DataFrame | None:
    """What must be answered; None if that is not said."""
    named = [name for name, _ in question.each_condition() if name.endswith("_ids")]
    table = repositories.REPOSITORIES[type(question)](online)
    if named:
        return table.frame(question)
    if type(question) in LEVELS and LEVELS.index(type(question)) >= max(
        LEVELS.index(type(spec)) for spec in specs
    ):
        return table.frame(question, where=[one for spec in specs for one in clauses(spec)])
    return None


@settings(max_examples=settings.default.max_examples // 4, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_of_any_filter_a_snapshot_answers_as_its_source_or_not_at_all(
    small: Lims, ids: dict[str, list[int]], data: st.DataObject
) -> None:
    specs: list[Filter] = []
    source: Any = small.database
    with tempfile.TemporaryDirectory() as folder:
        for number in range(data.draw(st.integers(1, 2))):
            spec = drawn(data, data.draw(st.sampled_from(LEVELS)), ids)
            path = Path(folder, f"{number}.db")
            try:
                snapshot.create(source, path, spec, hidden=data.draw(st.booleans()), progress=False)
            except BeyondSnapshotError:
                break
            source = path
            specs.append(spec)
        with snapshot.SnapshotDatabase(source) as offline:
            for _ in range(12):
                ask(small, data, offline, specs, ids)


def ask(lims: Lims, data: st.DataObject, offline: Database, specs: Any, ids: Any) -> None:
    kinds = [kind for kind in repositories.REPOSITORIES if kind.kinds().keys() & ids.keys()]
    question = drawn(data, data.draw(st.sampled_from(kinds)), ids)
    try:
        found = repositories.REPOSITORIES[type(question)](offline).frame(question)
    except BeyondSnapshotError:
        return
    expected = expected_of(lims.database, question, specs)
    if expected is not None:
        pd.testing.assert_frame_equal(found, expected, obj=f"{specs}: {question}")
