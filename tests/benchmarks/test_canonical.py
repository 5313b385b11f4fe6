"""Tables are found the same, or not, by what they hold and not by how."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.tables.canonical import digest

INDEX = pd.Index([7, 3, 3], name="id")
ROWS = {
    "count": [1, 2, 3],
    "snr": [0.5, np.nan, -0.0],
    "quality": ["good", None, ""],
    "valid": [True, None, False],
    "unknown": [None, None, None],
    "ratings": [[1, 2], None, {"a": 1}],
}
TABLE = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in ROWS.items()})
TABLE.index = INDEX


def test_dtypes_and_orders_make_no_difference():
    typed = TABLE.astype(
        {"count": "float64", "snr": "float64", "valid": "boolean", "unknown": "float64"}
    )
    turned = typed.iloc[::-1][["valid", "snr", "unknown", "quality", "count", "ratings"]]
    assert digest([turned]) == digest([TABLE])


def test_pieces_make_no_difference():
    assert digest([TABLE.iloc[:1], TABLE.iloc[1:]]) == digest([TABLE])


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("count", [1, 2, 4]),
        ("snr", [0.5, 0.0, 0.0]),
        ("snr", [0.5, np.nan, 5e-324]),
        ("quality", ["good", "", ""]),
        ("valid", [1, None, 0]),
        ("valid", [True, False, False]),
        ("unknown", [None, None, ""]),
        ("ratings", [[1, 2], None, {"a": 2}]),
    ],
)
def test_another_value_makes_one(column, cells):
    other = TABLE.assign(**{column: pd.Series(cells, dtype=object, index=INDEX)})
    found, expected = digest([other])["columns"], digest([TABLE])["columns"]
    assert {name for name in expected if found[name] != expected[name]} == {column}


def test_another_index_or_a_missing_row_makes_one():
    assert digest([TABLE.set_axis(INDEX + 1)]) != digest([TABLE])
    assert digest([TABLE.iloc[1:]])["rows"] == 2


def test_a_row_is_compared_as_a_whole():
    crossed = TABLE.assign(snr=TABLE["snr"].to_numpy()[[1, 0, 2]])
    assert digest([crossed]) != digest([TABLE])
