"""All that records lead to: by foreign keys upwards, and to runs, files and genotypes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from ecephys_dal.models import (
    LIMS_MODELS,
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

    from ecephys_dal.models import Base
    from ecephys_dal.snapshot.source import Ids, Source

__all__ = ["NO_IDS", "Closure", "key_of", "pieces_of"]

_PIECE = 20_000  # ids of one question
NO_IDS: Ids = np.empty(0, dtype=np.int64)
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


def _merged(some: Ids, others: Ids) -> Ids:
    return np.sort(np.concatenate([some, others]), kind="stable")


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
                self.add(table, source.ids(select(table.c.id)))

    def of(self, table: Any) -> Ids:
        """Return which records of a table were reached, ascending."""
        return self.ids.get(table, NO_IDS)

    def add(self, table: Any, ids: Ids) -> None:
        """Take these records, ascending, and remember to follow those which are new."""
        new = np.setdiff1d(ids, self.of(table), assume_unique=True)
        if len(new) and table in self.source.columns:
            self.ids[table] = _merged(self.of(table), new)
            self._waiting[table] = _merged(self._waiting.get(table, NO_IDS), new)

    def follow(self) -> None:
        """Follow what was taken until nothing new comes."""
        models = {model.__table__: model for model in LIMS_MODELS}
        while self._waiting:
            table, new = self._waiting.popitem()
            for ids in pieces_of(new):
                self._follow_references(table, ids)
                if table in models:
                    self._follow_belonging(models[table], ids)

    def _follow_references(self, table: Table, ids: list[int]) -> None:
        for key in table.foreign_keys:
            if self.source.has(key.parent):
                query = select(key.parent).where(*among(key_of(table), ids)).distinct()
                self.add(key.column.table, self.source.ids(query))

    def _follow_belonging(self, model: type[Base], ids: list[int]) -> None:
        for relation in self._belonging:
            if relation.class_ is not model:
                continue
            secondary = relation.property.secondary
            if secondary is not None:
                self.add(secondary, np.array(ids, dtype=np.int64))
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
            self.add(table, self.source.ids(select(table.c.id).where(*where)))
