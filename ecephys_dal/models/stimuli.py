"""What was shown: stimulus templates and the namespaces of their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from ecephys_dal.models.base import Base, reference, related

if TYPE_CHECKING:
    from ecephys_dal.models.files import WellKnownFile

__all__ = ["Stimulus", "StimulusNamespace"]


class StimulusNamespace(Base):
    """A family of stimulus names, such as ``brain_observatory_1.1``."""

    __tablename__ = "stimulus_namespaces"

    name: Mapped[str | None]

    stimuli: Mapped[list[Stimulus]] = related(back_populates="namespace")


class Stimulus(Base):
    """A stimulus template, such as ``natural_movie_1``, and the file that holds it."""

    __tablename__ = "stimuli"
    __table_args__ = (Index(None, "stimulus_namespace_id", "name"),)

    name: Mapped[str | None]
    stimulus_namespace_id: Mapped[int | None] = reference("stimulus_namespaces.id")
    well_known_file_id: Mapped[int | None] = reference("well_known_files.id")

    namespace: Mapped[StimulusNamespace | None] = related(back_populates="stimuli")
    well_known_file: Mapped[WellKnownFile | None] = related(back_populates="stimuli")
