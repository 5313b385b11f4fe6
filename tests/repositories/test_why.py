"""Why a record is hidden is told from what hides it, so that the two never disagree."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import JSON, Boolean, Integer, String, create_engine, select, text
from sqlalchemy.orm import Session

from ecephys_dal import (
    AnalysisRunFilter,
    ChannelRepository,
    Database,
    InvalidFilterError,
    ProbeFilter,
    ProbeRepository,
    Repository,
    SessionNwbRepository,
    SessionRepository,
    TemplateFilter,
    UnitFilter,
    UnitRepository,
)
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import EcephysChannel, EcephysProbe, EcephysSession, EcephysUnit
from ecephys_dal.repositories import (
    REPOSITORIES,
    ProbeLfpRepository,
    TemplateRepository,
    why_probe_lfp,
    why_session_nwb,
    why_template,
)
from ecephys_dal.testing import SyntheticLims
from ecephys_dal.testing.factories import EcephysUnitFactory

CHECKED = settings(
    max_examples=settings.default.max_examples // 6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NAMES = ["brain_observatory_1.1", "EcephysNwb", "EcephysProbe", "natural_movie_1", "none such"]
DAYS = ["2019-06-12", "2019-10-03", "2020-06-11", "1999-01-01"]


@pytest.fixture(params=REPOSITORIES.values(), ids=lambda repository: repository.__name__)
def repository(request: pytest.FixtureRequest, synthetic: SyntheticLims) -> Repository[Any, Any]:
    made: Repository[Any, Any] = request.param(synthetic.database)
    return made


def all_ids(repository: Repository[Any, Any]) -> list[int]:
    """The ids of all records, also of those that are hidden."""
    with repository.db.session() as db:  # type: ignore[union-attr]
        return sorted(db.scalars(select(repository.model.id)))


def questions(repository: Repository[Any, Any]) -> st.SearchStrategy[Any]:
    """Filters of any fields, over ids of all tables: those of a LIMS come from one sequence."""
    known = all_ids(repository)
    ids = st.lists(st.sampled_from(known) | st.integers(known[0] - 500, known[-1]), max_size=60)
    ends = st.none() | st.sampled_from(known)
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "published_at": st.sampled_from(DAYS),
        "id_range": st.tuples(ends, ends),
        "without_rules": st.lists(st.sampled_from(repository.rule_names() or ("",)), unique=True),
    }
    fields = [field.name for field in dataclasses.fields(repository.filter_type)]
    if not repository.rules:
        fields.remove("without_rules")
    chosen = {
        name: kinds.get(name, ids if name.endswith("ids") else st.lists(st.sampled_from(NAMES)))
        for name in fields
    }
    return st.fixed_dictionaries({}, optional=chosen).map(
        lambda fields: repository.filter_type(**fields)
    )


def further_conditions(repository: Repository[Any, Any]) -> list[Any]:
    """Conditions of a caller's over the columns of a table, of every kind and each with NULLs."""
    model = repository.model
    columns = [column for column in model.__table__.columns if not isinstance(column.type, JSON)]
    table, texts = model.__tablename__, [one for one in columns if isinstance(one.type, String)]
    return [
        *(column.is_not(None) for column in columns),
        *(column == columns[0] for column in columns if isinstance(column.type, Integer)),
        *(column for column in columns if isinstance(column.type, Boolean)),
        *(column.like("%a%") for column in texts),
        *(column.in_([]) for column in columns[:1]),
        text(f"{table}.id > 600000100 OR {table}.id < 600000050"),
        *(text(f"{table}.\"{column.name}\" <> 'x'") for column in texts),
    ]


@CHECKED
@given(data=st.data())
@pytest.mark.in_turn("repository", "synthetic")
@pytest.mark.sample(4)
def test_why_the_query_and_the_counts_never_disagree(
    repository: Repository[Any, Any], data: st.DataObject
) -> None:
    spec = data.draw(questions(repository))
    where = data.draw(st.lists(st.sampled_from(further_conditions(repository)), max_size=2))
    told = repository.why_each(all_ids(repository), spec, where=where)
    assert [why.record_id for why in told] == all_ids(repository)
    visible = [why.record_id for why in told if why.visible]
    assert visible == sorted(repository.ids(spec, where=where).tolist())
    assert repository.explain(spec, where=where).funnel[-1].n_left == len(visible)


