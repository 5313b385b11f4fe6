"""Where in the brain: the structures of the reference atlas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.orm import Mapped

from ecephys_dal.models.base import Base, reference, related

if TYPE_CHECKING:
    from ecephys_dal.models.recording import EcephysChannel
    from ecephys_dal.models.subjects import Specimen

__all__ = ["Structure"]


class Structure(Base):
    """A brain structure of the Allen atlas, such as ``VISp``; structures form a tree."""

    __tablename__ = "structures"

    acronym: Mapped[str | None]
    name: Mapped[str | None]
    graph_order: Mapped[int | None]
    parent_structure_id: Mapped[int | None] = reference("structures.id")

    parent: Mapped[Structure | None] = related(
        back_populates="children", remote_side="Structure.id"
    )
    children: Mapped[list[Structure]] = related(back_populates="parent")
    channels: Mapped[list[EcephysChannel]] = related(back_populates="structure")
    specimens: Mapped[list[Specimen]] = related(back_populates="structure")
