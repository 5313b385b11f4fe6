"""A part of LIMS in one file, which answers as LIMS does, without a network.

`create` makes one of what a filter reaches, and `fetch` gets its files beside it.
`EcephysProjectLimsApi.from_snapshot` answers from it, and so do the repositories, given a
`SnapshotDatabase`. `info` tells what it holds, `verify` whether it is as it was written, and `diff`
how two of them differ. `export` writes the public tables for other tools.
"""

# Of the modules, `reach` says which records of the public tables a filter keeps, `closure` what
# those lead to, `planning` notes it, and `part` copies it from `source`. `coverage` knows what a
# snapshot can answer for, and `storing` gives what is written its name only when it is whole.

import lazy_loader

# Each name is imported from its module when it is first used. Type checkers read the same names in
# __init__.pyi, which is no file where the package is in a zip file or frozen.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "comparing": ["SnapshotDiff", "TableDiff", "diff"],
        "creating": ["create"],
        "description": ["FORMAT_VERSION", "SnapshotInfo", "info"],
        "exporting": ["export"],
        "files": ["SnapshotFiles", "fetch", "folder_of"],
        "opening": ["SnapshotDatabase", "database_of", "snapshot_at"],
        "verifying": ["Verification", "verify"],
    },
)
