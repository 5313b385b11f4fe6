# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: D106 - a nested Meta or Params belongs to its factory
"""Factories of the records of files, and of the stimuli that they hold."""

from __future__ import annotations

from factory.declarations import LazyAttribute, SubFactory

from ecephys_dal import models
from ecephys_dal.testing.factories.analysis import EcephysAnalysisRunFactory
from ecephys_dal.testing.factories.base import (
    ACQUIRED_AT,
    CREATED_AT,
    PRODUCTION,
    RELEASE_DAY,
    LimsFactory,
)

__all__ = [
    "StimulusFactory",
    "StimulusNamespaceFactory",
    "WellKnownFileFactory",
    "WellKnownFileTypeFactory",
]


class WellKnownFileTypeFactory(LimsFactory[models.WellKnownFileType]):
    """The type of a session's NWB file."""

    class Meta:
        model = models.WellKnownFileType

    name = "EcephysNwb"
    created_at = CREATED_AT
    updated_at = CREATED_AT


class WellKnownFileFactory(LimsFactory[models.WellKnownFile]):
    """A session's NWB file on its analysis run; ``attachable=record`` attaches it elsewhere."""

    class Meta:
        model = models.WellKnownFile

    class Params:
        attachable = SubFactory(EcephysAnalysisRunFactory)

    attachable_type = LazyAttribute(lambda file: file.attachable and type(file.attachable).__name__)
    attachable_id = LazyAttribute(lambda file: file.attachable and file.attachable.id)
    type = SubFactory(WellKnownFileTypeFactory)
    storage_directory = LazyAttribute(
        lambda file: f"{PRODUCTION}/well_known_files/{file.attachable_id}/"
    )
    filename = "spike_times.nwb"
    content_type = "application/x-hdf"
    size = 2_715_482_136
    published_at = RELEASE_DAY
    created_at = ACQUIRED_AT
    updated_at = ACQUIRED_AT


class StimulusNamespaceFactory(LimsFactory[models.StimulusNamespace]):
    """The namespace of the Visual Coding stimuli."""

    class Meta:
        model = models.StimulusNamespace

    name = "brain_observatory_1.1"


class StimulusFactory(LimsFactory[models.Stimulus]):
    """A natural movie; its file is attached to nothing."""

    class Meta:
        model = models.Stimulus

    name = "natural_movie_1"
    namespace = SubFactory(StimulusNamespaceFactory)
    well_known_file = SubFactory(
        WellKnownFileFactory,
        attachable=None,
        type__name="Stimulus",
        storage_directory=f"{PRODUCTION}/stimuli/",
        filename=LazyAttribute(lambda file: f"{file.factory_parent.name}.npy"),
        content_type="application/octet-stream",
        size=166_348_928,
    )
