"""What an examination may find: each kind of finding, declared once, for the docs too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["KINDS", "SEVERITIES", "Kind", "Severity"]

Severity = Literal["ok", "info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("ok", "info", "warning", "error")


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Parameters
    ----------
    code : str
        What it is called, for programs; it never changes.
    severity : {"info", "warning", "error"}
        How bad it is. An error: a method does not work. A warning: a method stumbles over some
        records, or something should be looked after. An info is only to be known.
    meaning, advice : str
        What it means and what to do, for a person.
    unneeded : {"info", "warning", "error"}, optional
        How bad it is where no method of `EcephysProjectLimsApi` is affected, if less.
    """

    code: str
    severity: Severity
    meaning: str
    advice: str
    unneeded: Severity | None = None


_ALL = (
    # Of reaching the database.
    Kind("database_unreachable", "error",
        "The database can't be asked, so nothing else of it was examined.",
        "Check host, port, database, role and network."),
    Kind("role_may_write", "warning",
        "The role could change LIMS. Our connections refuse to write, but only a role without"
        " the right to is a guarantee.",
        "Ask for a role that has SELECT, and nothing more."),
    Kind("file_writable", "info",
        "The SQLite file may be changed by others; our connections refuse to.",
        "Nothing, or take away the file's permission to be written."),
    Kind("model_broken", "error",
        "A class on the Base of the models, which somebody has put there, can't be mapped, so that"
        " no table can be read: ConfigurationError. Only the connection was examined.",
        "Mend the class that is named, or do not import it."),
    # Of tables and columns.
    Kind("table_missing", "error",
        "LIMS has no such table, or none where the connection looks: what needs it raises"
        " SchemaMismatchError.",
        "Check that it is LIMS, and which schemas are on the search_path of the role.",
        unneeded="warning"),
    Kind("table_renamed", "error",
        "LIMS has no such table, but an unknown one of nearly that name.",
        "If it was renamed, make a view of the old name, or wait for a version that knows the"
        " new one.",
        unneeded="warning"),
    Kind("table_unreadable", "error",
        "The role may not read the table: what needs it raises SchemaMismatchError.",
        "Ask for SELECT on it.",
        unneeded="info"),
    Kind("column_missing", "error",
        "LIMS has no such column: what needs it raises SchemaMismatchError, the rest works.",
        "Add the column, or a view that has it, or do without what needs it.",
        unneeded="warning"),
    Kind("column_renamed", "error",
        "LIMS has no such column, but an unknown one of nearly that name and the same type.",
        "If it was renamed, make a view with the old name, or wait for a version that knows the"
        " new one.",
        unneeded="warning"),
    Kind("column_unreadable", "error",
        "The role may read the table, but not this column.",
        "Ask for SELECT on it.",
        unneeded="info"),
    Kind("type_unfit", "error",
        "The column has a type of another kind, such as uuid, text[] or jsonb in place of text:"
        " comparisons with it fail, and tables raise SchemaMismatchError or hold something else,"
        " not the same by each route.",
        "Make a view that casts it to the type that the models declare.",
        unneeded="warning"),
    Kind("type_differs", "info",
        "The column has another type than the models declare, which makes no difference to"
        " tables.",
        "Nothing. In statements of your own, values come as the database stores them."),
    Kind("moment_with_zone", "info",
        "The column is a timestamp with time zone. It is read and compared in UTC, so that tables"
        " are the same.",
        "Nothing. In statements of your own, values come with the zone UTC."),
    Kind("type_unknown", "info",
        "SQLAlchemy does not know the column's type, so it is not known whether it fits.",
        "Try a method that needs it."),
    Kind("column_nullable", "info",
        "The models say NOT NULL, but LIMS may store NULL here.",
        "Nothing, as long as null_unexpected finds none."),
    Kind("row_security", "warning",
        "The role sees only those rows of the table that a policy of the database lets through."
        " Tables, counts and snapshots lack the others, and nothing says how many those are.",
        "Ask for a policy that shows the role all rows, or for the attribute BYPASSRLS."),
    Kind("columns_extra", "info",
        "LIMS has columns that the models do not know. They are not read.",
        "Nothing."),
    Kind("tables_extra", "info",
        "The schema has tables that the models do not know. They are not read.",
        "Nothing."),
    # Of rows.
    Kind("rule_undecided", "warning",
        "A NULL leaves a visibility rule undecided, and so the record is hidden, with all that"
        " belongs to it.",
        "Set the value in LIMS if these records should be seen."),
    Kind("null_unexpected", "error",
        "NULL stands where the models say NOT NULL: a table of these rows may raise"
        " SchemaMismatchError.",
        "Set the value in LIMS, leave the records out, or read the table by"
        " frame(dtype_backend='numpy_nullable').",
        unneeded="info"),
    Kind("moment_out_of_range", "error",
        "A moment is infinite, or not between 1677-09-21 and 2262-04-11: no datetime64[ns] can hold"
        " it, so a table of these rows raises SchemaMismatchError.",
        "Set the value in LIMS, or leave the records out.",
        unneeded="info"),
    Kind("encoding_sql_ascii", "warning",
        "The database is of the encoding SQL_ASCII: it keeps any bytes for text, and does not know"
        " how they are encoded. They are read as UTF-8.",
        "Nothing, as long as text_undecodable finds none; a new database would have UTF8."),
    Kind("text_undecodable", "error",
        "A text is not encoded in UTF-8: a table of these rows raises SchemaMismatchError.",
        "Encode the value anew in LIMS, as by convert_from(convert_to(name, 'SQL_ASCII'),"
        " 'LATIN1'), or leave the records out.",
        unneeded="info"),
    Kind("parent_missing", "warning",
        "The record refers to none that exists; tables join the two, so it is hidden.",
        "Mend the reference in LIMS.",
        unneeded="info"),
    Kind("donor_missing", "warning",
        "The session's specimen has no donor, so get_sessions() does not list it, though its"
        " probes, channels and units are listed.",
        "Set the donor in LIMS."),
    Kind("age_missing", "info",
        "The donor of a visible session has no age: age_in_days is NaN. AllenSDK drops it.",
        "Set the age in LIMS if it is known."),
    Kind("gender_missing", "info",
        "The donor of a visible session has no gender: sex is missing. AllenSDK drops it.",
        "Set the gender in LIMS if it is known."),
    Kind("run_current_twice", "warning",
        "A session has several current analysis runs of one strategy, so files and metrics may"
        " be there twice.",
        "Mark all but one as not current in LIMS."),
    Kind("nwb_missing", "info",
        "A visible session has no current NWB file: has_nwb is false, and get_session_data()"
        " raises NotExactlyOneError.",
        "Nothing, if none was made yet."),
    Kind("nwb_twice", "warning",
        "A session has several current NWB files: get_session_data() raises NotExactlyOneError.",
        "Mark the older run as not current in LIMS, or choose by locate() and get_file()."),
    Kind("lfp_missing", "warning",
        "has_lfp_data is true for a visible probe, but there is no current LFP file:"
        " get_probe_lfp_data() raises NotExactlyOneError.",
        "Nothing, if none was made yet; else look at the probe's analysis runs."),
    Kind("lfp_twice", "warning",
        "A probe has several current LFP files: get_probe_lfp_data() raises NotExactlyOneError.",
        "Mark the older run as not current in LIMS, or choose by locate() and get_file()."),
    Kind("template_twice", "warning",
        "Several stimuli of one namespace have the same name: to get that template raises"
        " NotExactlyOneError.",
        "Rename or remove all but one in LIMS."),
    Kind("template_without_file", "info",
        "A stimulus has no file: to get that template raises NotExactlyOneError.",
        "Nothing, if it is no template."),
    Kind("coordinate_sentinel", "info",
        "A CCF coordinate is -1000, the mark of 2019 and 2020 for a channel that is not"
        " registered to the atlas. It is handed out as it is.",
        "Take -1000 for missing."),
    Kind("sampling_rate_zero", "warning",
        "A visible probe has a sampling rate of 0 Hz, by which no time can be computed.",
        "Take 0 for missing, or set the rate in LIMS."),
    Kind("published_with_time", "info",
        "A session was published in the middle of a day, so published_at of that day leaves it"
        " out: the comparison is with midnight.",
        "Ask for the day after."),
    Kind("receptive_field_swapped", "info",
        "p_value_rf and on_screen_rf are stored in each other's place. Tables put them right.",
        "Nothing. In statements of your own, exchange them."),
    Kind("bundle_null", "info",
        "A metric bundle is NULL: the unit has a row of missing values.",
        "Nothing."),
    Kind("bundle_text", "info",
        "A metric bundle is a text that holds JSON. Tables read it all the same.",
        "Nothing."),
    Kind("bundle_unreadable", "error",
        "A metric bundle is no JSON object, or nested too deeply to be read: a table of that"
        " unit raises SchemaMismatchError, or RecursionError.",
        "Mend the bundle in LIMS, or leave the unit out by unit_ids."),
    # Of indexes.
    Kind("index_missing", "warning",
        "Without a B-tree index that begins with this column, a question about little reads a"
        " whole large table.",
        "Whoever owns LIMS can add it while LIMS is in use, by CREATE INDEX CONCURRENTLY."),
    Kind("index_missing_small", "info",
        "There is no B-tree index that begins with this column. The table is small, so it costs"
        " little.",
        "Nothing, unless the table has grown."),
    # Of files.
    Kind("file_unknown", "info",
        "There is no file to ask for, so it was not examined how files are served.",
        "Give file_id, the id of a well-known file."),
    Kind("web_unreachable", "error",
        "The web application can't be reached: only files on a mounted file system can be read.",
        "Check scheme, host, proxies and network."),
    Kind("file_not_served", "error",
        "The web application does not give a file that LIMS has a record of.",
        "Check host and path, headers and auth, and whether the file was moved."),
    Kind("file_size_differs", "error",
        "The file has another size than LIMS says, so it is refused as corrupt.",
        "Find out which is right; the record, or the file, is of another version."),
    Kind("file_size_unknown", "info",
        "LIMS or the server does not say how long the file is, so only its content can tell"
        " whether it came whole.",
        "Nothing."),
    Kind("ranges_missing", "warning",
        "The server gives no ranges of files: a download that breaks off begins anew, and"
        " open_artifact() does not work.",
        "Prefer a mounted file system, or ask for a server that honours Range."),
    Kind("etag_missing", "warning",
        "The server sends no strong ETag, so parts of two versions can't be told apart: no"
        " download is resumed, and open_artifact() does not work.",
        "Prefer a mounted file system, or ask for a server that sends one."),
    Kind("digest_missing", "info",
        "The server announces no digest, so a file is verified by its size and format alone.",
        "Nothing."),
    Kind("file_not_mounted", "info",
        "The file is not visible on this machine, so it is fetched from the web application.",
        "Set mounts if the institute's file system is mounted here."),
    Kind("mounted_file_differs", "warning",
        "The file is visible on this machine but is not as LIMS says, so it is fetched from the"
        " web application.",
        "Check mounts: they may lead to another file system."),
    Kind("mount_stalled", "warning",
        "The mounted file system does not answer. Whoever looks for a file there waits for it.",
        "Mount it anew, or set mounts=None."),
    # Of the examination itself.
    Kind("check_skipped", "info",
        "This could not be looked at, because of another finding.",
        "See to that one first."),
    Kind("check_timed_out", "warning",
        "This took longer than time_limit, so it is not known; of the tables and columns that"
        " is an error.",
        "Look at the indexes, or give more time."),
    Kind("check_failed", "warning",
        "The database refused the question, or its answer can't be read; of the tables and"
        " columns that is an error.",
        "The message says why."),
)  # fmt: skip

KINDS: dict[str, Kind] = {kind.code: kind for kind in _ALL}
