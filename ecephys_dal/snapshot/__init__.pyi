from .comparing import SnapshotDiff, TableDiff, diff
from .creating import create
from .description import FORMAT_VERSION, SnapshotInfo, info, is_snapshot
from .exporting import export
from .files import SnapshotFiles, fetch, folder_of
from .opening import SnapshotDatabase
from .verifying import Verification, verify

__all__ = [
    "FORMAT_VERSION",
    "SnapshotDatabase",
    "SnapshotDiff",
    "SnapshotFiles",
    "SnapshotInfo",
    "TableDiff",
    "Verification",
    "create",
    "diff",
    "export",
    "fetch",
    "folder_of",
    "info",
    "is_snapshot",
    "verify",
]
