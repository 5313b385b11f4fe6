"""The animals: specimens, their donors, and what is known of those."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.orm import Mapped

from ecephys_dal.models.base import Base, ForeignId, Identifier, reference, related
from ecephys_dal.models.files import Attachable

if TYPE_CHECKING:
    from ecephys_dal.models.anatomy import Structure
    from ecephys_dal.models.behavior import BehaviorSession
    from ecephys_dal.models.projects import Project
    from ecephys_dal.models.recording import EcephysSession

__all__ = ["Age", "Donor", "Gender", "Genotype", "GenotypeType", "Specimen", "donors_genotypes"]

donors_genotypes = Table(
    "donors_genotypes",
    Base.metadata,
    Column("donor_id", Identifier, ForeignKey("donors.id"), primary_key=True),
    Column("genotype_id", Identifier, ForeignKey("genotypes.id"), primary_key=True, index=True),
)


class Gender(Base):
    """A donor's sex: ``M`` or ``F``."""

    __tablename__ = "genders"

    name: Mapped[str | None]

    donors: Mapped[list[Donor]] = related(back_populates="gender")


class Age(Base):
    """A donor's age: a name such as ``P118`` and the number of days."""

    __tablename__ = "ages"

    name: Mapped[str | None]
    days: Mapped[float | None]
    embryonic: Mapped[bool | None]

    donors: Mapped[list[Donor]] = related(back_populates="age")


class GenotypeType(Base):
    """What a genotype is for: ``driver`` or ``reporter``."""

    __tablename__ = "genotype_types"

    name: Mapped[str | None]

    genotypes: Mapped[list[Genotype]] = related(back_populates="genotype_type")


class Genotype(Base):
    """One line of a donor's genotype, such as ``Sst-IRES-Cre``."""

    __tablename__ = "genotypes"

    name: Mapped[str | None]
    genotype_type_id: Mapped[int | None] = reference("genotype_types.id")

    genotype_type: Mapped[GenotypeType | None] = related(back_populates="genotypes")
    donors: Mapped[list[Donor]] = related(secondary=donors_genotypes, back_populates="genotypes")


class Donor(Base):
    """An animal. ``full_genotype`` is NULL, or ``wt/wt``, for a wild type."""

    __tablename__ = "donors"

    external_donor_name: Mapped[str | None]
    name: Mapped[str | None]
    full_genotype: Mapped[str | None]
    date_of_birth: Mapped[dt.datetime | None]
    death_on: Mapped[dt.date | None]
    gender_id: Mapped[int | None] = reference("genders.id")
    age_id: Mapped[int | None] = reference("ages.id")
    organism_id: Mapped[ForeignId | None]

    gender: Mapped[Gender | None] = related(back_populates="donors")
    age: Mapped[Age | None] = related(back_populates="donors")
    genotypes: Mapped[list[Genotype]] = related(secondary=donors_genotypes, back_populates="donors")
    specimens: Mapped[list[Specimen]] = related(back_populates="donor")
    behavior_sessions: Mapped[list[BehaviorSession]] = related(back_populates="donor")


class Specimen(Attachable, Base):
    """A donor, or a part of one, as an experiment knows it."""

    __tablename__ = "specimens"

    name: Mapped[str | None]
    donor_id: Mapped[int | None] = reference("donors.id")
    project_id: Mapped[int | None] = reference("projects.id")
    parent_id: Mapped[int | None] = reference("specimens.id")
    structure_id: Mapped[int | None] = reference("structures.id")
    external_specimen_name: Mapped[str | None]
    storage_directory: Mapped[str | None]

    donor: Mapped[Donor | None] = related(back_populates="specimens")
    project: Mapped[Project | None] = related(back_populates="specimens")
    parent: Mapped[Specimen | None] = related(back_populates="children", remote_side="Specimen.id")
    children: Mapped[list[Specimen]] = related(back_populates="parent")
    structure: Mapped[Structure | None] = related(back_populates="specimens")
    ecephys_sessions: Mapped[list[EcephysSession]] = related(back_populates="specimen")
