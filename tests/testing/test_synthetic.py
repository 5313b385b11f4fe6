from collections import Counter

import numpy as np
import pytest
from sqlalchemy import func, select

from ecephys_dal import models
from ecephys_dal.database import Database
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.frames import METRIC_KEYS
from ecephys_dal.migrations import upgrade
from ecephys_dal.testing import build_synthetic_lims, create_synthetic_lims
from ecephys_dal.testing.plans import well_behaved_plans

SMALL = {"sessions": 4, "channels_per_probe": 16, "units_per_session": 40, "progress": False}


@pytest.fixture(scope="module")
def lims(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('synthetic') / 'lims.db'}"
    lims = create_synthetic_lims(url, **SMALL)
    with Database(url) as database, database.session() as db:
        lims.db = db
        yield lims


def all_rows(database):
    with database.connection() as connection:
        return {
            name: connection.execute(select(table).order_by(*table.primary_key)).all()
            for name, table in models.LIMS_TABLES.items()
        }


def built(**arguments):
    with Database("sqlite://", owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        lims = build_synthetic_lims(database, progress=False, **arguments)
        return lims, all_rows(database)


def test_the_default_plans_have_the_shape_of_the_release():
    plans = list(well_behaved_plans(58, (4, 6), 384, 1700))
    types = Counter(plan.columns["stimulus_name"] for plan in plans)
    assert types == {"brain_observatory_1.1": 32, "functional_connectivity": 26}
    assert Counter(len(plan.probes) for plan in plans) == {6: 44, 5: 12, 4: 2}
    phases = Counter(probe.columns["phase"] for plan in plans for probe in plan.probes)
    assert 10 <= phases["PXI"] <= 18
    names = {probe.name for plan in plans for probe in plan.probes}
    assert sorted(names) == [f"probe{letter}" for letter in "ABCDEF"]


@pytest.mark.parametrize("probes", [(4, 6), (1, 1), (3, 5)])
def test_probes_are_between_the_fewest_and_the_most(probes):
    plans = well_behaved_plans(58, probes, 384, 1700)
    counts = {len({probe.name for probe in plan.probes}) for plan in plans}
    assert (min(counts), max(counts)) == probes


def test_the_same_arguments_give_the_same_rows():
    small = {"sessions": 2, "probes": (1, 2), "channels_per_probe": 8, "units_per_session": 10}
    (first, rows), (second, same) = built(**small), built(**small)
    assert first == second
    assert rows == same
    (third, others) = built(**small, seed=1)
    assert third == first
    assert others["ecephys_units"] != rows["ecephys_units"]


def test_counts_of_the_well_behaved_part(lims):
    probe = models.EcephysProbe
    assert len(lims.session_ids) == 4
    assert len(lims.probe_ids) == 6 + 5 + 6 + 6
    of_sessions = select(probe.id).where(probe.ecephys_session_id.in_(lims.session_ids))
    assert sorted(lims.db.scalars(of_sessions)) == lims.probe_ids
    channel, unit = models.EcephysChannel, models.EcephysUnit
    channels = select(channel.id).where(channel.ecephys_probe_id.in_(lims.probe_ids))
    assert lims.db.scalar(select(func.count()).select_from(channels.subquery())) == 23 * 16
    units = select(func.count()).where(unit.ecephys_channel_id.in_(channels))
    assert lims.db.scalar(units) == 4 * 40


def test_what_the_rules_keep_is_what_is_said_to_be_visible(lims):
    session, probe = models.EcephysSession, models.EcephysProbe
    kept = (~session.habituation, session.workflow_state != "failed")
    assert lims.db.scalars(select(session.id).where(*kept).order_by(session.id)).all() == (
        lims.visible_session_ids
    )
    probes = select(probe.id).join(probe.session).where(*kept, probe.workflow_state != "failed")
    assert lims.db.scalars(probes.order_by(probe.id)).all() == lims.visible_probe_ids
    assert set(lims.session_ids) < set(lims.visible_session_ids)
    assert set(lims.probe_ids) < set(lims.visible_probe_ids)


def test_channels_lie_along_the_probe():
    _, rows = built(sessions=1, probes=(1, 1), channels_per_probe=384, units_per_session=10)
    first = [row for row in rows["ecephys_channels"] if row.id < rows["ecephys_channels"][384].id]
    assert [row.local_index for row in first] == list(range(384))
    assert {row.probe_horizontal_position for row in first} == {11, 27, 43, 59}
    assert np.ptp([row.probe_vertical_position for row in first]) == 191 * 20
    assert [row.local_index for row in first if not row.valid_data] == [191]
    above = [row for row in first if row.manual_structure_id is None]
    assert 8 <= len(above) <= 64
    assert all(row.dorsal_ventral_ccf_coordinate is None for row in above)
    assert first[0].dorsal_ventral_ccf_coordinate > first[300].dorsal_ventral_ccf_coordinate


def test_bundles_have_the_keys_of_their_session_type(lims):
    bundle, run = models.EcephysUnitMetricBundle, models.EcephysAnalysisRun
    session = models.EcephysSession
    found = lims.db.execute(
        select(session.stimulus_name, bundle.data)
        .join(bundle.run)
        .join(run.session)
        .where(session.id.in_(lims.session_ids), bundle.data.is_not(None))
    ).all()
    assert {name for name, _ in found} == set(METRIC_KEYS)
    for name, data in found:
        assert set(data) == set(METRIC_KEYS[name])
        assert isinstance(data["p_value_rf"], bool)
        assert isinstance(data["on_screen_rf"], float | None)
    assert any(None in data.values() for _, data in found)


def test_every_unit_has_one_bundle_on_a_current_run_and_a_few_have_an_older_one(lims):
    bundle, run = models.EcephysUnitMetricBundle, models.EcephysAnalysisRun
    counts = lims.db.execute(
        select(run.current, func.count(bundle.id), func.count(bundle.ecephys_unit_id.distinct()))
        .join(bundle.run)
        .where(run.ecephys_session_id.in_(lims.session_ids))
        .group_by(run.current)
    ).all()
    assert sorted(counts) == [(False, 12, 12), (True, 160, 160)]


def test_a_session_has_several_current_runs_of_different_strategies(lims):
    run = models.EcephysAnalysisRun
    strategies = lims.db.scalars(
        select(run.job_strategy_class).where(
            run.ecephys_session_id == lims.session_ids[0], run.current
        )
    ).all()
    assert len(strategies) == len(set(strategies)) == 4


def test_templates_are_in_their_namespace(lims):
    stimulus = models.Stimulus
    names = lims.db.scalars(
        select(stimulus.name)
        .join(stimulus.namespace)
        .where(models.StimulusNamespace.name == "brain_observatory_1.1")
    ).all()
    expected = [f"natural_scene_{number}" for number in range(118)]
    expected += [f"natural_movie_{number}" for number in (1, 2, 3, 97, 98, 99, 99)]
    assert Counter(names) == Counter(expected)


def test_a_database_that_is_only_read_is_refused():
    with pytest.raises(ConfigurationError, match="owned=True"):
        build_synthetic_lims(Database("sqlite://"), sessions=1)


def test_a_database_is_filled_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'lims.db'}"
    create_synthetic_lims(url, sessions=0, progress=False)
    with pytest.raises(ConfigurationError, match="filled already"):
        create_synthetic_lims(url, sessions=0, progress=False)


def test_a_bar_is_shown_if_that_is_wanted(capfd):
    small = {"sessions": 0, "channels_per_probe": 8, "units_per_session": 1}
    create_synthetic_lims("sqlite://", **small, progress=False)
    assert capfd.readouterr().err == ""
    create_synthetic_lims("sqlite://", **small, progress=True)
    assert "synthetic LIMS" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("probes", (1, 30)), ("probes", (6, 4)), ("probes", (0, 4)), ("sessions", -1),
        ("seed", -1), ("channels_per_probe", 0), ("units_per_session", -1),
    ],
)  # fmt: skip
def test_a_shape_that_cant_be_is_refused_by_name(tmp_path, name, value):
    with pytest.raises(ConfigurationError, match=f"{name}="):
        create_synthetic_lims(f"sqlite:///{tmp_path}/lims.db", progress=False, **{name: value})
