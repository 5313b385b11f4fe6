"""A part of LIMS in one file, which answers as LIMS does, without a network.

`create` makes one: `reach` says which records of the public tables a filter keeps, `closure` what
those lead to, `planning` notes it, `part` copies it from `source`. `coverage` knows what a snapshot
can answer for, `opening` opens it, `files` fetches and serves what is beside it, `storing` gives
what is written its name only when it is whole. `description`,
`verifying` (with `digests`) and `comparing` tell of it, `exporting` writes tables for other tools.
"""

from ecephys_dal.snapshot.comparing import SnapshotDiff, TableDiff, diff
from ecephys_dal.snapshot.creating import create
from ecephys_dal.snapshot.description import FORMAT_VERSION, SnapshotInfo, info
from ecephys_dal.snapshot.exporting import export
from ecephys_dal.snapshot.files import SnapshotFiles, fetch, folder_of
from ecephys_dal.snapshot.opening import SnapshotDatabase
from ecephys_dal.snapshot.verifying import Verification, verify

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
    "verify",
]
