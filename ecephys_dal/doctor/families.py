"""Families of column types, and which of them serve in place of which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import types

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

__all__ = ["family_of", "fit_of"]

# In this order, because some are kinds of others.
_FAMILIES: tuple[tuple[str, tuple[type[TypeEngine[Any]], ...]], ...] = (
    ("boolean", (types.Boolean,)),
    ("whole number", (types.Integer,)),
    ("number", (types.Numeric, types.Float)),
    ("text", (types.String,)),
    ("JSON", (types.JSON,)),
    ("moment", (types.DateTime,)),
    ("day", (types.Date,)),
    ("unknown", (types.NullType,)),
)
# What comparisons and tables cope with, beside the family itself.
_SERVES = {
    "whole number": {"number"},
    "number": {"whole number"},
    "moment": {"day"},
    "day": {"moment"},
    "JSON": {"text"},
}
# There a type is only a hint, and moments, days and JSON are kept as text, booleans as numbers.
_SERVES_IN_SQLITE = {
    "boolean": {"whole number", "number"},
    "moment": {"text"},
    "day": {"text"},
}


def family_of(column_type: TypeEngine[Any]) -> str:
    """Return the family of a type, ``other`` if it is of none."""
    if isinstance(column_type, types.TypeDecorator):
        column_type = column_type.impl_instance
    column_type = getattr(column_type, "data_type", column_type)  # of a domain of PostgreSQL's
    for family, members in _FAMILIES:
        if isinstance(column_type, members):
            return family
    return "other"


def fit_of(declared: TypeEngine[Any], found: TypeEngine[Any], dialect: str) -> str:
    """Tell how a column's type fits the declared one.

    Parameters
    ----------
    declared, found : TypeEngine
        Of the model, and of the database.
    dialect : str
        The kind of database.

    Returns
    -------
    str
        Empty where it fits, else the code of the finding that it is.
    """
    wanted, family = family_of(declared), family_of(found)
    if family == "unknown":
        return "type_unknown"
    if family == wanted:
        return "moment_with_zone" if _has_zone(found) else ""
    serves = set(_SERVES.get(wanted, ()))
    if dialect == "sqlite":
        serves |= _SERVES_IN_SQLITE.get(wanted, set())
    return "type_differs" if family in serves else "type_unfit"


def _has_zone(found: TypeEngine[Any]) -> bool:
    return isinstance(found, types.DateTime) and bool(found.timezone)
