"""What a column of a frame is: its name, its kind and its dtype, declared once for every route."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from numbers import Number
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from sqlalchemy import Cast, Label, TypeCoerce

from ecephys_dal.database.numbers import as_float
from ecephys_dal.errors import ConfigurationError, SchemaMismatchError
from ecephys_dal.frames.arrow import as_pandas, as_type, is_arrow, need_arrow, pa
from ecephys_dal.frames.pieces import last_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ecephys_dal.frames.pieces import Values

__all__ = ["DtypeBackend", "FrameColumn", "frame_columns", "table_of"]

DtypeBackend = Literal["numpy", "numpy_nullable", "pyarrow"]


class _Dtypes(NamedTuple):
    """The dtypes of a kind of column, of each family, and the type of an Arrow table."""

    without_null: str
    with_null: str
    nullable: str
    pyarrow: str
    arrow: str


_MOMENT = _Dtypes(
    "datetime64[ns]", "datetime64[ns]", "datetime64[ns]", "timestamp[ns][pyarrow]", "timestamp[us]"
)
_DTYPES: dict[type, _Dtypes] = {
    int: _Dtypes("int64", "float64", "Int64", "int64[pyarrow]", "int64"),
    float: _Dtypes("float64", "float64", "Float64", "double[pyarrow]", "float64"),
    bool: _Dtypes("bool", "boolean", "boolean", "bool[pyarrow]", "bool"),
    str: _Dtypes("", "", "string", "string[pyarrow]", "string"),
    dt.date: _MOMENT,
    dt.datetime: _MOMENT,
    object: _Dtypes("object", "object", "object", "object", "string"),
}
# What a driver may give for a kind: NumPy and pandas would take a text for True, or for a moment.
_GIVEN: dict[type, tuple[type, ...]] = {
    int: (Number,),
    float: (Number, str),  # as "Infinity", which SQLite has no number for
    bool: (bool, np.bool_),
    str: (str,),
    dt.date: (dt.date,),
    dt.datetime: (dt.date,),
    object: (object,),
}


@cache
def _text_dtype() -> Any:
    return pd.Series([""]).dtype


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
    table : str, optional
        Of the database, if the column is one of it.
    """

    name: str
    kind: type
    nullable: bool = True
    table: str | None = None

    def dtype(self, backend: DtypeBackend = "numpy") -> Any:
        """Return the dtype of the column, which no row can change."""
        dtypes = _DTYPES[self.kind]
        if backend == "numpy":
            dtype = dtypes.with_null if self.nullable else dtypes.without_null
            return dtype or _text_dtype()
        if backend == "numpy_nullable":
            return dtypes.nullable
        if backend == "pyarrow":
            need_arrow()
            return dtypes.pyarrow
        raise ConfigurationError(
            f"dtype_backend={backend!r} is unknown; use 'numpy', 'numpy_nullable' or 'pyarrow'"
        )

    def arrow_type(self) -> pa.DataType:
        """Return the type of the column in an Arrow table."""
        return pa.type_for_alias(_DTYPES[self.kind].arrow)

    def array(
        self, values: Values, backend: DtypeBackend = "numpy", ids: Values | None = None
    ) -> Any:
        """Return the values as an array of the column's dtype.

        Parameters
        ----------
        values : sequence or Arrow array, shape (n_records,)
            What the driver returned, None or null where missing.
        backend : {"numpy", "numpy_nullable", "pyarrow"}
            Which family of dtypes.
        ids : sequence or Arrow array, shape (n_records,), optional
            Of the records, so that an error can name one.

        Returns
        -------
        array, shape (n_records,)

        Raises
        ------
        SchemaMismatchError
            If a value can't be of the declared kind.
        """
        dtype = self.dtype(backend)
        return self._converted(partial(self._as_pandas, dtype=dtype), values, dtype, ids)

    def _as_pandas(self, values: Values, dtype: Any) -> Any:
        if self.kind is not object and str(dtype).endswith("[pyarrow]"):
            values = self._as_arrow(values)
        if is_arrow(values):
            return as_pandas(as_type(values, self.arrow_type()), dtype)
        return _of_python(self._checked(values), dtype)

    def _checked(self, values: Sequence[Any]) -> Sequence[Any]:
        given = _GIVEN[self.kind]
        for kind in set(map(type, values)) - {type(None)}:
            if not issubclass(kind, given) or (kind is bool and Number in given):
                raise TypeError(f"the database gives values of type {kind.__name__}")
            if self.kind is int and kind is not int:
                values = [None if value is None else _whole(value) for value in values]
            if self.kind is float and issubclass(kind, (str, Decimal)):
                values = [None if value is None else as_float(value) for value in values]
        return values

    def arrow(self, values: Values, ids: Values | None = None) -> pa.ChunkedArray:
        """Return the values as an Arrow array of the column's type.

        Parameters
        ----------
        values : sequence or Arrow array, shape (n_records,)
            What the driver returned, None or null where missing.
        ids : sequence or Arrow array, shape (n_records,), optional
            Of the records, so that an error can name one.

        Returns
        -------
        ChunkedArray, shape (n_records,)
            What is of the kind object is shown as JSON.

        Raises
        ------
        SchemaMismatchError
            If a value can't be of the declared kind.
        """
        return self._converted(self._as_arrow, values, self.arrow_type(), ids)

    def _as_arrow(self, values: Values) -> pa.ChunkedArray:
        if self.kind is object:
            values = [None if value is None else json.dumps(value) for value in values]
            return pa.chunked_array([pa.array(values, self.arrow_type())])
        if not is_arrow(values):
            values = pa.array(self._as_pandas(values, self.dtype("numpy_nullable")))
        return as_type(values, self.arrow_type())

    def _converted(
        self, convert: Callable[[Values], Any], values: Values, dtype: object, ids: Values | None
    ) -> Any:
        try:
            return convert(values)
        except (TypeError, ValueError, OverflowError) as error:
            where = "" if self.table is None else f" of {self.table}"
            record = "" if ids is None else f" (record {_first_that_fails(convert, values, ids)})"
            raise SchemaMismatchError(
                f"column {self.name!r}{where} is declared as {dtype}, which its values can't be:"
                f" {error}{record}; a NULL there is shown by the repository's"
                " frame(dtype_backend='numpy_nullable'), an expression that may be NULL is declared"
                " by ecephys_dal.repositories.nullable, and `ecephys-dal doctor` looks for more",
                table=self.table,
                column=self.name,
            ) from error


