"""Databases that hold a part of a LIMS, and know for which questions that is not enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["Covers", "cover", "coverage_of"]

_OPTION = "ecephys_dal_coverage"


class Covers(Protocol):
    """What tells the questions that a database can answer from those that it can't."""

    def check(self, connection: Connection, model: type[Any], spec: Any) -> None:
        """Raise if the database can't answer for a question."""

    def check_records(self, connection: Connection, model: type[Any], ids: tuple[int, ...]) -> None:
        """Raise if there may be a record elsewhere that is not here."""


def cover(engine: Engine, coverage: Covers) -> None:
    """Let every question that an engine is asked be checked."""
    engine.update_execution_options(**{_OPTION: coverage})


def coverage_of(bind: Connection | Engine) -> Covers | None:
    """Return what knows the questions that can be answered here; None where all can."""
    coverage: Covers | None = bind.get_execution_options().get(_OPTION)
    return coverage
