"""What an examination may find: each kind of finding, declared once, for the docs too."""

from __future__ import annotations

from ecephys_dal.doctor.kind import Kind
from ecephys_dal.doctor.kinds_of_rows import INDEXES, ROWS

__all__ = ["KINDS"]

_REACHING = (
    Kind(
        "database_unreachable",
        "error",
        "The database can't be asked, so nothing else of it was examined.",
        "Check host, port, database, role and network.",
    ),
    Kind(
        "role_may_write",
        "warning",
        "The role could change LIMS. Our connections refuse to write, but only a role without the"
        " right to is a guarantee.",
        "Ask for a role that has SELECT, and nothing more.",
    ),
    Kind(
        "file_writable",
        "info",
        "The SQLite file may be changed by others; our connections refuse to.",
        "Nothing, or take away the file's permission to be written.",
    ),
)
_LAYOUT = (
    Kind(
        "table_missing",
        "error",
        "LIMS has no such table, or none where the connection looks: what needs it raises"
        " SchemaMismatchError.",
        "Check that it is LIMS, and which schemas are on the search_path of the role.",
        unneeded="warning",
    ),
    Kind(
        "table_renamed",
        "error",
        "LIMS has no such table, but an unknown one of nearly that name.",
        "If it was renamed, make a view of the old name, or wait for a version that knows the new"
        " one.",
        unneeded="warning",
    ),
    Kind(
        "table_unreadable",
        "error",
        "The role may not read the table: what needs it raises SchemaMismatchError.",
        "Ask for SELECT on it.",
        unneeded="info",
    ),
    Kind(
        "column_missing",
        "error",
        "LIMS has no such column: what needs it raises SchemaMismatchError, the rest works.",
        "Add the column, or a view that has it, or do without what needs it.",
        unneeded="warning",
    ),
    Kind(
        "column_renamed",
        "error",
        "LIMS has no such column, but an unknown one of nearly that name and the same type.",
        "If it was renamed, make a view with the old name, or wait for a version that knows the"
        " new one.",
        unneeded="warning",
    ),
    Kind(
        "column_unreadable",
        "error",
        "The role may read the table, but not this column.",
        "Ask for SELECT on it.",
        unneeded="info",
    ),
    Kind(
        "type_unfit",
        "error",
        "The column has a type of another kind: comparisons with it fail, or tables hold something"
        " else.",
        "Make a view that casts it to the type that the models declare.",
        unneeded="warning",
    ),
    Kind(
        "type_differs",
        "info",
        "The column has another type than the models declare, which makes no difference to tables.",
        "Nothing. In statements of your own, values come as the database stores them.",
    ),
    Kind(
        "type_unknown",
        "info",
        "SQLAlchemy does not know the column's type, so it is not known whether it fits.",
        "Try a method that needs it.",
    ),
    Kind(
        "column_nullable",
        "info",
        "The models say NOT NULL, but LIMS may store NULL here.",
        "Nothing, as long as null_unexpected finds none.",
    ),
    Kind(
        "columns_extra",
        "info",
        "LIMS has columns that the models do not know. They are not read.",
        "Nothing.",
    ),
    Kind(
        "tables_extra",
        "info",
        "The schema has tables that the models do not know. They are not read.",
        "Nothing.",
    ),
)
_FILES = (
    Kind(
        "file_unknown",
        "info",
        "There is no file to ask for, so it was not examined how files are served.",
        "Give file_id, the id of a well-known file.",
    ),
    Kind(
        "web_unreachable",
        "error",
        "The web application can't be reached: only files on a mounted file system can be read.",
        "Check scheme, host, proxies and network.",
    ),
    Kind(
        "file_not_served",
        "error",
        "The web application does not give a file that LIMS has a record of.",
        "Check host and path, headers and auth, and whether the file was moved.",
    ),
    Kind(
        "file_size_differs",
        "error",
        "The file has another size than LIMS says, so it is refused as corrupt.",
        "Find out which is right; the record, or the file, is of another version.",
    ),
    Kind(
        "file_size_unknown",
        "info",
        "LIMS or the server does not say how long the file is, so only its content can tell"
        " whether it came whole.",
        "Nothing.",
    ),
    Kind(
        "ranges_missing",
        "warning",
        "The server gives no ranges of files: a download that breaks off begins anew, and"
        " open_artifact() does not work.",
        "Prefer a mounted file system, or ask for a server that honours Range.",
    ),
    Kind(
        "etag_missing",
        "warning",
        "The server sends no strong ETag, so parts of two versions can't be told apart: no"
        " download is resumed, and open_artifact() does not work.",
        "Prefer a mounted file system, or ask for a server that sends one.",
    ),
    Kind(
        "digest_missing",
        "info",
        "The server announces no digest, so a file is verified by its size and format alone.",
        "Nothing.",
    ),
    Kind(
        "file_not_mounted",
        "info",
        "The file is not visible on this machine, so it is fetched from the web application.",
        "Set mounts if the institute's file system is mounted here.",
    ),
    Kind(
        "mounted_file_differs",
        "warning",
        "The file is visible on this machine but is not as LIMS says, so it is fetched from the"
        " web application.",
        "Check mounts: they may lead to another file system.",
    ),
    Kind(
        "mount_stalled",
        "warning",
        "The mounted file system does not answer. Whoever looks for a file there waits for it.",
        "Mount it anew, or set mounts=None.",
    ),
)
_EXAMINING = (
    Kind(
        "check_skipped",
        "info",
        "This could not be looked at, because of another finding.",
        "See to that one first.",
    ),
    Kind(
        "check_timed_out",
        "warning",
        "This took longer than time_limit, so it is not known; of the tables and columns that is an"
        " error.",
        "Look at the indexes, or give more time.",
    ),
    Kind(
        "check_failed",
        "warning",
        "The database refused the question, or its answer can't be read; of the tables and columns"
        " that is an error.",
        "The message says why.",
    ),
)

KINDS: dict[str, Kind] = {
    kind.code: kind for kind in (*_REACHING, *_LAYOUT, *ROWS, *INDEXES, *_FILES, *_EXAMINING)
}
