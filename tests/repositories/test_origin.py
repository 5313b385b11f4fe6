"""A frame carries where it comes from, and can be asked for again."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Boolean
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

import ecephys_dal
from ecephys_dal import (
    InvalidFilterError,
    ProbeRepository,
    Repository,
    SessionRepository,
    UnitFilter,
    UnitMetricRepository,
    UnitRepository,
)
from ecephys_dal.models import EcephysUnit
from ecephys_dal.repositories import REPOSITORIES
from ecephys_dal.testing import SyntheticLims

KEPT_BY_PARQUET = tuple(map(int, pd.__version__.split(".")[:2])) >= (2, 1)


@pytest.fixture(params=REPOSITORIES.values(), ids=lambda repository: repository.__name__)
def repository(request: pytest.FixtureRequest, synthetic: SyntheticLims) -> Repository[Any, Any]:
    made: Repository[Any, Any] = request.param(synthetic.database)
    return made


@pytest.fixture
def units(synthetic: SyntheticLims) -> UnitRepository:
    return UnitRepository(synthetic.database)


def test_a_frame_says_what_was_asked_of_what_when_and_by_what(units: UnitRepository) -> None:
    spec = UnitFilter(
        channel_ids=[1, 2], published_at="2019-10-03", without_rules=units.rule_names()[1:]
    )
    before = pd.Timestamp.now("UTC").floor("s")
    attrs = units.frame(spec).attrs
    assert json.loads(attrs["ecephys_dal.filter"]) == spec.to_dict()
    assert attrs["ecephys_dal.table"] == "UnitRepository"
    assert attrs["ecephys_dal.rules"] == "session_not_habituation"
    assert attrs["ecephys_dal.version"] == ecephys_dal.__version__
    assert before <= pd.Timestamp(attrs["ecephys_dal.time"]) <= pd.Timestamp.now("UTC")
    assert attrs["ecephys_dal.database"].startswith(("sqlite:///", "postgresql+psycopg2://"))
    assert units.db.url.database in attrs["ecephys_dal.database"]  # type: ignore[union-attr]
    assert {type(value) for value in attrs.values()} == {str}


def test_every_frame_can_be_asked_for_again(repository: Repository[Any, Any]) -> None:
    frame = repository.frame(dtype_backend="numpy_nullable")
    assert len(frame.attrs) == 8
    again = repository.from_attrs(frame.attrs)
    pd.testing.assert_frame_equal(again, frame)
    with repository.db.session() as db:  # type: ignore[union-attr]
        pd.testing.assert_frame_equal(type(repository)(db).from_attrs(frame.attrs), frame)


def test_filter_and_left_out_rules_are_asked_for_again(
    synthetic: SyntheticLims, units: UnitRepository
) -> None:
    failed = synthetic.awkward["session_failed"]
    wide = UnitRepository(synthetic.database, without_rules=["session_not_failed"])
    frame = wide.frame(UnitFilter(session_ids=[failed]))
    assert len(frame) > 0
    pd.testing.assert_frame_equal(units.from_attrs(frame.attrs), frame)


def test_the_rules_are_those_of_then(synthetic: SyntheticLims, units: UnitRepository) -> None:
    frame = units.frame()
    wide = UnitRepository(synthetic.database, without_rules=units.rule_names())
    assert wide.count() > len(frame)
    pd.testing.assert_frame_equal(wide.from_attrs(frame.attrs), frame)


class odd(FunctionElement[bool]):  # noqa: N801
    """A condition that only the databases' own compilers know."""

    type = Boolean()
    inherit_cache = True


@compiles(odd, "sqlite")
def _odd_on_sqlite(element: odd, compiler: Any, **kw: Any) -> str:
    return "ecephys_units.id % 2 = 1"


def test_no_label_stops_a_read(synthetic: SyntheticLims) -> None:
    if synthetic.database.engine.dialect.name == "sqlite":
        units = UnitRepository(synthetic.database)
        assert len(units.frame(where=odd())) == units.count(where=odd()) > 0


def test_further_conditions_must_be_given_again(units: UnitRepository) -> None:
    frame = units.frame(where=EcephysUnit.snr > 2)
    with pytest.raises(InvalidFilterError, match="ecephys_units.snr > 2.*, and where= is .none.;"):
        units.from_attrs(frame.attrs)
    with pytest.raises(InvalidFilterError, match="snr > 2.*, and where= is ecephys_units.snr > 3"):
        units.from_attrs(frame.attrs, where=EcephysUnit.snr > 3)
    with pytest.raises(InvalidFilterError, match="condition .none., and where= is"):
        units.from_attrs(units.frame().attrs, where=EcephysUnit.snr > 3)
    again = units.from_attrs(frame.attrs, where=EcephysUnit.snr > 2)
    pd.testing.assert_frame_equal(again, frame)


def test_a_frame_of_another_table_is_refused(synthetic: SyntheticLims) -> None:
    sessions, probes = SessionRepository(synthetic.database), ProbeRepository(synthetic.database)
    with pytest.raises(InvalidFilterError, match="of SessionRepository, not of ProbeRepository"):
        probes.from_attrs(sessions.frame().attrs)
    with pytest.raises(InvalidFilterError, match="no frame of ours"):
        probes.from_attrs(pd.DataFrame().attrs)


def test_chunks_say_the_same_and_keep_it_when_they_are_joined(units: UnitRepository) -> None:
    joined = pd.concat(units.chunks(size=40))
    again = units.from_attrs(joined.attrs)
    pd.testing.assert_frame_equal(again, joined)


def test_frames_of_several_questions_can_be_joined(synthetic: SyntheticLims) -> None:
    units = UnitRepository(synthetic.database)
    metrics = UnitMetricRepository(synthetic.database)
    first, second = units.partitions(n=2)
    parts = [units.frame(first), units.frame(second)]
    pd.testing.assert_frame_equal(pd.concat(parts), units.frame())
    merged = units.frame().merge(metrics.frame(), left_index=True, right_index=True)
    assert len(merged) == len(metrics.frame().index.intersection(units.frame().index))


def test_a_pickle_and_a_copy_keep_it(units: UnitRepository) -> None:
    frame = units.frame()
    for copied in (pickle.loads(pickle.dumps(frame)), frame.copy(), frame[frame["snr"] > 1]):
        assert copied.attrs == frame.attrs


def test_parquet_keeps_it(units: UnitRepository, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the arrow extra is not installed")
    frame = units.frame()
    frame.to_parquet(tmp_path / "units.parquet")
    read = pd.read_parquet(tmp_path / "units.parquet")
    pd.testing.assert_frame_equal(read, frame)
    if KEPT_BY_PARQUET:
        assert read.attrs == frame.attrs
