"""Metric bundles of every kind become columns, and nothing of them is lost."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecephys_dal import SchemaMismatchError
from ecephys_dal.frames import build_frame, metric_columns, piece_of_rows


def frame(*bundles: Any) -> pd.DataFrame:
    piece = piece_of_rows([(100 + i, b, 1) for i, b in enumerate(bundles)])
    return build_frame(*metric_columns([piece], "ecephys_unit_id"))


def test_one_column_for_each_key_in_the_order_of_appearance() -> None:
    table = frame({"b": 1.0}, {"a": 2.0, "b": 3.0})
    assert table.columns.tolist() == ["b", "a"]
    assert table.index.name == "ecephys_unit_id"
    assert table["b"].tolist() == [1.0, 3.0]
    assert table["a"].isna().tolist() == [True, False]


def test_numbers_are_float64_and_booleans_boolean_whatever_the_rows_hold() -> None:
    for bundles in ([{"n": 1, "b": True}], [{"n": 1.5, "b": None}, {"n": None, "b": False}]):
        assert frame(*bundles).dtypes.map(str).tolist() == ["float64", "boolean"]
    nulls = frame({"g_osi_dg": None, "pref_ori_multi_dg": None, "on_screen_rf": None})
    assert nulls.dtypes.map(str).tolist() == ["float64", "boolean", "boolean"]


def test_a_table_without_rows_has_the_documented_metrics() -> None:
    empty = frame()
    assert len(empty) == 0
    assert empty.index.dtype == "int64"
    assert len(empty.columns) == 67
    assert {"c50_dg", "pref_images_multi_ns", "pref_dir_dm"} <= set(empty.columns)
    assert empty["on_screen_rf"].dtype == "boolean"
    assert empty["p_value_rf"].dtype == "float64"


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(
    ("p_value", "on_screen"), [(True, 0.25), (False, None), (None, 0.25), (None, 1), (True, 1)]
)
def test_exchanged_receptive_field_metrics_are_put_right(
    p_value: object, on_screen: object, as_text: bool
) -> None:
    bundle = {"p_value_rf": p_value, "on_screen_rf": on_screen}
    table = frame(json.dumps(bundle) if as_text else bundle)
    assert table["p_value_rf"].dtype == "float64"
    assert table["on_screen_rf"].dtype == "boolean"
    assert table["on_screen_rf"].tolist() == [pd.NA if p_value is None else p_value]
    assert table["p_value_rf"].isna().tolist() == [on_screen is None]
    assert table["p_value_rf"].fillna(on_screen or 0).tolist() == [on_screen or 0]


@pytest.mark.parametrize(("p_value", "on_screen"), [(0.25, True), (0.25, None), (None, True)])
def test_right_receptive_field_metrics_stay(p_value: object, on_screen: object) -> None:
    table = frame({"p_value_rf": p_value, "on_screen_rf": on_screen})
    assert table["on_screen_rf"].tolist() == [pd.NA if on_screen is None else on_screen]
    assert table["p_value_rf"].isna().tolist() == [p_value is None]


def test_the_callers_bundles_are_left_alone() -> None:
    bundle = {"p_value_rf": True, "on_screen_rf": 0.25}
    frame(bundle)
    assert bundle == {"p_value_rf": True, "on_screen_rf": 0.25}


def test_a_unit_without_a_bundle_keeps_its_row() -> None:
    for nothing in (None, "null", {}):
        table = frame({"snr": 1.0}, nothing)
        assert table.index.tolist() == [100, 101]
        assert table["snr"].isna().tolist() == [False, True]


def test_what_is_neither_number_nor_boolean_is_kept_as_it_came() -> None:
    values = {
        "text": "x",
        "list": [1, 2],
        "object": {"a": None},
        "id": 123456789012345678,
        "mixed": True,
        "nan": float("nan"),
    }
    table = frame(values, {"mixed": 1.5})
    assert table.loc[100, "text"] == "x"
    assert table.loc[100, "list"] == [1, 2]
    assert table.loc[100, "object"] == {"a": None}
    assert table.loc[100, "id"] == 123456789012345678
    assert table["mixed"].tolist() == [True, 1.5]
    assert np.isnan(table.loc[100, "nan"])


@pytest.mark.parametrize("bundle", ["{not json", "[1, 2]", [1, 2], 5])
def test_what_is_no_object_is_refused_by_unit(bundle: object) -> None:
    with pytest.raises(SchemaMismatchError, match="unit 100"):
        frame(bundle)
