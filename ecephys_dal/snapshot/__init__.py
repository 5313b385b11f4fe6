"""A part of LIMS in one file: make it, and ask it what LIMS would answer."""

from ecephys_dal.snapshot.creating import create
from ecephys_dal.snapshot.description import SnapshotInfo, info
from ecephys_dal.snapshot.files import KINDS, SnapshotFiles, fetch, folder_of
from ecephys_dal.snapshot.opening import SnapshotDatabase

__all__ = [
    "KINDS",
    "SnapshotDatabase",
    "SnapshotFiles",
    "SnapshotInfo",
    "create",
    "fetch",
    "folder_of",
    "info",
]
