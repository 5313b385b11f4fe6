"""What a filter reaches in the five public tables, by the repositories' own statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecephys_dal.database import coverage_of
from ecephys_dal.errors import InvalidFilterError
from ecephys_dal.models import (
    EcephysChannel,
    EcephysProbe,
    EcephysSession,
    EcephysUnit,
)
from ecephys_dal.repositories import (
    ChannelRepository,
    ProbeRepository,
    Repository,
    SessionRepository,
    UnitMetricRepository,
    UnitRepository,
)
from ecephys_dal.repositories.clauses import within

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from ecephys_dal.database import Database
    from ecephys_dal.filters import Filter
    from ecephys_dal.models import Base

__all__ = ["FIELDS", "LEVELS", "PUBLIC", "Reach"]

# The public tables, each a level below the last one.
PUBLIC: tuple[type[Repository[Any, Any]], ...] = (
    SessionRepository,
    ProbeRepository,
    ChannelRepository,
    UnitRepository,
    UnitMetricRepository,
)
LEVELS: dict[type[Base], int] = {repository.model: at for at, repository in enumerate(PUBLIC)}
# What the ids of a field are of.
FIELDS: dict[str, type[Base]] = {
    "session_ids": EcephysSession,
    "ecephys_session_ids": EcephysSession,
    "probe_ids": EcephysProbe,
    "channel_ids": EcephysChannel,
    "unit_ids": EcephysUnit,
}


class Reach:
    """The records of the public tables that a filter keeps, and those below them.

    Parameters
    ----------
    source : Database
        Where they are.
    spec : Filter
        Of one of the public tables.
    hidden : bool
        Also what rules hide.

    Attributes
    ----------
    level : int
        Of the table that the filter is of.
    deepest : int
        Of the deepest table that one of its conditions is about.
    """

    def __init__(self, source: Database, spec: Filter, *, hidden: bool) -> None:
        by_filter = {repository.filter_type: at for at, repository in enumerate(PUBLIC)}
        if type(spec) not in by_filter:
            names = ", ".join(kind.__name__ for kind in by_filter)
            raise InvalidFilterError(f"spec={spec!r} is none of {names}")
        self.source, self.spec, self.hidden = source, spec, hidden
        self.level = by_filter[type(spec)]
        root = PUBLIC[self.level]
        self.criteria = (*root.criteria(spec), *within(root.columns[0], spec.id_range))
        self.deepest = max((self._depth(name) for name, _ in spec.each_condition()), default=0)

    def _depth(self, field: str) -> int:
        if field == "id_range":
            return min(self.level, LEVELS[EcephysUnit])  # bundles are numbered by their units
        return LEVELS[FIELDS.get(field, EcephysSession)]

    @property
    def whole(self) -> bool:
        """The filter has no condition."""
        return not any(self.spec.each_condition())

    @property
    def levels(self) -> range:
        """Of the tables of which everything is reached that meets the filter."""
        return range(self.level, len(PUBLIC))

    @property
    def applied(self) -> tuple[str, ...]:
        """The names of the rules that hide records."""
        names = dict.fromkeys(name for one in PUBLIC for name in one.rule_names())
        return tuple(name for name in names if name not in self._without(names))

    def _without(self, names: Any) -> set[str]:
        return set(names) if self.hidden else set(self.spec.without_rules or ())

    def repository(self, level: int, *, bare: bool = False) -> Repository[Any, Any]:
        """Return a public table under the rules that apply, or ``bare`` of all rules."""
        table = PUBLIC[level]
        names = table.rule_names()
        without = names if bare else self._without(names).intersection(names)
        return table(self.source, without_rules=without)

    def where(self, level: int) -> list[ColumnElement[bool]]:
        """Return what the filter demands of the records of a public table.

        Above the filter's own table these are the records that what it keeps belongs to.
        """
        if level >= self.level:
            return list(self.criteria)
        root = self.repository(self.level)
        key = PUBLIC[level].model.id
        below = root.select(where=self.criteria).order_by(None)
        return [key.in_(below.with_only_columns(key, maintain_column_froms=True))]

    def check(self, *, deep: bool = False) -> None:
        """Raise if the source can't answer the question, or, ``deep``, for the tables below too."""
        self.repository(self.level).exists(self.spec)
        coverage = coverage_of(self.source.engine) if deep else None
        if coverage is not None:
            with self.source.connection() as connection:
                for level in self.levels:
                    coverage.check(connection, PUBLIC[level].model, self.spec)
