"""Bundles that are decoded at once are what they are when decoded one by one."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecephys_dal.frames import build_frame, metric_columns, resized
from ecephys_dal.frames.bundles import PlainBundles

pa = pytest.importorskip("pyarrow", reason="the arrow extra is not installed")
pytest.importorskip("duckdb", reason="the arrow extra is not installed")

Row = tuple[Any, int]  # a bundle and its run


def pieces(rows: list[Row], size: int) -> list[list[Any]]:
    """The rows as they come from PostgreSQL, a batch at a time."""
    made = []
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        texts = [None if bundle is None else json.dumps(bundle) for bundle, _ in some]
        ids = pa.array(range(start, start + len(some)), pa.int64())
        runs = pa.array([run for _, run in some], pa.int64())
        made.append([ids, pa.array(texts, pa.string()), runs])
    return made


def at_once(rows: list[Row], size: int = 1000) -> pd.DataFrame:
    return build_frame(*metric_columns(pieces(rows, size), "id"), "numpy_nullable")


def one_by_one(rows: list[Row]) -> pd.DataFrame:
    columns = [tuple(range(len(rows))), [bundle for bundle, _ in rows], [run for _, run in rows]]
    return build_frame(*metric_columns([columns] if rows else [], "id"), "numpy_nullable")


def are_plain(rows: list[Row], size: int = 1000) -> bool:
    with PlainBundles() as decoder:
        for _, texts, runs in pieces(rows, size):
            decoder.add(texts, runs)
        return decoder.table() is not None


def assert_identical(rows: list[Row], size: int = 1000) -> None:
    one, other = at_once(rows, size), one_by_one(rows)
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    for name in one.columns:
        assert list(map(repr, one[name])) == list(map(repr, other[name])), name


PLAIN = {
    "numbers": [({"a": 1.5, "b": 2}, 1), ({"a": None, "b": -3.25}, 1)],
    "booleans": [({"a": True}, 1), ({"a": False}, 1), ({"a": None}, 1)],
    "runs of other keys": [({"a": 1.0}, 1), ({"b": True}, 2), ({"a": 2.0}, 3)],
    "another order of keys": [({"a": 1.0, "b": 2.0}, 1), ({"b": 3.0, "a": 4.0}, 2)],
    "units without a bundle": [(None, 1), ({"a": 1.0}, 1), (None, 2), ({"a": 2.0}, 3), (None, 3)],
    "all missing": [({"a": None, "x_multi_dg": None}, 1)],
    "exchanged": [({"p_value_rf": True, "on_screen_rf": 0.5}, 1)] * 2,
    "exchanged, one missing": [
        ({"p_value_rf": None, "on_screen_rf": 0.5}, 1),
        ({"p_value_rf": None, "on_screen_rf": None}, 1),
    ],
    "not exchanged": [({"p_value_rf": 0.5, "on_screen_rf": True}, 1)],
    "known only later": [({"a": None}, 1), ({"a": True}, 1)],
    "letters that are counted": [
        ({"tst": 1.0, "stst": True}, 1),
        ({"tst": 2.0, "stst": False}, 1),
    ],
}


@pytest.mark.parametrize("rows", PLAIN.values(), ids=PLAIN.keys())
def test_plain_bundles_are_decoded_at_once(rows: list[Row]) -> None:
    assert are_plain(rows)
    assert_identical(rows)
    assert_identical(rows, size=1)


# What the decoder would take for something else, or not see.
NOT_PLAIN = {
    "a boolean among numbers": [({"a": 1.0}, 1), ({"a": True}, 1)],
    "a number among booleans": [({"a": True}, 1), ({"a": 1}, 1)],
    "one of each": [({"a": 1.0, "b": True}, 1), ({"a": True, "b": 1.0}, 1)],
    "a key that is new": [({"a": 1.0}, 1), ({"a": 2.0, "b": 3.0}, 1)],
    "another key instead": [({"ab": 1.0}, 1), ({"cd": 2.0}, 1)],
    "a key that is missing": [({"a": 1.0, "b": 1.0}, 1), ({"a": 2.0}, 1)],
    "one new, one missing": [({"a": 1.0, "b": 1.0}, 1), ({"a": 2.0, "c": 3.0}, 1)],
    "text": [({"a": 1.0}, 1), ({"a": "1.5"}, 1)],
    "text of a boolean": [({"a": True}, 1), ({"a": "true"}, 1)],
    "only text": [({"a": "x"}, 1)],
    "a list": [({"a": 1.0}, 1), ({"a": [2.0]}, 1)],
    "an object": [({"a": 1.0}, 1), ({"a": {"b": 2.0}}, 1)],
    "a large whole number": [({"a": 1.0}, 1), ({"a": 2**53 + 1}, 1)],
    "other kinds in another run": [({"a": 1.0}, 1), ({"a": True}, 2)],
    "some exchanged": [
        ({"p_value_rf": 0.5, "on_screen_rf": 1.0}, 1),
        ({"p_value_rf": None, "on_screen_rf": 0.5}, 1),
    ],
    "no keys": [({}, 1), ({"a": 1.0}, 2)],
    "an escaped key": [({"é": 1.0}, 1), ({"é": 2.0}, 1)],
    "bundle in a text": [(json.dumps({"a": 1.0}), 1), ({"a": 2.0}, 1)],
    "null": [(None, 1)],
    "exchanged, of one key": [({"p_value_rf": True}, 1)],
}


@pytest.mark.parametrize("rows", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
@pytest.mark.sample(8)
def test_bundles_that_are_not_plain_are_decoded_one_by_one(rows: list[Row]) -> None:
    assert not are_plain(rows)
    assert_identical(rows)
    assert_identical(rows[::-1])
    assert_identical(rows, size=1)


def test_many_runs_in_turn_are_decoded_one_by_one() -> None:
    rows = [({"a": float(row)}, row % 2) for row in range(400)]
    assert not are_plain(rows)
    assert_identical(rows)


def test_chunks_may_end_where_batches_end() -> None:
    rows: list[Row] = [({"a": float(row)}, 1) for row in range(6)]
    batches = [
        pa.record_batch(piece, names=["id", "data", "run"]) for piece in pieces(rows, size=2)
    ]
    for size in (1, 2, 3, 4, 6, 7):
        frames = [build_frame(*metric_columns([piece], "id")) for piece in resized(batches, size)]
        assert [len(frame) for frame in frames] == [size] * (6 // size) + [6 % size] * (
            6 % size > 0
        )
        assert pd.concat(frames)["a"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-5, 5),
    st.sampled_from([2**53, 2**53 + 1, -(2**64), 1e300, "true", "x", '"', "", [], {}, [True]]),
)
KEYS = st.sampled_from(["a", "t", "s", "b_multi_dg", "p_value_rf", "on_screen_rf", 'q"', "é", "A"])


@st.composite
def nearly_plain(draw: st.DrawFn) -> list[Row]:
    """Rows of runs whose bundles are alike, and a few changes to them."""
    rows: list[Row] = []
    for run in range(draw(st.integers(1, 3))):
        keys = draw(st.lists(KEYS, unique=True, min_size=1))
        kinds = {key: draw(st.sampled_from([st.booleans(), st.floats(-9, 9)])) for key in keys}
        bundle = st.fixed_dictionaries({key: st.none() | kinds[key] for key in keys})
        rows += [(one, run) for one in draw(st.lists(bundle, min_size=1, max_size=4))]
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(rows) - 1))
        if rows[at][0] is not None:
            rows[at][0][draw(KEYS)] = draw(VALUES)
        if draw(st.booleans()):
            rows[at] = (draw(st.sampled_from([None, {}, rows[at][0]])), rows[at][1])
    return rows


@settings(max_examples=4 * settings.default.max_examples)
@given(rows=nearly_plain(), size=st.sampled_from([1, 2, 1000]))
def test_whatever_the_bundles_hold_nothing_is_lost(rows: list[Row], size: int) -> None:
    assert_identical(rows, size)


def test_a_number_that_json_has_not_is_a_float() -> None:
    rows = [({"a": math.inf, "b": 1.0}, 1), ({"a": -math.inf, "b": math.nan}, 1)]
    assert_identical(rows)
