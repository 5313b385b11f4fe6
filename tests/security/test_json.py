"""JSON that anybody may have sent, and what a service and a spreadsheet make of answers."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from ecephys_dal import Database, InvalidFilterError, ProbeFilter, SessionFilter, UnitMetricFilter
from ecephys_dal.cli.program import run

DEEP: Any = []
for _ in range(900):
    DEEP = [DEEP]
FORMULAS = ['=cmd|"/c calc"!A1', "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\n=1"]


def refused(fields: Any, match: str, **how: Any) -> None:
    began = time.perf_counter()
    with pytest.raises(InvalidFilterError, match=match) as caught:
        UnitMetricFilter.from_dict(fields, **how)
    assert len(str(caught.value)) < 600
    assert time.perf_counter() - began < 1


def test_too_much_is_refused_at_once() -> None:
    refused({"unit_ids": list(range(10_001))}, "unit_ids has 10,001 values")
    refused({"session_types": ["x"] * 10**6}, "session_types has 1,000,000 values")
    refused({"session_types": ["x" * 10**7]}, "letters in a name")
    refused({"unit_ids": "1" * 10**7}, "letters")
    refused({"unit_ids": {str(n): n for n in range(10**5)}}, "values")
    refused({"x" * 10**7: 1}, "no field")
    refused({"unit_ids": range(10**9)}, "values")
    with pytest.raises(InvalidFilterError, match="letters"):
        SessionFilter.from_dict({"published_at": "2" * 10**7})


def test_the_limit_can_be_raised_and_taken_away() -> None:
    ids = list(range(20_000))
    assert UnitMetricFilter.from_dict({"unit_ids": ids}, limit=20_000).unit_ids == tuple(ids)
    assert UnitMetricFilter.from_dict({"unit_ids": np.arange(10**5)}, limit=None).unit_ids
    refused({"unit_ids": [1, 2, 3]}, "more than the 2", limit=2)
    assert UnitMetricFilter.from_dict({"unit_ids": [1, 2]}, limit=2).unit_ids == (1, 2)


@pytest.mark.parametrize("deep", [DEEP, [DEEP], [[1]], [{"a": [1]}], {"a": DEEP}])
def test_what_is_nested_is_refused(deep: Any) -> None:
    for field in ("unit_ids", "session_types", "id_range", "ecephys_session_ids"):
        refused({field: deep}, field)
    with pytest.raises(InvalidFilterError, match="published_at"):
        SessionFilter.from_dict({"published_at": deep})


@pytest.mark.parametrize("fields", [None, [], ["unit_ids"], "unit_ids", 5, True, DEEP])
def test_what_is_no_object_is_refused(fields: Any) -> None:
    refused(fields, "mapping of fields")


@pytest.mark.parametrize(
    "value", [1e400, -1e400, float("nan"), True, 1.5, "1", None, {}, 10**5000, -(2**64), 1e300],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_id_is_refused(value: Any) -> None:
    refused({"unit_ids": [value]}, "unit_ids")
    refused({"id_range": [value, 5]} if value is not None else {"id_range": [5]}, "id_range")


@pytest.mark.parametrize("rules", [["run_is_current"], [], "run_is_current", 5, ["x" * 10**7]])
def test_who_sends_a_request_can_not_switch_a_rule_off(rules: Any) -> None:
    refused({"without_rules": rules}, "without_rules")
    for unknown in ("withoutRules", "without_rule", "WITHOUT_RULES", "__class__", "also", "kinds"):
        refused({unknown: rules}, "no field")


def test_who_may_can_switch_one_off() -> None:
    fields = json.loads('{"without_rules": ["probe_not_failed"]}')
    spec = ProbeFilter.from_dict(fields, without_rules=True)
    assert spec.without_rules == ("probe_not_failed",)
    assert ProbeFilter.from_dict(spec.to_dict(), without_rules=True) == spec


@pytest.fixture
def with_formulas(filled: Any, tmp_path: Path) -> tuple[Path, list[str]]:
    """A LIMS in which sessions are named by what a spreadsheet computes."""
    url, _ = filled("sqlite")
    path = tmp_path / "lims.db"
    shutil.copy(url.removeprefix("sqlite:///"), path)
    with Database(f"sqlite:///{path}", owned=True) as owned, owned.connection() as connection:
        ids = connection.execute(text("SELECT id FROM ecephys_sessions ORDER BY id")).scalars()
        for number, one in enumerate(ids.all()):
            values = {"name": FORMULAS[number % len(FORMULAS)], "id": one}
            connection.execute(
                text("UPDATE ecephys_sessions SET stimulus_name = :name WHERE id = :id"), values
            )
    return path, FORMULAS


def test_a_csv_for_a_spreadsheet_computes_nothing(
    with_formulas: tuple[Path, list[str]], tmp_path: Path
) -> None:
    database, _ = with_formulas
    plain, safe = tmp_path / "plain.csv", tmp_path / "safe.csv"
    given = ["sessions", "--columns", "id,session_type,genotype", "--database", str(database)]
    assert run([*given, "--output", str(plain)]) == 0
    assert run([*given, "--output", str(safe), "--no-formulas"]) == 0
    before, after = (pd.read_csv(path, lineterminator="\n") for path in (plain, safe))
    assert before["session_type"].str.startswith(tuple("=+-@\t\r\n")).all()
    assert (after["session_type"] == "'" + before["session_type"]).all()
    assert after.drop(columns="session_type").equals(before.drop(columns="session_type"))


def test_only_csv_has_formulas(with_formulas: tuple[Path, list[str]], capfd: Any) -> None:
    given = ["sessions", "--no-formulas", "--format", "json", "--database", str(with_formulas[0])]
    assert run(given) == 2
    assert "--no-formulas is for csv" in capfd.readouterr().err
    counted = ["sessions", "--count", "--no-formulas", "--database", str(with_formulas[0])]
    assert run(counted) == 2
