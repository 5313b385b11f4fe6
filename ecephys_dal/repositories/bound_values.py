"""Checks of the values that a condition binds: what a driver could not send, or not mean alike."""

from __future__ import annotations

import math
import reprlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sqlalchemy import BindParameter
from sqlalchemy.sql import visitors

from ecephys_dal.errors import InvalidFilterError

if TYPE_CHECKING:
    from sqlalchemy import ClauseElement, Dialect

__all__ = ["check_values"]

_INT64 = np.iinfo(np.int64)


def check_values(name: str, clause: ClauseElement, dialect: Dialect | None) -> None:
    """Raise if a value of a condition can't be sent, or would not mean the same everywhere.

    Parameters
    ----------
    name : str
        What a message calls the condition.
    clause : ClauseElement
        The condition.
    dialect : Dialect, optional
        Of the database; without it, what the column's type demands is not checked.

    Raises
    ------
    InvalidFilterError
        The message names the value.
    """
    for bound in visitors.iterate(clause):
        if isinstance(bound, BindParameter) and bound.value is not None:
            values = list(bound.value) if bound.expanding else [bound.value]
            reason = _flaw(values)
            if reason is None and dialect is not None:
                reason = _refused_by_type(bound, values, dialect)
            if reason is not None:
                raise InvalidFilterError(f"{name} compares with {reason}")


def _flaw(value: Any) -> str | None:
    """Return what is wrong with a value, whatever it is compared with."""
    if isinstance(value, (tuple, list)):
        return None if _are_ids(value) else next(filter(None, map(_flaw, value)), None)
    if isinstance(value, str):
        if "\0" in value or (not value.isascii() and _is_torn(value)):
            return f"{reprlib.repr(value)}, which holds characters that no database can store"
    elif isinstance(value, (int, np.integer)):
        if not _INT64.min <= value <= _INT64.max:
            return f"{reprlib.repr(value)}, which is no integer of 64 bits"
    elif _is_missing(value):
        return f"{value!r}, which no record can be compared with; write is_(None) or is_not(None)"
    return None


def _are_ids(values: tuple[Any, ...] | list[Any]) -> bool:
    """Return True of integers of 64 bits, of which there may be very many."""
    return (
        set(map(type, values)) == {int} and _INT64.min <= min(values) <= max(values) <= _INT64.max
    )


def _is_torn(text: str) -> bool:
    return text.encode(errors="replace").decode() != text  # half of a pair of surrogates


def _is_missing(value: Any) -> bool:
    """Return True of NaN, NaT and NA, of which the databases think differently."""
    if isinstance(value, Decimal):
        return value.is_nan()
    if isinstance(value, (float, np.floating)):
        return math.isnan(value)
    is_moment = isinstance(value, (np.datetime64, np.timedelta64))
    return value is pd.NaT or value is pd.NA or (is_moment and bool(np.isnat(value)))


def _refused_by_type(bound: BindParameter[Any], values: Any, dialect: Dialect) -> str | None:
    process = bound.type.dialect_impl(dialect).bind_processor(dialect)
    value = None
    try:
        for value in values if process else ():
            process(value)  # type: ignore[misc]
    except Exception as error:  # whatever a type makes of it
        return f"{reprlib.repr(value)}, which can't be sent as {bound.type!r}: {str(error)[:200]}"
    return None
