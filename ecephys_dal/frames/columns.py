"""What a column of a frame is: its name, its kind and its dtype, declared once for every route."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from ecephys_dal.errors import ConfigurationError, SchemaMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["DtypeBackend", "FrameColumn", "frame_columns"]

DtypeBackend = Literal["numpy", "numpy_nullable", "pyarrow"]

# For each kind: without NULL, with NULL, pandas' nullable dtype, pandas' Arrow dtype.
_DTYPES: dict[type, tuple[str, str, str, str]] = {
    int: ("int64", "float64", "Int64", "int64[pyarrow]"),
    float: ("float64", "float64", "Float64", "double[pyarrow]"),
    bool: ("bool", "boolean", "boolean", "bool[pyarrow]"),
    str: ("", "", "string", "string[pyarrow]"),
    dt.date: ("datetime64[ns]", "datetime64[ns]", "datetime64[ns]", "timestamp[ns][pyarrow]"),
    dt.datetime: ("datetime64[ns]", "datetime64[ns]", "datetime64[ns]", "timestamp[ns][pyarrow]"),
    object: ("object", "object", "object", "object"),
}


@dataclass(frozen=True)
class FrameColumn:
    """A column of a frame.

    Parameters
    ----------
    name : str
        What users call it.
    kind : type
        int, float, bool, str, date, datetime, or object for what is kept as it came.
    nullable : bool
        The values may be missing.
    """

    name: str
    kind: type
    nullable: bool = True

    def dtype(self, backend: DtypeBackend = "numpy") -> Any:
        """Return the dtype of the column, which no row can change."""
        without_null, with_null, nullable, arrow = _DTYPES[self.kind]
        if backend == "numpy":
            return (with_null if self.nullable else without_null) or pd.Series([""]).dtype
        if backend in ("numpy_nullable", "pyarrow"):
            return nullable if backend == "numpy_nullable" else arrow
        raise ConfigurationError(
            f"dtype_backend={backend!r} is unknown; use 'numpy', 'numpy_nullable' or 'pyarrow'"
        )

    def array(self, values: Sequence[Any], backend: DtypeBackend = "numpy") -> Any:
        """Return the values, None where missing, as an array of the column's dtype.

        Parameters
        ----------
        values : sequence, length (n_records,)
            What the driver returned.
        backend : {"numpy", "numpy_nullable", "pyarrow"}
            Which family of dtypes.

        Returns
        -------
        array, shape (n_records,)

        Raises
        ------
        SchemaMismatchError
            If a value can't be of the declared kind.
        """
        dtype = self.dtype(backend)
        try:
            if dtype in ("int64", "float64", "bool", "object"):
                return _as_numpy(values, dtype)
            if issubclass(self.kind, dt.date):
                # By way of microseconds, the databases' unit, so that pandas sees an overflow.
                moments = pd.Series(np.array([*map(_in_utc, values)], dtype="datetime64[us]"))
                return pd.array(moments.astype("datetime64[ns]").array, dtype=dtype)
            return pd.array(values, dtype=dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise SchemaMismatchError(
                f"column {self.name!r} is declared as {dtype}, which its values can't be: {error};"
                " a NULL there is shown by the repository's frame(dtype_backend='numpy_nullable')"
            ) from error


def _in_utc(value: Any) -> Any:
    """Return a moment without its zone; LIMS has none, but a column of it might."""
    zone = getattr(value, "tzinfo", None)
    return value.astimezone(dt.timezone.utc).replace(tzinfo=None) if zone else value


def _whole(value: Any) -> int:
    whole = int(value)
    if whole != value:
        raise ValueError(f"{value!r} is no whole number")
    return whole


def _as_numpy(values: Sequence[Any], dtype: str) -> np.ndarray[Any, Any]:
    if dtype == "bool" and None in values:  # NumPy would take it for False
        raise TypeError("NULL is no boolean")
    if dtype == "int64" and set(map(type, values)) - {int}:  # NumPy would cut off what is behind
        values = [_whole(value) for value in values]
    array = np.empty(len(values), dtype=dtype)
    array[:] = values
    return array


def frame_columns(columns: Iterable[Any]) -> tuple[FrameColumn, ...]:
    """Declare the columns of a frame from the columns of a SELECT.

    Parameters
    ----------
    columns : iterable of ColumnElement
        Model attributes and labelled expressions; an expression of no column is never NULL.

    Returns
    -------
    tuple of FrameColumn
    """
    return tuple(
        FrameColumn(
            column.key,
            column.type.python_type,
            getattr(getattr(column, "element", column.expression), "nullable", False),
        )
        for column in columns
    )
