"""The LIMS ecephys tables, as far as they are known, with the indexes that our queries need.

Revision ID: 8d1f0c6ab352
Revises:
Create Date: 2026-11-22
"""

import sqlalchemy as sa
from alembic import op

revision = "8d1f0c6ab352"
down_revision = None
branch_labels = None
depends_on = None

# SQLite makes a rowid only of INTEGER; there it holds 64 bits all the same.
IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TABLES = (
    "ages",
    "equipment",
    "genders",
    "genotype_types",
    "projects",
    "stimulus_namespaces",
    "structures",
    "users",
    "well_known_file_types",
    "donors",
    "genotypes",
    "isi_experiments",
    "well_known_files",
    "donors_genotypes",
    "specimens",
    "stimuli",
    "ecephys_sessions",
    "behavior_sessions",
    "ecephys_analysis_runs",
    "ecephys_probes",
    "ecephys_analysis_run_probes",
    "ecephys_channels",
    "ecephys_units",
    "ecephys_unit_metric_bundles",
)  # in the order of their references
INDEXES = (
    ("structures", "parent_structure_id"),
    ("donors", "age_id"),
    ("donors", "gender_id"),
    ("genotypes", "genotype_type_id"),
    ("isi_experiments", "project_id"),
    ("well_known_files", "attachable_id", "attachable_type"),
    ("well_known_files", "well_known_file_type_id"),
    ("donors_genotypes", "genotype_id"),
    ("specimens", "donor_id"),
    ("specimens", "parent_id"),
    ("specimens", "project_id"),
    ("specimens", "structure_id"),
    ("stimuli", "stimulus_namespace_id"),
    ("stimuli", "stimulus_namespace_id", "name"),
    ("stimuli", "well_known_file_id"),
    ("ecephys_sessions", "equipment_id"),
    ("ecephys_sessions", "isi_experiment_id"),
    ("ecephys_sessions", "operator_id"),
    ("ecephys_sessions", "project_id"),
    ("ecephys_sessions", "published_at"),
    ("ecephys_sessions", "qc_operator_id"),
    ("ecephys_sessions", "specimen_id"),
    ("behavior_sessions", "donor_id"),
    ("behavior_sessions", "ecephys_session_id"),
    ("behavior_sessions", "equipment_id"),
    ("behavior_sessions", "project_id"),
    ("ecephys_analysis_runs", "ecephys_session_id"),
    ("ecephys_probes", "ecephys_session_id"),
    ("ecephys_analysis_run_probes", "ecephys_analysis_run_id"),
    ("ecephys_analysis_run_probes", "ecephys_probe_id"),
    ("ecephys_channels", "ecephys_probe_id"),
    ("ecephys_channels", "manual_structure_id"),
    ("ecephys_units", "ecephys_channel_id"),
    ("ecephys_unit_metric_bundles", "ecephys_analysis_run_id"),
    ("ecephys_unit_metric_bundles", "ecephys_unit_id"),
)


