"""The polymorphic attachment of files: in joins, in eager loads, and from either end."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session, joinedload, selectinload

from ecephys_dal.models import (
    LIMS_MODELS,
    Attachable,
    Base,
    EcephysAnalysisRun,
    EcephysSession,
    WellKnownFile,
    WellKnownFileType,
)
from ecephys_dal.testing import factories

OWNERS = sorted(
    (model for model in LIMS_MODELS if issubclass(model, Attachable)),
    key=lambda model: model.__name__,
)


def owner_of(model: type[Base]) -> Base:
    record: Base = getattr(factories, f"{model.__name__}Factory").create()
    return record


@pytest.mark.parametrize("model", OWNERS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("load", [selectinload, joinedload])
def test_an_owner_loads_its_files_and_no_others(db: Session, model: type[Base], load) -> None:
    owner = owner_of(model)
    mine = factories.WellKnownFileFactory.create(attachable=owner)
    # the same id, but of another type: an id alone means nothing
    factories.WellKnownFileFactory.create(attachable_type="Elsewhere", attachable_id=owner.id)
    owner_id, mine_id = owner.id, mine.id
    db.expunge_all()
    query = select(model).where(model.id == owner_id).options(load(model.well_known_files))
    loaded = db.scalars(query).unique().one()
    assert [file.id for file in loaded.well_known_files] == [mine_id]


def test_a_file_knows_its_owner_of_whatever_type(db: Session) -> None:
    owners = [owner_of(model) for model in OWNERS]
    expected = {
        factories.WellKnownFileFactory.create(attachable=owner).id: (type(owner), owner.id)
        for owner in owners
    }
    orphan = factories.WellKnownFileFactory.create(attachable_type="Elsewhere", attachable_id=1)
    gone = factories.WellKnownFileFactory.create(attachable_type="Project", attachable_id=-1)
    expected |= {orphan.id: None, gone.id: None}
    db.expunge_all()
    files = db.scalars(select(WellKnownFile).options(*WellKnownFile.load_attachable())).all()
    found = {
        file.id: (type(file.attachable), file.attachable.id) if file.attachable else None
        for file in files
    }
    assert found == expected


def test_an_owner_that_was_not_loaded_is_no_hidden_query(db: Session) -> None:
    factories.WellKnownFileFactory.create(attachable=owner_of(EcephysSession))
    db.expunge_all()
    file = db.scalars(select(WellKnownFile)).one()
    with pytest.raises(InvalidRequestError, match="raise"):
        _ = file.attachable


def test_one_select_goes_from_a_session_to_its_nwb_file(db: Session) -> None:
    run = factories.EcephysAnalysisRunFactory.create()
    nwb_type = factories.WellKnownFileTypeFactory.create(name="EcephysNwb")
    nwb = factories.WellKnownFileFactory.create(attachable=run, type=nwb_type)
    factories.WellKnownFileFactory.create(attachable=run.session, type=nwb_type)
    query = (
        select(EcephysSession.id, WellKnownFile.id)
        .join(EcephysSession.analysis_runs)
        .join(EcephysAnalysisRun.well_known_files)
        .join(WellKnownFile.type)
        .where(WellKnownFileType.name == "EcephysNwb")
    )
    assert [tuple(row) for row in db.execute(query)] == [(run.session.id, nwb.id)]


def test_every_type_of_owner_leads_there_and_back() -> None:
    back = {relation.mapper.class_ for relation in inspect(WellKnownFile).relationships}
    assert set(OWNERS) <= back
    assert len(OWNERS) == 8


def test_a_file_shows_its_path() -> None:
    file = WellKnownFile(id=7, storage_directory="/allen/prod 0/", filename="a.nwb")
    assert repr(file) == "WellKnownFile(id=7, path='/allen/prod 0/a.nwb')"
    assert repr(WellKnownFile()) == "WellKnownFile(id=None, path='')"
    assert repr(EcephysSession(id=5)) == "EcephysSession(id=5)"
