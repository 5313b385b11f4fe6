"""What an examination is: for people, for programs, and whatever happens."""

from __future__ import annotations

import json
import sys
import time
from uuid import uuid4

import pytest
from sqlalchemy import event, inspect, make_url

from ecephys_dal import ConfigurationError, Database
from ecephys_dal.doctor import Examination, Finding, examine
from ecephys_dal.doctor.kinds import KINDS
from ecephys_dal.migrations import upgrade

from ..conftest import BACKENDS, MADE, _administer
from .conftest import examined, fill, found, run

COORDINATES = ", ".join(
    f"ecephys_channels.{axis}_ccf_coordinate"
    for axis in ("anterior_posterior", "dorsal_ventral", "left_right")
)
# What the synthetic LIMS holds on purpose, and how many records are so.
AWKWARD = {
    ("rule_undecided", "ecephys_sessions.workflow_state"): ["session_null_workflow_state"],
    ("rule_undecided", "ecephys_probes.workflow_state"): ["probe_null_workflow_state"],
    ("rule_undecided", "ecephys_channels.valid_data"): ["channel_null_valid_data"],
    ("run_current_twice", "ecephys_analysis_runs.current"): ["session_two_nwb_files"],
    ("nwb_twice", "ecephys_analysis_runs.ecephys_session_id"): ["session_two_nwb_files"],
    ("nwb_missing", "ecephys_analysis_runs.ecephys_session_id"): [
        "session_without_nwb",
        "session_only_older_nwb",
    ],
    ("lfp_twice", "ecephys_analysis_run_probes.ecephys_probe_id"): 2,
    ("lfp_missing", "ecephys_analysis_run_probes.ecephys_probe_id"): 4,
    ("age_missing", "donors.age_id, ages.days"): 1,
    ("gender_missing", "donors.gender_id, genders.name"): 1,
    (
        "sampling_rate_zero",
        "ecephys_probes.global_probe_sampling_rate, ecephys_probes.global_probe_lfp_sampling_rate",
    ): ["probe_zero_sampling_rates"],
    ("coordinate_sentinel", COORDINATES): ["channel_ccf_sentinel"],
    ("template_twice", "stimuli.name"): ["stimulus_first_of_two"],
    ("template_without_file", "stimuli.well_known_file_id"): ["stimulus_without_file"],
    ("receptive_field_swapped", "ecephys_unit_metric_bundles.data"): None,
    ("bundle_null", "ecephys_unit_metric_bundles.data"): None,
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_synthetic_lims_has_what_it_holds_on_purpose(backend, filled):
    url, lims = filled(backend)
    examination = examined(url)
    assert found(examination).keys() == AWKWARD.keys()
    assert examination.ok
    assert examination.worst == "warning"
    for finding in examination.findings:
        expected = AWKWARD.get((finding.code, finding.subject))
        if isinstance(expected, int):
            assert finding.count == len(finding.examples) == expected
        elif expected:
            assert finding.examples == tuple(sorted(lims.awkward[key] for key in expected))
    swapped = next(one for one in examination.findings if one.code == "receptive_field_swapped")
    assert swapped.count > 100
    assert len(swapped.examples) == 5


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_is_the_same_in_json_html_and_text(backend, filled):
    examination = examined(filled(backend)[0])
    told = examination.to_dict()
    assert json.loads(json.dumps(told)) == told == json.loads(examination.to_json())
    assert [one["code"] for one in told["findings"]] == [one.code for one in examination.findings]
    assert told["worst"] == "warning"
    assert told["ok"] is True
    text, html = str(examination), examination._repr_html_()
    for finding in examination.findings:
        assert finding.code in text
        assert finding.code in html
        if finding.severity != "ok":
            assert str(finding) in text
            assert finding.advice in text
    assert text.index("WARNING") < text.index("INFO") < text.index("OK")


def of(severity, **more):
    return Finding(severity=severity, code="c", message="m", **more)


def an_examination(*findings):
    return Examination(
        database="d", examined_at="t", seconds=1.0, version="v", findings=tuple(findings)
    )


def test_html_is_escaped():
    html = an_examination(of("info", subject="<script>"))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("severities", "worst", "ok"),
    [
        ([], "ok", True),
        (["ok", "info"], "info", True),
        (["warning", "ok"], "warning", True),
        (["info", "error", "warning"], "error", False),
    ],
)
def test_the_worst_finding_counts_and_only_an_error_is_not_ok(severities, worst, ok):
    examination = an_examination(*map(of, severities))
    assert (examination.worst, examination.ok) == (worst, ok)


