"""A moment that a condition compares with means the same, whatever its zone and the database's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, create_engine, func, literal, select, tuple_
from sqlalchemy.orm import Session

from ecephys_dal import InvalidFilterError, SessionRepository
from ecephys_dal.models import EcephysProbe, EcephysSession
from ecephys_dal.testing import SyntheticLims

acquired, session_id = EcephysSession.date_of_acquisition, EcephysSession.id
TOKYO = ZoneInfo("Asia/Tokyo")
SOON = dt.timedelta(microseconds=1)


@pytest.fixture(params=["database", "session"])
def source(request: pytest.FixtureRequest, synthetic: SyntheticLims) -> Iterator[Any]:
    """A database of ours, or an ORM session of the caller's whose zone is another."""
    if request.param == "database":
        yield synthetic.database
        return
    engine = in_tokyo(synthetic)
    with Session(engine) as db:
        yield db
    engine.dispose()


def in_tokyo(synthetic: SyntheticLims) -> Engine:
    url = synthetic.database.url
    is_server = url.get_backend_name() == "postgresql"
    return create_engine(
        url, connect_args={"options": "-c TimeZone=Asia/Tokyo"} if is_server else {}
    )


@contextmanager
def opened(source: Any) -> Iterator[Session]:
    if isinstance(source, Session):
        yield source
    else:
        with source.session() as db:
            yield db


def of_one(source: Any) -> tuple[int, dt.datetime, dt.datetime]:
    """A session with the moment of its acquisition, in UTC and in Tokyo."""
    moments = SessionRepository(source).frame()["date_of_acquisition"].dropna()
    utc = moments.iloc[0].to_pydatetime()
    return int(moments.index[0]), utc, utc.replace(tzinfo=dt.timezone.utc).astimezone(TOKYO)


def conditions(one: int, utc: dt.datetime, aware: dt.datetime) -> dict[str, Any]:
    return {
        "==": acquired == aware,
        "in": acquired.in_([aware, aware + dt.timedelta(days=9999)]),
        "pair": tuple_(acquired, session_id).in_([(aware, one)]),
        "between": acquired.between(aware - SOON, aware + SOON),
        "pandas": acquired == pd.Timestamp(aware),
        "numpy": acquired == np.datetime64(utc),
        "numpy, nanoseconds": acquired == np.datetime64(utc, "ns"),
        "naive": acquired == utc,
        "text": acquired == utc.isoformat(),
        "text with a zone": acquired == aware.isoformat(),
        "text in UTC": acquired == f"{utc.isoformat()}Z",
        "literal": acquired == literal(aware),
        "literal first": literal(aware) == acquired,
        "function": func.coalesce(None, acquired, aware) == aware,
        "subquery": EcephysSession.probes.any(EcephysProbe.session.has(acquired == aware)),
    }


@pytest.mark.sample(2)
def test_a_zone_is_minded_in_a_condition(source: Any) -> None:
    sessions, (one, utc, aware) = SessionRepository(source), of_one(source)
    for name, clause in conditions(one, utc, aware).items():
        where = [clause, session_id == one]
        assert sessions.count(where=where) == 1, name
        assert sessions.frame(where=where).index.tolist() == [one], name
        assert [check.verdict for check in sessions.why(one, where=where).hidden_by] == [], name
        assert sessions.explain(where=where).funnel[-1].n_left == 1, name
        assert sessions.count(where=[~clause, session_id == one]) == 0, name


def test_a_zone_is_minded_in_a_select_of_ones_own(source: Any) -> None:
    one, utc, aware = of_one(source)
    ours = not isinstance(source, Session)
    with opened(source) as db:
        for name, clause in conditions(one, utc, aware).items():
            if ours or name not in ("literal", "literal first", "function"):
                query = select(session_id).where(clause, session_id == one)
                assert db.scalars(query).all() == [one], name


@pytest.mark.parametrize("text", ["yesterday", "2018-07-24 25:00", "2018%", ""])
def test_a_text_that_is_no_moment_is_refused(synthetic: SyntheticLims, text: str) -> None:
    for column in (acquired, EcephysSession.published_at):
        with pytest.raises(InvalidFilterError, match=f"'{text}', which can't be sent as"):
            SessionRepository(synthetic.database).count(where=column > text)
