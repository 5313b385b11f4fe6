"""What a file of a known format must look like."""

from __future__ import annotations

from enum import Enum
from pathlib import PurePosixPath

__all__ = ["FileFormat"]


class FileFormat(Enum):
    """A file format, by the bytes that one of its files may begin with."""

    HDF5 = (b"\x89HDF\r\n\x1a\n",)
    NPY = (b"\x93NUMPY",)
    TIFF = (b"II*\0", b"MM\0*")

    @classmethod
    def of(cls, filename: str) -> FileFormat | None:
        """Return the format that a file of this name must have, or None if the name says none."""
        return _BY_SUFFIX.get(PurePosixPath(filename).suffix.lower())

    def begins(self, start: bytes) -> bool:
        """Tell whether a file that begins so, with 8 bytes or more, can be of this format."""
        return start.startswith(self.value)


_BY_SUFFIX = {
    ".nwb": FileFormat.HDF5,
    ".h5": FileFormat.HDF5,
    ".npy": FileFormat.NPY,
    ".tif": FileFormat.TIFF,
    ".tiff": FileFormat.TIFF,
}
