from .comparing import SnapshotDiff, TableDiff, diff
from .creating import create
from .description import FORMAT_VERSION, SnapshotInfo, info
from .exporting import export
from .files import SnapshotFiles, fetch, folder_of
from .opening import SnapshotDatabase, database_of, snapshot_at
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
    "database_of",
    "diff",
    "export",
    "fetch",
    "folder_of",
    "info",
    "snapshot_at",
    "verify",
]
