"""What a field of a filter may hold, and what it is turned into."""

from __future__ import annotations

import datetime as dt
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd

from ecephys_dal.errors import InvalidFilterError

__all__ = [
    "Day",
    "FieldKind",
    "IdRange",
    "Ids",
    "Names",
    "SplitPublishedAt",
    "checked_id",
    "checked_ids",
    "split_published_at",
]

MOST_VALUES = 10_000  # ids, names or letters of a field, of JSON that anybody may have sent
_INT64 = np.iinfo(np.int64)
_EXACT_FLOAT = 2**53  # beyond it a float64 has lost digits of an id


def in_short(value: object) -> str:
    """Return a value as a message shows it, however large it is."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python writes no integers of thousands of digits
        return f"a very large {type(value).__name__}"


def check_size(field: str, value: object, limit: int) -> None:
    """Raise an `InvalidFilterError` if a value of JSON has too many parts, letters or levels."""
    for size, of in _sizes(value):
        if size > limit:
            raise InvalidFilterError(
                f"{field} has {size:,} {of}, more than the {limit:,} that are allowed here; ask for"
                " less at once, or let the service call from_dict(..., limit=...)"
            )


def _sizes(value: object) -> Iterator[tuple[int, str]]:
    """Yield how long a value is, and each text in it; what is deeper, no field can hold."""
    if isinstance(value, str):
        yield len(value), "letters"
    elif isinstance(value, Sized):
        yield len(value), "values"
        if isinstance(value, (list, tuple)):
            yield from ((len(one), "letters in a name") for one in value if isinstance(one, str))


def checked_id(field: str, value: object) -> int:
    """Return one id as an int, or raise an `InvalidFilterError` that names the field."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if isinstance(value, (float, np.floating)):
        whole = abs(value) < _EXACT_FLOAT and value == int(value)
    if not whole or not _INT64.min <= int(value) <= _INT64.max:  # type: ignore[call-overload]
        raise InvalidFilterError(
            f"{field}: {in_short(value)} is no integer of 64 bits{_advice(value)}"
        )
    return int(value)  # type: ignore[call-overload, no-any-return]


def _advice(value: object) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "; a mask selects ids before they are passed: frame.index[mask]"
    if isinstance(value, (str, bytes)):
        return "; make it one by int(...)"
    if isinstance(value, (float, np.floating)) and abs(value) >= _EXACT_FLOAT:
        return "; a float of this size may have lost digits of the id"
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124 - only NaN does
        return "; leave missing ids out, as by .dropna()"
    return ""


def _collection(field: str, values: Any, of: str) -> Iterable[Any]:
    if isinstance(values, (str, bytes, bytearray, Mapping)) or not isinstance(values, Iterable):
        shown = in_short(values)
        single = isinstance(values, str if of == "names" else (int, np.integer))
        raise InvalidFilterError(
            f"{field}={shown} is no collection of {of}; give "
            + (f"a list of one: {field}=[{shown}]" if single else "a list, an array or a Series")
        )
    dimensions = getattr(values, "ndim", 1)
    if dimensions != 1:
        raise InvalidFilterError(
            f"{field} is a table or array of {dimensions} dimensions, not 1; give its index, or a"
            " column of it"
        )
    return values.to_pylist() if hasattr(values, "to_pylist") else values  # Arrow's own scalars


def checked_ids(field: str, values: Any) -> tuple[int, ...]:
    """Return ids as sorted unique ints, or raise an `InvalidFilterError` that names the field."""
    values = _collection(field, values, "ids")
    if hasattr(values, "dtype"):  # NumPy, pandas
        array = np.asarray(values)
        if array.dtype.kind in "mM" or np.ma.is_masked(values):
            raise InvalidFilterError(f"{field} holds {array.dtype} or masked values, not ids")
        if array.dtype.kind == "i":
            return tuple(np.unique(array).tolist())
        values = array.tolist()
    return tuple(sorted({checked_id(field, value) for value in values}))


def _check_names(field: str, values: Any) -> tuple[str, ...]:
    names = {_check_name(field, value) for value in _collection(field, values, "names")}
    return tuple(sorted(names))


def _check_name(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidFilterError(f"{field}: {in_short(value)} is no string")
    if "\0" in value or value.encode(errors="replace").decode() != value:
        raise InvalidFilterError(
            f"{field}: {in_short(value)} holds characters that no database can store"
        )
    return str(value)


def _check_day(field: str, value: object) -> dt.date:
    if isinstance(value, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    try:
        if isinstance(value, np.datetime64):
            value = pd.Timestamp(value)
        if isinstance(value, dt.datetime) and not pd.isna(value):  # NaT calls itself a datetime
            return (value.astimezone(dt.timezone.utc) if value.tzinfo else value).date()
    except (ValueError, OverflowError):
        pass  # beyond what pandas or Python can count
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    raise InvalidFilterError(
        f"{field}={in_short(value)} is no date; give 'YYYY-MM-DD', a date, a datetime or a"
        " pandas Timestamp"
    )


def _check_range(field: str, value: Any) -> tuple[int | None, int | None]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise InvalidFilterError(
            f"{field}={in_short(value)} is no pair (first id, id after the last), each or None"
        )
    first, stop = (None if end is None else checked_id(field, end) for end in value)
    return first, stop


def _common(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(set(ours) & set(theirs)))


def _overlap(
    ours: tuple[int | None, int | None], theirs: tuple[int | None, int | None]
) -> tuple[int | None, int | None]:
    firsts = [first for first, _ in (ours, theirs) if first is not None]
    stops = [stop for _, stop in (ours, theirs) if stop is not None]
    return max(firsts, default=None), min(stops, default=None)


class FieldKind(NamedTuple):
    """How the fields of one kind are checked, intersected and written as JSON."""

    check: Callable[[str, Any], Any]
    intersect: Callable[[Any, Any], Any]
    to_json: Callable[[Any], Any]


Ids = Annotated[Iterable[int] | None, FieldKind(checked_ids, _common, list)]
Names = Annotated[Iterable[str] | None, FieldKind(_check_names, _common, list)]
Day = Annotated[str | dt.date | None, FieldKind(_check_day, min, dt.date.isoformat)]
IdRange = Annotated[tuple[int | None, int | None] | None, FieldKind(_check_range, _overlap, list)]


class SplitPublishedAt(NamedTuple):
    """The two conditions that "published by this day" means in SQL.

    Attributes
    ----------
    published_at : datetime or None
        The midnight that ``published_at`` may not exceed.
    published_at_not_null : bool or None
        True if ``published_at`` may not be NULL.
    """

    published_at: dt.datetime | None
    published_at_not_null: bool | None


def split_published_at(published_at: str | dt.date | None) -> SplitPublishedAt:
    """Split a last day of publication into the two conditions that it means in SQL.

    Parameters
    ----------
    published_at : str, date, datetime or Timestamp, optional
        ``'YYYY-MM-DD'`` or a moment, which stands for its day in UTC.

    Returns
    -------
    SplitPublishedAt
        ``(None, None)`` if there is no such day; else its midnight, a datetime, and True.

    Raises
    ------
    InvalidFilterError
        If it is no date.
    """
    if published_at is None:
        return SplitPublishedAt(None, None)
    day = _check_day("published_at", published_at)
    return SplitPublishedAt(dt.datetime.combine(day, dt.time()), published_at_not_null=True)
