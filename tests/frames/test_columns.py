"""A column's dtype is what it is declared to be, on every family of dtypes."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pytest

from ecephys_dal import ConfigurationError, SchemaMismatchError
from ecephys_dal.frames import FrameColumn, build_frame

STRING = pd.Series(["x"]).dtype
DAY = dt.datetime(2019, 10, 3)
VALUES = {
    int: (1, 2**53 + 1),
    float: (1.5, float("inf")),
    bool: (True, False),
    str: ("é", ""),
    dt.datetime: (DAY, dt.datetime(1969, 7, 20, 20, 17, 40, 123456)),
    dt.date: (dt.date(2019, 10, 3), dt.date(1900, 1, 1)),
}
DTYPES = {
    ("numpy", True): ["float64", "float64", "boolean", STRING, "datetime64[ns]", "datetime64[ns]"],
    ("numpy", False): ["int64", "float64", "bool", STRING, "datetime64[ns]", "datetime64[ns]"],
    ("numpy_nullable", True): [
        "Int64", "Float64", "boolean", "string", "datetime64[ns]", "datetime64[ns]",
    ],
    ("pyarrow", True): [
        "int64[pyarrow]", "double[pyarrow]", "bool[pyarrow]", "string[pyarrow]",
        "timestamp[ns][pyarrow]", "timestamp[ns][pyarrow]",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("backend", "nullable"), DTYPES)
def test_dtypes_are_declared_whatever_the_rows_hold(backend: str, nullable: bool) -> None:
    if backend == "pyarrow":
        pytest.importorskip("pyarrow", reason="the arrow extra is not installed")
    for kind, dtype in zip(VALUES, DTYPES[backend, nullable], strict=True):
        column = FrameColumn("x", kind, nullable=nullable)
        rows = [(), VALUES[kind]] + ([(None,), (*VALUES[kind], None)] if nullable else [])
        for values in rows:
            assert pd.Series(column.array(values, backend)).dtype == dtype, (kind, values)


@pytest.mark.parametrize("backend", ["numpy", "numpy_nullable"])
def test_values_survive_and_null_is_missing(backend: str) -> None:
    for kind, values in VALUES.items():
        if (backend, kind) == ("numpy", int):
            continue  # a nullable integer is a float there, which has 53 bits
        series = pd.Series(FrameColumn("x", kind).array((*values, None), backend))
        assert list(series.iloc[:2]) == [
            pd.Timestamp(v) if isinstance(v, dt.date) else v for v in values
        ]
        assert series.isna().tolist() == [False, False, True]


def test_ids_of_18_digits_keep_every_digit() -> None:
    column = FrameColumn("id", int, nullable=False)
    assert column.array((123456789012345678,)).tolist() == [123456789012345678]


def test_a_zone_is_taken_off_a_moment() -> None:
    zone = dt.timezone(dt.timedelta(hours=-8))
    array = FrameColumn("x", dt.datetime).array((dt.datetime(2019, 10, 2, 16, tzinfo=zone), None))
    assert array[0] == pd.Timestamp(DAY)


def test_whole_numbers_of_any_type_are_integers_and_others_are_not() -> None:
    column = FrameColumn("local_index", int, nullable=False)
    assert column.array((decimal.Decimal(7), 8.0)).tolist() == [7, 8]
    with pytest.raises(SchemaMismatchError, match=r"1\.5 is no whole number"):
        column.array((1, 1.5))


def test_numeric_columns_may_come_as_decimals() -> None:
    array = FrameColumn("age_in_days", float).array((decimal.Decimal("118.0"), None))
    assert array[0] == 118.0
    assert np.isnan(array[1])


@pytest.mark.parametrize("kind", [int, bool])
def test_null_where_none_was_declared_is_named_and_not_guessed(kind: type) -> None:
    with pytest.raises(SchemaMismatchError, match=r"'local_index'.*numpy_nullable"):
        FrameColumn("local_index", kind, nullable=False).array((kind(1), None))
    shown = FrameColumn("local_index", kind, nullable=False).array(
        (kind(1), None), "numpy_nullable"
    )
    assert pd.isna(shown[1])


@pytest.mark.parametrize(
    ("kind", "value"), [(float, "fast"), (dt.datetime, dt.datetime(1, 1, 1)), (int, 2**70)]
)
def test_a_value_of_another_kind_is_named(kind: type, value: object) -> None:
    with pytest.raises(SchemaMismatchError, match="'x'"):
        FrameColumn("x", kind, nullable=False).array((value,))


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="dtype_backend='polars'"):
        FrameColumn("x", int).dtype("polars")  # type: ignore[arg-type]


def test_the_first_column_becomes_the_index() -> None:
    columns = [FrameColumn("id", int, nullable=False), FrameColumn("snr", float)]
    frame = build_frame(columns, [[(7, 8), (None, 1.0)]])
    expected = pd.DataFrame({"snr": [np.nan, 1.0]}, index=pd.Index([7, 8], name="id"))
    pd.testing.assert_frame_equal(frame, expected)
    empty = build_frame(columns, [])
    pd.testing.assert_frame_equal(empty, expected.iloc[:0])
