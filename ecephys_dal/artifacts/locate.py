"""Where the bytes of a well-known file are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecephys_dal.artifacts.verify import FileFormat

if TYPE_CHECKING:
    from typing_extensions import Self

    from ecephys_dal.models import WellKnownFile

__all__ = ["Route", "route_of"]


class Route(str):
    """The path of a file under the web application, with what is known of the file.

    It is a string, so that it can be handed to anything with ``stream(route)``.

    Attributes
    ----------
    size : int or None
        Bytes, as LIMS has it.
    file_format : FileFormat or None
        What the first bytes must look like.
    """

    size: int | None
    file_format: FileFormat | None

    def __new__(
        cls, path: str, *, size: int | None = None, file_format: FileFormat | None = None
    ) -> Self:
        """Return the route of this path."""
        route = super().__new__(cls, path)
        route.size, route.file_format = size, file_format
        return route

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (str(self),), {"size": self.size, "file_format": self.file_format}


def route_of(record: WellKnownFile) -> Route:
    """Return the route that downloads a well-known file.

    Parameters
    ----------
    record : WellKnownFile
        The file's record.

    Returns
    -------
    Route
        ``well_known_files/download/<id>?wkf_id=<id>``
    """
    return Route(
        f"well_known_files/download/{record.id}?wkf_id={record.id}",
        size=record.size,
        file_format=FileFormat.of(record.filename or ""),
    )
