"""A part of LIMS in one file: make it, and ask it what LIMS would answer."""

from ecephys_dal.snapshot.creating import create
from ecephys_dal.snapshot.description import SnapshotInfo, info
from ecephys_dal.snapshot.opening import SnapshotDatabase

__all__ = ["SnapshotDatabase", "SnapshotInfo", "create", "info"]
