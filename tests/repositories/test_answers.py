"""What repositories answer, against a brute-force answer in Python over the raw tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, select

from ecephys_dal import (
    ChannelFilter,
    ChannelRepository,
    Database,
    ProbeFilter,
    ProbeRepository,
    SessionFilter,
    SessionRepository,
    TemplateFilter,
    TemplateRepository,
    UnitFilter,
    UnitMetricFilter,
    UnitMetricRepository,
    UnitRepository,
)
from ecephys_dal.models import (
    Base,
    EcephysAnalysisRun,
    EcephysChannel,
    EcephysProbe,
    EcephysSession,
    EcephysUnit,
    EcephysUnitMetricBundle,
    Specimen,
)
from ecephys_dal.testing import SyntheticLims

Row = dict[str, Any]
relaxed = settings(
    max_examples=settings.default.max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def table(lims: SyntheticLims, model: type[Base]) -> dict[int, Row]:
    return _table(lims.database, model)


@cache
def _table(database: Database, model: type[Base]) -> dict[int, Row]:
    columns = [column for column in inspect(model).columns if column.key != "data"]
    with database.connection() as connection:
        return {row["id"]: dict(row) for row in connection.execute(select(*columns)).mappings()}


def session_shown(lims: SyntheticLims, session_id: int) -> Row | None:
    session = table(lims, EcephysSession)[session_id]
    # not failed, and known not to be: None is neither
    hidden = session["habituation"] or session["workflow_state"] in (None, "failed")
    return None if hidden else session


def visible(lims: SyntheticLims, model: type[Base]) -> dict[int, Row]:
    """The visible records with the ids of all their ancestors, by plain Python."""
    shown = {}
    for record_id, row in table(lims, model).items():
        chain: Row = {model.__tablename__: row}
        if model is EcephysUnit:
            chain["ecephys_channels"] = table(lims, EcephysChannel)[row["ecephys_channel_id"]]
        channel = chain.get("ecephys_channels")
        if channel:
            chain["ecephys_probes"] = table(lims, EcephysProbe)[channel["ecephys_probe_id"]]
        probe = chain.get("ecephys_probes")
        session_id = probe["ecephys_session_id"] if probe else record_id
        session = session_shown(lims, session_id)
        if (
            session
            and (not channel or channel["valid_data"])
            and (not probe or probe["workflow_state"] not in (None, "failed"))
        ):
            shown[record_id] = {**chain, "ecephys_sessions": session}
    return shown


QUESTIONS: dict[type[Any], tuple[type[Any], type[Base], dict[str, str]]] = {
    SessionRepository: (SessionFilter, EcephysSession, {"session_ids": "ecephys_sessions"}),
    ProbeRepository: (
        ProbeFilter,
        EcephysProbe,
        {"probe_ids": "ecephys_probes", "session_ids": "ecephys_sessions"},
    ),
    ChannelRepository: (
        ChannelFilter,
        EcephysChannel,
        {
            "channel_ids": "ecephys_channels",
            "probe_ids": "ecephys_probes",
            "session_ids": "ecephys_sessions",
        },
    ),
    UnitRepository: (
        UnitFilter,
        EcephysUnit,
        {
            "unit_ids": "ecephys_units",
            "channel_ids": "ecephys_channels",
            "probe_ids": "ecephys_probes",
            "session_ids": "ecephys_sessions",
        },
    ),
}
COLLECTIONS: list[Callable[[list[int]], Iterable[int]]] = [
    list, tuple, set, iter, np.array, pd.Series, pd.Index,
]  # fmt: skip
days = st.none() | st.dates(dt.date(2019, 9, 1), dt.date(2020, 12, 31))


@pytest.mark.parametrize("repository", QUESTIONS)
@relaxed
@given(draw=st.data())
def test_any_question_has_the_brute_force_answer(
    synthetic: SyntheticLims, repository: type[Any], draw: st.DataObject
) -> None:
    filter_type, model, fields = QUESTIONS[repository]
    shown = visible(synthetic, model)
    asked: dict[str, set[int]] = {}
    arguments: dict[str, Any] = {"published_at": draw.draw(days)}
    for field, name in fields.items():
        models = {m.__tablename__: m for m in (EcephysSession, EcephysProbe, EcephysChannel)}
        known = sorted(table(synthetic, models.get(name, EcephysUnit)))
        ids = draw.draw(st.none() | st.lists(st.sampled_from([*known, 0, -1]), max_size=30))
        if ids is not None:
            asked[name] = set(ids)
            form = draw.draw(st.sampled_from(COLLECTIONS))
            arguments[field] = form(ids) if ids else ids
    day = arguments["published_at"]
    expected = [
        record_id
        for record_id, chain in sorted(shown.items())
        if all(chain[name]["id"] in ids for name, ids in asked.items())
        and (not day or _published_by(chain["ecephys_sessions"], day))
    ]
    assert repository(synthetic.database).ids(filter_type(**arguments)).tolist() == expected


def _published_by(session: Row, day: dt.date) -> bool:
    return session["published_at"] is not None and session["published_at"].date() <= day


def test_every_cell_of_a_frame_is_the_stored_one(by_each_route: SyntheticLims) -> None:
    frame = UnitRepository(by_each_route.database).frame(dtype_backend="numpy_nullable")
    stored = table(by_each_route, EcephysUnit)
    assert len(frame) > 100
    for unit_id, row in zip(frame.index, frame.to_dict("records"), strict=True):
        for name, value in row.items():
            original = stored[unit_id][str(name)]
            assert value == original or (pd.isna(value) and original is None), (unit_id, name)


def test_sessions_say_whether_a_current_run_has_an_nwb_file(by_each_route: SyntheticLims) -> None:
    frame = SessionRepository(by_each_route.database).frame()
    assert set(frame["has_nwb"]) == {True, False}
    assert not frame.index.duplicated().any()
    wild = frame["genotype"] == "wt"
    assert wild.any()
    assert not wild.all()
    specimens = table(by_each_route, Specimen)
    assert set(frame["specimen_id"]) <= set(specimens)


@relaxed
@given(
    types=st.none()
    | st.lists(
        st.sampled_from(["brain_observatory_1.1", "functional_connectivity", "nothing"])
        | st.text("'\"%_;-\\:{}[]()$é \n", max_size=8)
    ),
    draw=st.data(),
)
def test_metrics_have_the_brute_force_answer(
    by_each_route: SyntheticLims, types: list[str] | None, draw: st.DataObject
) -> None:
    units, runs = table(by_each_route, EcephysUnit), table(by_each_route, EcephysAnalysisRun)
    sessions = table(by_each_route, EcephysSession)
    unit_ids = draw.draw(st.none() | st.lists(st.sampled_from([*sorted(units), 0]), max_size=30))
    session_ids = draw.draw(st.none() | st.lists(st.sampled_from([*sorted(sessions), 0])))

    def session(unit: Row) -> Row:
        channel = table(by_each_route, EcephysChannel)[unit["ecephys_channel_id"]]
        probe = table(by_each_route, EcephysProbe)[channel["ecephys_probe_id"]]
        return table(by_each_route, EcephysSession)[probe["ecephys_session_id"]]

    expected = [
        bundle["ecephys_unit_id"]
        for bundle in table(by_each_route, EcephysUnitMetricBundle).values()
        if runs[bundle["ecephys_analysis_run_id"]]["current"]
        and (unit_ids is None or bundle["ecephys_unit_id"] in unit_ids)
        and (types is None or session(units[bundle["ecephys_unit_id"]])["stimulus_name"] in types)
        and (session_ids is None or session(units[bundle["ecephys_unit_id"]])["id"] in session_ids)
    ]
    frame = UnitMetricRepository(by_each_route.database).frame(
        UnitMetricFilter(unit_ids=unit_ids, ecephys_session_ids=session_ids, session_types=types)
    )
    assert frame.index.tolist() == sorted(expected)


@relaxed
@given(name=st.text(max_size=20).filter(lambda t: "\0" not in t and t.isprintable()))
def test_any_text_is_a_name_and_never_sql(synthetic: SyntheticLims, name: str) -> None:
    templates = TemplateRepository(synthetic.database)
    for text in (name, f"{name}' OR '1'='1", f"natural_movie_1{name or ';'}"):
        assert templates.count(TemplateFilter(names=[text])) == 0
        assert templates.count(TemplateFilter(namespaces=[text])) == 0
    spec = TemplateFilter(names=["natural_movie_1", name], namespaces=["brain_observatory_1.1"])
    assert templates.count(spec) == 1


@pytest.mark.parametrize("n", [200_000])
def test_long_lists_of_ids_work(synthetic: SyntheticLims, n: int) -> None:
    units = UnitRepository(synthetic.database)
    some = units.ids()[::2]
    many = np.concatenate([some, np.arange(-n, 0)])
    assert units.ids(UnitFilter(unit_ids=many)).tolist() == some.tolist()
    assert units.count(UnitFilter(unit_ids=many, channel_ids=range(n))) == 0