def test_every_kind_says_what_it_means_and_what_to_do():
    assert all(kind.meaning and kind.advice for kind in KINDS.values())
    assert all(code == kind.code for code, kind in KINDS.items())


def test_a_bar_is_shown_if_that_is_wanted(healthy, capfd):
    examine(healthy("sqlite"), progress=False)
    assert capfd.readouterr().err == ""
    examine(healthy("sqlite"), progress=True)
    assert "Examining LIMS" in capfd.readouterr().err


UNREACHABLE = {
    "no server": "postgresql+psycopg2://reader:p%40ss%3Aw@127.0.0.1:9/lims2",
    "no file": "sqlite:////nowhere/lims.db",
}


@pytest.mark.parametrize("name", UNREACHABLE)
def test_a_database_that_is_not_there_is_one_error(name):
    examination = examined(UNREACHABLE[name])
    (finding,) = examination.findings
    assert (finding.severity, finding.code) == ("error", "database_unreachable")
    assert not examination.ok
    assert "p@ss" not in examination.to_json() + str(examination) + repr(examination)


def test_a_file_that_is_no_database_is_one_error(tmp_path):
    (tmp_path / "lims.db").write_bytes(b"no database" * 1000)
    (finding,) = examined(f"sqlite:///{tmp_path}/lims.db").findings
    assert finding.code == "database_unreachable"


def test_a_database_without_lims_is_told_to_be_so(tmp_path):
    (tmp_path / "lims.db").touch()
    examination = examined(f"sqlite:///{tmp_path}/lims.db")
    codes = set(found(examination).values())
    assert "error" in codes
    assert {code for code, _ in found(examination)} == {"table_missing", "check_skipped"}


