# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: D106 - a nested Meta or Params belongs to its factory
"""Factories of the animals."""

from __future__ import annotations

import datetime as dt

from factory.declarations import LazyAttribute, SubFactory

from ecephys_dal import models
from ecephys_dal.testing.factories.base import PRODUCTION, LimsFactory
from ecephys_dal.testing.factories.projects import ProjectFactory

__all__ = [
    "AgeFactory",
    "DonorFactory",
    "GenderFactory",
    "GenotypeFactory",
    "GenotypeTypeFactory",
    "SpecimenFactory",
]


class GenderFactory(LimsFactory[models.Gender]):
    """Male."""

    class Meta:
        model = models.Gender

    name = "M"


class AgeFactory(LimsFactory[models.Age]):
    """118 days; the name follows the number."""

    class Meta:
        model = models.Age

    days = 118.0
    name = LazyAttribute(lambda age: "unknown" if age.days is None else f"P{age.days:.0f}")
    embryonic = False


class GenotypeTypeFactory(LimsFactory[models.GenotypeType]):
    """A driver line."""

    class Meta:
        model = models.GenotypeType

    name = "driver"


class GenotypeFactory(LimsFactory[models.Genotype]):
    """A line of somatostatin neurons."""

    class Meta:
        model = models.Genotype

    name = "Sst-IRES-Cre"
    genotype_type = SubFactory(GenotypeTypeFactory)


class DonorFactory(LimsFactory[models.Donor]):
    """A mouse of a Sst line; ``full_genotype=None`` makes a wild type."""

    class Meta:
        model = models.Donor

    external_donor_name = "386129"
    name = "Sst-IRES-Cre;Ai32-386129"
    full_genotype = "Sst-IRES-Cre/wt;Ai32(RCL-ChR2(H134R)_EYFP)/wt"
    date_of_birth = dt.datetime.fromisoformat("2018-03-01")
    death_on = dt.date(2018, 6, 28)
    gender = SubFactory(GenderFactory)
    age = SubFactory(AgeFactory)
    organism_id = 2


class SpecimenFactory(LimsFactory[models.Specimen]):
    """The donor as the experiment knows it."""

    class Meta:
        model = models.Specimen

    name = LazyAttribute(lambda specimen: specimen.donor and specimen.donor.name)
    donor = SubFactory(DonorFactory)
    project = SubFactory(ProjectFactory)
    parent = None
    structure = None
    external_specimen_name = LazyAttribute(
        lambda specimen: specimen.donor and specimen.donor.external_donor_name
    )
    storage_directory = LazyAttribute(lambda specimen: f"{PRODUCTION}/specimen_{specimen.id}/")