def test_every_condition_of_a_field_has_its_name(repository: Repository[Any, Any]) -> None:
    values: dict[str, Any] = {"published_at": "2019-10-03", "id_range": (1, 2)}
    for field in dataclasses.fields(repository.filter_type):
        if field.name != "without_rules":
            spec = repository.filter_type(
                **{field.name: values.get(field.name, [1] if field.name.endswith("ids") else ["a"])}
            )
            checks = repository.why(all_ids(repository)[0], spec).checks
            names = {check.name for check in checks if check.kind == "filter"}
            assert names == {field.name}


def test_answers_are_texts_tables_and_json(repository: Repository[Any, Any]) -> None:
    told = repository.why_each(all_ids(repository))
    for why in told[:200]:
        assert str(why).startswith(f"{repository.model.__name__} {why.record_id} is ")
        assert json.loads(json.dumps(why.to_dict()))["visible"] is why.visible
        assert str(why.record_id) in why._repr_html_()


def test_what_is_not_there_is_said_not_to_exist(repository: Repository[Any, Any]) -> None:
    why = repository.why(-1)
    assert (why.exists, why.visible, why.checks) == (False, False, ())
    assert str(why) == f"{repository.model.__name__} -1 does not exist."
    assert "<table>" not in why._repr_html_()
    with pytest.raises(InvalidFilterError, match="record_id"):
        repository.why("5")  # type: ignore[arg-type]


def hidden_by(why: Any) -> dict[str, str]:
    return {check.name: check.verdict for check in why.hidden_by}


@pytest.mark.parametrize(
    ("key", "name", "verdict", "found"),
    [
        ("session_failed", "session_not_failed", "failed", "workflow_state = 'failed'"),
        ("session_null_workflow_state", "session_not_failed", "unknown", "workflow_state = NULL"),
        ("session_habituation", "session_not_habituation", "failed", "habituation = True"),
    ],
)
def test_the_rule_and_the_value_are_named(
    synthetic: SyntheticLims, key: str, name: str, verdict: str, found: str
) -> None:
    session_id = synthetic.awkward[key]
    why = SessionRepository(synthetic.database).why(session_id)
    assert hidden_by(why) == {name: verdict}
    assert why.verdict == f"EcephysSession {session_id} is hidden by rule {name} ({verdict})."
    assert found in str(why)
    if verdict == "unknown":
        assert "so it is not known to differ from 'failed'" in str(why)
    assert SessionRepository(synthetic.database, without_rules=[name]).why(session_id).visible


def test_a_unit_is_hidden_by_its_channel_probe_or_session(synthetic: SyntheticLims) -> None:
    units = UnitRepository(synthetic.database)
    why = units.why(synthetic.awkward["unit_on_null_valid_data_channel"])
    assert hidden_by(why) == {"channel_valid_data": "unknown"}
    failed = synthetic.awkward["session_failed"]
    with synthetic.database.session() as db:
        of_session = [EcephysUnit.id, EcephysUnit.channel, EcephysSession.id]
        query = UnitRepository.statement.where(of_session[2] == failed).limit(1)
        unit = db.scalars(query).one()
    why = units.why(unit.id, UnitFilter(session_ids=[failed + 1], published_at="2019-10-03"))
    assert hidden_by(why) == {
        "session_not_failed": "failed",
        "session_ids": "failed",
        "published_at": "unknown",  # it was never published
    }
    first, second = [check for check in why.checks if check.name == "published_at"]
    assert (first.verdict, second.verdict) == ("failed", "unknown")
    assert list(why.parents) == [
        "ecephys_units", "ecephys_channels", "ecephys_probes", "ecephys_sessions",
    ]  # fmt: skip
    assert why.parents["ecephys_sessions"] == failed
    assert why.parents["ecephys_units"] == why.record_id == unit.id


