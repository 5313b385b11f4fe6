"""What a snapshot can answer for: a question beyond that is refused, not answered by nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from ecephys_dal.errors import BeyondSnapshotError
from ecephys_dal.models import EcephysAnalysisRun, EcephysSession, IsiExperiment, WellKnownFile
from ecephys_dal.snapshot.reach import FIELDS, LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

    from ecephys_dal.filters import Filter
    from ecephys_dal.models import Base
    from ecephys_dal.snapshot.reach import Reach

__all__ = ["MISSING", "SILENT", "Coverage"]

SILENT = "silent"  # the source answers nothing for it, in the public tables
MISSING = "missing"  # the source has no such record
_MODELS: dict[str, type[Base]] = {
    **FIELDS,
    "run_ids": EcephysAnalysisRun,
    "file_ids": WellKnownFile,
    "isi_experiment_ids": IsiExperiment,
}
_FEW = 5


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What a snapshot can answer for.

    A snapshot answers a question as its source answers the question and the filter together. Where
    a question names records, it is refused unless that is what the source answers to the question
    alone.

    Parameters
    ----------
    path : str
        Of the snapshot.
    level : int
        Of the filter's table among the public ones: of those above, only those records are there
        that others belong to.
    deepest : int
        Of the deepest table that the filter's conditions are about: of a record above, only some of
        what belongs to it may be there.
    whole : bool
        The filter has no condition.
    published_at : str or None
        The latest day of publication.
    rules : tuple of str
        What hid records when the snapshot was made.
    """

    path: str = ""
    level: int = 0
    deepest: int = 0
    whole: bool = True
    published_at: str | None = None
    rules: tuple[str, ...] = ()

    @classmethod
    def of(cls, reach: Reach, within: Coverage | None) -> Coverage:
        """Return the coverage of a filter, on a source that may be a snapshot itself."""
        day = reach.spec.to_dict().get("published_at")
        own = cls(
            level=reach.level,
            deepest=reach.deepest,
            whole=reach.whole,
            published_at=day,
            rules=reach.applied,
        )
        return own if within is None else own._within(within)

    def _within(self, other: Coverage) -> Coverage:
        days = [day for day in (self.published_at, other.published_at) if day is not None]
        return Coverage(
            level=max(self.level, other.level),
            deepest=max(self.deepest, other.deepest),
            whole=self.whole and other.whole,
            published_at=min(days, default=None),
            rules=tuple(dict.fromkeys([*other.rules, *self.rules])),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what is to be stored in the snapshot."""
        return {name: value for name, value in asdict(self).items() if name != "path"}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any], path: str) -> Coverage:
        """Return the coverage that `to_dict` described."""
        return cls(**{**stored, "rules": tuple(stored["rules"]), "path": path})

    def check(self, connection: Connection, model: type[Base], spec: Filter) -> None:
        """Raise a `BeyondSnapshotError` if the snapshot can't answer for a question.

        Parameters
        ----------
        connection : Connection
            To the snapshot.
        model : type
            What is asked for.
        spec : Filter
            Which of them.
        """
        if rules := [name for name in spec.without_rules or () if name in self.rules]:
            raise self._beyond(f"the rule {rules[0]} was applied when it was made", "hidden=True")
        conditions = dict(spec.each_condition())
        named = {name: getattr(spec, name) for name in conditions if name in _MODELS}
        refusals = [self._refusal(connection, model, name, ids) for name, ids in named.items()]
        if refusals:
            if None not in refusals:
                raise self._beyond(refusals[0] or "", "a filter that takes them in")
            return  # of these records it knows all, whatever else is demanded of them
        day = spec.to_dict().get("published_at")
        if self.published_at and day and day > self.published_at:
            raise self._beyond(
                f"it ends with what was published on {self.published_at}, before {day}",
                "a later published_at",
            )
        for name in getattr(spec, "session_types", None) or ():
            self._check_type(connection, name)

    def _refusal(
        self, connection: Connection, model: type[Base], field: str, ids: tuple[int, ...]
    ) -> str | None:
        """Say why these records can't be answered for, if they can't."""
        if not ids:
            return None  # nobody has any of none
        parent = _MODELS[field]
        is_public, is_own = model in LEVELS, model is parent
        in_depth = is_public and LEVELS[model] >= self.level
        if not is_own and not self._is_complete(model, parent):
            return f"of {field} it may not hold all that the source has"
        kinds = (MISSING, SILENT) if in_depth else (MISSING,)
        unknown = list(self._unknown(connection, parent, ids, kinds))
        if not unknown:
            return None
        listed = ", ".join(map(str, unknown[:_FEW])) + (", ..." if len(unknown) > _FEW else "")
        return f"it does not hold {field} {listed}"

    def _is_complete(self, model: type[Base], parent: type[Base]) -> bool:
        """Tell whether all is there that belongs to those parents which are there."""
        if model in LEVELS:
            return LEVELS[model] >= self.level and LEVELS[parent] >= self.deepest
        # The files of a session and of a run are those of its probes too.
        of_probes = model is WellKnownFile and parent in (EcephysSession, EcephysAnalysisRun)
        return not of_probes or self.level == 0

    def _unknown(
        self,
        connection: Connection,
        model: type[Base],
        ids: tuple[int, ...],
        kinds: tuple[str, ...],
    ) -> Iterator[int]:
        """Yield those of the ids that are neither there nor known to be of the given kinds."""
        known_kinds = ", ".join(f"'{kind}'" for kind in kinds)
        absent = "SELECT id FROM ecephys_dal_absent WHERE table_name = :table AND kind"
        # A snapshot of everything knows what it left out; anything else does not exist.
        knows_all = self.whole and LEVELS.get(model, -1) >= self.level
        known = (
            f"value NOT IN ({absent} = '{SILENT}' AND '{SILENT}' NOT IN ({known_kinds}))"
            if knows_all
            else f"value IN ({absent} IN ({known_kinds}))"
        )
        query = text(
            f"SELECT value FROM json_each(:ids) WHERE NOT ({known})"  # noqa: S608 - all our own
            f" AND value NOT IN (SELECT id FROM {model.__tablename__})"
        )
        named = "[" + ",".join(map(str, ids)) + "]"
        yield from connection.execute(query, {"ids": named, "table": model.__tablename__}).scalars()

    def check_records(
        self, connection: Connection, model: type[Base], ids: tuple[int, ...]
    ) -> None:
        """Raise a `BeyondSnapshotError` if the source may have a record that is not there."""
        for record_id in self._unknown(connection, model, ids, (MISSING,)):
            raise self._beyond(
                f"it does not hold {model.__name__} {record_id}", "a filter that takes it in"
            )

    def _check_type(self, connection: Connection, name: str) -> None:
        query = text("SELECT 1 FROM ecephys_sessions WHERE stimulus_name = :name")
        if not self.whole and connection.execute(query, {"name": name}).first() is None:
            raise self._beyond(f"it holds no session of type {name!r}", "a filter that takes it in")

    def _beyond(self, reason: str, remedy: str) -> BeyondSnapshotError:
        return BeyondSnapshotError(
            f"the snapshot {self.path} can't answer this: {reason}; ask the LIMS it is of, or make"
            f" a snapshot with {remedy}"
        )
