"""What surrounds a recording: behavior sessions and intrinsic signal imaging."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy.orm import Mapped

from ecephys_dal.models.base import Base, reference, related
from ecephys_dal.models.files import Attachable

if TYPE_CHECKING:
    from ecephys_dal.models.projects import Equipment, Project
    from ecephys_dal.models.recording import EcephysSession
    from ecephys_dal.models.subjects import Donor

__all__ = ["BehaviorSession", "IsiExperiment"]


class BehaviorSession(Attachable, Base):
    """A session of behavior, during a recording or on its own."""

    __tablename__ = "behavior_sessions"

    ecephys_session_id: Mapped[int | None] = reference("ecephys_sessions.id")
    donor_id: Mapped[int | None] = reference("donors.id")
    foraging_id: Mapped[str | None]
    equipment_id: Mapped[int | None] = reference("equipment.id")
    project_id: Mapped[int | None] = reference("projects.id")
    stimulus_name: Mapped[str | None]
    storage_directory: Mapped[str | None]
    date_of_acquisition: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime | None]

    ecephys_session: Mapped[EcephysSession | None] = related(back_populates="behavior_session")
    donor: Mapped[Donor | None] = related(back_populates="behavior_sessions")
    equipment: Mapped[Equipment | None] = related(back_populates="behavior_sessions")
    project: Mapped[Project | None] = related(back_populates="behavior_sessions")


class IsiExperiment(Attachable, Base):
    """An intrinsic signal imaging experiment: the map of visual areas made before insertion."""

    __tablename__ = "isi_experiments"

    project_id: Mapped[int | None] = reference("projects.id")
    date_of_acquisition: Mapped[dt.datetime | None]
    workflow_state: Mapped[str | None]

    project: Mapped[Project | None] = related(back_populates="isi_experiments")
    ecephys_sessions: Mapped[list[EcephysSession]] = related(back_populates="isi_experiment")