def test_values_of_columns_of_one_name_are_told_apart(synthetic: SyntheticLims) -> None:
    probe_id = synthetic.awkward["probe_null_workflow_state"]
    same = EcephysProbe.workflow_state == EcephysSession.workflow_state
    why = ProbeRepository(synthetic.database).why(probe_id, where=same)
    assert why.checks[-1].found == {
        "ecephys_probes.workflow_state": None,
        "ecephys_sessions.workflow_state": "uploaded",
    }
    channel_id = synthetic.awkward["channel_null_valid_data"]
    why = ChannelRepository(synthetic.database).why(channel_id, where=EcephysChannel.valid_data)
    assert why.checks[-1].verdict == "unknown"
    assert why.checks[-1].found == {"valid_data": None}


def test_a_text_with_an_or_is_one_condition(synthetic: SyntheticLims) -> None:
    units = UnitRepository(synthetic.database)
    either = text("ecephys_units.id < 0 OR 1 = 1")
    assert units.ids(where=either).tolist() == units.ids().tolist()
    assert units.ids(UnitFilter(unit_ids=[]), where=either).tolist() == []


@pytest.mark.parametrize("ids", [["5,6"], [1.5], ["x"], [True], 5, "5", [None]])
def test_what_is_no_collection_of_ids_is_refused(synthetic: SyntheticLims, ids: Any) -> None:
    with pytest.raises(InvalidFilterError, match="record_ids"):
        UnitRepository(synthetic.database).why_each(ids)


def test_an_answer_is_json_whatever_the_value(db: Session) -> None:
    unit = EcephysUnitFactory.create(snr=float("inf"))
    why = UnitRepository(db).why(unit.id, where=EcephysUnit.snr > 1)
    assert json.loads(json.dumps(why.to_dict(), allow_nan=False))["checks"][-1]["found"] == {
        "snr": "inf"
    }


def test_a_text_in_a_declaration_is_shown(synthetic: SyntheticLims) -> None:
    class Good(UnitRepository):
        statement = UnitRepository.statement.where(text("ecephys_units.quality LIKE '%good'"))

    why = Good(synthetic.database).why(synthetic.awkward["unit_noise"])
    assert hidden_by(why) == {"ecephys_units.quality LIKE '%good'": "failed"}


def test_further_conditions_are_told_too(synthetic: SyntheticLims) -> None:
    channels = ChannelRepository(synthetic.database)
    channel_id = int(channels.ids()[0])
    conditions = [text("1 = 0"), channels.model.local_index < 0, channels.model.valid_data]
    why = channels.why(channel_id, where=conditions)
    assert hidden_by(why) == {"where[0]": "failed", "where[1]": "failed"}
    assert "local_index = 0" in str(why)


@pytest.fixture
def torn(tmp_path: Path) -> Database:
    """A LIMS in which a session's specimen, and a channel's probe, are gone."""
    url = f"sqlite:///{tmp_path}/torn.db"
    with Database(url, owned=True) as owned, owned.connection() as connection:
        upgrade(connection)
    with sqlite3.connect(tmp_path / "torn.db") as raw:  # where nothing checks references
        raw.execute(
            "INSERT INTO ecephys_sessions (id, name, specimen_id, project_id, created_at,"
            " updated_at, habituation, workflow_state)"
            " VALUES (1, 'x', 77, 1, '2019-01-01', '2019-01-01', 0, 'uploaded')"
        )
        raw.execute(
            "INSERT INTO ecephys_channels (id, ecephys_probe_id, local_index, valid_data)"
            " VALUES (5, 88, 0, 1)"
        )
    raw.close()
    return Database(url)


def test_a_missing_parent_is_named(torn: Database) -> None:
    why = SessionRepository(torn).why(1)
    assert hidden_by(why) == {"specimens": "failed", "donors": "failed"}
    assert why.parents["specimens"] is None
    assert "specimen_id = 77, but there is no such record of specimens" in str(why)
    why = ChannelRepository(torn).why(5)
    assert hidden_by(why)["ecephys_probes"] == "failed"
    assert hidden_by(why)["session_not_failed"] == "unknown"
    assert "ecephys_sessions (none)" in str(why)
    assert "workflow_state = NULL, because the record is missing" in str(why)
    torn.close()


# Files


