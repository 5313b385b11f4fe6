"""For each kind of damage, a database with just that damage, which gives just that finding."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from ..conftest import BACKENDS
from .conftest import examined, found

UNIT, PROBE, SESSION = "ecephys_units", "ecephys_probes", "ecephys_sessions"
BUNDLE, RUN = "ecephys_unit_metric_bundles", "ecephys_analysis_runs"
_POSTGRES_ONLY = ("postgresql",)


@dataclass
class Damage:
    """What is done, and what is then found."""

    name: str
    statements: list[str]
    code: str
    subject: str
    severity: str
    methods: list[str] = field(default_factory=list)
    sqlite: list[str] | None = None
    backends: tuple[str, ...] = BACKENDS
    also: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, backend: str) -> list[str]:
        return self.sqlite if backend == "sqlite" and self.sqlite is not None else self.statements


def again(table: str, column: str, declaration: str) -> list[str]:
    """SQLite can't change a column, but make it anew."""
    return [
        f"ALTER TABLE {table} DROP COLUMN {column}",
        f"ALTER TABLE {table} ADD COLUMN {column} {declaration}",
    ]


def retyped(table: str, column: str, new: str) -> list[str]:
    return [f"ALTER TABLE {table} ALTER {column} TYPE {new}"]


def copy_of(table: str, **changed: str) -> str:
    """Return a statement that copies the only row of a table under another id."""
    columns = COLUMNS[table]
    values = {"id": "id + 1000000", **changed}
    selected = ", ".join(values.get(column, column) for column in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {selected} FROM {table} LIMIT 1"


COLUMNS = {
    "ecephys_analysis_runs": ("id", "ecephys_session_id", "current", "job_strategy_class"),
    "stimuli": ("id", "name", "stimulus_namespace_id", "well_known_file_id"),
    "well_known_files": (
        "id", "attachable_id", "attachable_type", "well_known_file_type_id", "storage_directory",
        "filename",
    ),
    "ecephys_sessions": (
        "id", "name", "workflow_state", "specimen_id", "project_id", "created_at", "updated_at",
        "habituation",
    ),
}  # fmt: skip
FILE_OF_TYPE = (
    "INSERT INTO well_known_files (id, attachable_id, attachable_type, well_known_file_type_id)"
    " SELECT {} + id, attachable_id, attachable_type, well_known_file_type_id"
    " FROM well_known_files WHERE attachable_type = '{}'"
)
_NULL_STATE = "UPDATE {} SET workflow_state = NULL"
_HABITUATION = ("column_nullable", f"{SESSION}.habituation"), "info"
_DROP_KEY = "ALTER TABLE {0} DROP CONSTRAINT fk_{0}_{1}"

LAYOUT = [
    Damage(
        "a table is gone",
        ["DROP TABLE isi_experiments CASCADE"],
        "table_missing", "isi_experiments", "error", ["get_isi_experiments"],
        sqlite=["DROP TABLE isi_experiments"],
    ),
    Damage(
        "a table that no method needs is gone",
        ["DROP TABLE behavior_sessions"],
        "table_missing", "behavior_sessions", "warning",
    ),
    Damage(
        "a table has another name",
        ["ALTER TABLE isi_experiments RENAME TO isi_experiment"],
        "table_renamed", "isi_experiments", "error", ["get_isi_experiments"],
    ),
    Damage(
        "a column is gone",
        [f"ALTER TABLE {UNIT} DROP COLUMN snr"],
        "column_missing", f"{UNIT}.snr", "error", ["get_units"],
    ),
    Damage(
        "a column that no method needs is gone",
        [f"ALTER TABLE {SESSION} DROP COLUMN foraging_id"],
        "column_missing", f"{SESSION}.foraging_id", "warning",
    ),
    Damage(
        "a column has another name",
        [f"ALTER TABLE {UNIT} RENAME COLUMN halfwidth TO half_width"],
        "column_renamed", f"{UNIT}.halfwidth", "error", ["get_units"],
    ),
    Damage(
        "a column has lost its capitals",
        [f'ALTER TABLE {UNIT} RENAME COLUMN "PT_ratio" TO pt_ratio'],
        "column_renamed", f"{UNIT}.PT_ratio", "error", ["get_units"], backends=_POSTGRES_ONLY,
    ),
    Damage(
        "a number is a text",
        retyped(UNIT, "snr", "varchar"),
        "type_unfit", f"{UNIT}.snr", "error", ["get_units"], sqlite=again(UNIT, "snr", "VARCHAR"),
    ),
    Damage(
        "a boolean is a number",
        retyped(PROBE, "use_lfp_data", "int USING use_lfp_data::int"),
        "type_unfit", f"{PROBE}.use_lfp_data", "error", ["get_probes"], backends=_POSTGRES_ONLY,
        also={("check_skipped", "ecephys_analysis_run_probes.ecephys_probe_id"): "info"},
    ),
    Damage(
        "a moment is a day",
        retyped(SESSION, "published_at", "date"),
        "type_differs", f"{SESSION}.published_at", "info",
        ["get_sessions", "get_probes", "get_channels", "get_units"], backends=_POSTGRES_ONLY,
    ),
    Damage(
        "a moment has a zone",
        retyped(SESSION, "date_of_acquisition", "timestamptz"),
        "moment_with_zone", f"{SESSION}.date_of_acquisition", "info", ["get_sessions"],
        backends=_POSTGRES_ONLY,
    ),
    Damage(
        "JSON is a text",
        retyped(BUNDLE, "data", "text"),
        "type_differs", f"{BUNDLE}.data", "info", ["get_unit_analysis_metrics"],
        backends=_POSTGRES_ONLY,
    ),
    Damage(
        "a number is whole",
        retyped(UNIT, "spread", "int"),
        "type_differs", f"{UNIT}.spread", "info", ["get_units"],
        sqlite=again(UNIT, "spread", "INTEGER"),
    ),
    *(
        Damage(
            f"a text is {kind}",
            retyped(UNIT, "epoch_name_quality_metrics", f"{kind} USING {value}"),
            "type_unfit", f"{UNIT}.epoch_name_quality_metrics", "error", ["get_units"],
            backends=_POSTGRES_ONLY,
        )
        for kind, value in (
            ("uuid", "gen_random_uuid()"),
            ("text[]", "ARRAY[epoch_name_quality_metrics]"),
            ("jsonb", "to_jsonb(epoch_name_quality_metrics)"),
            ("bytea", "NULL"),
            ("interval", "NULL"),
        )
    ),
    Damage(
        "a type is not known",
        ["CREATE TYPE pair AS (a int, b int)", *retyped(UNIT, "snr", "pair USING NULL")],
        "type_unknown", f"{UNIT}.snr", "info", ["get_units"], sqlite=again(UNIT, "snr", ""),
    ),
    Damage(
        "a column may be NULL",
        [f"ALTER TABLE {UNIT} ALTER quality DROP NOT NULL"],
        "column_nullable", f"{UNIT}.quality", "info", ["get_units"],
        sqlite=again(UNIT, "quality", "VARCHAR DEFAULT 'good'"),
    ),
    Damage(
        "a column is NULL",
        [f"ALTER TABLE {UNIT} ALTER quality DROP NOT NULL", f"UPDATE {UNIT} SET quality = NULL"],
        "null_unexpected", f"{UNIT}.quality", "error", ["get_units"],
        sqlite=again(UNIT, "quality", "VARCHAR"),
        also={("column_nullable", f"{UNIT}.quality"): "info"},
    ),
    Damage(
        "there are further columns",
        [f"ALTER TABLE {UNIT} ADD COLUMN waveform text"],
        "columns_extra", "", "info",
    ),
]  # fmt: skip
ROWS = [
    Damage(
        "a session's state is not known", [_NULL_STATE.format(SESSION)],
        "rule_undecided", f"{SESSION}.workflow_state", "warning",
        ["get_sessions", "get_probes", "get_channels", "get_units"],
    ),
    Damage(
        "a probe's state is not known", [_NULL_STATE.format(PROBE)],
        "rule_undecided", f"{PROBE}.workflow_state", "warning",
        ["get_probes", "get_channels", "get_units"],
    ),
    Damage(
        "whether it is habituation is not known",
        [
            f"ALTER TABLE {SESSION} ALTER habituation DROP NOT NULL",
            f"UPDATE {SESSION} SET habituation = NULL",
        ],
        "rule_undecided", f"{SESSION}.habituation", "warning",
        ["get_sessions", "get_probes", "get_channels", "get_units"],
        sqlite=again(SESSION, "habituation", "BOOLEAN"), also=dict([_HABITUATION]),
    ),
    Damage(
        "whether a channel's data are valid is not known",
        ["UPDATE ecephys_channels SET valid_data = NULL"],
        "rule_undecided", "ecephys_channels.valid_data", "warning", ["get_channels", "get_units"],
    ),
    Damage(
        "whether a run is current is not known",
        [copy_of(RUN, current="NULL")],
        "rule_undecided", f"{RUN}.current", "warning",
        [
            "get_sessions", "get_unit_analysis_metrics", "get_session_data", "get_probe_lfp_data",
            "list_files", "locate",
        ],
    ),
    Damage(
        "two runs of one strategy are current", [copy_of(RUN)],
        "run_current_twice", f"{RUN}.current", "warning",
        [
            "get_sessions", "get_unit_analysis_metrics", "get_session_data", "get_probe_lfp_data",
            "list_files", "locate",
        ],
    ),
    Damage(
        "a session has two NWB files", [FILE_OF_TYPE.format(7, "EcephysAnalysisRun")],
        "nwb_twice", f"{RUN}.ecephys_session_id", "warning", ["get_session_data"],
    ),
    Damage(
        "a session has no NWB file",
        ["DELETE FROM well_known_files WHERE attachable_type = 'EcephysAnalysisRun'"],
        "nwb_missing", f"{RUN}.ecephys_session_id", "info", ["get_session_data"],
    ),
    Damage(
        "a probe has two LFP files", [FILE_OF_TYPE.format(7, "EcephysAnalysisRunProbe")],
        "lfp_twice", "ecephys_analysis_run_probes.ecephys_probe_id", "warning",
        ["get_probe_lfp_data"],
    ),
    Damage(
        "a probe has no LFP file",
        ["DELETE FROM well_known_files WHERE attachable_type = 'EcephysAnalysisRunProbe'"],
        "lfp_missing", "ecephys_analysis_run_probes.ecephys_probe_id", "warning",
        ["get_probe_lfp_data"],
    ),
    Damage(
        "a donor has no age", ["UPDATE donors SET age_id = NULL"],
        "age_missing", "donors.age_id, ages.days", "info", ["get_sessions"],
    ),
    Damage(
        "a donor has no gender", ["UPDATE donors SET gender_id = NULL"],
        "gender_missing", "donors.gender_id, genders.name", "info", ["get_sessions"],
    ),
    Damage(
        "a specimen has no donor", ["UPDATE specimens SET donor_id = NULL"],
        "donor_missing", "specimens.donor_id", "warning", ["get_sessions"],
    ),
    Damage(
        "a session's specimen is gone",
        [
            _DROP_KEY.format(SESSION, "specimen_id"),
            f"UPDATE {SESSION} SET specimen_id = 5",
        ],
        "parent_missing", f"{SESSION}.specimen_id", "warning", ["get_sessions"],
        sqlite=[f"UPDATE {SESSION} SET specimen_id = 5"],
    ),
    Damage(
        "a unit's channel is gone",
        [_DROP_KEY.format(UNIT, "ecephys_channel_id"), f"UPDATE {UNIT} SET ecephys_channel_id = 5"],
        "parent_missing", f"{UNIT}.ecephys_channel_id", "warning",
        ["get_units", "get_unit_analysis_metrics"],
        sqlite=[f"UPDATE {UNIT} SET ecephys_channel_id = 5"],
    ),
    Damage(
        "two stimuli have one name", [copy_of("stimuli")],
        "template_twice", "stimuli.name", "warning",
        ["get_natural_movie_template", "get_natural_scene_template"],
    ),
    Damage(
        "a stimulus has no file", ["UPDATE stimuli SET well_known_file_id = NULL"],
        "template_without_file", "stimuli.well_known_file_id", "info",
        ["get_natural_movie_template", "get_natural_scene_template"],
    ),
    Damage(
        "a channel is not registered",
        ["UPDATE ecephys_channels SET dorsal_ventral_ccf_coordinate = -1000"],
        "coordinate_sentinel",
        "ecephys_channels.anterior_posterior_ccf_coordinate,"
        " ecephys_channels.dorsal_ventral_ccf_coordinate,"
        " ecephys_channels.left_right_ccf_coordinate",
        "info", ["get_channels"],
    ),
    Damage(
        "a sampling rate is 0", [f"UPDATE {PROBE} SET global_probe_lfp_sampling_rate = 0"],
        "sampling_rate_zero",
        f"{PROBE}.global_probe_sampling_rate, {PROBE}.global_probe_lfp_sampling_rate",
        "warning", ["get_probes"],
    ),
    Damage(
        "a session was published at noon",
        [f"UPDATE {SESSION} SET published_at = '2019-10-03 12:00:00.000000'"],
        "published_with_time", f"{SESSION}.published_at", "info",
        ["get_sessions", "get_probes", "get_channels", "get_units"],
    ),
    *(
        Damage(
            f"a moment is {moment}",
            [f"UPDATE {SESSION} SET date_of_acquisition = '{moment}'"],
            "moment_out_of_range", f"{SESSION}.date_of_acquisition", "error", ["get_sessions"],
            backends=backends,
        )
        for moment, backends in (
            ("12019-10-03 00:00:00", BACKENDS),
            ("infinity", BACKENDS),
            ("-infinity", _POSTGRES_ONLY),
            ("0044-03-15 12:00:00 BC", _POSTGRES_ONLY),
            ("1677-09-21 00:12:43.145224", BACKENDS),
            ("2262-04-11 23:47:16.854776", BACKENDS),
        )
    ),
    Damage(
        "the day of publication is infinite",
        [f"UPDATE {SESSION} SET published_at = 'infinity'"],
        "moment_out_of_range", f"{SESSION}.published_at", "error",
        ["get_sessions", "get_probes", "get_channels", "get_units"], backends=_POSTGRES_ONLY,
    ),
    Damage(
        "a day that no method needs is out of range",
        ["UPDATE donors SET death_on = '9999-12-31'"],
        "moment_out_of_range", "donors.death_on", "info",
    ),
    Damage(
        "metrics are in each other's place",
        [f"""UPDATE {BUNDLE} SET data = '{{"p_value_rf": true, "on_screen_rf": 0.02}}'"""],
        "receptive_field_swapped", f"{BUNDLE}.data", "info", ["get_unit_analysis_metrics"],
    ),
    Damage(
        "a bundle is NULL", [f"UPDATE {BUNDLE} SET data = NULL"],
        "bundle_null", f"{BUNDLE}.data", "info", ["get_unit_analysis_metrics"],
    ),
    Damage(
        "a bundle is a text", [f"""UPDATE {BUNDLE} SET data = '"{{}}"'"""],
        "bundle_text", f"{BUNDLE}.data", "info", ["get_unit_analysis_metrics"],
    ),
    Damage(
        "a bundle is a list", [f"UPDATE {BUNDLE} SET data = '[1]'"],
        "bundle_unreadable", f"{BUNDLE}.data", "error", ["get_unit_analysis_metrics"],
    ),
    Damage(
        "a bundle is of many brackets",
        [f"UPDATE {BUNDLE} SET data = '{'[' * 4_000}{']' * 4_000}'"],
        "bundle_unreadable", f"{BUNDLE}.data", "error", ["get_unit_analysis_metrics"],
    ),
]  # fmt: skip
INDEXES = [
    Damage(
        "an index of a large table is gone", [f"DROP INDEX ix_{UNIT}_ecephys_channel_id"],
        "index_missing", f"{UNIT}.ecephys_channel_id", "warning",
        ["get_units", "get_unit_analysis_metrics"],
    ),
    Damage(
        "an index is of some rows only",
        [
            f"DROP INDEX ix_{UNIT}_ecephys_channel_id",
            f"CREATE INDEX of_some ON {UNIT} (ecephys_channel_id) WHERE id > 5",
        ],
        "index_missing", f"{UNIT}.ecephys_channel_id", "warning",
        ["get_units", "get_unit_analysis_metrics"],
    ),
    *(
        Damage(
            f"an index is of the kind {kind}",
            [
                f"DROP INDEX ix_{UNIT}_ecephys_channel_id",
                f"CREATE INDEX of_a_kind ON {UNIT} USING {kind} ({indexed})",
            ],
            "index_missing", f"{UNIT}.ecephys_channel_id", "warning",
            ["get_units", "get_unit_analysis_metrics"], backends=_POSTGRES_ONLY,
        )
        for kind, indexed in (
            ("brin", "ecephys_channel_id"),
            ("hash", "ecephys_channel_id"),
        )
    ),
    Damage(
        "an index begins with another column",
        [
            f"DROP INDEX ix_{UNIT}_ecephys_channel_id",
            f"CREATE INDEX of_other ON {UNIT} (quality, ecephys_channel_id)",
        ],
        "index_missing", f"{UNIT}.ecephys_channel_id", "warning",
        ["get_units", "get_unit_analysis_metrics"],
    ),
    Damage(
        "an index of a small table is gone", [f"DROP INDEX ix_{PROBE}_ecephys_session_id"],
        "index_missing_small", f"{PROBE}.ecephys_session_id", "info",
        [
            "get_probes", "get_channels", "get_units", "get_unit_analysis_metrics", "list_files",
            "locate",
        ],
    ),
]  # fmt: skip
CASES = [
    pytest.param(
        backend,
        damage,
        id=f"{backend}: {damage.name}",
        marks=[pytest.mark.slow]
        if backend != damage.backends[number % len(damage.backends)]
        else [],
    )
    for number, damage in enumerate((*LAYOUT, *ROWS, *INDEXES))
    for backend in damage.backends
]


@pytest.mark.parametrize("backend", BACKENDS)
def test_where_all_is_well_nothing_is_found(backend, healthy):
    assert found(examined(healthy(backend))) == {}


@pytest.mark.parametrize(("backend", "damage"), CASES)
@pytest.mark.sample(22)
def test_a_damage_gives_its_finding_and_no_other(backend, damage, copied):
    examination = examined(copied(backend, damage.of(backend)))
    after = found(examination)
    assert after == {(damage.code, damage.subject): damage.severity, **damage.also}
    (finding,) = (one for one in examination.findings if one.code == damage.code and one.message)
    assert list(finding.methods) == damage.methods
    assert finding.meaning
    assert finding.advice
