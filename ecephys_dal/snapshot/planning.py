"""What is to be copied, and what is known of that which is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from ecephys_dal.repositories.clauses import among
from ecephys_dal.snapshot.closure import Closure
from ecephys_dal.snapshot.coverage import MISSING, SILENT, Coverage
from ecephys_dal.snapshot.description import FORMAT_VERSION
from ecephys_dal.snapshot.reach import FIELDS, PUBLIC
from ecephys_dal.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecephys_dal.snapshot.part import Part
    from ecephys_dal.snapshot.reach import Reach
    from ecephys_dal.snapshot.source import Source

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
    reach.check()
    part.make_schema(source)
    closure = Closure(source, whole_sessions=reach.level == 0)
    for level in reach.levels:
        repository = reach.repository(level)
        closure.add(repository.model.__table__, repository.ids(where=reach.where(level)))
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
    named = [name for name, _ in reach.spec.each_condition() if name in FIELDS]
    for name in named:
        table: Any = FIELDS[name].__table__
        ids = np.array(getattr(reach.spec, name), dtype=np.int64)
        if source.coverage is None:
            found = source.rows(select(table.c.id).where(*among(table.c.id, ids.tolist())))
            missing = np.setdiff1d(ids, np.array([row[0] for row in found], dtype=np.int64))
            part.absent((MISSING, table.name, one) for one in missing.tolist())
        if len(list(reach.spec.each_condition())) == 1:  # else another condition may keep it out
            left_out = np.setdiff1d(ids, closure.ids.get(table, ids[:0]))
            part.absent((SILENT, table.name, one) for one in left_out.tolist())
    if reach.applied and not (source.coverage and source.coverage.rules):
        for level in reach.levels:
            table = PUBLIC[level].model.__table__
            everything = reach.repository(level, bare=True).ids(where=reach.where(level))
            left_out = np.setdiff1d(everything, closure.ids.get(table, everything[:0]))
            part.absent((SILENT, table.name, one) for one in left_out.tolist())