def _first_that_fails(convert: Callable[[Values], Any], values: Values, ids: Values) -> Any:
    """Return the id of the first record whose value can't be converted."""
    good, bad = 0, len(values)  # the first ones can be, these can't
    while bad - good > 1:
        half = (good + bad) // 2
        try:
            convert(values[good:half])
        except (TypeError, ValueError, OverflowError):
            bad = half
        else:
            good = half
    return last_of(ids[good:bad])


def _of_python(values: Sequence[Any], dtype: Any) -> Any:
    """Return Python's values as an array of a dtype of NumPy or pandas."""
    if dtype == "Float64":  # from a plain list, pandas would take NaN for missing too
        missing = np.array([value is None for value in values], dtype=bool)
        return pd.arrays.FloatingArray(_as_numpy(values, "float64"), missing)
    if dtype == "datetime64[ns]":
        # By way of microseconds, the databases' unit, so that pandas sees an overflow.
        moments = pd.Series(np.array([*map(_in_utc, values)], dtype="datetime64[us]"))
        return pd.array(moments.astype("datetime64[ns]").array, dtype=dtype)
    if dtype in ("int64", "float64", "bool", "object"):
        return _as_numpy(values, dtype)
    return pd.array(values, dtype=dtype)


def _in_utc(value: Any) -> Any:
    """Return a moment without its zone; LIMS has none, but a column of it might."""
    zone = getattr(value, "tzinfo", None)
    return value.astimezone(dt.timezone.utc).replace(tzinfo=None) if zone else value


def _whole(value: Any) -> int:
    whole = int(value)
    if whole != value:
        raise ValueError(f"{value!r} is no whole number")
    if not -(2**63) <= whole < 2**63:
        raise OverflowError(f"{value!r} has more than 64 bits")
    return whole


def _as_numpy(values: Sequence[Any], dtype: str) -> np.ndarray[Any, Any]:
    if dtype == "bool" and None in values:  # NumPy would take it for False
        raise TypeError("NULL is no boolean")
    array = np.empty(len(values), dtype=dtype)
    array[:] = values
    return array


@cache  # once for each repository
def frame_columns(columns: tuple[Any, ...]) -> tuple[FrameColumn, ...]:
    """Declare the columns of a frame from the columns of a SELECT.

    Parameters
    ----------
    columns : tuple of ColumnElement
        Model attributes and labelled expressions; an expression of no column is never NULL, unless
        `repositories.nullable` says so.

    Returns
    -------
    tuple of FrameColumn

    Raises
    ------
    ConfigurationError
        If a column is of a type that frames have no kind for, such as NUMERIC, UUID or an array.
    """
    return tuple(
        FrameColumn(
            column.key,
            _kind(column),
            _is_nullable(column),
            table_of(column),
        )
        for column in columns
    )


def table_of(column: Any) -> str | None:
    """Return the name of the database's table that a column of a SELECT is one of."""
    inner = column.element if isinstance(column, Label) else column
    inner = inner.clause if isinstance(inner, TypeCoerce) else inner
    name: str | None = getattr(getattr(inner, "table", None), "name", None)
    return name


def _kind(column: Any) -> type:
    try:
        kind = column.type.python_type
    except NotImplementedError:  # of a type that SQLAlchemy knows nothing of
        kind = object
    if kind is object or kind not in _DTYPES:
        raise ConfigurationError(
            f"column {column.key!r} is of the type {column.type!r}, which no column of a frame can"
            f" be; convert it, as by cast(..., Double).label({column.key!r}), or to String"
        )
    known: type = kind
    return known


def _is_nullable(column: Any) -> bool:
    """Return True if a column may be NULL, as its table says, or `repositories.nullable`."""
    if isinstance(column, Label):
        return _is_nullable(column.element)
    if isinstance(column, Cast) or (isinstance(column, TypeCoerce) and not _says(column)):
        return _is_nullable(column.clause)
    return _says(getattr(column, "expression", column))


def _says(column: Any) -> bool:
    return bool(getattr(column, "nullable", False))
