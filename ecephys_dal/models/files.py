"""The records of files, and the tables that files are attached to."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Index, inspect
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship, selectinload

from ecephys_dal.models.base import Base, ForeignId, reference, related

if TYPE_CHECKING:
    from sqlalchemy.orm.interfaces import LoaderOption

    from ecephys_dal.models.analysis import EcephysAnalysisRun, EcephysAnalysisRunProbe
    from ecephys_dal.models.behavior import BehaviorSession, IsiExperiment
    from ecephys_dal.models.projects import Project
    from ecephys_dal.models.recording import EcephysProbe, EcephysSession
    from ecephys_dal.models.stimuli import Stimulus
    from ecephys_dal.models.subjects import Specimen

__all__ = ["Attachable", "WellKnownFile", "WellKnownFileType"]


def _attached(owner: str, target: str | None = None) -> Any:
    """Relate files and one type of owner, by the pair that serves as Rails' foreign key.

    View only, because SQLAlchemy can't keep one column for many owners in step: a new file's
    ``attachable_type`` and ``attachable_id`` are set as what they are, columns.
    """
    pair = (
        f"and_(foreign(WellKnownFile.attachable_id) == {owner}.id,"
        f" WellKnownFile.attachable_type == '{owner}')"
    )
    return relationship(target or owner, primaryjoin=pair, viewonly=True, lazy="raise")


class Attachable:
    """A table that files can be attached to (Rails' polymorphic association)."""

    @declared_attr
    @classmethod
    def well_known_files(cls) -> Mapped[list[WellKnownFile]]:
        """Lead to the records of the files that are attached to this one."""
        related_files: Mapped[list[WellKnownFile]] = _attached(cls.__name__, "WellKnownFile")
        return related_files


class WellKnownFileType(Base):
    """What a file is, such as ``EcephysNwb``; some names hold a space."""

    __tablename__ = "well_known_file_types"

    name: Mapped[str | None]
    created_at: Mapped[dt.datetime | None]
    updated_at: Mapped[dt.datetime | None]

    well_known_files: Mapped[list[WellKnownFile]] = related(back_populates="type")


class WellKnownFile(Base):
    """The record of a file. Its path is ``storage_directory || filename``; size is in bytes."""

    __tablename__ = "well_known_files"
    __table_args__ = (Index(None, "attachable_id", "attachable_type"),)

    attachable_id: Mapped[ForeignId | None]
    attachable_type: Mapped[str | None]
    well_known_file_type_id: Mapped[int | None] = reference("well_known_file_types.id")
    storage_directory: Mapped[str | None]
    filename: Mapped[str | None]
    content_type: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    published_at: Mapped[dt.date | None]
    file_source_id: Mapped[ForeignId | None]
    workflow_state: Mapped[str | None]
    created_at: Mapped[dt.datetime | None]
    updated_at: Mapped[dt.datetime | None]

    type: Mapped[WellKnownFileType | None] = related(back_populates="well_known_files")
    stimuli: Mapped[list[Stimulus]] = related(back_populates="well_known_file")

    behavior_session: Mapped[BehaviorSession | None] = _attached("BehaviorSession")
    ecephys_analysis_run: Mapped[EcephysAnalysisRun | None] = _attached("EcephysAnalysisRun")
    ecephys_analysis_run_probe: Mapped[EcephysAnalysisRunProbe | None] = _attached(
        "EcephysAnalysisRunProbe"
    )
    ecephys_probe: Mapped[EcephysProbe | None] = _attached("EcephysProbe")
    ecephys_session: Mapped[EcephysSession | None] = _attached("EcephysSession")
    isi_experiment: Mapped[IsiExperiment | None] = _attached("IsiExperiment")
    project: Mapped[Project | None] = _attached("Project")
    specimen: Mapped[Specimen | None] = _attached("Specimen")

    def __repr__(self) -> str:
        stored = self.__dict__
        path = f"{stored.get('storage_directory') or ''}{stored.get('filename') or ''}"
        return f"WellKnownFile(id={stored.get('id')}, path={path!r})"

    @property
    def attachable(self) -> Attachable | None:
        """The record that this file is attached to.

        None if that record is gone, or is of a table that is not modelled. It must have been
        loaded, with ``options(*WellKnownFile.load_attachable())``; reading it otherwise raises.
        """
        relation = self._owners().get(self.attachable_type or "")
        owner: Attachable | None = getattr(self, relation) if relation else None
        return owner

    @classmethod
    def load_attachable(cls) -> tuple[LoaderOption, ...]:
        """Return the options that load ``attachable``, with one more statement a type of owner.

        Returns
        -------
        tuple of LoaderOption
            For ``select(WellKnownFile).options(...)``.
        """
        return tuple(selectinload(getattr(cls, relation)) for relation in cls._owners().values())

    @classmethod
    def _owners(cls) -> dict[str, str]:
        """Name of each attachable class, and of the relationship that leads to it."""
        return {
            relation.mapper.class_.__name__: relation.key
            for relation in inspect(cls).relationships
            if issubclass(relation.mapper.class_, Attachable)
        }
