"""What is to be copied, and what is known of that which is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from ecephys_dal.repositories.clauses import among
from ecephys_dal.snapshot.closure import NO_IDS, Closure
from ecephys_dal.snapshot.coverage import MISSING, SILENT, Coverage
from ecephys_dal.snapshot.description import FORMAT_VERSION
from ecephys_dal.snapshot.reach import FIELDS, PUBLIC
from ecephys_dal.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Table

    from ecephys_dal.snapshot.part import Part
    from ecephys_dal.snapshot.reach import Reach
    from ecephys_dal.snapshot.source import Ids, Source

__all__ = ["plan"]


def plan(part: Part, reach: Reach, source: Source, *, request: Mapping[str, Any]) -> None:
    """Make the tables of a snapshot, and note what is to be copied into them.

    Parameters
    ----------
    part : Part
        An empty one.
    reach : Reach
        What is wanted.
    source : Source
        Where it is.
    request : mapping
        By which the plan is known again.
    """
    part.make_schema(source)
    closure = Closure(source, whole_sessions=reach.level == 0)
    for level in reach.levels:
        repository = reach.repository(level)
        found = repository.ids(where=reach.where(level))
        closure.add(repository.model.__table__, np.sort(found))
    closure.follow()
    coverage = Coverage.of(reach, source.coverage)
    with part.transaction():
        part.plan(closure.ids)
        _note_absent(part, reach, source, closure)
        part.note(
            format_version=FORMAT_VERSION,
            library_version=__version__,
            request=request,
            coverage=coverage.to_dict(),
            filters=[*source.noted.get("filters", ()), request["filter"]],
            rules=coverage.rules,
            source=request["source"],
            lacking=source.lacking,
        )


def _note_absent(part: Part, reach: Reach, source: Source, closure: Closure) -> None:
    """Note which records are not there and need not be, for questions that name them."""
    part.absent(source.absent())
    for name in [name for name, _ in reach.spec.each_condition() if name in FIELDS]:
        table: Any = FIELDS[name].__table__
        ids = np.array(getattr(reach.spec, name), dtype=np.int64)
        if source.coverage is None:
            found = source.ids(select(table.c.id).where(*among(table.c.id, ids.tolist())))
            part.absent(_each(MISSING, table, ids, found))
        if len(list(reach.spec.each_condition())) == 1:  # else another condition may keep it out
            part.absent(_each(SILENT, table, ids, closure.of(table)))
    for level in reach.levels:
        table = PUBLIC[level].model.__table__
        part.absent(_each(SILENT, table, _hidden(reach, source, level), closure.of(table)))


def _hidden(reach: Reach, source: Source, level: int) -> Ids:
    """Return what the filter means of a public table, whatever hides it, as far as it is known."""
    model = PUBLIC[level].model
    if reach.whole:
        return source.ids(select(model.id))
    if not reach.applied or (source.coverage and source.coverage.rules):
        return NO_IDS
    return np.sort(reach.repository(level, bare=True).ids(where=reach.where(level)))


def _each(kind: str, table: Table, ids: Ids, there: Ids) -> Iterator[tuple[str, str, int]]:
    """Yield those of the ids that are not there."""
    left_out = np.setdiff1d(ids, there, assume_unique=True)
    return ((kind, table.name, one) for one in left_out.tolist())
