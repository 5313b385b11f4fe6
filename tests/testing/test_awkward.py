"""Every awkward record is there, and as awkward as its name says."""

import datetime as dt

import pytest
from sqlalchemy import func, select

from ecephys_dal import models
from ecephys_dal.database import Database
from ecephys_dal.testing import create_synthetic_lims

RELEASE = dt.datetime(2019, 10, 3)


@pytest.fixture(scope="module")
def lims(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('awkward') / 'lims.db'}"
    lims = create_synthetic_lims(
        url, sessions=1, channels_per_probe=8, units_per_session=10, progress=False
    )
    with Database(url) as database, database.session() as db:
        lims.db = db
        yield lims


def nwb_files(session):
    """Whether the run is current, for each NWB file of the session, in the order of the ids."""
    file, run = models.WellKnownFile, models.EcephysAnalysisRun
    return (
        select(run.current)
        .join(file, file.attachable_id == run.id)
        .join(file.type)
        .where(file.attachable_type == "EcephysAnalysisRun", run.ecephys_session_id == session.id)
        .where(models.WellKnownFileType.name == "EcephysNwb")
        .order_by(file.id)
    )


def lfp_files(probe):
    file, run_probe = models.WellKnownFile, models.EcephysAnalysisRunProbe
    return (
        select(models.EcephysAnalysisRun.current)
        .join(run_probe.run)
        .join(file, file.attachable_id == run_probe.id)
        .join(file.type)
        .where(file.attachable_type == "EcephysAnalysisRunProbe")
        .where(models.WellKnownFileType.name == "EcephysLfpNwb")
        .where(run_probe.ecephys_probe_id == probe.id)
        .order_by(file.id)
        .select_from(run_probe)
    )


def bundles(unit):
    bundle = models.EcephysUnitMetricBundle
    return (
        select(models.EcephysAnalysisRun.current)
        .join(bundle.run)
        .where(bundle.ecephys_unit_id == unit.id)
        .order_by(models.EcephysAnalysisRun.current)
        .select_from(bundle)
    )


def listed(statement_of, expected):
    return lambda db, record: db.scalars(statement_of(record)).all() == expected


def null(*names, **others):
    """Build the check that these columns are NULL, and the others have these values."""
    expected = {**dict.fromkeys(names), **others}
    return lambda _, record: {name: getattr(record, name) for name in expected} == expected


def donor(db, session):
    specimen = db.get_one(models.Specimen, session.specimen_id)
    return db.get_one(models.Donor, specimen.donor_id)


def count(model, **columns):
    return select(func.count()).select_from(model).filter_by(**columns)


CCF = [f"{axis}_ccf_coordinate" for axis in ("anterior_posterior", "dorsal_ventral", "left_right")]
SESSIONS = {
    "session_null_workflow_state": null("workflow_state", published_at=RELEASE),
    "session_habituation": lambda _, it: it.habituation and it.name.startswith("HAB_"),
    "session_failed": null(workflow_state="failed"),
    "session_unpublished": null("published_at", workflow_state="uploaded"),
    "session_with_behavior": lambda db, it: (
        it.foraging_id and db.scalar(count(models.BehaviorSession, ecephys_session_id=it.id)) == 1
    ),
    "session_without_nwb": listed(nwb_files, []),
    "session_only_older_nwb": listed(nwb_files, [False]),
    "session_with_older_nwb": listed(nwb_files, [False, True]),
    "session_two_nwb_files": listed(nwb_files, [True, True]),
    "session_wild_type": lambda db, it: donor(db, it).full_genotype is None,
    "session_donor_without_age": lambda db, it: donor(db, it).age_id is None,
    "session_donor_without_gender": lambda db, it: donor(db, it).gender_id is None,
    "session_published_earlier": lambda _, it: it.published_at < RELEASE,
    "session_published_later": lambda _, it: it.published_at > RELEASE,
    "session_bare": null(
        "stimulus_name",
        "storage_directory",
        "isi_experiment_id",
        "equipment_id",
        "operator_id",
        "date_of_acquisition",
        "published_at",
        workflow_state="uploaded",
    ),
    "session_without_probes": lambda db, it: (
        db.scalar(count(models.EcephysProbe, ecephys_session_id=it.id)) == 0
    ),
    "session_of_awkward_probes": lambda db, it: (
        set(db.scalars(select(models.EcephysProbe.workflow_state).filter_by(session=it)))
        == {None, "created", "failed", "passed"}
    ),
    "session_of_awkward_channels": lambda db, it: (
        db.scalar(count(models.EcephysProbe, ecephys_session_id=it.id)) == 1
    ),
}
PROBES = {
    "probe_null_workflow_state": null("workflow_state"),
    "probe_failed": null(workflow_state="failed"),
    "probe_created": null(workflow_state="created"),
    "probe_zero_sampling_rates": null(
        "temporal_subsampling_factor",
        global_probe_sampling_rate=0.0,
        global_probe_lfp_sampling_rate=0.0,
    ),
    "probe_without_lfp": lambda db, it: it.use_lfp_data is False and listed(lfp_files, [])(db, it),
    "probe_bare": null("phase", "air_channel_index", "use_lfp_data", "probe_info", "created_at"),
    "probe_with_older_lfp": listed(lfp_files, [False, True]),
    "probe_two_lfp_files": listed(lfp_files, [True, True]),
}
CHANNELS = {
    "channel_invalid": null(valid_data=False),
    "channel_null_valid_data": null("valid_data"),
    "channel_without_structure": null("manual_structure_id", valid_data=True),
    "channel_ccf_sentinel": null(**dict.fromkeys(CCF, -1000.0), valid_data=True),
    "channel_ccf_null": null(*CCF, valid_data=True),
}


