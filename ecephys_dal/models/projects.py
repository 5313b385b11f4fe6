"""What recordings are made for, on and by: projects, rigs and people."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy.orm import Mapped

from ecephys_dal.models.base import Base, related
from ecephys_dal.models.files import Attachable

if TYPE_CHECKING:
    from ecephys_dal.models.behavior import BehaviorSession, IsiExperiment
    from ecephys_dal.models.recording import EcephysSession
    from ecephys_dal.models.subjects import Specimen

__all__ = ["Equipment", "Project", "User"]


class Project(Attachable, Base):
    """A scientific project, such as Visual Coding; its code and its name differ."""

    __tablename__ = "projects"

    code: Mapped[str | None]
    name: Mapped[str | None]
    created_at: Mapped[dt.datetime | None]
    updated_at: Mapped[dt.datetime | None]
    trigger_dir: Mapped[str | None]
    incoming_directory: Mapped[str | None]

    ecephys_sessions: Mapped[list[EcephysSession]] = related(back_populates="project")
    behavior_sessions: Mapped[list[BehaviorSession]] = related(back_populates="project")
    isi_experiments: Mapped[list[IsiExperiment]] = related(back_populates="project")
    specimens: Mapped[list[Specimen]] = related(back_populates="project")


class Equipment(Base):
    """A rig, such as ``NP.0``."""

    __tablename__ = "equipment"

    name: Mapped[str | None]

    ecephys_sessions: Mapped[list[EcephysSession]] = related(back_populates="equipment")
    behavior_sessions: Mapped[list[BehaviorSession]] = related(back_populates="equipment")


class User(Base):
    """A person who operates rigs or checks recordings."""

    __tablename__ = "users"

    login: Mapped[str | None]

    operated_sessions: Mapped[list[EcephysSession]] = related(
        back_populates="operator", foreign_keys="EcephysSession.operator_id"
    )
    qc_sessions: Mapped[list[EcephysSession]] = related(
        back_populates="qc_operator", foreign_keys="EcephysSession.qc_operator_id"
    )