SLOW = {
    "postgresql": "CREATE VIEW genders AS SELECT all_.* FROM all_, pg_sleep(20)",
    "sqlite": """
        CREATE VIEW genders AS SELECT * FROM all_ WHERE 0 < (
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000)
            SELECT count(*) FROM n
        )
    """,
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_slow_statement_is_a_finding_and_no_hang(backend, copied):
    url = copied(backend, ["ALTER TABLE genders RENAME TO all_", SLOW[backend]])
    started = time.monotonic()
    examination = examined(url, time_limit=0.3)
    assert time.monotonic() - started < 10
    timed_out = {
        one.subject: one.message for one in examination.findings if one.code == "check_timed_out"
    }
    assert "donors.gender_id, genders.name" in timed_out
    assert set(found(examination)) == {("check_timed_out", subject) for subject in timed_out}
    assert "longer than 0.3 s" in timed_out["donors.gender_id, genders.name"]


def refusing(part: str):
    """Refuse the statements that hold a part, as a role without a right to the catalogue is."""

    def refuse(connection, cursor, statement, parameters, context, executemany):
        if part in statement:
            raise ValueError("it is refused")

    return refuse


def test_what_was_not_looked_at_in_time_is_not_well(healthy):
    examination = examined(healthy("postgresql"), time_limit=1e-9)
    assert not examination.ok
    timed_out = {one.subject for one in examination.findings if one.code == "check_timed_out"}
    assert "the tables and columns" in timed_out


CATALOGUE = {"sqlite": "PRAGMA", "postgresql": "pg_catalog"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_the_catalogue_nothing_is_well(backend, healthy):
    with Database(healthy(backend)) as database:
        refuse = refusing(CATALOGUE[backend])
        event.listen(database.engine, "before_cursor_execute", refuse)
        examination = examine(database, progress=False)
    assert ("check_failed", "the tables and columns") in found(examination)
    assert found(examination)["check_failed", "the tables and columns"] == "error"
    assert not examination.ok
    assert {"table_missing", "column_missing"} <= set(examination.unexamined)


def test_nothing_is_told_to_be_well_that_was_looked_for_in_some_places_only(copied):
    url = copied("sqlite", ["ALTER TABLE ecephys_channels DROP COLUMN valid_data"])
    examination = examined(url)
    assert examination.unexamined == ("rule_undecided",)
    assert examination.to_dict()["unexamined"] == ["rule_undecided"]
    subjects = {one.subject for one in examination.findings if one.code == "rule_undecided"}
    assert "ecephys_probes.workflow_state" in subjects
    *_, well = str(examination).splitlines()
    assert "rule_undecided" not in well
    assert "parent_missing" in well


def test_a_limit_ends_with_its_statement(healthy):
    with Database(healthy("sqlite")) as database:
        examine(database, progress=False, time_limit=1e-9)
        with database.connection() as connection:
            many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000)"
            counted = connection.exec_driver_sql(f"{many} SELECT count(*) FROM n").scalar_one()
    assert counted == 200_000


def test_what_needs_a_missing_column_is_skipped_and_says_so(copied):
    url = copied("sqlite", ["ALTER TABLE ecephys_channels DROP COLUMN valid_data"])
    examination = examined(url)
    assert found(examination) == {
        ("column_missing", "ecephys_channels.valid_data"): "error",
        ("check_skipped", "ecephys_channels.valid_data"): "info",
    }
    skipped = next(one for one in examination.findings if one.code == "check_skipped")
    assert "rule_undecided" in skipped.message


def test_what_can_not_be_read_is_a_finding(copied):
    url = copied("sqlite", ["UPDATE ecephys_sessions SET published_at = '2019 in autumn'"])
    assert found(examined(url)) == {("check_failed", "ecephys_sessions.published_at"): "warning"}


def test_bytes_that_are_no_text_are_found(postgres_url):
    name = f"ecephys_dal_test_{uuid4().hex[:12]}"
    _administer(
        postgres_url,
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C'"
        " LC_CTYPE 'C'",
    )
    MADE.append(name)
    url = make_url(postgres_url).set(database=name)
    with Database(url, owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        fill(database)
    encoding = {("encoding_sql_ascii", ""): "warning"}
    assert found(examined(url)) == encoding
    bytes_of = "convert_from('\\x{}'::bytea, 'SQL_ASCII')"
    run(url, ["UPDATE genders SET name = " + bytes_of.format("c3a9")])  # UTF-8, as it should be
    assert found(examined(url)) == encoding
    run(url, [
        "UPDATE structures SET acronym = " + bytes_of.format("e9"),
        "UPDATE users SET login = " + bytes_of.format("41ff"),
    ])  # fmt: skip
    examination = examined(url)
    assert found(examination) == encoding | {
        ("text_undecodable", "structures.acronym"): "error",
        ("text_undecodable", "users.login"): "info",
    }
    finding = next(one for one in examination.findings if one.subject == "structures.acronym")
    assert finding.methods == ("get_channels",)
    assert finding.count == len(finding.examples) == 1
    assert "convert_from" in finding.advice


def test_a_database_that_goes_away_meanwhile_is_one_error(copied, postgres_url):
    url = copied("postgresql", [])
    name = make_url(url).database
    asked = []

    def leave(*args):
        asked.append(args[2])
        if len(asked) == 30:
            _administer(postgres_url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            _administer(
                postgres_url,
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
            )

    with Database(url) as database:
        event.listen(database.engine, "before_cursor_execute", leave)
        examination = examine(database, progress=False)
    assert found(examination) == {("database_unreachable", ""): "error"}
    assert len(asked) < 35


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.sample(1)
def test_it_takes_what_opens_a_database_and_leaves_the_callers_open(backend, healthy):
    url = healthy(backend)
    with Database(url) as database:
        for where in (database, database.engine, make_url(url), url):
            assert found(examine(where, progress=False)) == {}
        with database.connection() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_a_database_in_memory_is_still_there_afterwards():
    with Database("sqlite://", owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        assert "table_missing" not in {code for code, _ in found(examine(database, progress=False))}
        with database.connection() as connection:
            assert inspect(connection).has_table("ecephys_units")


IMPOSSIBLE = (0, -1, float("nan"), float("inf"), 1e12, 3_000_000, "5", None, True)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        *(({"time_limit": limit}, "time_limit") for limit in IMPOSSIBLE),
        ({"app": "http://lims2"}, "ArtifactClient"),
    ],
)
def test_an_argument_that_can_not_be_meant_is_refused(options, named):
    with pytest.raises(ConfigurationError, match=named):
        examine("sqlite://", **options)


def test_the_package_leads_to_it():
    import ecephys_dal

    assert ecephys_dal.doctor.examine is examine
    assert sys.modules["ecephys_dal.doctor"] is ecephys_dal.doctor
