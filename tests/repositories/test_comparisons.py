"""What PostgreSQL could not compare, or SQLite answers otherwise, is refused before it is asked."""

from __future__ import annotations

import datetime as dt
import warnings
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Date, Integer, Text, case, cast, func, literal, not_, or_, true

from ecephys_dal import InvalidFilterError, SessionRepository, UnitRepository
from ecephys_dal.models import EcephysSession, EcephysUnit
from ecephys_dal.testing import SyntheticLims

URLS = ("postgresql+psycopg2://nobody@localhost/none", "sqlite://")
unit_id, snr, quality = EcephysUnit.id, EcephysUnit.snr, EcephysUnit.quality
habituation, published = EcephysSession.habituation, EcephysSession.published_at
NO_NUMBER = object()

REFUSED: dict[str, tuple[Any, str]] = {
    "a number alone": (snr, "is ecephys_units.snr, a number and no condition"),
    "a number in OR": (or_(snr > 3, snr), "is ecephys_units.snr, a number"),
    "a number in NOT": (not_(snr), "is ecephys_units.snr, a number"),
    "a text alone": (quality, "is ecephys_units.quality, a text"),
    "text == number": (quality == 3, "ecephys_units.quality, a text, with 3, a number"),
    "number > text": (snr > "abc", "ecephys_units.snr, a number, with 'abc', a text"),
    "number == truth": (snr == true(), "ecephys_units.snr, a number, with true, a truth value"),
    "value first": (literal("x") == snr, "ecephys_units.snr, a number, with 'x', a text"),
    "in a list": (unit_id.in_([3, "a"]), "ecephys_units.id, a number, with 'a', a text"),
    "between": (snr.between(1, "b"), "ecephys_units.snr, a number, with 'b', a text"),
    "two columns": (snr == quality, "snr, a number, with ecephys_units.quality, a text"),
    "in a subquery": (EcephysUnit.channel.has(snr > "abc"), "'abc', a text"),
    "a set": (snr == {1, 2}, "{1, 2}"),
    "an object": (func.abs(snr) == NO_NUMBER, "<object objec"),
}
with warnings.catch_warnings():  # SQLAlchemy's, of what it will refuse itself
    warnings.simplefilter("ignore")
    REFUSED["a pattern"] = (unit_id.like("6%"), "a pattern in ecephys_units.id, a number")
    REFUSED["a beginning"] = (unit_id.startswith("6"), "a pattern in ecephys_units.id, a number")

OF_SESSIONS: dict[str, tuple[Any, str]] = {
    "truth == number": (habituation == 1, "habituation, a truth value, with 1, a number"),
    "truth == text": (habituation == "t", "habituation, a truth value, with 't', a text"),
    "moment == number": (EcephysSession.created_at > 3, "created_at, a moment, with 3, a number"),
}
CASES = [(UnitRepository, *one) for one in REFUSED.items()]
CASES += [(SessionRepository, *one) for one in OF_SESSIONS.items()]  # type: ignore[arg-type]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize(("repository", "name", "case"), CASES, ids=[one[1] for one in CASES])
def test_a_comparison_of_two_kinds_is_refused(
    repository: Any, name: str, case: tuple[Any, str], url: str
) -> None:
    clause, said = case
    with pytest.raises(InvalidFilterError, match=r"where\[0\]") as refused:
        repository(url).select(where=clause)
    assert said in str(refused.value), name


OF_SQLITE: dict[str, tuple[Any, str]] = {
    "a day": (cast(published, Date) == dt.date(2019, 10, 3), "published_at to a Date"),
    "a sum": (
        EcephysSession.created_at + dt.timedelta(days=1) > dt.datetime(2019, 1, 1),
        "calculates with ecep",
    ),
    "a difference": (published - published == dt.timedelta(0), "calculates with ecephys_sess"),
    "an integer": (cast(EcephysSession.id * 0.5, Integer) == 3, "which SQLite cuts"),
}


@pytest.mark.parametrize("where", OF_SQLITE)
def test_what_sqlite_calculates_otherwise_is_refused_there(where: str) -> None:
    clause, said = OF_SQLITE[where]
    with pytest.raises(InvalidFilterError, match=said):
        SessionRepository("sqlite://").select(where=clause)


KEPT: dict[str, Any] = {
    "a function": func.abs(snr) > 1,
    "a length": func.length(quality) == 4,
    "a sum": snr + EcephysUnit.firing_rate > 1,
    "CASE": case((snr > 3, 1), else_=0) == 1,
    "concatenated": quality + "x" == "goodx",
    "a cast": cast(unit_id, Text) != "x",
    "a beginning": quality.startswith("g"),
    "a remainder": unit_id % 2 == 0,
    "a number as text": unit_id > "0",
    "a truth value": literal(value=True),
    "a function alone": func.coalesce(snr > 3, False),
    "NULL": snr.is_not(None),
    "NumPy": snr > np.float32(2),
    "NumPy's integer": unit_id >= np.int64(0),
    "NumPy in a function": func.abs(snr) > np.float64(2),
}


@pytest.mark.parametrize("where", KEPT)
def test_what_can_be_compared_is_explained_too(synthetic: SyntheticLims, where: str) -> None:
    units, clause = UnitRepository(synthetic.database), KEPT[where]
    assert 0 < units.count(where=clause) == units.explain(where=clause).funnel[-1].n_left


def test_days_of_numpy_are_explained(synthetic: SyntheticLims) -> None:
    sessions, where = (
        SessionRepository(synthetic.database),
        published <= np.datetime64("2019-10-03"),
    )
    assert 0 < sessions.count(where=where) == sessions.explain(where=where).funnel[-1].n_left
    assert "2019-10-03" in sessions.explain(where=where).sql
