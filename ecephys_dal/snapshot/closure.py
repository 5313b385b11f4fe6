"""All that records lead to: by foreign keys upwards, and to runs, files and genotypes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from ecephys_dal.models import (
    Base,
    Donor,
    EcephysAnalysisRun,
    EcephysProbe,
    EcephysSession,
    Stimulus,
    StimulusNamespace,
    WellKnownFile,
    WellKnownFileType,
)
from ecephys_dal.models.files import Attachable
from ecephys_dal.repositories.clauses import among

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Column, Table

    from ecephys_dal.snapshot.source import Source

    Ids = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["Closure", "key_of", "pieces_of"]

_PIECE = 20_000  # ids of one question
# Tables that are small, and that names are looked up in: all of each.
_WHOLE = (WellKnownFileType, StimulusNamespace, Stimulus)
# What belongs to a record and comes along with it, beside what its foreign keys lead to.
_BELONGING = (
    EcephysSession.analysis_runs,
    EcephysSession.behavior_session,
    EcephysProbe.analysis_run_probes,
    Donor.genotypes,
)
# This too, if whole sessions are taken.
_OF_SESSIONS = (EcephysSession.probes, EcephysAnalysisRun.run_probes)


def pieces_of(ids: Ids, size: int = _PIECE) -> Iterator[list[int]]:
    """Yield the ids, some at a time."""
    return (ids[at : at + size].tolist() for at in range(0, len(ids), size))


def key_of(table: Table) -> Column[Any]:
    """Return the column that rows are taken by; of a table between two, the first one's."""
    return next(iter(table.primary_key))


class Closure:
    """The ids of records and of all that they lead to.

    Parameters
    ----------
    source : Source
        Where they are.
    whole_sessions : bool
        Take all probes of each session.

    Attributes
    ----------
    ids : dict of Table to ndarray of int64
        What was reached, ascending.
    """

    def __init__(self, source: Source, *, whole_sessions: bool) -> None:
        self.source = source
        self.ids: dict[Table, Ids] = {}
        self._waiting: dict[Table, Ids] = {}
        self._belonging = _BELONGING + (_OF_SESSIONS if whole_sessions else ())
        for model in _WHOLE:
            table = model.__table__
            if table in source.columns:
                self.add(table, [row[0] for row in source.rows(select(table.c.id))])

    def add(self, table: Any, ids: Iterable[int]) -> None:
        """Take these records, and remember that those are not followed yet which are new."""
        given = np.fromiter((i for i in ids if i is not None), dtype=np.int64)
        known = self.ids.get(table, np.empty(0, dtype=np.int64))
        new = np.setdiff1d(given, known)
        if len(new) and table in self.source.columns:
            self.ids[table] = np.union1d(known, new)
            self._waiting[table] = np.union1d(self._waiting.get(table, new), new)

    def follow(self) -> None:
        """Follow what was taken until nothing new comes."""
        models = {m.local_table: m.class_ for m in Base.registry.mappers}
        while self._waiting:
            table, new = self._waiting.popitem()
            for ids in pieces_of(new):
                self._follow_references(table, ids)
                if table in models:
                    self._follow_belonging(models[table], ids)

    def _follow_references(self, table: Table, ids: list[int]) -> None:
        keys = [key for key in table.foreign_keys if self.source.has(key.parent)]
        if keys:
            query = select(*(key.parent for key in keys)).where(*among(key_of(table), ids))
            for key, values in zip(keys, zip(*self.source.rows(query), strict=True), strict=False):
                self.add(key.column.table, values)

    def _follow_belonging(self, model: type[Base], ids: list[int]) -> None:
        for relation in self._belonging:
            if relation.class_ is not model:
                continue
            secondary = relation.property.secondary
            if secondary is not None:
                self.add(secondary, ids)
                continue
            ((_, other),) = relation.property.local_remote_pairs
            self._take(other.table, among(other, ids), other)
        if issubclass(model, Attachable):
            files: Any = WellKnownFile.__table__
            owned = files.c.attachable_type == model.__name__
            wanted = (*among(files.c.attachable_id, ids), owned)
            self._take(files, wanted, files.c.attachable_id, files.c.attachable_type)

    def _take(self, table: Any, where: Iterable[Any], *reads: Column[Any]) -> None:
        if self.source.has(*reads):
            query = select(table.c.id).where(*where)
            self.add(table, [row[0] for row in self.source.rows(query)])