def on(channel):
    def check(db, unit):
        return CHANNELS[channel](db, db.get_one(models.EcephysChannel, unit.ecephys_channel_id))

    return check


UNITS = {
    "unit_on_invalid_channel": on("channel_invalid"),
    "unit_also_on_invalid_channel": on("channel_invalid"),
    "unit_on_null_valid_data_channel": on("channel_null_valid_data"),
    "unit_also_on_null_valid_data_channel": on("channel_null_valid_data"),
    "unit_noise": null(quality="noise"),
    "unit_null_snr": null("snr"),
    "unit_null_velocity_below": null("velocity_below"),
    "unit_bare": null("snr", "PT_ratio", "epoch_name_quality_metrics", "amplitude"),
    "unit_null_bundle": lambda db, it: (
        db.scalars(
            select(models.EcephysUnitMetricBundle.data).filter_by(ecephys_unit_id=it.id)
        ).all()
        == [None]
    ),
    "unit_without_bundle": listed(bundles, []),
    "unit_with_older_bundle": listed(bundles, [False, True]),
}
FILES = {
    "file_older_nwb": null(attachable_type="EcephysAnalysisRun"),
    "file_first_nwb_of_two": null(attachable_type="EcephysAnalysisRun"),
    "file_second_nwb_of_two": null(attachable_type="EcephysAnalysisRun"),
    "file_nwb_of_unknown_size": null("size", attachable_type="EcephysAnalysisRun"),
    "file_without_type_and_size": null("size", "well_known_file_type_id"),
    "file_of_unmodelled_owner": null(attachable_type="OphysSession"),
    "file_without_bytes": null(attachable_type="EcephysSession", filename="lost.pkl"),
}
STIMULI = {
    "stimulus_first_of_two": null(name="natural_movie_99"),
    "stimulus_second_of_two": null(name="natural_movie_99"),
    "stimulus_without_file": null("well_known_file_id", name="natural_movie_98"),
    "stimulus_of_other_namespace": lambda db, it: (
        db.get_one(models.StimulusNamespace, it.stimulus_namespace_id).name == "visual_behavior"
    ),
    "stimulus_of_unknown_size": lambda db, it: (
        db.get_one(models.WellKnownFile, it.well_known_file_id).size is None
    ),
}
BEHAVIOR = {
    "behavior_session": lambda _, it: it.ecephys_session_id is not None,
    "behavior_session_alone": null("ecephys_session_id", "donor_id"),
}
CHECKS = {
    (model, key): check
    for model, checks in {
        models.EcephysSession: SESSIONS,
        models.EcephysProbe: PROBES,
        models.EcephysChannel: CHANNELS,
        models.EcephysUnit: UNITS,
        models.WellKnownFile: FILES,
        models.Stimulus: STIMULI,
        models.BehaviorSession: BEHAVIOR,
    }.items()
    for key, check in checks.items()
}

# The rest are awkward only in the company that they keep, which the check of their owner tells.
TELLING = [
    (model, key)
    for model, key in CHECKS
    if not key.startswith(("file_older", "file_first", "file_second")) and key != "behavior_session"
]


@pytest.mark.parametrize(("model", "key"), CHECKS, ids=[key for _, key in CHECKS])
def test_it_is_as_awkward_as_its_name_says(lims, model, key):
    record = lims.db.get_one(model, lims.awkward[key])
    assert CHECKS[model, key](lims.db, record)


@pytest.mark.parametrize(("model", "key"), TELLING, ids=[key for _, key in TELLING])
def test_a_plain_record_is_not_awkward_in_that_way(lims, model, key):
    """The checks above would find it if a record were plain."""
    plain = lims.db.scalars(plain_records(lims, model)).first()
    assert not CHECKS[model, key](lims.db, plain)


def plain_records(lims, model):
    session = lims.session_ids[0]
    unit = models.EcephysUnit
    if model is unit:
        plain = select(unit).where(unit.snr.is_not(None), unit.quality == "good")
        return plain.order_by(unit.id).offset(4)  # the first ones have older bundles
    owned = {
        models.EcephysSession: {"id": session},
        models.EcephysProbe: {"ecephys_session_id": session},
        models.EcephysChannel: {"ecephys_probe_id": lims.probe_ids[0]},
        models.WellKnownFile: {"attachable_id": session},
        models.Stimulus: {"name": "natural_scene_0"},
        models.BehaviorSession: {"id": lims.awkward["behavior_session"]},
    }
    return select(model).filter_by(**owned[model])


def test_every_key_is_checked(lims):
    assert sorted(lims.awkward) == sorted(key for _, key in CHECKS)


def test_a_file_type_with_a_space_is_among_the_types(lims):
    assert "EyeTracking Ellipses" in lims.db.scalars(select(models.WellKnownFileType.name)).all()


def test_lookups_are_there_once(lims):
    for model in (models.Gender, models.Age, models.WellKnownFileType, models.Genotype):
        names = lims.db.scalars(select(model.name)).all()
        assert len(names) == len(set(names)), model
