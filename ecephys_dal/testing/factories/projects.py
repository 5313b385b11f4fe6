# ruff: noqa: D106 - a nested Meta or Params belongs to its factory
"""Factories of what recordings are made for, on and by, and where in the brain."""

from __future__ import annotations

from ecephys_dal import models
from ecephys_dal.testing.factories.base import CREATED_AT, LimsFactory

__all__ = ["EquipmentFactory", "ProjectFactory", "StructureFactory", "UserFactory"]


class ProjectFactory(LimsFactory[models.Project]):
    """The Visual Coding project."""

    class Meta:
        model = models.Project

    code = "NeuropixelVisualCoding"
    name = "BrainTV Neuropixels Visual Coding"
    created_at = CREATED_AT
    updated_at = CREATED_AT
    trigger_dir = "/allen/programs/braintv/production/incoming/neuralcoding/trigger/"
    incoming_directory = "/allen/programs/braintv/production/incoming/neuralcoding/"


class EquipmentFactory(LimsFactory[models.Equipment]):
    """A Neuropixels rig."""

    class Meta:
        model = models.Equipment

    name = "NP.0"


class UserFactory(LimsFactory[models.User]):
    """An operator."""

    class Meta:
        model = models.User

    login = "operator"


class StructureFactory(LimsFactory[models.Structure]):
    """The primary visual area."""

    class Meta:
        model = models.Structure

    acronym = "VISp"
    name = "Primary visual area"
    graph_order = 185
    parent = None
