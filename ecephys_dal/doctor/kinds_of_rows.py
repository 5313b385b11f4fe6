"""What an examination may find of rows and of indexes."""

from __future__ import annotations

from ecephys_dal.doctor.kind import Kind

__all__ = ["INDEXES", "ROWS"]

ROWS = (
    Kind(
        "rule_undecided",
        "warning",
        "A NULL leaves a visibility rule undecided, and so the record is hidden, with all that"
        " belongs to it.",
        "Set the value in LIMS if these records should be seen.",
    ),
    Kind(
        "null_unexpected",
        "error",
        "NULL stands where the models say NOT NULL: a table of these rows may raise"
        " SchemaMismatchError.",
        "Set the value in LIMS, leave the records out, or read the table by"
        " frame(dtype_backend='numpy_nullable').",
        unneeded="info",
    ),
    Kind(
        "parent_missing",
        "warning",
        "The record refers to none that exists; tables join the two, so it is hidden.",
        "Mend the reference in LIMS.",
        unneeded="info",
    ),
    Kind(
        "donor_missing",
        "warning",
        "The session's specimen has no donor, so get_sessions() does not list it, though its"
        " probes, channels and units are listed.",
        "Set the donor in LIMS.",
    ),
    Kind(
        "age_missing",
        "info",
        "The donor of a visible session has no age: age_in_days is NaN. AllenSDK drops it.",
        "Set the age in LIMS if it is known.",
    ),
    Kind(
        "gender_missing",
        "info",
        "The donor of a visible session has no gender: sex is missing. AllenSDK drops it.",
        "Set the gender in LIMS if it is known.",
    ),
    Kind(
        "run_current_twice",
        "warning",
        "A session has several current analysis runs of one strategy, so files and metrics may be"
        " there twice.",
        "Mark all but one as not current in LIMS.",
    ),
    Kind(
        "nwb_missing",
        "info",
        "A visible session has no current NWB file: has_nwb is false, and get_session_data()"
        " raises NotExactlyOneError.",
        "Nothing, if none was made yet.",
    ),
    Kind(
        "nwb_twice",
        "warning",
        "A session has several current NWB files: get_session_data() raises NotExactlyOneError.",
        "Mark the older run as not current in LIMS, or choose by locate() and get_file().",
    ),
    Kind(
        "lfp_missing",
        "warning",
        "has_lfp_data is true for a visible probe, but there is no current LFP file:"
        " get_probe_lfp_data() raises NotExactlyOneError.",
        "Nothing, if none was made yet; else look at the probe's analysis runs.",
    ),
    Kind(
        "lfp_twice",
        "warning",
        "A probe has several current LFP files: get_probe_lfp_data() raises NotExactlyOneError.",
        "Mark the older run as not current in LIMS, or choose by locate() and get_file().",
    ),
    Kind(
        "template_twice",
        "warning",
        "Several stimuli of one namespace have the same name: to get that template raises"
        " NotExactlyOneError.",
        "Rename or remove all but one in LIMS.",
    ),
    Kind(
        "template_without_file",
        "info",
        "A stimulus has no file: to get that template raises NotExactlyOneError.",
        "Nothing, if it is no template.",
    ),
    Kind(
        "coordinate_sentinel",
        "info",
        "A CCF coordinate is -1000, the mark of 2019 and 2020 for a channel that is not registered"
        " to the atlas. It is handed out as it is.",
        "Take -1000 for missing.",
    ),
    Kind(
        "sampling_rate_zero",
        "warning",
        "A visible probe has a sampling rate of 0 Hz, by which no time can be computed.",
        "Take 0 for missing, or set the rate in LIMS.",
    ),
    Kind(
        "published_with_time",
        "info",
        "A session was published in the middle of a day, so published_at of that day leaves it out:"
        " the comparison is with midnight.",
        "Ask for the day after.",
    ),
    Kind(
        "receptive_field_swapped",
        "info",
        "p_value_rf and on_screen_rf are stored in each other's place. Tables put them right.",
        "Nothing. In statements of your own, exchange them.",
    ),
    Kind(
        "bundle_null",
        "info",
        "A metric bundle is NULL: the unit has a row of missing values.",
        "Nothing.",
    ),
    Kind(
        "bundle_text",
        "info",
        "A metric bundle is a text that holds JSON. Tables read it all the same.",
        "Nothing.",
    ),
    Kind(
        "bundle_unreadable",
        "error",
        "A metric bundle is no JSON object, or nested too deeply to be read: a table of that unit"
        " raises SchemaMismatchError, or RecursionError.",
        "Mend the bundle in LIMS, or leave the unit out by unit_ids.",
    ),
)
INDEXES = (
    Kind(
        "index_missing",
        "warning",
        "Without a B-tree index that begins with this column, a question about little reads a whole"
        " large table.",
        "Whoever owns LIMS can add it while LIMS is in use, by CREATE INDEX CONCURRENTLY.",
    ),
    Kind(
        "index_missing_small",
        "info",
        "There is no B-tree index that begins with this column. The table is small, so it costs"
        " little.",
        "Nothing, unless the table has grown.",
    ),
)
