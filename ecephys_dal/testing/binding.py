"""Where factories put their records, and where ids come from."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecephys_dal.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

__all__ = ["IdSequence", "bound_db", "current_ids", "next_id", "using"]


class IdSequence:
    """A database-wide sequence of ids, as LIMS has one: no two records share an id.

    Parameters
    ----------
    first : int
        The first id that it gives.
    """

    def __init__(self, first: int) -> None:
        self._next = first

    def take(self, count: int = 1, *, step: int = 1) -> range:
        """Take ids off the sequence.

        Parameters
        ----------
        count : int
            How many.
        step : int
            The distance between them; the ids of LIMS' channels are 2 apart.

        Returns
        -------
        range
        """
        taken = range(self._next, self._next + count * step, step)
        self._next = taken.stop
        return taken


@dataclass(frozen=True)
class _Binding:
    db: Session | None
    ids: IdSequence


# Above any id that LIMS had given by 2020, so that published records can stand beside it.
_UNBOUND = _Binding(db=None, ids=IdSequence(1_200_000_000))
_binding: ContextVar[_Binding] = ContextVar("binding", default=_UNBOUND)


@contextmanager
def using(db: Session, *, first_id: int | None = None) -> Iterator[None]:
    """Let the factories write to an ORM session while the block runs.

    Records are flushed, never committed: that is for whoever opened ``db``.

    Parameters
    ----------
    db : Session
        An ORM session of a database of our own.
    first_id : int, optional
        Ids count up from here; else they go on from those that were last given, so that two
        blocks never give the same one.
    """
    ids = _binding.get().ids if first_id is None else IdSequence(first_id)
    token = _binding.set(_Binding(db, ids))
    try:
        yield
    finally:
        _binding.reset(token)


def bound_db() -> Session:
    """Return the ORM session of the `using` block that we are in."""
    db = _binding.get().db
    if db is None:
        raise ConfigurationError(
            "factories don't know where to write; create records inside `with using(db):`,"
            " or make them without a database, with .build()"
        )
    return db


def current_ids() -> IdSequence:
    """Return the sequence that the factories take their ids from."""
    return _binding.get().ids


def next_id() -> int:
    """Return the next id of the database-wide sequence."""
    return current_ids().take()[0]
