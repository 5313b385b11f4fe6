"""The records that the sessions of the synthetic LIMS share, each made once, and their animals."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import select

from ecephys_dal.errors import ConfigurationError
from ecephys_dal.models import EcephysSession, Project
from ecephys_dal.testing import factories
from ecephys_dal.testing.binding import using
from ecephys_dal.testing.rows import STRUCTURES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from ecephys_dal import models
    from ecephys_dal.database import Database

__all__ = ["SharedRecords", "filling"]


@contextmanager
def filling(database: Database, first_id: int) -> Iterator[Session]:
    """Open an ORM session that the factories write to, in a database that is not filled yet.

    Parameters
    ----------
    database : Database
        Owned, and with the schema.
    first_id : int
        The id of the project, which `SharedRecords` makes first; further ids count up from it.

    Yields
    ------
    Session
        Committed at the end of the block.

    Raises
    ------
    ConfigurationError
        If the database is not owned, was filled before, or holds any session.
    """
    if not database.owned:
        raise ConfigurationError(
            f"{database} is only read; to fill a database of our own, use Database(url, owned=True)"
        )
    with database.session() as db, using(db, first_id=first_id):
        if db.get(Project, first_id):
            raise ConfigurationError(
                f"{database} is filled already; name an empty database, or"
                " use what is there by create_synthetic_lims(url, exist_ok=True)"
            )
        if db.scalar(select(EcephysSession.id).limit(1)) is not None:
            raise ConfigurationError(
                f"{database} holds sessions of somebody else's; name an empty database"
            )
        yield db


class SharedRecords:
    """Records that are there once, however many refer to them; none is in a database yet."""

    def __init__(self) -> None:
        self.project: models.Project = factories.ProjectFactory.build()
        self.equipment: models.Equipment = factories.EquipmentFactory.build()
        self.operator: models.User = factories.UserFactory.build()
        self.structures: dict[str, models.Structure] = self._structures()
        self.file_type = cache(self._file_type)
        self._gender, self._age = cache(self._new_gender), cache(self._new_age)
        self._genotype = cache(self._new_genotype)
        self._genotype_type = cache(self._new_genotype_type)
        self._donors = 0

    def donor(self, genotype: str | None, sex: str | None, age: float | None) -> models.Donor:
        """Make a donor of this genotype, with a LabTracks id of its own.

        Parameters
        ----------
        genotype : str or None
            As in ``donors.full_genotype``; None for a wild type.
        sex : str or None
            ``M`` or ``F``.
        age : float or None
            In days.

        Returns
        -------
        Donor
        """
        self._donors += 1
        labtracks = str(386129 + 7 * self._donors)
        lines = [line.removesuffix("/wt") for line in (genotype or "wt").split(";")]
        return factories.DonorFactory.build(
            external_donor_name=labtracks,
            name=f"{';'.join(lines)}-{labtracks}",
            full_genotype=genotype,
            gender=sex and self._gender(sex),
            age=None if age is None else self._age(age),
            genotypes=[self._genotype(line) for line in lines if line != "wt"],
        )

    @staticmethod
    def _structures() -> dict[str, models.Structure]:
        root = factories.StructureFactory.build(
            acronym="root", name="root", graph_order=0, parent=None
        )
        return {
            acronym: factories.StructureFactory.build(
                acronym=acronym, name=name, graph_order=order, parent=root
            )
            for order, (acronym, name) in enumerate(STRUCTURES.items(), start=1)
        }

    @staticmethod
    def _file_type(name: str) -> models.WellKnownFileType:
        return factories.WellKnownFileTypeFactory.build(name=name)

    @staticmethod
    def _new_gender(name: str) -> models.Gender:
        return factories.GenderFactory.build(name=name)

    @staticmethod
    def _new_age(days: float) -> models.Age:
        return factories.AgeFactory.build(days=days)

    def _new_genotype(self, line: str) -> models.Genotype:
        kind = self._genotype_type("driver" if "Cre" in line else "reporter")
        return factories.GenotypeFactory.build(name=line, genotype_type=kind)

    @staticmethod
    def _new_genotype_type(name: str) -> models.GenotypeType:
        return factories.GenotypeTypeFactory.build(name=name)
