"""What can only be seen in the values themselves: metric bundles, times, unexpected NULLs."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Date,
    DateTime,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    case,
    cast,
    func,
    or_,
    select,
)

from ecephys_dal.doctor.assumptions import RULE_COLUMNS
from ecephys_dal.doctor.checks import Check
from ecephys_dal.doctor.findings import Finding
from ecephys_dal.doctor.rows import MOST, found_in_rows
from ecephys_dal.doctor.uses import columns_of, name_of, users_of
from ecephys_dal.frames import unswapped
from ecephys_dal.models import LIMS_TABLES, EcephysSession, EcephysUnitMetricBundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sqlalchemy import Column, ColumnElement, Table
    from sqlalchemy.types import TypeEngine

    from ecephys_dal.doctor.asking import Lims

__all__ = ["samples"]

_BUNDLES = 200  # of the oldest and of the newest each
_SESSIONS = 20_000

# What pandas' datetime64[ns] can hold; days are read as their midnights.
_RANGES: tuple[tuple[type[TypeEngine[Any]], Any, Any], ...] = (
    (
        DateTime,
        dt.datetime.fromisoformat("1677-09-21T00:12:43.145225"),
        dt.datetime.fromisoformat("2262-04-11T23:47:16.854775"),
    ),
    (Date, dt.date(1677, 9, 22), dt.date(2262, 4, 11)),
)
_TEXTS = 20_000  # that are looked at of a column, of those with letters beyond ASCII

_bundle = EcephysUnitMetricBundle
_SAMPLE = select(_bundle.id, _bundle.ecephys_unit_id, cast(_bundle.data, Text)).limit(_BUNDLES)
_PUBLISHED = (
    select(EcephysSession.id, EcephysSession.published_at)
    .where(EcephysSession.published_at.between(*_RANGES[0][1:]))  # others have a finding already
    .order_by(EcephysSession.id.desc())
    .limit(_SESSIONS)
)


def _look_at_bundles(lims: Lims) -> Iterator[Finding]:
    """Look at the first and the last bundles; their table is too large for a look at all."""
    ends = (_bundle.id.asc(), _bundle.id.desc())
    sample = {tuple(row) for end in ends for row in lims.rows(_SAMPLE.order_by(end))}
    found = defaultdict(list)
    for _, unit_id, data in sample:
        for code in _oddities(data):
            found[code].append(unit_id)
    name = name_of(_bundle.data)
    noun = f"units of {len(sample)} bundles that were looked at"
    for code, unit_ids in found.items():
        yield found_in_rows(code, ".".join(name), users_of([name]), noun, unit_ids)


def _oddities(data: str | None) -> Iterator[str]:
    try:
        bundle = None if data is None else json.loads(data)
        if isinstance(bundle, str):  # a text that was stored as JSON
            yield "bundle_text"
            bundle = json.loads(bundle)
    except (ValueError, RecursionError):  # the latter of brackets in brackets
        bundle = data
    if bundle is None:
        yield "bundle_null"
    elif not isinstance(bundle, dict):
        yield "bundle_unreadable"
    elif "p_value_rf" in bundle and unswapped(bundle) is not bundle:
        yield "receptive_field_swapped"


def _look_at_days(lims: Lims) -> Iterator[Finding]:
    name = name_of(EcephysSession.published_at)
    rows = lims.rows(_PUBLISHED)
    ids = [session_id for session_id, moment in rows if moment.time() != dt.time()]
    if ids:
        users = users_of([name])
        yield found_in_rows("published_with_time", ".".join(name), users, "sessions", ids)


def _look_for_null(table: Table, lims: Lims) -> Iterator[Finding]:
    """Look for NULL in columns that may hold it here, but by the models do not."""
    nullable = [
        column
        for column in _usable("null_unexpected", _never_null(table), lims)
        if _may_be_null(column, lims)
    ]
    yield from _look_for("null_unexpected", {one: one.is_(None) for one in nullable}, lims)


def _look_for_moments(table: Table, lims: Lims) -> Iterator[Finding]:
    """Look for moments that no table can hold; the values themselves are not asked for."""
    columns = _usable("moment_out_of_range", _moments(table), lims)
    yield from _look_for(
        "moment_out_of_range", {one: _is_out_of_range(one) for one in columns}, lims
    )


def _look_for(
    code: str, odd: Mapping[Column[Any], ColumnElement[bool]], lims: Lims
) -> Iterator[Finding]:
    """Look for rows of a table in which a column is odd."""
    if not odd:
        return
    key = next(iter(odd)).table.c.id
    query = select(key, *(case((clause, 1)) for clause in odd.values())).where(or_(*odd.values()))
    rows = lims.rows(query.limit(MOST + 1))
    for number, column in enumerate(odd, start=1):
        if ids := [row[0] for row in rows if row[number] is not None]:
            name = name_of(column)
            yield found_in_rows(code, ".".join(name), users_of([name]), "records", ids)


def _usable(code: str, columns: Iterable[Column[Any]], lims: Lims) -> list[Column[Any]]:
    """Return those of the columns that can be asked about; of the others nothing is known."""
    columns = list(columns)
    names = {name_of(one) for column in columns for one in (column, column.table.c.id)}
    hidden = set(lims.catalogue.unusable(names)) if lims.catalogue else set()
    if hidden:
        lims.unexamined.add(code)
    return [one for one in columns if hidden.isdisjoint({str(one), str(one.table.c.id)})]


def _moments(table: Table) -> list[Column[Any]]:
    return [one for one in table.columns if _range_of(one) is not None]


def _range_of(column: Column[Any]) -> tuple[Any, Any] | None:
    kind: Any = column.type
    kind = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    return next(((least, most) for of, least, most in _RANGES if isinstance(kind, of)), None)


def _is_out_of_range(column: Column[Any]) -> ColumnElement[bool]:
    least, most = _range_of(column) or (None, None)
    return or_(column < least, column > most)


def _look_at_texts(lims: Lims) -> Iterator[Finding]:
    """Look for bytes that are no UTF-8, where the database takes any for text."""
    encodings = [name for (name,) in lims.rows_by_dialect({"postgresql": "SHOW server_encoding"})]
    if encodings != ["SQL_ASCII"]:
        return
    yield Finding.of("encoding_sql_ascii", "", "the encoding of the database is SQL_ASCII")
    texts = (one for table in LIMS_TABLES.values() for one in table.c if _is_text(one))
    for column in _usable("text_undecodable", texts, lims):
        value = cast(column, Text)
        query = (
            select(column.table.c.id, func.convert_to(value, "SQL_ASCII", type_=LargeBinary))
            .where(value.regexp_match(r"[^\x01-\x7f]"))
            .limit(_TEXTS)
        )
        if ids := [record_id for record_id, stored in lims.rows(query) if not _is_utf8(stored)]:
            name = name_of(column)
            users = users_of([name])
            yield found_in_rows("text_undecodable", ".".join(name), users, "records", ids)


def _is_text(column: Column[Any]) -> bool:
    return isinstance(column.type, String) and "id" in column.table.c


def _is_utf8(stored: bytes) -> bool:
    try:
        bytes(stored).decode()
    except UnicodeDecodeError:
        return False
    return True


def _may_be_null(column: Column[Any], lims: Lims) -> bool:
    """Tell whether the database would store NULL here; without a catalogue, perhaps."""
    return lims.catalogue is None or bool(
        lims.catalogue.columns[column.table.name][column.name]["nullable"]
    )


def _never_null(table: Table) -> list[Any]:
    """Return the columns that are never NULL by the models, and of which no other check tells."""
    return [
        column
        for column in table.columns
        if not (column.nullable or column.primary_key or column.foreign_keys)
        and name_of(column) not in RULE_COLUMNS
    ]


_bundle_codes = ("receptive_field_swapped", "bundle_null", "bundle_text", "bundle_unreadable")


def samples() -> tuple[Check, ...]:
    """Return the checks of values; the mappers are configured."""
    data, published = _bundle.data, EcephysSession.published_at
    return (
        Check(_subject(data), _bundle_codes, _look_at_bundles, columns_of(_SAMPLE)),
        Check(_subject(published), ("published_with_time",), _look_at_days, columns_of(_PUBLISHED)),
        *_of_tables("null_unexpected", _look_for_null, _never_null),
        *_of_tables("moment_out_of_range", _look_for_moments, _moments),
        Check("the texts", ("encoding_sql_ascii", "text_undecodable"), _look_at_texts),
    )


def _of_tables(
    code: str,
    look: Callable[[Table, Lims], Iterator[Finding]],
    columns_of_table: Callable[[Table], list[Column[Any]]],
) -> Iterator[Check]:
    """Yield a check of each table that has such columns."""
    for name, table in sorted(LIMS_TABLES.items()):
        if columns_of_table(table):
            yield Check(name, (code,), partial(look, table))


def _subject(column: Any) -> str:
    return ".".join(name_of(column))
