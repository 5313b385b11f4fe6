"""Each field of each filter is an option, and means what the field means."""

from __future__ import annotations

import datetime as dt
import io

import click
import pytest

from ecephys_dal import (
    InvalidFilterError,
    ProbeFilter,
    SessionFilter,
    UnitFilter,
    UnitMetricFilter,
)
from ecephys_dal.cli.exits import exit_of, line_of
from ecephys_dal.cli.filtering import filter_options, spec_of
from ecephys_dal.cli.tables import TABLES
from ecephys_dal.repositories import REPOSITORIES


def parsed(filter_type, *arguments: str):
    """Return the filter that options mean."""

    @click.command()
    @filter_options(filter_type, rules=["session_not_failed"])
    def command(**values):
        return spec_of(filter_type, values)

    return command.main(list(arguments), standalone_mode=False)


def refusal(filter_type, *arguments: str) -> str:
    with pytest.raises(click.UsageError) as caught:
        parsed(filter_type, *arguments)
    assert exit_of(caught.value) == 2
    return line_of(caught.value)


@pytest.mark.parametrize("filter_type", REPOSITORIES, ids=lambda one: one.__name__)
def test_every_field_of_every_filter_is_an_option_with_a_text(filter_type):
    @click.command()
    @filter_options(filter_type, rules=["run_is_current"])
    def command(**_): ...

    texts = {one.name: one.help for one in command.params}
    assert set(texts) == {*filter_type.kinds(), *filter_type.also}
    assert all(text and text[0].isupper() and text.endswith(".") for text in texts.values())


@pytest.mark.parametrize("name", TABLES)
def test_a_command_has_the_options_of_its_table(name, asked):
    code, shown, _ = asked(name, "--help")
    assert code == 0
    for field in TABLES[name].filter_type.kinds():
        assert f"--{field.replace('_', '-')}" in shown
    assert all(rule in shown for rule in TABLES[name].rule_names())


def test_the_sessions_of_metrics_have_the_name_that_all_sessions_have(folder_of_files, asked):
    url, _, lims = folder_of_files
    session = str(lims.session_ids[0])
    spec = UnitMetricFilter(ecephys_session_ids=[int(session)])
    assert parsed(UnitMetricFilter, "--session-id", session) == spec
    assert (
        parsed(UnitMetricFilter, "--session-ids", session, "--ecephys-session-id", session) == spec
    )
    with pytest.raises(InvalidFilterError, match="ecephys_session_ids and session_ids"):
        parsed(UnitMetricFilter, "--session-ids", session, "--ecephys-session-id", "1")
    counts = [
        asked(*command, option, session, "--database", url)[1]
        for option in ("--session-id", "--ecephys-session-id")
        for command in (["metrics", "--count"], ["explain", "metrics", "--no-counts"])
    ]
    assert counts[:2] == counts[2:]
    assert counts[0] == "8\n"
    refused = asked("export", "x", "--of", "sessions", "--ecephys-session-id", 1, "--database", url)
    assert "--ecephys-session-ids chooses no sessions; it goes with --of metrics" in refused[2]
    assert refused[0] == 2


def test_the_sessions_of_metrics_choose_what_is_exported(folder_of_files, tmp_path, asked):
    url, _, lims = folder_of_files
    export = ("export", tmp_path, "--format", "csv", "--database", url, "--of", "metrics")
    assert asked(*export, "--session-id", lims.session_ids[0])[0] == 0
    assert (tmp_path / "unit_analysis_metrics.csv").read_text().count("\n") == 9
    assert asked(*export, "--session-id", 1)[0] == 1


def test_what_is_not_given_is_no_condition():
    assert parsed(UnitFilter) == UnitFilter()


@pytest.mark.parametrize(
    ("arguments", "spec"),
    [
        (["--probe-ids", "3,1 2", "--probe-id", "1"], ProbeFilter(probe_ids=[1, 2, 3])),
        (["--published-at", "2019-10-03"], ProbeFilter(published_at=dt.date(2019, 10, 3))),
        (["--id-range", "5:9"], ProbeFilter(id_range=(5, 9))),
        (["--id-range", ":9"], ProbeFilter(id_range=(None, 9))),
        (["--without-rule", "x"], ProbeFilter(without_rules=["x"])),
        (["--session-id", ""], ProbeFilter(session_ids=[])),
    ],
)  # fmt: skip
def test_options_mean_the_fields_of_a_filter(arguments, spec):
    assert parsed(ProbeFilter, *arguments) == spec


def test_names_are_taken_as_they_are():
    given = ["--session-type", "a, b", "--session-types", "c"]
    assert parsed(UnitMetricFilter, *given) == UnitMetricFilter(session_types=["a, b", "c"])


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        ("7\n8\n", [7, 8]),
        ("id\n7\n8\n", [7, 8]),
        ("\ufeffecephys_unit_id\r\n7\r\n", [7]),
        ("7, 8\t9", [7, 8, 9]),
        ('"id"\n"7"\n', [7]),
        ("", []),
        ("id\n", []),
    ],
)
def test_ids_come_from_a_file_or_from_stdin(content, ids, tmp_path, monkeypatch):
    file = tmp_path / "ids.txt"
    file.write_text(content, encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO(content.removeprefix("\ufeff")))
    spec = SessionFilter(session_ids=ids)
    assert parsed(SessionFilter, "--session-ids", f"@{file}") == spec
    assert parsed(SessionFilter, "--session-ids", "-") == spec


def test_names_come_from_a_file_one_a_line(tmp_path):
    (tmp_path / "types").write_text("brain_observatory_1.1\n\na, b\n")
    spec = UnitMetricFilter(session_types=["brain_observatory_1.1", "a, b"])
    assert parsed(UnitMetricFilter, "--session-types", f"@{tmp_path / 'types'}") == spec


def test_what_is_no_id_is_named_with_its_file_and_line(tmp_path):
    file = tmp_path / "ids.txt"
    file.write_text("1\n2\nthree\n")
    assert f"{file}, line 3 'three' is no id" in refusal(SessionFilter, "--session-ids", f"@{file}")
    file.write_text("id,name\n7,x\n")
    assert "'name' is no id; it must hold no other column" in refusal(
        SessionFilter, "--session-ids", f"@{file}"
    )
    file.write_text("1.5\n")
    assert "'1.5' is no id" in refusal(SessionFilter, "--session-ids", f"@{file}")
    assert "'id' is no id" in refusal(SessionFilter, "--session-ids", "id")


def test_a_file_that_can_not_be_read_is_named(tmp_path):
    told = refusal(SessionFilter, "--session-ids", f"@{tmp_path / 'none'}")
    assert str(tmp_path / "none") in told
    assert "No such file" in told
    (tmp_path / "picture").write_bytes(b"\xff\xfe\xff")
    assert "it is no text" in refusal(SessionFilter, "--session-ids", f"@{tmp_path / 'picture'}")


def test_only_one_option_reads_stdin(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("1"))
    told = refusal(ProbeFilter, "--session-ids", "-", "--probe-ids", "-")
    assert "only one option can read stdin" in told


def test_a_range_that_is_none_is_refused():
    assert "'5-9' is no range" in refusal(ProbeFilter, "--id-range", "5-9")
