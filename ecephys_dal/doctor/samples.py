"""What can only be seen in the values themselves: metric bundles, times, unexpected NULLs."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, cast, or_, select

from ecephys_dal.doctor.assumptions import RULE_COLUMNS
from ecephys_dal.doctor.checks import Check
from ecephys_dal.doctor.rows import MOST, found_in_rows
from ecephys_dal.doctor.uses import columns_of, name_of, users_of
from ecephys_dal.frames import unswapped
from ecephys_dal.models import LIMS_TABLES, EcephysSession, EcephysUnitMetricBundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, Table

    from ecephys_dal.doctor.asking import Lims
    from ecephys_dal.doctor.findings import Finding

__all__ = ["samples"]

_BUNDLES = 200  # of the oldest and of the newest each
_SESSIONS = 20_000

_bundle = EcephysUnitMetricBundle
_SAMPLE = select(_bundle.id, _bundle.ecephys_unit_id, cast(_bundle.data, Text)).limit(_BUNDLES)
_PUBLISHED = (
    select(EcephysSession.id, EcephysSession.published_at)
    .where(EcephysSession.published_at.is_not(None))
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
    names = map(name_of, _never_null(table))
    hidden = set(lims.catalogue.unusable(names)) if lims.catalogue else set()
    if hidden:
        lims.unexamined.add("null_unexpected")
    nullable = [
        column
        for column in _never_null(table)
        if str(column) not in hidden and _may_be_null(column, lims)
    ]
    if not nullable:
        return
    query = select(table.c.id, *nullable).where(or_(*(column.is_(None) for column in nullable)))
    rows = lims.rows(query.limit(MOST + 1))
    for number, column in enumerate(nullable, start=1):
        ids = [row[0] for row in rows if row[number] is None]
        if ids:
            name = name_of(column)
            yield found_in_rows("null_unexpected", ".".join(name), users_of([name]), "records", ids)


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
        *(
            Check(
                name,
                ("null_unexpected",),
                partial(_look_for_null, table),
                frozenset({(name, "id")}),
            )
            for name, table in sorted(LIMS_TABLES.items())
            if _never_null(table)
        ),
    )


def _subject(column: Any) -> str:
    return ".".join(name_of(column))
