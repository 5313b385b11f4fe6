"""Arrow's arrays as what a column is declared to be, in Arrow and in pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from ecephys_dal.database.numbers import as_float
from ecephys_dal.errors import ConfigurationError

try:
    import pyarrow as pa
    import pyarrow.compute as pc
except ImportError:  # the arrow extra is not installed
    pa = pc = None

if TYPE_CHECKING:
    import numpy as np

__all__ = ["as_pandas", "as_type", "is_arrow", "need_arrow", "pa", "pc"]

_WHOLE, _ZEROS = r"^-?\d+(\.0*)?$", r"\.0*$"


def need_arrow() -> None:
    """Raise a `ConfigurationError` if pyarrow is not installed."""
    if pa is None:
        raise ConfigurationError("tables of Arrow's need pyarrow: install ecephys_dal[arrow]")


def is_arrow(values: Any) -> bool:
    """Tell whether the values are an array of Arrow's."""
    return hasattr(values, "null_count")


def as_type(values: Any, declared: pa.DataType) -> pa.ChunkedArray:
    """Return the values as the declared type, however LIMS stores them; nothing is cut off.

    Parameters
    ----------
    values : Array or ChunkedArray, shape (n_records,)
        Of the type that the driver gave.
    declared : DataType
        What they shall be.

    Returns
    -------
    ChunkedArray, shape (n_records,)

    Raises
    ------
    TypeError, ValueError, OverflowError
        If a value can't be of that type.
    """
    values = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    types = pa.types
    try:
        if types.is_timestamp(declared):
            _check_moments(values)
        if values.type == declared:
            return values
        if types.is_float32(values.type):  # a REAL, which means the shortest number that it is of
            values = values.cast(pa.string())
        if types.is_string(values.type) and types.is_integer(declared):  # a NUMERIC of PostgreSQL's
            values = _without_zeros(values)
        # A whole number of more than 53 bits is rounded, as Python rounds it.
        rounds = types.is_integer(values.type) and types.is_floating(declared)
        converted = values.cast(declared, safe=not rounds)
    except NotImplementedError as error:
        raise TypeError(str(error)) from error
    if types.is_string(values.type) and types.is_floating(declared):
        _check_finite(values, converted)
    return converted


def _without_zeros(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the texts of whole numbers without the zeros behind their point."""
    if not pc.all(pc.match_substring_regex(texts, _WHOLE), min_count=0).as_py():
        raise ValueError("a number is not whole")
    return pc.replace_substring_regex(texts, _ZEROS, "")


def _check_finite(texts: pa.ChunkedArray, numbers: pa.ChunkedArray) -> None:
    """Raise an `OverflowError` if a number became infinite that its text says to be finite."""
    for text in texts.filter(pc.is_inf(numbers)):
        as_float(text.as_py())


def _check_moments(values: pa.ChunkedArray) -> None:
    """Raise a `ValueError` if a moment is beyond what frames hold, as infinity is."""
    seconds = "timestamp[s]" if pa.types.is_date(values.type) else values.type
    values.cast(seconds).cast(pa.timestamp("ns", getattr(values.type, "tz", None)))


def as_pandas(values: pa.ChunkedArray, dtype: Any) -> Any:
    """Return an array of pandas' or NumPy's, which the caller may write to.

    Parameters
    ----------
    values : ChunkedArray, shape (n_records,)
        Of the declared type.
    dtype : str or dtype
        Of pandas or NumPy.

    Returns
    -------
    array, shape (n_records,)

    Raises
    ------
    TypeError, ValueError
        If a value can't be of that dtype.
    """
    dtype = pd.api.types.pandas_dtype(dtype)
    if pa.types.is_timestamp(values.type):
        values = values.cast("timestamp[ns]")  # of which an old or late moment is too large
    if dtype == "Float64":  # some versions of pandas would take NaN for missing too
        return pd.arrays.FloatingArray(_writable(values), _writable(values.is_null()))
    if hasattr(dtype, "__from_arrow__"):
        return dtype.__from_arrow__(values)
    if dtype.kind in "ib" and values.null_count:
        raise TypeError(f"NULL is no {dtype}")
    array = _writable(values)
    if dtype.kind == "M":
        return pd.array(array, dtype=dtype)
    return array if array.dtype == dtype else array.astype(dtype)


def _writable(values: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = values.to_numpy()
    return array if array.flags.writeable else array.copy()