def upgrade() -> None:
    op.create_table(
        "ages",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("days", sa.Double(), nullable=True),
        sa.Column("embryonic", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ages")),
    )
    op.create_table(
        "equipment",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_equipment")),
    )
    op.create_table(
        "genders",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_genders")),
    )
    op.create_table(
        "genotype_types",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_genotype_types")),
    )
    op.create_table(
        "projects",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("trigger_dir", sa.String(), nullable=True),
        sa.Column("incoming_directory", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
    )
    op.create_table(
        "stimulus_namespaces",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stimulus_namespaces")),
    )
    op.create_table(
        "structures",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("acronym", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("graph_order", sa.Integer(), nullable=True),
        sa.Column("parent_structure_id", IDENTIFIER, nullable=True),
        sa.ForeignKeyConstraint(
            ["parent_structure_id"],
            ["structures.id"],
            name=op.f("fk_structures_parent_structure_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_structures")),
    )
    op.create_table(
        "users",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("login", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_table(
        "well_known_file_types",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_well_known_file_types")),
    )
    op.create_table(
        "donors",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("external_donor_name", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("full_genotype", sa.String(), nullable=True),
        sa.Column("date_of_birth", sa.DateTime(), nullable=True),
        sa.Column("death_on", sa.Date(), nullable=True),
        sa.Column("gender_id", IDENTIFIER, nullable=True),
        sa.Column("age_id", IDENTIFIER, nullable=True),
        sa.Column("organism_id", IDENTIFIER, nullable=True),
        sa.ForeignKeyConstraint(["age_id"], ["ages.id"], name=op.f("fk_donors_age_id")),
        sa.ForeignKeyConstraint(["gender_id"], ["genders.id"], name=op.f("fk_donors_gender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_donors")),
    )
    op.create_table(
        "genotypes",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("genotype_type_id", IDENTIFIER, nullable=True),
        sa.ForeignKeyConstraint(
            ["genotype_type_id"], ["genotype_types.id"], name=op.f("fk_genotypes_genotype_type_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_genotypes")),
    )
    op.create_table(
        "isi_experiments",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("project_id", IDENTIFIER, nullable=True),
        sa.Column("date_of_acquisition", sa.DateTime(), nullable=True),
        sa.Column("workflow_state", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_isi_experiments_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_isi_experiments")),
    )
    op.create_table(
        "well_known_files",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("attachable_id", IDENTIFIER, nullable=True),
        sa.Column("attachable_type", sa.String(), nullable=True),
        sa.Column("well_known_file_type_id", IDENTIFIER, nullable=True),
        sa.Column("storage_directory", sa.String(), nullable=True),
        sa.Column("filename", sa.String(), nullable=True),
        sa.Column("content_type", sa.String(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("published_at", sa.Date(), nullable=True),
        sa.Column("file_source_id", IDENTIFIER, nullable=True),
        sa.Column("workflow_state", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["well_known_file_type_id"],
            ["well_known_file_types.id"],
            name=op.f("fk_well_known_files_well_known_file_type_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_well_known_files")),
    )
    op.create_table(
        "donors_genotypes",
        sa.Column("donor_id", IDENTIFIER, nullable=False),
        sa.Column("genotype_id", IDENTIFIER, nullable=False),
        sa.ForeignKeyConstraint(
            ["donor_id"], ["donors.id"], name=op.f("fk_donors_genotypes_donor_id")
        ),
        sa.ForeignKeyConstraint(
            ["genotype_id"], ["genotypes.id"], name=op.f("fk_donors_genotypes_genotype_id")
        ),
        sa.PrimaryKeyConstraint("donor_id", "genotype_id", name=op.f("pk_donors_genotypes")),
    )
    op.create_table(
        "specimens",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("donor_id", IDENTIFIER, nullable=True),
        sa.Column("project_id", IDENTIFIER, nullable=True),
        sa.Column("parent_id", IDENTIFIER, nullable=True),
        sa.Column("structure_id", IDENTIFIER, nullable=True),
        sa.Column("external_specimen_name", sa.String(), nullable=True),
        sa.Column("storage_directory", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["donor_id"], ["donors.id"], name=op.f("fk_specimens_donor_id")),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["specimens.id"], name=op.f("fk_specimens_parent_id")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_specimens_project_id")
        ),
        sa.ForeignKeyConstraint(
            ["structure_id"], ["structures.id"], name=op.f("fk_specimens_structure_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_specimens")),
    )
    op.create_table(
        "stimuli",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("stimulus_namespace_id", IDENTIFIER, nullable=True),
        sa.Column("well_known_file_id", IDENTIFIER, nullable=True),
        sa.ForeignKeyConstraint(
            ["stimulus_namespace_id"],
            ["stimulus_namespaces.id"],
            name=op.f("fk_stimuli_stimulus_namespace_id"),
        ),
        sa.ForeignKeyConstraint(
            ["well_known_file_id"],
            ["well_known_files.id"],
            name=op.f("fk_stimuli_well_known_file_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stimuli")),
    )
    op.create_table(
        "ecephys_sessions",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("stimulus_name", sa.String(), nullable=True),
        sa.Column("storage_directory", sa.String(), nullable=True),
        sa.Column("workflow_state", sa.String(), nullable=True),
        sa.Column("specimen_id", IDENTIFIER, nullable=False),
        sa.Column("isi_experiment_id", IDENTIFIER, nullable=True),
        sa.Column("equipment_id", IDENTIFIER, nullable=True),
        sa.Column("operator_id", IDENTIFIER, nullable=True),
        sa.Column("qc_operator_id", IDENTIFIER, nullable=True),
        sa.Column("eye_tracking_id", IDENTIFIER, nullable=True),
        sa.Column("observatory_stimulus_config_id", IDENTIFIER, nullable=True),
        sa.Column("project_id", IDENTIFIER, nullable=False),
        sa.Column("date_of_acquisition", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.Column("temp_upload_directory", sa.String(), nullable=True),
        sa.Column("published_at", sa.DateTime(), nullable=True),
        sa.Column("habituation", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("foraging_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["equipment_id"], ["equipment.id"], name=op.f("fk_ecephys_sessions_equipment_id")
        ),
        sa.ForeignKeyConstraint(
            ["isi_experiment_id"],
            ["isi_experiments.id"],
            name=op.f("fk_ecephys_sessions_isi_experiment_id"),
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["users.id"], name=op.f("fk_ecephys_sessions_operator_id")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_ecephys_sessions_project_id")
        ),
        sa.ForeignKeyConstraint(
            ["qc_operator_id"], ["users.id"], name=op.f("fk_ecephys_sessions_qc_operator_id")
        ),
        sa.ForeignKeyConstraint(
            ["specimen_id"], ["specimens.id"], name=op.f("fk_ecephys_sessions_specimen_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ecephys_sessions")),
    )
    op.create_table(
        "behavior_sessions",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("ecephys_session_id", IDENTIFIER, nullable=True),
        sa.Column("donor_id", IDENTIFIER, nullable=True),
        sa.Column("foraging_id", sa.String(), nullable=True),
        sa.Column("equipment_id", IDENTIFIER, nullable=True),
        sa.Column("project_id", IDENTIFIER, nullable=True),
        sa.Column("stimulus_name", sa.String(), nullable=True),
        sa.Column("storage_directory", sa.String(), nullable=True),
        sa.Column("date_of_acquisition", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["donor_id"], ["donors.id"], name=op.f("fk_behavior_sessions_donor_id")
        ),
        sa.ForeignKeyConstraint(
            ["ecephys_session_id"],
            ["ecephys_sessions.id"],
            name=op.f("fk_behavior_sessions_ecephys_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["equipment_id"], ["equipment.id"], name=op.f("fk_behavior_sessions_equipment_id")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_behavior_sessions_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_behavior_sessions")),
    )
    op.create_table(
        "ecephys_analysis_runs",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("ecephys_session_id", IDENTIFIER, nullable=False),
        sa.Column("current", sa.Boolean(), nullable=True),
        sa.Column("job_strategy_class", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ecephys_session_id"],
            ["ecephys_sessions.id"],
            name=op.f("fk_ecephys_analysis_runs_ecephys_session_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ecephys_analysis_runs")),
    )
    op.create_table(
        "ecephys_probes",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("storage_directory", sa.String(), nullable=True),
        sa.Column("workflow_state", sa.String(), nullable=True),
        sa.Column("ecephys_session_id", IDENTIFIER, nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("probe_info", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("global_probe_sampling_rate", sa.Double(), nullable=True),
        sa.Column("global_probe_lfp_sampling_rate", sa.Double(), nullable=True),
        sa.Column("total_time_shift", sa.Double(), nullable=True),
        sa.Column("phase", sa.String(), nullable=True),
        sa.Column("air_channel_index", sa.Integer(), nullable=True),
        sa.Column("surface_channel_index", sa.Integer(), nullable=True),
        sa.Column("use_lfp_data", sa.Boolean(), nullable=True),
        sa.Column("temporal_subsampling_factor", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ecephys_session_id"],
            ["ecephys_sessions.id"],
            name=op.f("fk_ecephys_probes_ecephys_session_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ecephys_probes")),
    )
    op.create_table(
        "ecephys_analysis_run_probes",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("ecephys_analysis_run_id", IDENTIFIER, nullable=False),
        sa.Column("ecephys_probe_id", IDENTIFIER, nullable=False),
        sa.ForeignKeyConstraint(
            ["ecephys_analysis_run_id"],
            ["ecephys_analysis_runs.id"],
            name=op.f("fk_ecephys_analysis_run_probes_ecephys_analysis_run_id"),
        ),
        sa.ForeignKeyConstraint(
            ["ecephys_probe_id"],
            ["ecephys_probes.id"],
            name=op.f("fk_ecephys_analysis_run_probes_ecephys_probe_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ecephys_analysis_run_probes")),
    )
    op.create_table(
        "ecephys_channels",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("ecephys_probe_id", IDENTIFIER, nullable=False),
        sa.Column("local_index", sa.Integer(), nullable=False),
        sa.Column("probe_vertical_position", sa.Double(), nullable=True),
        sa.Column("probe_horizontal_position", sa.Double(), nullable=True),
        sa.Column("manual_structure_id", IDENTIFIER, nullable=True),
        sa.Column("anterior_posterior_ccf_coordinate", sa.Double(), nullable=True),
        sa.Column("dorsal_ventral_ccf_coordinate", sa.Double(), nullable=True),
        sa.Column("left_right_ccf_coordinate", sa.Double(), nullable=True),
        sa.Column("valid_data", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ecephys_probe_id"],
            ["ecephys_probes.id"],
            name=op.f("fk_ecephys_channels_ecephys_probe_id"),
        ),
        sa.ForeignKeyConstraint(
            ["manual_structure_id"],
            ["structures.id"],
            name=op.f("fk_ecephys_channels_manual_structure_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ecephys_channels")),
    )
    op.create_table(
        "ecephys_units",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("local_index", sa.Integer(), nullable=False),
        sa.Column("cluster_ids", sa.Integer(), nullable=False),
        sa.Column("ecephys_channel_id", IDENTIFIER, nullable=False),
        sa.Column("quality", sa.String(), nullable=False),
        sa.Column("snr", sa.Double(), nullable=True),
        sa.Column("firing_rate", sa.Double(), nullable=False),
        sa.Column("isi_violations", sa.Double(), nullable=False),
        sa.Column("presence_ratio", sa.Double(), nullable=False),
        sa.Column("amplitude_cutoff", sa.Double(), nullable=False),
        sa.Column("isolation_distance", sa.Double(), nullable=True),
        sa.Column("l_ratio", sa.Double(), nullable=True),
        sa.Column("d_prime", sa.Double(), nullable=True),
        sa.Column("nn_hit_rate", sa.Double(), nullable=True),
        sa.Column("nn_miss_rate", sa.Double(), nullable=True),
        sa.Column("silhouette_score", sa.Double(), nullable=True),
        sa.Column("max_drift", sa.Double(), nullable=True),
        sa.Column("cumulative_drift", sa.Double(), nullable=True),
        sa.Column("epoch_name_quality_metrics", sa.String(), nullable=True),
        sa.Column("epoch_name_waveform_metrics", sa.String(), nullable=True),
        sa.Column("duration", sa.Double(), nullable=True),
        sa.Column("halfwidth", sa.Double(), nullable=True),
        sa.Column("PT_ratio", sa.Double(), nullable=True),
        sa.Column("repolarization_slope", sa.Double(), nullable=True),
        sa.Column("recovery_slope", sa.Double(), nullable=True),
        sa.Column("amplitude", sa.Double(), nullable=True),
        sa.Column("spread", sa.Double(), nullable=True),
        sa.Column("velocity_above", sa.Double(), nullable=True),
        sa.Column("velocity_below", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ecephys_channel_id"],
            ["ecephys_channels.id"],
            name=op.f("fk_ecephys_units_ecephys_channel_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ecephys_units")),
    )
    op.create_table(
        "ecephys_unit_metric_bundles",
        sa.Column("id", IDENTIFIER, autoincrement=False, nullable=False),
        sa.Column("ecephys_unit_id", IDENTIFIER, nullable=False),
        sa.Column("ecephys_analysis_run_id", IDENTIFIER, nullable=False),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["ecephys_analysis_run_id"],
            ["ecephys_analysis_runs.id"],
            name=op.f("fk_ecephys_unit_metric_bundles_ecephys_analysis_run_id"),
        ),
        sa.ForeignKeyConstraint(
            ["ecephys_unit_id"],
            ["ecephys_units.id"],
            name=op.f("fk_ecephys_unit_metric_bundles_ecephys_unit_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ecephys_unit_metric_bundles")),
    )
    create_indexes()


def create_indexes() -> None:
    for table, *columns in INDEXES:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
