"""Forked processes: each makes connections of its own, for two can't share a socket."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ecephys_dal.database.bulk import Bulk

__all__ = ["parted_by_a_fork"]

_POOLED: WeakSet[Any] = WeakSet()
_ABANDONED: list[Any] = []  # for ever: if a pool were freed, it would close the parent's sockets


def parted_by_a_fork(owner: Engine | Bulk) -> None:
    """Give the owner of a pool a new and empty one in each process that is forked from now on.

    Parameters
    ----------
    owner : Engine or Bulk
        Whose connections stay with the parent; the server hears nothing.
    """
    _POOLED.add(owner)


def _leave_to_parent() -> None:
    for owner in list(_POOLED):
        _ABANDONED.append(owner.pool)
        owner.pool = owner.pool.recreate()


if hasattr(os, "register_at_fork"):  # where processes can be forked
    os.register_at_fork(after_in_child=_leave_to_parent)
