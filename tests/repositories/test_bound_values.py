"""Values that a further condition can't compare with: refused by name, on every database."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import and_, or_, text, tuple_

from ecephys_dal import InvalidFilterError, SessionRepository, UnitFilter, UnitRepository
from ecephys_dal.models import EcephysChannel, EcephysSession, EcephysUnit
from ecephys_dal.testing import SyntheticLims

acquired, quality, snr = (
    EcephysSession.date_of_acquisition,
    EcephysUnit.quality,
    EcephysUnit.snr,
)
REFUSED: dict[str, tuple[Any, str]] = {
    "NaT": (acquired <= pd.NaT, "NaT"),
    "NumPy's NaT": (acquired <= np.datetime64("NaT"), "NaT"),
    "no duration": (EcephysSession.id == np.timedelta64("NaT"), "NaT"),
    "NA": (EcephysSession.id == pd.NA, "<NA>"),
    "NUL": (quality == "a\0b", r"'a\x00b'"),
    "NUL in a list": (quality.in_(["good", "a\0b"]), r"'a\x00b'"),
    "NUL in a pair": (tuple_(EcephysUnit.id, quality).in_([(1, "a\0b")]), r"'a\x00b'"),
    "NUL in a pattern": (quality.like("a\0%"), r"'a\x00%'"),
    "NUL in a subquery": (EcephysUnit.channel.has(EcephysChannel.id == 2**63), str(2**63)),
    "NUL in a text": (text("quality = :q").bindparams(q="a\0b"), r"'a\x00b'"),
    "half a surrogate pair": (quality == "\ud800", r"'\ud800'"),
    "a long integer": (EcephysUnit.id == 2**70, str(2**70)),
    "a long integer in OR": (or_(snr > 1, EcephysUnit.id.in_([1, -(2**64)])), str(-(2**64))),
    "signalling NaN": (snr > Decimal("sNaN"), "sNaN"),
    "NaN": (and_(snr > 1, snr < math.nan), "nan"),  # noqa: PLW0177 - what is refused
}


@pytest.mark.parametrize("value", REFUSED)
def test_a_value_that_is_none_is_refused_by_name(synthetic: SyntheticLims, value: str) -> None:
    clause, shown = REFUSED[value]
    of_session = value in ("NaT", "NumPy's NaT", "no duration", "NA")
    repository = (SessionRepository if of_session else UnitRepository)(synthetic.database)
    for ask in (repository.frame, repository.count, repository.entities, repository.explain):
        with pytest.raises(InvalidFilterError) as refused:
            ask(where=clause)
        assert shown in str(refused.value)
        assert "SELECT" not in str(refused.value)


def test_a_value_that_the_column_cannot_take_is_refused_by_name(synthetic: SyntheticLims) -> None:
    sessions = SessionRepository(synthetic.database)
    assert sessions.count(where=EcephysSession.published_at <= "2019-10-03") > 0
    with pytest.raises(InvalidFilterError, match="'2019-10-33', which can't be sent as"):
        sessions.count(where=EcephysSession.published_at <= "2019-10-33")


def test_values_at_the_edges_are_sent(synthetic: SyntheticLims) -> None:
    units = UnitRepository(synthetic.database)
    for clause in (
        EcephysUnit.id <= 2**63 - 1,
        EcephysUnit.id >= -(2**63),
        EcephysUnit.id > np.int64(0),
        or_(EcephysUnit.snr < float("inf"), EcephysUnit.snr.is_(None)),
        quality != "é\U0001f42d'%",
        EcephysUnit.id.in_([*range(1000), *units.ids().tolist()]),
    ):
        assert units.count(where=clause) > 0
    assert units.count(UnitFilter(unit_ids=[]), where=EcephysUnit.id.in_([])) == 0