def test_files_runs_types_and_owners_are_told(synthetic: SyntheticLims) -> None:
    files = SessionNwbRepository(synthetic.database)
    older = synthetic.awkward["session_only_older_nwb"]
    why = why_session_nwb(files, older)
    assert why.found == ()
    nearest = why.candidates[0]
    assert hidden_by(nearest) == {"run_is_current": "failed"}
    types = {file["id"]: (file["type"], file["owner"]) for file in why.files}
    assert types[nearest.record_id] == ("EcephysNwb", "EcephysAnalysisRun")
    assert {run["current"] for run in why.runs} == {True, False}
    assert f"EcephysNwb: {nearest.verdict}" in str(why)
    assert "EcephysSortedSpikeTimes on EcephysProbe" in str(why)
    assert json.loads(json.dumps(why.to_dict()))["found"] == 0
    assert "EcephysSortedSpikeTimes" in why._repr_html_()


@pytest.mark.parametrize(
    ("key", "n_found"),
    [
        ("session_without_nwb", 0),
        ("session_only_older_nwb", 0),
        ("session_with_older_nwb", 1),
        ("session_two_nwb_files", 2),
    ],
)
def test_what_is_told_of_nwb_files_is_what_is_found(
    synthetic: SyntheticLims, key: str, n_found: int
) -> None:
    files = SessionNwbRepository(synthetic.database)
    session_id = synthetic.awkward[key]
    found = why_session_nwb(files, session_id).found
    assert len(found) == n_found
    spec = files.filter_type(session_ids=[session_id])
    assert sorted(one.record_id for one in found) == files.ids(spec).tolist()


def test_what_is_told_of_lfp_files_is_what_is_found(synthetic: SyntheticLims) -> None:
    files = ProbeLfpRepository(synthetic.database)
    for probe_id in synthetic.awkward["probe_two_lfp_files"], synthetic.probe_ids[0], -1:
        why = why_probe_lfp(files, probe_id)
        spec = files.filter_type(probe_ids=[probe_id])
        assert sorted(one.record_id for one in why.found) == files.ids(spec).tolist()
        runs = REPOSITORIES[AnalysisRunFilter](synthetic.database)
        assert len(why.runs) == runs.count(AnalysisRunFilter(probe_ids=[probe_id]))


@pytest.mark.parametrize(
    ("name", "n_found", "n_candidates", "reason"),
    [
        ("natural_movie_1", 1, 2, {"namespaces": "failed"}),  # also one of another namespace
        ("natural_movie_99", 2, 2, {}),
        ("natural_movie_98", 0, 1, {"well_known_files": "failed"}),
        ("natural_movie_77", 0, 0, {}),
    ],
)
def test_what_is_told_of_templates(
    synthetic: SyntheticLims, name: str, n_found: int, n_candidates: int, reason: dict[str, str]
) -> None:
    templates = TemplateRepository(synthetic.database)
    why = why_template(templates, name, "brain_observatory_1.1")
    assert len(why.found) == n_found
    assert len(why.candidates) == n_candidates
    assert f"Found: {n_found}" in why.verdict
    assert " more: " not in str(why)  # each candidate's file is told with it
    if n_candidates:
        assert hidden_by(why.candidates[-1]) == reason


def test_texts_of_the_database_do_not_become_html(synthetic: SyntheticLims) -> None:
    templates = TemplateRepository(synthetic.database)
    spec = TemplateFilter(names=["<script>"])
    for answer in (templates.why(int(templates.ids()[0]), spec), templates.explain(spec)):
        assert "<script>" not in answer._repr_html_()
        assert "&lt;script&gt;" in answer._repr_html_()


def test_a_callers_engine_and_session_are_explained_too(synthetic: SyntheticLims) -> None:
    engine = create_engine(synthetic.database.url)
    with Database(engine).session() as db:
        sessions = SessionRepository(db)
        assert sessions.why(synthetic.session_ids[0]).visible
        assert sessions.explain().funnel[-1].n_left == sessions.count()
    engine.dispose()


def test_a_filter_of_another_table_explains_nothing(synthetic: SyntheticLims) -> None:
    with pytest.raises(InvalidFilterError, match="UnitFilter"):
        UnitRepository(synthetic.database).why(1, ProbeFilter())  # type: ignore[arg-type]
