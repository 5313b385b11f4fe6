"""``why``, ``explain``, ``doctor`` and ``db``: the library's answers, and an exit code of each."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import create_engine, text

from ecephys_dal import EcephysProjectLimsApi, UnitFilter, UnitRepository
from ecephys_dal.artifacts import ArtifactClient
from ecephys_dal.doctor import examine
from ecephys_dal.migrations import revisions
from tests.conftest import BACKENDS


@pytest.fixture(params=BACKENDS)
def lims(request, filled):
    return filled(request.param)


@pytest.mark.sample(1)
def test_why_gives_the_answer_of_the_facade(lims, asked):
    url, made = lims
    with EcephysProjectLimsApi(url, ArtifactClient()) as api:
        visible, failed = made.session_ids[0], made.awkward["session_failed"]
        for session_id, code in ((visible, 0), (failed, 1), (5, 1)):
            why = api.why(session_id=session_id)
            assert asked("why", "session", session_id, "--database", url) == (code, f"{why}\n", "")
            got = asked("why", "session", session_id, "--database", url, "--format", "json")[1]
            assert json.loads(got) == json.loads(json.dumps(why.to_dict()))


def test_why_takes_the_day_and_the_rules(lims, asked):
    url, made = lims
    command = ("why", "session", "--database", url)
    assert asked(*command, made.session_ids[0], "--published-at", "2000-01-01")[0] == 1
    assert (
        asked(*command, made.awkward["session_failed"], "--without-rule", "session_not_failed")[0]
        == 0
    )


@pytest.mark.parametrize(
    ("subject", "number", "code"),
    [("probe", None, 0), ("channel", 1, 1), ("unit", 1, 1), ("movie", 1, 0), ("scene", 1_000, 1)],
)
def test_why_can_be_asked_of_everything(subject, number, code, lims, asked):
    url, made = lims
    assert asked("why", subject, number or made.probe_ids[0], "--database", url)[0] == code


def test_explain_gives_the_answer_of_the_repository(lims, asked):
    url, made = lims
    explanation = UnitRepository(url).explain(UnitFilter(session_ids=made.session_ids))
    ids = ",".join(map(str, made.session_ids))
    command = ("explain", "units", "--session-ids", ids, "--database", url)
    code, shown, _ = asked(*command, "--format", "json")
    assert code == 0
    assert json.loads(shown)["funnel"] == json.loads(json.dumps(explanation.to_dict()))["funnel"]
    assert asked(*command, "--no-counts")[1].startswith("SELECT")


def test_explain_analyzes_where_that_can_be_done(lims, asked):
    url, _ = lims
    code, shown, told = asked("explain", "probes", "--analyze", "--database", url)
    if url.startswith("sqlite"):
        assert (code, "can't analyze" in told) == (2, True)
    else:
        assert (code, "actual time" in shown) == (0, True)


def test_the_doctor_finds_no_error_where_there_is_none(lims, asked):
    url, _ = lims
    code, shown, _ = asked("doctor", "--database", url, "--format", "json")
    codes = {one.code for one in examine(url, progress=False).findings}
    assert (code, {one["code"] for one in json.loads(shown)["findings"]}) == (0, codes)


def test_the_doctor_gives_1_for_an_error_and_3_if_nobody_answers(fresh_url, asked, tmp_path):
    assert asked("doctor", "--database", tmp_path / "none.db")[0] == 3
    url = fresh_url("sqlite")
    assert asked("db", "upgrade", "--yes", "--database", url)[0] == 0
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE ecephys_units DROP COLUMN snr"))
    engine.dispose()
    code, shown, _ = asked("doctor", "--database", url)
    assert (code, "ecephys_units.snr" in shown) == (1, True)


def test_the_doctor_looks_at_the_web_application_that_is_named(with_files, web, asked):
    url = with_files("sqlite")
    asked("doctor", "--database", url)
    assert web.requests == []
    code, _, _ = asked("doctor", "--database", url, "--app", web.url)
    assert (code, len(web.requests) > 0) == (0, True)


def test_a_schema_is_made_told_and_left_as_it_is(empty_url, asked):
    nothing_there = 3 if empty_url.startswith("sqlite") else 1  # not even a file
    assert asked("db", "current", "--database", empty_url)[0] == nothing_there
    code, _, told = asked("db", "upgrade", "--database", empty_url)
    assert (code, "--yes" in told) == (2, True)
    code, shown, _ = asked("db", "upgrade", "--yes", "--database", empty_url)
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        recorded, newest = revisions(connection)
    engine.dispose()
    assert (code, recorded) == (0, newest)
    assert newest in shown
    assert asked("db", "current", "--database", empty_url)[:2] == (
        0,
        f"{newest} (the newest is {newest})\n",
    )
    assert "the newest revision" in asked("db", "upgrade", "--yes", "--database", empty_url)[1]


def test_the_schema_of_somebody_else_is_refused(empty_url, asked):
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE ecephys_sessions (id integer)"))
    code, _, told = asked("db", "upgrade", "--yes", "--database", empty_url)
    with engine.connect() as connection:
        n_tables = len(engine.dialect.get_table_names(connection))
    engine.dispose()
    assert (code, "may be somebody's LIMS" in told, n_tables) == (2, True, 1)


def test_a_schema_is_never_made_in_the_lims_of_the_credentials(login, asked, monkeypatch):
    for name, value in {"DBNAME": "postgres", "USER": "reader", "HOST": login.folder,
                        "PASSWORD": "x"}.items():  # fmt: skip
        monkeypatch.setenv(f"LIMS_{name}", value)
    code, _, told = asked("db", "upgrade")
    assert (code, "--database" in told) == (2, True)
