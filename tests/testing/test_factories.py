import pytest
from sqlalchemy import func, inspect, select

from ecephys_dal import models
from ecephys_dal.database import Database
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.migrations import upgrade
from ecephys_dal.testing import factories, using

FACTORIES = [
    getattr(factories, name) for name in factories.__all__ if name != factories.LimsFactory.__name__
]


@pytest.fixture
def db():
    with Database("sqlite://", owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        with database.session() as db:
            yield db


def columns(record):
    return {column.key: getattr(record, column.key) for column in inspect(type(record)).columns}


def test_every_model_has_one_factory():
    made = sorted(factory._meta.model.__name__ for factory in FACTORIES)
    assert made == sorted(model.__name__ for model in models.LIMS_MODELS)


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.__name__)
@pytest.mark.sample(6)
def test_a_factory_writes_a_record_with_its_parents(db, factory):
    with using(db):
        record = factory()
    db.expire_all()
    model = type(record)
    assert db.scalar(select(func.count()).select_from(model).where(model.id == record.id)) == 1
    for relationship in inspect(model).relationships:
        given = relationship.key in factory._meta.declarations
        if given and factory._meta.declarations[relationship.key] is not None:
            (column,) = relationship.local_columns
            assert getattr(record, column.key) is not None, relationship


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.__name__)
@pytest.mark.sample(5)
def test_the_values_are_always_the_same(db, factory):
    with using(db, first_id=1):
        first = columns(factory())
        db.rollback()
    with using(db, first_id=1):
        assert columns(factory()) == first


def test_ids_are_those_of_one_sequence(db):
    with using(db, first_id=700):
        records = [factories.GenderFactory(), factories.UserFactory(), factories.GenderFactory()]
    assert [record.id for record in records] == [700, 701, 702]


def test_blocks_that_name_no_first_id_never_give_the_same_one(db):
    with using(db):
        first = factories.GenderFactory()
    with using(db):
        assert factories.GenderFactory().id > first.id


def test_outside_of_using_a_factory_says_what_to_do():
    with pytest.raises(ConfigurationError, match=r"using\(db\)"):
        factories.GenderFactory()
    assert factories.GenderFactory.build().name == "M"


@pytest.mark.parametrize(
    "owner",
    [
        factories.BehaviorSessionFactory,
        factories.EcephysAnalysisRunFactory,
        factories.EcephysAnalysisRunProbeFactory,
        factories.EcephysProbeFactory,
        factories.EcephysSessionFactory,
        factories.IsiExperimentFactory,
        factories.ProjectFactory,
        factories.SpecimenFactory,
    ],
)
def test_a_file_is_attached_to_the_record_that_is_given(db, owner):
    with using(db):
        record = owner()
        file = factories.WellKnownFileFactory(attachable=record, type__name="StimulusPickle")
    db.expunge_all()
    options = models.WellKnownFile.load_attachable()
    found = db.scalars(
        select(models.WellKnownFile).where(models.WellKnownFile.id == file.id).options(*options)
    ).one()
    assert (type(found.attachable), found.attachable.id) == (type(record), record.id)


def test_a_file_may_be_attached_to_nothing(db):
    with using(db):
        file = factories.WellKnownFileFactory(attachable=None, type=None, size=None)
    assert (file.attachable_type, file.attachable_id, file.well_known_file_type_id) == (None,) * 3


def test_parents_agree_with_each_other(db):
    with using(db):
        bundle = factories.EcephysUnitMetricBundleFactory()
        session = bundle.unit.channel.probe.session
        behavior = factories.BehaviorSessionFactory(ecephys_session=session)
        run_probe = factories.EcephysAnalysisRunProbeFactory(probe=bundle.unit.channel.probe)
    assert bundle.run.session is session
    assert run_probe.run.session is session
    assert session.specimen.project is session.project is session.isi_experiment.project
    assert behavior.donor is session.specimen.donor
