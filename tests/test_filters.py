"""Filters take what users have, and refuse by name what they can't mean."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import pickle
import re
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecephys_dal import (
    ChannelFilter,
    FileFilter,
    InvalidFilterError,
    ProbeFilter,
    SessionFilter,
    SplitPublishedAt,
    UnitFilter,
    UnitMetricFilter,
    split_published_at,
)
from ecephys_dal.errors import nearest_name, suggestion

IDS = st.integers(-(2**63), 2**63 - 1)
MIDNIGHT = dt.datetime(2019, 10, 3)

FORMS = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "dict keys": lambda ids: dict.fromkeys(ids).keys(),
    "generator": lambda ids: (i for i in ids),
    "array": lambda ids: np.array(ids, dtype=np.int64),
    "array of objects": lambda ids: np.array(ids, dtype=object),
    "Series": lambda ids: pd.Series(ids, dtype="int64", index=range(5, 5 + len(ids))),
    "nullable Series": lambda ids: pd.Series(ids, dtype="Int64"),
    "Index": lambda ids: pd.Index(np.array(ids, dtype=np.int64)),
    "list of NumPy ints": lambda ids: [np.int64(i) for i in ids],
}


@pytest.mark.parametrize("form", FORMS)
@given(ids=st.lists(IDS))
def test_any_collection_of_ids_becomes_sorted_unique_ints(form: str, ids: list[int]) -> None:
    spec = UnitFilter(unit_ids=FORMS[form](ids))
    assert spec.unit_ids == tuple(sorted(set(ids)))
    assert all(type(i) is int for i in spec.unit_ids)


def test_ranges_unsigned_arrays_and_whole_floats_are_ids() -> None:
    assert UnitFilter(unit_ids=range(6, 0, -2)).unit_ids == (2, 4, 6)
    assert UnitFilter(unit_ids=np.array([2, 1], dtype=np.uint8)).unit_ids == (1, 2)
    assert UnitFilter(unit_ids=pd.Series([2.0, 1.0])).unit_ids == (1, 2)


def test_arrow_arrays_are_ids() -> None:
    pa = pytest.importorskip("pyarrow", reason="the arrow extra is not installed")
    assert UnitFilter(unit_ids=pa.array([3, 1])).unit_ids == (1, 3)
    assert UnitFilter(unit_ids=pa.chunked_array([[3], [1]])).unit_ids == (1, 3)
    with pytest.raises(InvalidFilterError, match=r"unit_ids: None"):
        UnitFilter(unit_ids=pa.array([3, None]))


def test_none_is_no_condition_and_empty_is_no_record() -> None:
    assert UnitFilter().unit_ids is None
    assert UnitFilter(unit_ids=[]).unit_ids == ()


def test_the_callers_collection_is_left_alone() -> None:
    ids = [3, 1, 3]
    array = np.array(ids)
    UnitFilter(unit_ids=ids, channel_ids=array)
    assert ids == [3, 1, 3]
    assert array.tolist() == [3, 1, 3]


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        (5, "5"),
        (np.int64(5), "5"),
        (True, "True"),
        ("715093703", "715093703"),
        (b"7", "b'7'"),
        ({1: 2}, r"\{1: 2\}"),
        (np.array(5), "0 dimensions"),
        (np.ones((2, 2), dtype=int), "2 dimensions"),
        (pd.DataFrame({1: [1]}), "2 dimensions"),
        ([1, None], "None"),
        ([1, True], "True"),
        ([np.True_], "True"),
        ([1, float("nan")], "nan"),
        ([float("inf")], "inf"),
        ([1.5], "1.5"),
        ([float(2**53)], "9007199254740992.0"),
        (["1"], "'1'"),
        ([2**63], str(2**63)),
        ([-(2**63) - 1], str(-(2**63) - 1)),
        (np.array([2**63], dtype=np.uint64), str(2**63)),
        (np.array([True]), "True"),
        (np.array(["1"]), "'1'"),
        (np.array([1.0, np.nan]), "nan"),
        (np.array(["2019-10-03"], dtype="M8[D]"), "datetime64"),
        (pd.DatetimeIndex(["2019-10-03"]), "datetime64"),
        (pd.Series([pd.Timedelta(1)]), "timedelta64"),
        (np.ma.array([1, 2], mask=[False, True]), "masked"),
        (pd.Series([1, None], dtype="Int64"), "(nan|<NA>)"),
        ([(1, 2)], r"\(1, 2\)"),
        ([1 + 0j], "1"),
    ],
)
def test_what_is_no_id_is_refused_by_name_and_value(ids: object, shown: str) -> None:
    with pytest.raises(InvalidFilterError, match=f"probe_ids.*{shown}"):
        ChannelFilter(probe_ids=ids)


@pytest.mark.parametrize(
    "day",
    [
        "2019-10-03",
        dt.date(2019, 10, 3),
        MIDNIGHT,
        dt.datetime(2019, 10, 3, 23, 59),
        dt.datetime(2019, 10, 2, 20, tzinfo=dt.timezone(dt.timedelta(hours=-8))),
        pd.Timestamp("2019-10-03 12:00"),
        pd.Timestamp("2019-10-03", tz="UTC"),
        np.datetime64("2019-10-03"),
    ],
)
def test_published_at_is_bound_as_the_midnight_of_its_day(day: dt.date) -> None:
    split = split_published_at(day)
    assert split == SplitPublishedAt(MIDNIGHT, True)
    assert type(split.published_at) is dt.datetime
    assert SessionFilter(published_at=day) == SessionFilter(published_at="2019-10-03")


def test_no_day_of_publication_is_no_condition() -> None:
    assert split_published_at(None) == (None, None)


@given(st.dates())
def test_any_date_is_its_own_midnight(day: dt.date) -> None:
    assert split_published_at(day.isoformat()) == split_published_at(day)
    assert split_published_at(day).published_at == dt.datetime(day.year, day.month, day.day)


@pytest.mark.parametrize(
    "day",
    [
        "", "2019", "2019-10-3", "03.10.2019", "2019-13-01", "2019-02-30", "today",
        "\u0662\u0660\u0661\u0669-10-03",
        "2019-10-03'; DROP TABLE ecephys_sessions; --", 20191003, 1.5, True, pd.NaT,
        np.datetime64("NaT", "D"), ["2019-10-03"], np.datetime64(10**10, "Y"),
        dt.datetime(9999, 12, 31, 23, tzinfo=dt.timezone(dt.timedelta(hours=-8))),
    ],
)  # fmt: skip
def test_what_is_no_date_is_refused_by_name(day: object) -> None:
    with pytest.raises(InvalidFilterError, match="published_at="):
        ProbeFilter(published_at=day)
    with pytest.raises(InvalidFilterError, match="published_at="):
        split_published_at(day)


@given(st.text())
def test_any_text_is_a_date_or_refused(text: str) -> None:
    try:
        expected = dt.date.fromisoformat(text) if re.fullmatch("[0-9-]{10}", text) else None
    except ValueError:
        expected = None
    if expected is None:
        with pytest.raises(InvalidFilterError, match="published_at="):
            SessionFilter(published_at=text)
    else:
        assert SessionFilter(published_at=text).published_at == expected


@pytest.mark.parametrize(
    "types", ["brain_observatory_1.1", b"x", 5, [None], [5], ["a\0"], ["\ud800"], {"a": 1}]
)
def test_what_is_no_collection_of_names_is_refused_by_name(types: object) -> None:
    with pytest.raises(InvalidFilterError, match="session_types"):
        UnitMetricFilter(session_types=types)


@pytest.mark.parametrize("ends", [5, (1,), (1, 2, 3), ("a", None), (1.5, None), "ab"])
def test_what_is_no_range_of_ids_is_refused_by_name(ends: object) -> None:
    with pytest.raises(InvalidFilterError, match="id_range"):
        UnitFilter(id_range=ends)


def test_a_filter_is_a_value() -> None:
    spec = UnitFilter(unit_ids=[2, 1], published_at="2019-10-03")
    same = UnitFilter(unit_ids=(1, 2, 2), published_at=dt.date(2019, 10, 3))
    assert spec == same
    assert hash(spec) == hash(same)
    assert pickle.loads(pickle.dumps(spec)) == spec
    with pytest.raises(AttributeError):
        spec.unit_ids = ()  # type: ignore[misc]
    with pytest.raises(TypeError):
        UnitFilter([1])  # type: ignore[misc]
    assert repr(spec) == "UnitFilter(unit_ids=(1, 2), published_at=datetime.date(2019, 10, 3))"
    assert len(repr(UnitFilter(unit_ids=range(10**5)))) < 100


def unit_filters() -> st.SearchStrategy[UnitFilter]:
    ids = st.none() | st.lists(st.integers(0, 9))
    end = st.none() | st.integers(0, 9)
    return st.builds(
        UnitFilter,
        unit_ids=ids,
        probe_ids=ids,
        published_at=st.none() | st.dates(),
        id_range=st.none() | st.tuples(end, end),
    )


@given(unit_filters())
def test_a_filter_survives_json(spec: UnitFilter) -> None:
    assert UnitFilter.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@given(unit_filters(), unit_filters())
def test_and_keeps_what_both_keep(ours: UnitFilter, theirs: UnitFilter) -> None:
    both = ours & theirs
    for unit_id in range(10):
        assert keeps(both, unit_id) == (keeps(ours, unit_id) and keeps(theirs, unit_id))
    days = [spec.published_at for spec in (ours, theirs) if spec.published_at]
    assert both.published_at == min(days, default=None)


def keeps(spec: UnitFilter, unit_id: int) -> bool:
    first, stop = spec.id_range or (None, None)
    return (
        (spec.unit_ids is None or unit_id in spec.unit_ids)
        and (first is None or first <= unit_id)
        and (stop is None or unit_id < stop)
    )


def test_files_are_asked_for_by_ids_and_names() -> None:
    spec = FileFilter(run_ids=[3, 1], types=["EyeTracking Ellipses", "EcephysNwb"])
    assert spec.to_dict() == {"run_ids": [1, 3], "types": ["EcephysNwb", "EyeTracking Ellipses"]}
    assert FileFilter.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    other = FileFilter(types=["EcephysNwb"], owners={"EcephysProbe"})
    both = FileFilter(run_ids=[1, 3], types=["EcephysNwb"], owners=["EcephysProbe"])
    assert spec & other == both
    for field in ("file_ids", "session_ids", "probe_ids", "run_ids", "types", "owners"):
        for wrong in (5, "EcephysNwb", [None]):
            with pytest.raises(InvalidFilterError, match=field):
                FileFilter(**{field: wrong})


def test_filters_of_two_tables_have_nothing_in_common() -> None:
    with pytest.raises(TypeError):
        UnitFilter() & ProbeFilter()


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InvalidFilterError, match=r"no field 'probe_id'; did you mean 'probe_ids'"):
        ProbeFilter.from_dict({"probe_id": [1]})


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("session_ids", ["session_types", "unit_ids"], None),
        ("--session-id", ["--session-type", "--unit-id"], None),
        ("session_ids", ["session_types", "ecephys_session_ids"], "ecephys_session_ids"),
        ("sesion_ids", ["session_types", "session_ids"], "session_ids"),
        ("published", ["session_ids", "published_at"], "published_at"),
        ("--dryrun", ["--dry-run", "--debug"], "--dry-run"),
        ("hots", ["scheme", "host"], "host"),
        ("SNR", ["snr", "duration"], "snr"),
        ("xyz", ["sessions", "db"], None),
        ("version", ["sessions", "units"], None),
        ("import", ["export", "explain"], None),
        ("way", ["why", "demo"], None),
        ("--mount", ["--count", "--limit"], None),
        ("--probe-count", ["--count", "--limit"], None),
        ("--out", ["--output", "--limit"], "--output"),
        ("dmeo", ["demo", "db"], "demo"),
        ("", ["sessions", "db"], None),
        ("_", ["sessions"], None),
        (5, ["sessions"], None),
        ("sessions", [], None),
    ],
)
def test_a_name_is_only_suggested_if_it_is_near(name: object, known: list[str], near) -> None:
    assert nearest_name(name, known) == near
    told = suggestion(name, known)
    assert told == (f"did you mean {near!r}?" if near else told)
    assert near or "did you mean" not in told
    assert near or all(repr(one) in told for one in known)


def test_sessions_of_metrics_have_two_names_and_one_value() -> None:
    spec = UnitMetricFilter(session_ids=[3, 1])
    assert spec == UnitMetricFilter(ecephys_session_ids=[1, 3])
    assert spec == UnitMetricFilter.from_dict({"session_ids": (1, 3)})
    assert spec == UnitMetricFilter(ecephys_session_ids=iter([1, 3]), session_ids=iter([3, 1]))
    assert spec == pickle.loads(pickle.dumps(spec)) == dataclasses.replace(spec)
    assert spec.to_dict() == {"ecephys_session_ids": [1, 3]}
    assert spec.session_ids == spec.ecephys_session_ids == (1, 3)
    assert dataclasses.replace(spec, session_ids=None) == spec
    assert UnitMetricFilter() == UnitMetricFilter(session_ids=None)
    for wrong in ({"ecephys_session_ids": [1], "session_ids": []}, {"session_idz": [1]}):
        with pytest.raises(InvalidFilterError, match=r"session_ids"):
            UnitMetricFilter.from_dict(wrong)
    with pytest.raises(TypeError):
        UnitMetricFilter([1])  # type: ignore[misc]


@pytest.mark.parametrize(
    ("ids", "advice"),
    [
        (5, r"probe_ids=\[5\]"),
        ("600000021", "a list, an array or a Series"),
        ({5: "a"}, "a list, an array or a Series"),
        (["600000021"], r"int\(\.\.\.\)"),
        ([None], r"dropna"),
        (np.array([np.nan]), r"dropna"),
        ([True], "mask"),
        (pd.DataFrame({1: [1]}), "its index"),
    ],
)
def test_a_refusal_says_what_to_do(ids: object, advice: str) -> None:
    with pytest.raises(InvalidFilterError, match=advice):
        ProbeFilter(probe_ids=ids)
    with pytest.raises(InvalidFilterError, match=r"session_types=\['a'\]"):
        UnitMetricFilter(session_types="a")


if find_spec("pydantic") is not None:

    def test_a_misspelt_field_of_a_request_is_refused() -> None:
        from pydantic import TypeAdapter, ValidationError

        asked = TypeAdapter(UnitMetricFilter)
        assert asked.validate_python({"unit_ids": [2, 1]}) == UnitMetricFilter(unit_ids=[1, 2])
        with pytest.raises(ValidationError, match="unit_idz"):
            asked.validate_python({"unit_idz": [2, 1]})
