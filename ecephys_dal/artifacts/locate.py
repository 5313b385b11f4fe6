"""Where the bytes of a well-known file are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ecephys_dal.artifacts.formats import FileFormat
from ecephys_dal.errors import NotExactlyOneError
from ecephys_dal.models import Stimulus

if TYPE_CHECKING:
    from typing_extensions import Self

    from ecephys_dal.models import WellKnownFile

__all__ = ["Artifact", "locate"]

T = TypeVar("T")


class Artifact(str):
    """A file of the web application: its route, with what LIMS knows of it.

    It is a string, so that it can be handed to anything with ``stream(route)``.

    Parameters
    ----------
    route : str
        The path under the web application.
    id : int, optional
        Of the well-known file.
    filename, storage_directory : str, optional
        Where it is on the institute's file system; the name also tells its format.
    size : int, optional
        Bytes.
    """

    id: int | None
    filename: str | None
    storage_directory: str | None
    size: int | None

    def __new__(
        cls,
        route: str,
        *,
        id: int | None = None,  # noqa: A002 - as LIMS calls it
        filename: str | None = None,
        storage_directory: str | None = None,
        size: int | None = None,
    ) -> Self:
        """Return the file at this route."""
        artifact = super().__new__(cls, route)
        artifact.id, artifact.size = id, size
        artifact.filename, artifact.storage_directory = filename, storage_directory
        return artifact

    @classmethod
    def of(cls, route: str) -> Artifact:
        """Return the route itself if it is an artifact, else one of which nothing more is known."""
        return route if isinstance(route, Artifact) else cls(route)

    @property
    def file_format(self) -> FileFormat | None:
        """What the file must be, by its name."""
        return FileFormat.of(self.filename or "")

    @property
    def local_name(self) -> str | None:
        """The name of a copy among others, ``<id>_<filename>``; None without an id."""
        if self.id is None:
            return None
        # Whatever a database may hold for a number, it is no path.
        number = str(self.id) if isinstance(self.id, int) else "?"
        return f"{number}_{Path(self.filename).name}" if self.filename else number

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (str(self),), dict(self.__dict__)


def locate(record: WellKnownFile | Stimulus) -> Artifact:
    """Return the file that a record is of.

    Parameters
    ----------
    record : WellKnownFile or Stimulus
        A file's record; or a stimulus template, whose ``well_known_file`` was loaded with it.

    Returns
    -------
    Artifact
        At ``well_known_files/download/<id>?wkf_id=<id>``.

    Raises
    ------
    NotExactlyOneError
        If the stimulus has no file.
    """
    file = record.well_known_file if isinstance(record, Stimulus) else record
    if file is None:
        raise NotExactlyOneError(f"{record!r} has no file")
    return Artifact(
        f"well_known_files/download/{file.id}?wkf_id={file.id}",
        id=file.id,
        filename=_stored(file.filename, str),
        storage_directory=_stored(file.storage_directory, str),
        size=_stored(file.size, int),
    )


def _stored(value: Any, kind: type[T]) -> T | None:
    """Return a value if it is of its kind: SQLite stores any in any column."""
    return value if isinstance(value, kind) else None
